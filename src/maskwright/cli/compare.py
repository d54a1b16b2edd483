"""`maskwright compare`."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from maskwright.cli.console import Data, Flips, Json, OutFolder, Split, out, quiet_tensorflow


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
    from maskwright.evaluation import comparison_table, comparison_to_dict

    comparison = api.compare(run_a, run_b, data, split=split, out=folder, size=size, flips=flips)
    results = folder or api.comparison_folder(run_a, run_b, split)
    if as_json:
        typer.echo(json.dumps(comparison_to_dict(comparison)))
    else:
        out().print(comparison_table(comparison))
    for skipped in comparison.skipped:
        typer.echo(f"skipped: {skipped.reason}", err=True)
    typer.echo(f"See {results / 'report.html'}.", err=True)
