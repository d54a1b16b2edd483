"""`maskwright export`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.console import Json, quiet_tensorflow
from maskwright.kinds import Format


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Folder, or one file that ends with .maskwright.")
    ],
    format: Annotated[Format, typer.Option(help="Engine that is to run it.")] = "onnx",
    data: Annotated[
        str | None, typer.Option(help="Data set whose validation images are compared on too.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a trained model for another engine, and hold it against the original."""
    quiet_tensorflow()
    from maskwright import api

    made = api.export_model(run, out, format=format, data=data)
    parity = made.parity
    if as_json:
        typer.echo(json.dumps({"path": str(made.path), **parity.to_dict()}))
        return
    sizes = " and ".join(f"{height}x{width}" for height, width in parity.sizes[:4])
    typer.echo(
        f"On {parity.images} images of {sizes} px it differs from the run by at most "
        f"{parity.difference:.1e} in a probability, in {1 - parity.agreement:.4%} of the labels "
        f"and by {parity.dice_change:+.5f} in Dice.",
        err=True,
    )
    typer.echo(made.path)
