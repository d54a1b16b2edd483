"""What commands share: options, tables on standard output, a quiet TensorFlow."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

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


def report_evaluation(run: Path, evaluation: Any, folder: Path, as_json: bool) -> None:
    """Print scores as a table or as JSON, and report what was skipped and where the report is."""
    from maskwright.tasks.registry import task_of

    print_report(task_of(run).report(evaluation), folder, as_json)


def print_report(report: Any, folder: Path, as_json: bool) -> None:
    """Print a report as a table or as JSON, and what was skipped and where the report is."""
    from maskwright.evaluation.reports.write import terminal_table, to_dict

    if as_json:
        typer.echo(json.dumps(to_dict(report)))
    else:
        out().print(terminal_table(report))
    for skipped in report.evaluation.skipped:
        typer.echo(f"skipped: {skipped.reason}", err=True)
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
