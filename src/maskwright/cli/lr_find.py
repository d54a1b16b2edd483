"""`maskwright lr-find`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.console import Json, quiet_tensorflow


def lr_find(
    data: Annotated[
        str, typer.Argument(help="Data set: folder, CSV file, data.yaml or tfds:NAME.")
    ],
    picture: Annotated[
        Path | None, typer.Option("-o", "--out", help="PNG file for the plot of the loss.")
    ] = None,
    plan: Annotated[Path | None, typer.Option(help="YAML file of settings.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Setting as KEY=VALUE; can be repeated.")
    ] = None,
    steps: Annotated[
        int, typer.Option(help="Number of training steps, from lowest to highest rate.")
    ] = 100,
    seconds: Annotated[
        float | None,
        typer.Option(min=0.1, help="Time limit in seconds; reduces the number of steps."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Find a learning rate from the loss at exponentially rising rates."""
    from maskwright import api
    from maskwright.config import parse_settings

    quiet_tensorflow()
    overrides = parse_settings(settings or [])
    curve = api.find_learning_rate(
        data,
        picture,
        plan=plan,
        steps=steps,
        seconds=seconds,
        on_message=_print_message,
        **overrides,
    )
    if as_json:
        typer.echo(json.dumps(asdict(curve)))
    else:
        typer.echo(f"learning_rate={curve.suggestion:.2g}")  # as `train --set` takes it
    _print_message(
        f"The loss falls most steeply at {curve.steepest:.2g} and is lowest at {curve.lowest:.2g}; "
        f"a third of the latter is suggested as the peak learning rate."
    )
    if picture is not None:
        _print_message(f"See {picture}.")


def _print_message(text: str) -> None:
    typer.echo(text, err=True)
