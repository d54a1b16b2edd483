"""`maskwright regions …`: decide what lies inside masks."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from maskwright.cli.console import (
    GroupBy,
    Json,
    OutFolder,
    out,
    quiet_tensorflow,
    report_evaluation,
    report_predictions,
)
from maskwright.types import Outside, RegionKind

app = typer.Typer(
    name="regions",
    help="Decide what lies inside masks, over one image or many.",
    no_args_is_help=True,
)


def _show_settings(wanted: bool) -> None:
    if not wanted:
        return
    from maskwright.config import RegionConfig

    for name, field in RegionConfig.model_fields.items():
        default = field.get_default(call_default_factory=True)
        out().print(
            f"[bold]{name}[/] = {escape(str(default))}  [dim]{escape(str(field.description))}[/]"
        )
    raise typer.Exit


@app.command()
def extract(
    data: Annotated[str, typer.Argument(help="Folder, CSV, data.yaml or tfds:NAME.")],
    folder: Annotated[Path, typer.Option("-o", "--out", help="Folder for table and crops.")],
    regions: Annotated[
        RegionKind | None, typer.Option(help="What a region of a mask is; found out when left out.")
    ] = None,
    size: Annotated[int, typer.Option(min=1, help="Side of the crops, px.")] = 128,
    context: Annotated[
        float, typer.Option(min=0, help="Margin around the box, as a share of its sides.")
    ] = 0.2,
    whole_image: Annotated[
        bool, typer.Option("--whole-image", help="Crops show the whole image, not the box.")
    ] = False,
    outside: Annotated[
        Outside, typer.Option(help="What becomes of the pixels outside the mask.")
    ] = "kept",
    min_area_px: Annotated[int, typer.Option(min=1, help="Leave smaller regions out.")] = 1,
    spacing_mm: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Height and width of a pixel in mm, for measures in mm."),
    ] = None,
    crops: Annotated[bool, typer.Option(help="Write the crops too.")] = True,
) -> None:
    """Cut every region of a data set out, measure it, and write a table.

    Ends with 1 where something was left out.
    """
    from maskwright import api

    left_out: list[str] = []

    def on_message(text: str) -> None:
        left_out.append(text)
        _tell(text)

    made = api.extract_regions(
        data,
        folder,
        regions=regions,
        size=size if crops else None,
        context=None if whole_image else context,
        outside=outside,
        min_area_px=min_area_px,
        spacing_mm=spacing_mm,
        on_message=on_message,
    )
    typer.echo(made)
    if left_out:
        raise typer.Exit(1)


@app.command()
def train(
    data: Annotated[str, typer.Argument(help="Folder, CSV, data.yaml or tfds:NAME, with labels.")],
    run: Annotated[Path, typer.Option("-o", "--out", help="Folder of the run.")],
    segmenter: Annotated[
        Path | None,
        typer.Option(help="Run of `maskwright train`: learn from its masks too, and bring it."),
    ] = None,
    plan: Annotated[Path | None, typer.Option(help="File of settings.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A setting as KEY=VALUE; may be repeated.")
    ] = None,
    minutes: Annotated[float | None, typer.Option(min=0.01, help="Time to train for.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the data.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a stopped run.")] = False,
    show_settings: Annotated[
        bool,
        typer.Option(
            "--settings", is_eager=True, callback=_show_settings, help="List all settings and stop."
        ),
    ] = False,
) -> None:
    """Train a classifier of masked regions."""
    from maskwright import api
    from maskwright.config import parse_settings

    quiet_tensorflow()
    given = parse_settings(settings or [])
    chosen = {"minutes": minutes, "epochs": epochs, "segmenter": segmenter and str(segmenter)}
    given |= {name: value for name, value in chosen.items() if value is not None}
    made = api.train_regions(data, run, plan=plan, resume=resume, on_message=_tell, **given)
    last = made.read_history()[-1]
    typer.echo(
        f"Trained {int(last['epoch'])} epochs in {last['seconds']:.0f} s; "
        f"see {made.folder / 'curves.png'} and {made.previews}.",
        err=True,
    )
    typer.echo(made.folder)


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of a run of `maskwright regions train`.")],
    data: Annotated[str, typer.Argument(help="Folder, CSV, data.yaml or tfds:NAME, with labels.")],
    split: Annotated[str, typer.Option(help="Split to score.")] = "test",
    folder: OutFolder = None,
    json: Json = False,
) -> None:
    """Score decisions, with true masks and with those of the segmenter."""
    quiet_tensorflow()
    from maskwright import api
    from maskwright.tasks.registry import require_task

    require_task(run, "regions")
    evaluation = api.evaluate(run, data, split=split, out=folder, on_message=_tell)
    report_evaluation(run, evaluation, folder or run / "evaluation" / split, json)


@app.command()
def predict(
    model: Annotated[
        Path, typer.Argument(help="Run of `maskwright regions train`, or an exported model of one.")
    ],
    images: Annotated[
        str, typer.Argument(help="Image, folder or glob; a data set where masks are given.")
    ],
    folder: Annotated[Path, typer.Option("-o", "--out", help="Folder for tables and pictures.")],
    masks: Annotated[
        bool | None,
        typer.Option(
            "--masks/--no-masks",
            help="Take the masks of the data set, or draw them; drawn where there is a segmenter.",
        ),
    ] = None,
    group_by: GroupBy = None,
    overlays: Annotated[bool, typer.Option(help="Draw the answers over the images.")] = True,
    heat: Annotated[bool, typer.Option(help="Draw where in a region the answer is seen.")] = False,
) -> None:
    """Decide on the regions, images or cases of a folder."""
    from maskwright.export.artifact import needs_tensorflow

    if needs_tensorflow(model):
        quiet_tensorflow()
    from maskwright import api
    from maskwright.tasks.registry import require_task

    require_task(model, "regions")
    result = api.predict(
        model, images, folder, masks=masks, group_by=group_by, overlays=overlays, heat=heat
    )
    report_predictions(result, folder)


def _tell(text: str) -> None:
    typer.echo(text, err=True)
