"""Options that commands share, and the console of standard output."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from typer import Exit, echo

from maskwright.errors import printable

if TYPE_CHECKING:
    from maskwright.training import Run


def out() -> Console:
    """Console of standard output."""
    return Console(highlight=False)


def print_message(text: str) -> None:
    """Print a message on standard error."""
    echo(printable(text), err=True)


def read_settings(pairs: list[str] | None, **options: Any) -> dict[str, Any]:
    """Settings of `--set`, and options that are settings too, where they are given."""
    from maskwright.config import parse_settings

    given = {name: value for name, value in options.items() if value is not None}
    return {**parse_settings(pairs or []), **given}


def report_run(run: "Run") -> None:
    """Print the length of a training run and the paths of its results."""
    from maskwright.data.samples import counted

    for last in run.read_history()[-1:]:
        print_message(
            f"Trained {counted(int(last['epoch']), 'epoch')} in {last['seconds']:.0f} s; "
            f"see {run.folder / 'curves.png'} and {run.previews}."
        )
    echo(run.folder)


def report_evaluation(run: Path, evaluation: Any, folder: Path, as_json: bool) -> None:
    """Print scores as a table or as JSON, skipped samples, and the path of the report.

    Args:
        run: Folder of the model, or of the first one of a comparison.
    """
    from maskwright.evaluation.reports.write import terminal_tables, to_dict
    from maskwright.tasks.registry import task_of

    report = task_of(run).report(evaluation)
    if as_json:
        echo(json.dumps(to_dict(report)))
    else:
        for table in terminal_tables(report):
            out().print(table)
    for skipped in report.evaluation.skipped:
        print_message(f"skipped: {skipped.reason}")
    print_message(f"See {folder / 'report.html'}.")


def report_predictions(result: Any, folder: Path) -> None:
    """Print the results of a prediction and its failures; exit code 1 if there are any."""
    for failure in result.failed:
        print_message(f"failed: {failure.reason}")
    print_message(result.summary())
    echo(result.output(folder))
    if result.failed:
        raise Exit(1)
