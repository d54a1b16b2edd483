"""`maskwright lr-find`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.console import (
    Data,
    Json,
    PlanFile,
    Settings,
    print_message,
    quiet_tensorflow,
    read_settings,
)


def lr_find(
    data: Data,
    picture: Annotated[
        Path | None, typer.Option("-o", "--out", help="PNG file for the plot of the loss.")
    ] = None,
    plan: PlanFile = None,
    settings: Settings = None,
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

    quiet_tensorflow()
    curve = api.find_learning_rate(
        data,
        picture,
        plan=plan,
        steps=steps,
        seconds=seconds,
        on_message=print_message,
        **read_settings(settings),
    )
    if as_json:
        typer.echo(json.dumps(asdict(curve)))
    else:
        typer.echo(f"learning_rate={curve.suggestion:.2g}")  # as `train --set` takes it
    print_message(
        f"The loss falls most steeply at {curve.steepest:.2g} and is lowest at {curve.lowest:.2g}; "
        f"a third of the latter is suggested as the peak learning rate."
    )
    if picture is not None:
        print_message(f"See {picture}.")
