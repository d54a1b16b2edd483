"""`maskwright plan`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.console import Data, Json, print_message, quiet_tensorflow, read_settings
from maskwright.errors import ConfigError


def plan(
    data: Data,
    path: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", help="Output file, such as plan.yaml; a folder with --compare."
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0.01, help="Training budget in minutes; by default 10, or 60 with --compare."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Fixed setting as KEY=VALUE; can be repeated.")
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure/--no-measure", help="Time training steps on this machine.")
    ] = True,
    compare: Annotated[
        int | None,
        typer.Option(
            min=2, help="Number of plans to cross-validate on the same folds within the budget."
        ),
    ] = None,
    folds: Annotated[int, typer.Option(min=2, help="Number of folds of --compare.")] = 3,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume an interrupted --compare.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Derive training settings from data and hardware, with reasons."""
    from maskwright import api

    quiet_tensorflow()
    overrides = read_settings(settings)
    if compare is not None or resume:
        if path is None:
            raise ConfigError("Comparing plans needs an output folder; pass it with -o.")
        choice = api.plan_and_compare(
            *(data, path),
            count=compare or 3,
            folds=folds,
            minutes=60.0 if minutes is None else minutes,
            measure=measure,
            resume=resume,
            on_message=print_message,
            **overrides,
        )
        print_message(choice.reason)
        typer.echo(json.dumps(choice.table) if as_json else path / "plan.yaml")
        return
    result = api.plan(
        data, path, minutes=minutes, measure=measure, on_message=print_message, **overrides
    )
    if as_json:
        typer.echo(json.dumps(result.to_dict()))
    elif path is None:
        typer.echo(result.to_yaml(), nl=False)
    else:
        typer.echo(path)
