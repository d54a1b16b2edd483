"""`maskwright plan`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.console import Json, quiet_tensorflow


def plan(
    data: Annotated[str, typer.Argument(help="Folder, CSV, data.yaml or tfds:NAME.")],
    path: Annotated[
        Path | None, typer.Option("-o", "--out", help="File for the plan, such as plan.yaml.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Time to train for; 10 when left out.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting that is decided, as KEY=VALUE; may be repeated."),
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure/--no-measure", help="Time steps of the planned training.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Measure the data and this machine, and write settings with the reason for each."""
    from maskwright import api
    from maskwright.config import parse_settings

    quiet_tensorflow()
    given = parse_settings(settings or [])
    made = api.plan(data, path, minutes=minutes, measure=measure, tell=_tell, **given)
    if as_json:
        typer.echo(json.dumps(made.to_dict()))
    elif path is None:
        typer.echo(made.to_yaml(), nl=False)
    else:
        typer.echo(path)


def _tell(text: str) -> None:
    typer.echo(text, err=True)
