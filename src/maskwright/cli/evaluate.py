"""`maskwright evaluate`."""

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
    quiet_tensorflow,
    report_evaluation,
)


def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    data: Data,
    split: Split = "test",
    folder: OutFolder = None,
    size: Annotated[
        Literal["original", "working"],
        typer.Option(help="Resolution of the scores: of the files, or of the model."),
    ] = "original",
    flips: Flips = False,
    as_json: Json = False,
) -> None:
    """Score a model on a split that it was not trained on."""
    quiet_tensorflow()
    from maskwright import api

    evaluation = api.evaluate(
        run, data, split=split, out=folder, size=size, flips=flips, on_message=print_message
    )
    report_evaluation(run, evaluation, folder or run / "evaluation" / split, as_json)
