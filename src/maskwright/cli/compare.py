"""`maskwright compare`."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from maskwright.cli.console import Json, OutFolder, out, quiet_tensorflow


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
    from maskwright.evaluation import comparison_table, comparison_to_dict

    found = api.compare(run_a, run_b, data, split=split, out=folder, size=size, flips=flips)
    written = folder or api.comparison_folder(run_a, run_b, split)
    if as_json:
        typer.echo(json.dumps(comparison_to_dict(found)))
    else:
        out().print(comparison_table(found))
    for skipped in found.skipped:
        typer.echo(f"not scored: {skipped.reason}", err=True)
    typer.echo(f"See {written / 'report.html'}.", err=True)
