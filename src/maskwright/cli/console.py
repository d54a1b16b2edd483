"""Options that commands share, the console of standard output, and a quiet TensorFlow."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

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


def report_evaluation(run: Path, evaluation: Any, folder: Path, as_json: bool) -> None:
    """Print scores as a table or as JSON, and report what was skipped and where the report is."""
    from maskwright.tasks.registry import task_of

    task = task_of(run)
    if as_json:
        typer.echo(json.dumps(task.to_dict(evaluation)))
    else:
        out().print(task.table(evaluation))
    for skipped in evaluation.skipped:
        typer.echo(f"not scored: {skipped.reason}", err=True)
    typer.echo(f"See {folder / 'report.html'}.", err=True)


def report_predictions(result: Any, folder: Path) -> None:
    """Report what a prediction of a folder wrote and what failed; exit 1 where something did."""
    for failure in result.failed:
        typer.echo(f"failed: {failure.reason}", err=True)
    typer.echo(result.summary(), err=True)
    typer.echo(result.output(folder))
    if result.failed:
        raise typer.Exit(1)


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
