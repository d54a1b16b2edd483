"""`maskwright demo`."""

from itertools import chain, count
from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.console import out, print_message, quiet_tensorflow


def demo(
    folder: Annotated[
        Path | None, typer.Option("-o", "--out", help="Output folder; by default demo, demo-2, …")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0.05, help="Training budget in minutes; by default 2, or 3 with --regions."
        ),
    ] = None,
    regions: Annotated[bool, typer.Option("--regions", help="Also classify each cell.")] = False,
) -> None:
    """Train, evaluate and predict on a generated data set."""
    quiet_tensorflow()
    from maskwright import api
    from maskwright.evaluation.reports.write import terminal_table
    from maskwright.tasks.registry import task_of

    make = api.demo_regions if regions else api.demo
    budget = minutes or (3.0 if regions else 2.0)
    result = make(folder or _free_folder(), minutes=budget, on_message=print_message)
    out().print(terminal_table(task_of(result.run).report(result.evaluation)))
    for name, place in result.places.items():
        typer.echo(f"{name + ':':<22}{place}")


def _free_folder() -> Path:
    names = chain(["demo"], (f"demo-{number}" for number in count(2)))
    return next(path for name in names if not (path := Path(name)).exists())
