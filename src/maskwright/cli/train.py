"""`maskwright train`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from maskwright.cli.console import out, quiet_tensorflow


def _show_settings(wanted: bool) -> None:
    if not wanted:
        return
    from maskwright.config import TrainConfig

    for name, field in TrainConfig.model_fields.items():
        default = field.get_default(call_default_factory=True)
        out().print(f"[bold]{name}[/] = {escape(str(default))}  [dim]{field.description}[/]")
    raise typer.Exit


def train(
    data: Annotated[
        str, typer.Argument(help="Data set: folder, CSV file, data.yaml or tfds:NAME.")
    ],
    run: Annotated[Path, typer.Option("-o", "--out", help="Folder of the run.")],
    plan: Annotated[Path | None, typer.Option(help="YAML file of settings.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Setting as KEY=VALUE; can be repeated.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Training budget in minutes, all folds included.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Number of epochs.")] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            min=2, help="Cross-validate with this number of folds, and build the ensemble."
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume an interrupted run.")] = False,
    show_settings: Annotated[
        bool,
        typer.Option(
            "--settings", is_eager=True, callback=_show_settings, help="List all settings and exit."
        ),
    ] = False,
) -> None:
    """Train a segmentation model on images and masks."""
    from maskwright import api
    from maskwright.config import parse_settings

    quiet_tensorflow()
    given = parse_settings(settings or [])
    given |= {
        name: value
        for name, value in (("minutes", minutes), ("epochs", epochs))
        if value is not None
    }
    if folds is not None or (resume and api.is_cross_validation(run)):
        joined = api.cross_validate(
            data, run, folds=folds, plan=plan, resume=resume, on_message=_tell, **given
        )
        total, ends = joined.out_of_fold.total, joined.out_of_fold.intervals
        typer.echo(
            f"{len(joined.runs)} folds; mean Dice of held-out images: "
            f"{total.mean_dice:.3f} (95 % {ends.mean_dice[0]:.3f} to {ends.mean_dice[1]:.3f}); see "
            f"{joined.folder / 'evaluation' / 'held_out' / 'report.html'}.",
            err=True,
        )
        typer.echo(joined.folder)
        return
    made = api.train(data, run, plan=plan, resume=resume, on_message=_tell, **given)
    last = made.read_history()[-1]
    typer.echo(
        f"Trained {int(last['epoch'])} epochs in {last['seconds']:.0f} s; "
        f"see {made.folder / 'curves.png'} and {made.previews}.",
        err=True,
    )
    typer.echo(made.folder)


def _tell(text: str) -> None:
    typer.echo(text, err=True)
