"""`maskwright evaluate`."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from maskwright.cli.console import Json, OutFolder, out, quiet_tensorflow


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
    from maskwright.evaluation import table, to_dict
    from maskwright.tasks.instances.report import table as object_table
    from maskwright.tasks.instances.report import to_dict as objects_to_dict
    from maskwright.tasks.instances.scorer import ObjectEvaluation

    found = api.evaluate(run, data, split=split, out=folder, size=size, flips=flips)
    written = folder or run / "evaluation" / split
    if isinstance(found, ObjectEvaluation):
        values, shown = objects_to_dict(found), object_table(found)
    else:
        values, shown = to_dict(found), table(found)
    if as_json:
        typer.echo(json.dumps(values))
    else:
        out().print(shown)
    for skipped in found.skipped:
        typer.echo(f"skipped: {skipped.reason}", err=True)
    typer.echo(f"See {written / 'report.html'}.", err=True)
