"""`maskwright train`, `maskwright lr-find` and `maskwright demo`."""

import json
from dataclasses import asdict
from itertools import chain, count
from math import isnan
from pathlib import Path
from typing import Annotated

from typer import Option, echo

from maskwright.cli import options
from maskwright.cli.console import out, print_message, read_settings, report_run
from maskwright.errors import ConfigError


def train(
    data: options.Data,
    run: options.RunFolder,
    plan: options.PlanFile = None,
    weights: options.Weights = None,
    settings: options.Settings = None,
    minutes: Annotated[
        float | None, Option(min=0.01, help="Training budget in minutes, all folds included.")
    ] = None,
    epochs: options.Epochs = None,
    calibration_share: options.CalibrationShare = None,
    track: options.Track = None,
    folds: Annotated[
        int | None,
        Option(min=2, help="Cross-validate with this number of folds, and build the ensemble."),
    ] = None,
    resume: options.Resume = False,
    force: options.Force = False,
    engine: options.TrainingEngine = "local",
    address: options.ClusterAddress = None,
    workers: Annotated[
        int | None,
        Option(min=1, help="Workers of a cluster that share every batch, with --engine ray."),
    ] = None,
    show_settings: options.ShowSettings = False,
) -> None:
    """Train a segmentation model on images and masks."""
    from maskwright import api

    if engine == "local" and (workers is not None):
        raise ConfigError("`--workers` are those of a cluster: add --engine ray.")
    cluster = options.cluster_of(engine, address)

    given = read_settings(
        settings,
        weights=weights,
        minutes=minutes,
        epochs=epochs,
        calibration_share=calibration_share,
        track=track,
    )
    if folds is not None or (resume and api.is_cross_validation(run)):
        joined = api.cross_validate(
            *(data, run),
            folds=folds,
            plan=plan,
            resume=resume,
            force=force,
            cluster=cluster,
            on_message=print_message,
            **given,
        )
        total, ends = joined.out_of_fold.total, joined.out_of_fold.intervals.foreground_dice
        interval = "" if isnan(ends[0]) else f" (95 % {ends[0]:.3f} to {ends[1]:.3f})"
        print_message(
            f"{len(joined.runs)} folds; foreground Dice of held-out images: "
            f"{total.foreground_dice:.3f}{interval}; see "
            f"{joined.folder / 'evaluation' / 'held_out' / 'report.html'}."
        )
        echo(joined.folder)
        return
    given |= {"plan": plan, "resume": resume, "on_message": print_message}
    if cluster is None:
        report_run(api.train(data, run, force=force, **given))
    elif force:
        raise ConfigError("`--force` is not possible on a cluster; correct the data first.")
    else:
        given |= {"workers": workers or 2, "cluster": cluster}
        report_run(api.train_on_cluster(data, run, **given))


def lr_find(
    data: options.Data,
    picture: Annotated[
        Path | None, Option("-o", "--out", help="PNG file for the plot of the loss.")
    ] = None,
    plan: options.PlanFile = None,
    settings: options.Settings = None,
    steps: Annotated[
        int, Option(min=20, help="Number of training steps, from lowest to highest rate.")
    ] = 100,
    seconds: Annotated[
        float | None, Option(min=0.1, help="Time limit in seconds; reduces the number of steps.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Find a learning rate from the loss at exponentially rising rates."""
    from maskwright import api

    curve = api.find_learning_rate(
        *(data, picture),
        plan=plan,
        steps=steps,
        seconds=seconds,
        on_message=print_message,
        **read_settings(settings),
    )
    if as_json:
        echo(json.dumps(asdict(curve)))
    else:
        echo(f"learning_rate={curve.suggestion:.2g}")  # as `train --set` takes it
    print_message(
        f"The loss falls most steeply at {curve.steepest:.2g} and is lowest at {curve.lowest:.2g}; "
        f"a third of the latter is suggested as the peak learning rate."
    )
    if picture is not None:
        print_message(f"See {picture}.")


def demo(
    folder: Annotated[
        Path | None, Option("-o", "--out", help="Output folder; by default demo, demo-2, …")
    ] = None,
    minutes: Annotated[
        float | None,
        Option(
            min=0.05,
            help="Training budget in minutes; by default 2, 3 with --regions, 4 with --objects.",
        ),
    ] = None,
    regions: Annotated[bool, Option("--regions", help="Also classify each cell.")] = False,
    objects: Annotated[
        bool, Option("--objects", help="Separate people who overlap, by two methods.")
    ] = False,
) -> None:
    """Train, evaluate and predict on a generated data set."""
    from maskwright import api
    from maskwright.evaluation.reports.write import terminal_table
    from maskwright.tasks.registry import task_of

    names = chain(["demo"], (f"demo-{number}" for number in count(2)))
    free = next(path for name in names if not (path := Path(name)).exists())
    if regions and objects:
        raise ConfigError("Expected one of --regions and --objects; received both.")
    make, budget = api.demo, 2.0
    if regions:
        make, budget = api.demo_regions, 3.0
    elif objects:
        make, budget = api.demo_objects, 4.0
    result = make(folder or free, minutes=minutes or budget, on_message=print_message)
    out().print(terminal_table(task_of(result.run).report(result.evaluation)))
    for name, place in result.places.items():
        echo(f"{name + ':':<22}{place}")
