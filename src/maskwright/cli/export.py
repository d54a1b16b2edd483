"""`maskwright export`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.console import Json, quiet_tensorflow
from maskwright.types import Format


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or of an ensemble.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Folder, or one file that ends with .maskwright.")
    ],
    format: Annotated[Format, typer.Option(help="Engine that is to run it.")] = "onnx",
    data: Annotated[
        str | None, typer.Option(help="Data set whose validation images are compared on too.")
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Eight bits, calibrated on training images of --data.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a trained model for another engine, and hold it against the original."""
    quiet_tensorflow()
    from maskwright import api

    made = api.export_model(run, out, format=format, data=data, int8=int8)
    if as_json:
        segmenter = made.segmenter and {"segmenter": made.segmenter.to_dict()}
        told = {"path": str(made.path), **made.parity.to_dict(), **(segmenter or {})}
        typer.echo(json.dumps(told))
        return
    if kept := made.listing.kept_in_float:
        typer.echo(f"Left in float, {len(kept)} layers: {', '.join(kept)}.", err=True)
    if made.segmenter is not None:
        typer.echo(f"Segmenter: {made.segmenter.summary()}", err=True)
    typer.echo(made.parity.summary(), err=True)
    typer.echo(made.path)
