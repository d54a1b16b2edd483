"""Options that commands share, the console of standard output, and a quiet TensorFlow."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

OutFolder = Annotated[Path | None, typer.Option("-o", "--out", help="Folder for the results.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
GroupBy = Annotated[
    str | None,
    typer.Option(help="CSV column, or regular expression whose first group is the case."),
]


def out() -> Console:
    """Console of standard output."""
    return Console(highlight=False)


def quiet_tensorflow() -> None:
    """Import TensorFlow without start-up messages, unless `TF_CPP_MIN_LOG_LEVEL` is set.

    TensorFlow writes some of them to file descriptor 2 before it reads that variable.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stderr.flush()
    stderr = os.dup(2)
    with Path(os.devnull).open("w") as devnull:
        os.dup2(devnull.fileno(), 2)
        try:
            import keras  # noqa: F401
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
