"""`maskwright check`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.console import GroupBy, Json, OutFolder, err, out

_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


def check(
    data: Annotated[str, typer.Argument(help="Folder, CSV, data.yaml or tfds:NAME.")],
    folder: OutFolder = None,
    write: Annotated[bool, typer.Option("--write", help="Write what was inferred as data.yaml.")] = False,
    group_by: GroupBy = None,
    strength: Annotated[
        str, typer.Option("--augmentation", help="Strength shown on the contact sheet.")
    ] = "light",
    as_json: Json = False,
) -> None:
    """Audit a data set; exit code 1 where training on it would be wrong."""
    from maskwright import api

    report = api.check(data, out=folder, write=write, group_by=group_by, augmentation=strength)
    if as_json:
        typer.echo(json.dumps(report.to_dict()))
    else:
        _show(report)
    if not report.ok:
        raise typer.Exit(1)
