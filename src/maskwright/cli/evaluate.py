"""`maskwright evaluate` and `maskwright compare`."""

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

Size = Annotated[
    Literal["original", "working"],
    typer.Option(help="Resolution of the scores: of the files, or of the model."),
]


def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    data: Data,
    split: Split = "test",
    folder: OutFolder = None,
    size: Size = "original",
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


def compare(
    run_a: Annotated[Path, typer.Argument(help="Folder of the first run (A).")],
    run_b: Annotated[Path, typer.Argument(help="Folder of the second run (B).")],
    data: Data,
    split: Split = "test",
    folder: OutFolder = None,
    size: Size = "original",
    flips: Flips = False,
    as_json: Json = False,
) -> None:
    """Test whether two models differ significantly, on the same images."""
    quiet_tensorflow()
    from maskwright import api

    folder = folder or api.comparison_folder(run_a, run_b, split)
    comparison = api.compare(
        *(run_a, run_b, data),
        split=split,
        out=folder,
        size=size,
        flips=flips,
        on_message=print_message,
    )
    report_evaluation(run_a, comparison, folder, as_json)
