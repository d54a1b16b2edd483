"""`maskwright train`."""

from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.console import (
    Data,
    Epochs,
    PlanFile,
    Resume,
    Settings,
    ShowSettings,
    print_message,
    quiet_tensorflow,
    read_settings,
    report_run,
)


def train(
    data: Data,
    run: Annotated[Path, typer.Option("-o", "--out", help="Folder of the run.")],
    plan: PlanFile = None,
    settings: Settings = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Training budget in minutes, all folds included.")
    ] = None,
    epochs: Epochs = None,
    folds: Annotated[
        int | None,
        typer.Option(
            min=2, help="Cross-validate with this number of folds, and build the ensemble."
        ),
    ] = None,
    resume: Resume = False,
    show_settings: ShowSettings = False,
) -> None:
    """Train a segmentation model on images and masks."""
    from maskwright import api

    quiet_tensorflow()
    given = read_settings(settings, minutes=minutes, epochs=epochs)
    if folds is not None or (resume and api.is_cross_validation(run)):
        joined = api.cross_validate(
            data, run, folds=folds, plan=plan, resume=resume, on_message=print_message, **given
        )
        total, ends = joined.out_of_fold.total, joined.out_of_fold.intervals
        print_message(
            f"{len(joined.runs)} folds; mean Dice of held-out images: "
            f"{total.mean_dice:.3f} (95 % {ends.mean_dice[0]:.3f} to {ends.mean_dice[1]:.3f}); see "
            f"{joined.folder / 'evaluation' / 'held_out' / 'report.html'}."
        )
        typer.echo(joined.folder)
        return
    report_run(api.train(data, run, plan=plan, resume=resume, on_message=print_message, **given))
