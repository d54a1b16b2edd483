"""`maskwright compare`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from maskwright.cli.console import (
    Data,
    Flips,
    Json,
    OutFolder,
    Split,
    print_message,
    print_report,
    quiet_tensorflow,
)


def compare(
    run_a: Annotated[Path, typer.Argument(help="Folder of the first run (A).")],
    run_b: Annotated[Path, typer.Argument(help="Folder of the second run (B).")],
    data: Data,
    split: Split = "test",
    folder: OutFolder = None,
    size: Annotated[
        Literal["original", "working"],
        typer.Option(help="Resolution of the scores: of the files, or of the models."),
    ] = "original",
    flips: Flips = False,
    as_json: Json = False,
) -> None:
    """Test whether two models differ significantly, on the same images."""
    quiet_tensorflow()
    from maskwright import api
    from maskwright.tasks.registry import task_of

    comparison = api.compare(
        run_a,
        run_b,
        data,
        split=split,
        out=folder,
        size=size,
        flips=flips,
        on_message=print_message,
    )
    report = task_of(run_a).report(comparison)
    print_report(report, folder or api.comparison_folder(run_a, run_b, split), as_json)
