"""`maskwright regions …`: classification of masked regions."""

from json import dumps
from pathlib import Path
from typing import Annotated

from typer import Argument, Exit, Option, Typer, echo

from maskwright.cli import options
from maskwright.cli.console import (
    print_message,
    read_settings,
    report_evaluation,
    report_predictions,
    report_run,
)
from maskwright.types import Outside, RegionKind

LabeledData = Annotated[
    str, Argument(help="Labeled data set: folder, CSV file, data.yaml or tfds:NAME.")
]
app = Typer(name="regions", help="Classify masked regions, images or cases.", no_args_is_help=True)


@app.command()
def extract(
    data: options.Data,
    folder: Annotated[Path, Option("-o", "--out", help="Folder for the table and the crops.")],
    regions: Annotated[
        RegionKind | None, Option(help="Definition of a region in a mask; inferred by default.")
    ] = None,
    size: Annotated[int, Option(min=1, help="Side of the crops, in pixels.")] = 128,
    context: Annotated[
        float, Option(min=0, help="Margin around the bounding box, as a fraction of its sides.")
    ] = 0.2,
    whole_image: Annotated[
        bool, Option("--whole-image", help="Use the whole image as crop.")
    ] = False,
    outside: Annotated[Outside, Option(help="Treatment of pixels outside the mask.")] = "kept",
    min_area_px: Annotated[int, Option(min=1, help="Minimum region area, in pixels.")] = 1,
    spacing_mm: Annotated[
        tuple[float, float] | None,
        Option(help="Height and width of a pixel, in mm; from the data where it states them."),
    ] = None,
    crops: Annotated[bool, Option(help="Also write the crops.")] = True,
) -> None:
    """Extract all regions of a data set: crops and a table of measures.

    The exit code is 1 if a sample was skipped.
    """
    from maskwright import api

    skipped: list[str] = []

    def on_message(text: str) -> None:
        skipped.append(text)
        print_message(text)

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
    echo(made)
    if skipped:
        raise Exit(1)


@app.command()
def plan(
    data: LabeledData,
    path: Annotated[
        Path | None, Option("-o", "--out", help="Output file, such as plan.yaml.")
    ] = None,
    segmenter: Annotated[
        Path | None, Option(help="Segmentation run whose masks the model shall learn from, too.")
    ] = None,
    minutes: Annotated[float | None, Option(min=0.01, help="Training budget in minutes.")] = None,
    settings: options.Settings = None,
    as_json: options.Json = False,
) -> None:
    """Derive the settings of a region classifier from data, with reasons."""
    from maskwright import api

    bundled = segmenter and str(segmenter)
    given = read_settings(settings, minutes=minutes, segmenter=bundled)
    result = api.plan_regions(data, path, on_message=print_message, **given)
    if as_json:
        echo(dumps(result.to_dict()))
    else:
        echo(result.to_yaml() if path is None else path, nl=path is not None)


@app.command()
def train(
    data: LabeledData,
    run: options.RunFolder,
    segmenter: Annotated[
        Path | None, Option(help="Segmentation run: also train on its masks, and bundle it.")
    ] = None,
    plan: options.PlanFile = None,
    settings: options.Settings = None,
    minutes: Annotated[float | None, Option(min=0.01, help="Training budget in minutes.")] = None,
    epochs: options.Epochs = None,
    calibration_share: options.CalibrationShare = None,
    track: options.Track = None,
    resume: options.Resume = False,
    force: options.Force = False,
    show_settings: options.ShowSettings = False,
) -> None:
    """Train a region classifier."""
    from maskwright import api

    bundled = segmenter and str(segmenter)
    given = read_settings(
        settings,
        minutes=minutes,
        epochs=epochs,
        calibration_share=calibration_share,
        track=track,
        segmenter=bundled,
    )
    given |= {"plan": plan, "resume": resume, "force": force, "on_message": print_message}
    report_run(api.train_regions(data, run, **given))


@app.command()
def evaluate(
    run: Annotated[Path, Argument(help="Folder of a `maskwright regions train` run.")],
    data: LabeledData,
    split: options.Split = "test",
    folder: options.OutFolder = None,
    pixel_range: options.PixelRange = None,
    allow_code: options.AllowCode = False,
    json: options.Json = False,
) -> None:
    """Score decisions, on ground truth masks and on predicted masks."""
    from maskwright import api
    from maskwright.tasks.registry import require_task

    require_task(run, "regions")
    evaluation = api.evaluate(
        run,
        data,
        split=split,
        out=folder,
        pixel_range=pixel_range,
        allow_code=allow_code,
        on_message=print_message,
    )
    report_evaluation(run, evaluation, folder or run / "evaluation" / split, json)


@app.command()
def predict(
    model: Annotated[
        Path, Argument(help="Folder of a `maskwright regions train` run, or its exported model.")
    ],
    images: Annotated[str, Argument(help="Image, folder or glob; a data set with --masks.")],
    folder: Annotated[Path, Option("-o", "--out", help="Folder for tables and overlays.")],
    masks: Annotated[
        bool | None,
        Option(
            "--masks/--no-masks",
            help="Use masks of the data set, or predict them with the segmenter (default).",
        ),
    ] = None,
    group_by: options.GroupBy = None,
    overlays: Annotated[bool, Option(help="Also write overlays of decisions and images.")] = True,
    heat: Annotated[bool, Option(help="Also write Grad-CAM heat maps of the regions.")] = False,
    pixel_range: options.PixelRange = None,
    overwrite: options.Overwrite = False,
    engine: options.FolderEngine = "local",
    address: options.ClusterAddress = None,
    allow_code: options.AllowCode = False,
) -> None:
    """Classify the regions, images or cases of a folder."""
    from maskwright import api
    from maskwright.tasks.registry import require_task

    require_task(model, "regions")
    result = api.predict(
        model,
        images,
        folder,
        masks=masks,
        group_by=group_by,
        overlays=overlays,
        heat=heat,
        pixel_range=pixel_range,
        overwrite=overwrite,
        engine=engine,
        address=address,
        allow_code=allow_code,
    )
    report_predictions(result, folder)
