"""Options that commands share, the console of standard output, and a quiet TensorFlow."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from maskwright.types import Engine

if TYPE_CHECKING:
    from maskwright.training import Run

Data = Annotated[str, typer.Argument(help="Data set: folder, CSV file, data.yaml or tfds:NAME.")]
PlanFile = Annotated[Path | None, typer.Option("--plan", help="YAML file of settings.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="Setting as KEY=VALUE; can be repeated.")
]
RunFolder = Annotated[Path, typer.Option("-o", "--out", help="Folder of the run.")]
Resume = Annotated[bool, typer.Option("--resume", help="Resume what was interrupted.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Number of epochs.")]
Split = Annotated[str, typer.Option(help="Split to score.")]
Flips = Annotated[
    bool, typer.Option(help="Average predictions over the image and its mirror image.")
]
OutFolder = Annotated[Path | None, typer.Option("-o", "--out", help="Folder for the results.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
GroupBy = Annotated[
    str | None,
    typer.Option(help="CSV column, or regular expression whose first group is the case."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Recompute existing results.")]
FolderEngine = Annotated[
    Engine, typer.Option(help="This process, or a Ray cluster with a shared file system.")
]
ClusterAddress = Annotated[
    str | None,
    typer.Option(
        envvar="RAY_ADDRESS", help="Address of a running Ray cluster; by default, start one here."
    ),
]


def out() -> Console:
    """Console of standard output."""
    return Console(highlight=False)


def print_message(text: str) -> None:
    """Print a message on standard error."""
    typer.echo(text, err=True)


def read_settings(pairs: list[str] | None, **options: Any) -> dict[str, Any]:
    """Settings of `--set`, and options that are settings too, where they are given."""
    from maskwright.config import parse_settings

    given = {name: value for name, value in options.items() if value is not None}
    return {**parse_settings(pairs or []), **given}


def show_settings(context: typer.Context, wanted: bool) -> None:
    """List the settings of a training command and exit, if wanted."""
    if not wanted:
        return
    from maskwright.config import RegionConfig, TrainConfig

    config = RegionConfig if context.command_path == RegionConfig.command else TrainConfig
    for name, field in config.model_fields.items():
        default = field.get_default(call_default_factory=True)
        text = str(list(default) if isinstance(default, tuple) else default)
        text = {"None": "none", "True": "true", "False": "false"}.get(text, text)
        description = escape(" ".join(str(field.description).split()))
        out().print(f"[bold]{name}[/] = {escape(text)}  [dim]{description}[/]")
    raise typer.Exit


ShowSettings = Annotated[
    bool,
    typer.Option(
        "--settings", is_eager=True, callback=show_settings, help="List all settings and exit."
    ),
]


def report_run(run: "Run") -> None:
    """Print the length of a training run and the paths of its results."""
    last = run.read_history()[-1]
    print_message(
        f"Trained {int(last['epoch'])} epochs in {last['seconds']:.0f} s; "
        f"see {run.folder / 'curves.png'} and {run.previews}."
    )
    typer.echo(run.folder)


def report_evaluation(run: Path, evaluation: Any, folder: Path, as_json: bool) -> None:
    """Print scores as a table or as JSON, skipped samples, and the path of the report.

    Args:
        run: Folder of the model, or of the first one of a comparison.
    """
    from maskwright.evaluation.reports.write import terminal_table, to_dict
    from maskwright.tasks.registry import task_of

    report = task_of(run).report(evaluation)
    if as_json:
        typer.echo(json.dumps(to_dict(report)))
    else:
        out().print(terminal_table(report))
    for skipped in report.evaluation.skipped:
        print_message(f"skipped: {skipped.reason}")
    print_message(f"See {folder / 'report.html'}.")


def report_predictions(result: Any, folder: Path) -> None:
    """Print the results of a prediction and its failures; exit code 1 if there are any."""
    for failure in result.failed:
        print_message(f"failed: {failure.reason}")
    print_message(result.summary())
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
