"""`maskwright demo`."""

from itertools import chain, count
from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.console import out, quiet_tensorflow


def demo(
    folder: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Folder for all it makes; if left out, demo, demo-2 …"),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.05, help="Time to train for; if left out, 2, or 3 with --regions."),
    ] = None,
    regions: Annotated[
        bool, typer.Option("--regions", help="Decide what each cell is, too.")
    ] = False,
) -> None:
    """Draw a data set of microscope-like scenes, train on it, evaluate, predict."""
    quiet_tensorflow()
    if regions:
        _regions(folder or _free_folder(), minutes or 3.0)
        return
    from maskwright import api
    from maskwright.evaluation.reports.write import terminal_table
    from maskwright.tasks.registry import task_of

    made = api.demo(
        folder or _free_folder(),
        minutes=minutes or 2.0,
        on_message=lambda text: typer.echo(text, err=True),
    )
    out().print(terminal_table(task_of(made.run).report(made.evaluation)))
    places = {
        "images and masks": made.data,
        "curves and previews": made.run,
        "report": made.run / "evaluation" / "test" / "report.html",
        "predicted masks": made.masks,
        "picture": made.picture,
    }
    for name, place in places.items():
        typer.echo(f"{name + ':':<22}{place}")


def _regions(folder: Path, minutes: float) -> None:
    from maskwright import api
    from maskwright.evaluation.reports.write import terminal_table
    from maskwright.tasks.registry import task_of

    made = api.demo_regions(folder, minutes=minutes, on_message=_tell)
    out().print(terminal_table(task_of(made.run).report(made.evaluation)))
    places = {
        "images and cells": made.data,
        "segmenter": made.segmenter,
        "pipeline": made.run,
        "report": made.run / "evaluation" / "test" / "report.html",
        "answers": made.answers / "cases.csv",
        "picture": made.picture,
    }
    for name, place in places.items():
        typer.echo(f"{name + ':':<22}{place}")


def _free_folder() -> Path:
    names = chain(["demo"], (f"demo-{number}" for number in count(2)))
    return next(path for name in names if not (path := Path(name)).exists())


def _tell(text: str) -> None:
    typer.echo(text, err=True)
