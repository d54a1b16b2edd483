"""`maskwright rate`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.console import Json, quiet_tensorflow


def rate(
    data: Annotated[str, typer.Argument(help="Folder, CSV, data.yaml or tfds:NAME.")],
    picture: Annotated[
        Path | None, typer.Option("-o", "--out", help="Draw the curve into this PNG file.")
    ] = None,
    plan: Annotated[Path | None, typer.Option(help="File of settings.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A setting as KEY=VALUE; may be repeated.")
    ] = None,
    steps: Annotated[int, typer.Option(help="From the lowest rate to the highest.")] = 100,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Take fewer steps where they would take longer.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Find a learning rate: a third of that at which the loss is lowest as the rate rises."""
    from maskwright import api
    from maskwright.config import parse_settings

    quiet_tensorflow()
    given = parse_settings(settings or [])
    curve = api.find_rate(
        data, picture, plan=plan, steps=steps, seconds=seconds, on_message=_tell, **given
    )
    if as_json:
        typer.echo(json.dumps(asdict(curve)))
    else:
        typer.echo(f"learning_rate={curve.suggestion:.2g}")  # as `train --set` takes it
    _tell(
        f"The loss falls most steeply at {curve.steepest:.2g} and is lowest at {curve.lowest:.2g}; "
        f"a third of the latter suits the peak of a schedule."
    )
    if picture is not None:
        _tell(f"See {picture}.")


def _tell(text: str) -> None:
    typer.echo(text, err=True)
