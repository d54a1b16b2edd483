"""`maskwright export`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.console import Json, print_message, quiet_tensorflow
from maskwright.types import Format


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or of an ensemble.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Output folder, or a file ending with .maskwright.")
    ],
    format: Annotated[
        Format, typer.Option(help="Inference engine of the exported model.")
    ] = "onnx",
    data: Annotated[
        str | None,
        typer.Option(help="Data set; outputs are also compared on its validation images."),
    ] = None,
    int8: Annotated[
        bool,
        typer.Option("--int8", help="Quantize to 8 bits, calibrated on training images of --data."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Export a model for another engine and verify it against the original."""
    quiet_tensorflow()
    from maskwright import api

    exported = api.export_model(run, out, format=format, data=data, int8=int8)
    if as_json:
        segmenter = exported.segmenter and {"segmenter": exported.segmenter.to_dict()}
        summary = {"path": str(exported.path), **exported.parity.to_dict(), **(segmenter or {})}
        typer.echo(json.dumps(summary))
        return
    if layers := exported.listing.kept_in_float:
        print_message(f"{len(layers)} layers remain in float: {', '.join(layers)}.")
    if exported.segmenter is not None:
        print_message(f"Segmenter: {exported.segmenter.summary()}")
    print_message(exported.parity.summary())
    typer.echo(exported.path)
