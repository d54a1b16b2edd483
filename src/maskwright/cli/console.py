"""What commands share: options, tables on standard output, a quiet TensorFlow."""

import os
import sys
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


def quiet_tensorflow() -> None:
    """Import TensorFlow without its start-up messages, unless the user set a level for them.

    It writes some before it reads that level, straight to the descriptor of standard error.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            import keras  # noqa: F401
        finally:
            os.dup2(kept, 2)
            os.close(kept)
