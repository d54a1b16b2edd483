"""`maskwright evaluate`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from maskwright.cli.console import Json, OutFolder, quiet_tensorflow, report_evaluation


def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    data: Annotated[
        str, typer.Argument(help="Data set: folder, CSV file, data.yaml or tfds:NAME.")
    ],
    split: Annotated[str, typer.Option(help="Split to score.")] = "test",
    folder: OutFolder = None,
    size: Annotated[
        Literal["original", "working"],
        typer.Option(help="Resolution of the scores: of the files, or of the model."),
    ] = "original",
    flips: Annotated[
        bool, typer.Option(help="Average predictions over the image and its mirror image.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Score a model on a split that it was not trained on."""
    quiet_tensorflow()
    from maskwright import api

    evaluation = api.evaluate(run, data, split=split, out=folder, size=size, flips=flips)
    report_evaluation(run, evaluation, folder or run / "evaluation" / split, as_json)
