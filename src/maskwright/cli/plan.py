"""`maskwright plan` and `maskwright search`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from rich.markup import escape
from rich.table import Table
from typer import Option, echo

from maskwright.cli import options
from maskwright.cli.console import out, print_message, read_settings
from maskwright.errors import ConfigError

if TYPE_CHECKING:
    from maskwright.api.hyperparameters.record import Search


def plan(
    data: options.Data,
    path: Annotated[
        Path | None,
        Option("-o", "--out", help="Output file, such as plan.yaml; a folder with --compare."),
    ] = None,
    minutes: Annotated[
        float | None,
        Option(min=0.01, help="Training budget in minutes; by default 10, or 60 with --compare."),
    ] = None,
    weights: options.Weights = None,
    settings: options.Settings = None,
    calibration_share: options.CalibrationShare = None,
    measure: Annotated[
        bool, Option("--measure/--no-measure", help="Time training steps on this machine.")
    ] = True,
    compare: Annotated[
        int | None,
        Option(
            min=2, help="Number of plans to cross-validate on the same folds within the budget."
        ),
    ] = None,
    folds: Annotated[int, Option(min=2, help="Number of folds of --compare.")] = 3,
    resume: Annotated[bool, Option("--resume", help="Resume an interrupted --compare.")] = False,
    engine: options.TrainingEngine = "local",
    address: options.ClusterAddress = None,
    as_json: options.Json = False,
) -> None:
    """Derive training settings from data and hardware, with reasons."""
    from maskwright import api

    overrides = read_settings(settings, weights=weights, calibration_share=calibration_share)
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
            cluster=options.cluster_of(engine, address),
            on_message=print_message,
            **overrides,
        )
        print_message(choice.reason)
        echo(json.dumps(choice.table) if as_json else path / "plan.yaml")
        return
    if engine == "ray":
        raise ConfigError("`--engine ray` is for --compare, whose folds are trained at once.")
    result = api.plan(
        data, path, minutes=minutes, measure=measure, on_message=print_message, **overrides
    )
    if as_json:
        echo(json.dumps(result.to_dict()))
    elif path is None:
        echo(result.to_yaml(), nl=False)
    else:
        echo(path)


def search(
    data: options.Data,
    folder: Annotated[Path, Option("-o", "--out", help="Folder of the search.")],
    trials: Annotated[int, Option(min=1, help="Total number of trials.")] = 20,
    minutes: Annotated[
        float | None,
        Option(min=0.01, help="Training budget of each trial in minutes; by default 10."),
    ] = None,
    epochs: Annotated[int | None, Option(min=1, help="Number of epochs of each trial.")] = None,
    plan: options.PlanFile = None,
    settings: options.Settings = None,
    vary: Annotated[
        list[str] | None,
        Option(help="Setting to vary instead of the default ones; can be repeated."),
    ] = None,
    score: Annotated[
        Literal["foreground_dice", "foreground_iou", "mean_dice", "mean_iou"],
        Option(
            help="Validation score to maximize; the mean of all classes where none is background."
        ),
    ] = "foreground_dice",
    resume: options.Resume = False,
    engine: options.TrainingEngine = "local",
    address: options.ClusterAddress = None,
    at_once: Annotated[
        int | None, Option(min=1, help="Number of trials at a time; by default 4 on a cluster.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Search hyperparameters with Optuna, with an equal budget per trial."""
    from maskwright import api

    result = api.search(
        data,
        folder,
        trials=trials,
        plan=plan,
        vary=vary or (),
        score=score,
        resume=resume,
        cluster=options.cluster_of(engine, address),
        at_once=at_once,
        on_message=print_message,
        **read_settings(settings, minutes=minutes, epochs=epochs),
    )
    if as_json:
        summary = {"score": result.score, "best": asdict(result.best), "plan": result.best_plan}
        trials_run = [asdict(trial) for trial in result.trials]
        echo(json.dumps({**summary, "trials": trials_run}, default=str))
    else:
        out().print(_table(result))
    print_message(
        f"Train on the best with: maskwright train {data} -o RUN --plan {result.best_plan}"
    )


def _table(result: "Search") -> Table:
    from maskwright.api.hyperparameters.search import shown

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
