"""`maskwright plan`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.console import Json, quiet_tensorflow
from maskwright.errors import ConfigError


def plan(
    data: Annotated[str, typer.Argument(help="Folder, CSV, data.yaml or tfds:NAME.")],
    path: Annotated[
        Path | None, typer.Option("-o", "--out", help="File for the plan, such as plan.yaml.")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.01, help="Time to train for; 10 when left out, 60 to compare."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting that is decided, as KEY=VALUE; may be repeated."),
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure/--no-measure", help="Time steps of the planned training.")
    ] = True,
    compare: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Train so many plans on the same folds within the minutes; -o is then a folder.",
        ),
    ] = None,
    folds: Annotated[int, typer.Option(min=2, help="That --compare trains on.")] = 3,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with --compare.")] = False,
    as_json: Json = False,
) -> None:
    """Measure the data and this machine, and write settings with the reason for each."""
    from maskwright import api
    from maskwright.config import parse_settings

    quiet_tensorflow()
    given = parse_settings(settings or [])
    if compare is not None or resume:
        if path is None:
            raise ConfigError("A comparison of plans needs a folder: name one with -o.")
        choice = api.plan_and_compare(
            data,
            path,
            count=compare or 3,
            folds=folds,
            minutes=60.0 if minutes is None else minutes,
            measure=measure,
            resume=resume,
            on_message=_tell,
            **given,
        )
        _tell(choice.reason)
        typer.echo(json.dumps(choice.table) if as_json else path / "plan.yaml")
        return
    made = api.plan(data, path, minutes=minutes, measure=measure, on_message=_tell, **given)
    if as_json:
        typer.echo(json.dumps(made.to_dict()))
    elif path is None:
        typer.echo(made.to_yaml(), nl=False)
    else:
        typer.echo(path)


def _tell(text: str) -> None:
    typer.echo(text, err=True)
