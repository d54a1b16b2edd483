"""Where commands print: tables and results on standard output, all else on standard error."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

OutFolder = Annotated[Path | None, typer.Option("-o", "--out", help="Folder for the results.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, alone, on standard output.")]
GroupBy = Annotated[
    str | None,
    typer.Option(help="Column, or pattern whose first group names the case, that splits keep."),
]


def out() -> Console:
    """Standard output."""
    return Console(highlight=False)


def err() -> Console:
    """Standard error."""
    return Console(stderr=True, highlight=False)


def quiet_tensorflow() -> None:
    """Keep TensorFlow's start-up messages off the screen, unless the user asked for them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
