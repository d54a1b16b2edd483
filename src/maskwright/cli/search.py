"""`maskwright search`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from maskwright.cli.console import (
    Data,
    Json,
    Settings,
    out,
    print_message,
    quiet_tensorflow,
    read_settings,
)

if TYPE_CHECKING:
    from maskwright.api.search_record import Search


def search(
    data: Data,
    folder: Annotated[Path, typer.Option("-o", "--out", help="Folder of the search.")],
    trials: Annotated[int, typer.Option(min=1, help="Total number of trials.")] = 20,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.01, help="Training budget of each trial in minutes; by default 10."),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Number of epochs of each trial.")
    ] = None,
    plan: Annotated[Path | None, typer.Option(help="YAML file of settings to start from.")] = None,
    settings: Settings = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(help="Setting to vary instead of the default ones; can be repeated."),
    ] = None,
    score: Annotated[
        Literal["mean_dice", "mean_iou"], typer.Option(help="Validation score to maximize.")
    ] = "mean_dice",
    resume: Annotated[bool, typer.Option("--resume", help="Resume an interrupted search.")] = False,
    as_json: Json = False,
) -> None:
    """Search hyperparameters with Optuna, with an equal budget per trial."""
    from maskwright import api

    quiet_tensorflow()
    result = api.search(
        data,
        folder,
        trials=trials,
        plan=plan,
        vary=vary or (),
        score=score,
        resume=resume,
        on_message=print_message,
        **read_settings(settings, minutes=minutes, epochs=epochs),
    )
    if as_json:
        summary = {"score": result.score, "best": asdict(result.best), "plan": result.best_plan}
        trials_run = [asdict(trial) for trial in result.trials]
        typer.echo(json.dumps({**summary, "trials": trials_run}, default=str))
    else:
        out().print(_table(result))
    print_message(
        f"Train on the best with: maskwright train {data} -o RUN --plan {result.best_plan}"
    )


def _table(result: "Search") -> Table:
    from maskwright.api.hyperparameter_search import shown

    table = Table(title="Trials, best first", title_justify="left")
    table.add_column("trial", justify="right")
    table.add_column(result.score.replace("_", " "), justify="right")
    names = list(result.trials[0].values)
    for name in names:
        table.add_column(escape(name))
    ranked = sorted(result.trials, key=lambda trial: trial.rank, reverse=True)
    for trial in ranked:
        score = "failed" if trial.score is None else f"{trial.score:.4f}"
        values = (escape(shown(trial.values[name])) for name in names)
        table.add_row(str(trial.number), score, *values)
    return table
