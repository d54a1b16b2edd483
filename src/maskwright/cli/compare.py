"""`maskwright compare`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from maskwright.cli.console import Json, OutFolder, print_report, quiet_tensorflow


def compare(
    run_a: Annotated[Path, typer.Argument(help="Folder of a run.")],
    run_b: Annotated[Path, typer.Argument(help="Folder of another run.")],
    data: Annotated[str, typer.Argument(help="Folder, CSV, data.yaml or tfds:NAME.")],
    split: Annotated[str, typer.Option(help="Split to score.")] = "test",
    folder: OutFolder = None,
    size: Annotated[
        Literal["original", "working"],
        typer.Option(help="Score masks in their own size or in the models'."),
    ] = "original",
    flips: Annotated[bool, typer.Option(help="Average over the mirrored image too.")] = False,
    as_json: Json = False,
) -> None:
    """Say which of two models is better, or that no difference is shown."""
    quiet_tensorflow()
    from maskwright import api
    from maskwright.tasks.registry import task_of

    comparison = api.compare(run_a, run_b, data, split=split, out=folder, size=size, flips=flips)
    report = task_of(run_a).comparison_report(comparison)
    print_report(report, folder or api.comparison_folder(run_a, run_b, split), as_json)
