"""`maskwright evaluate` and `maskwright compare`."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from typer import Argument, Option, echo

from maskwright.cli import options
from maskwright.cli.console import print_message, report_evaluation
from maskwright.errors import ConfigError

Size = Annotated[
    Literal["original", "working"],
    Option(help="Resolution of the scores: of the files, or of the model."),
]
By = Annotated[
    str | None,
    Option(help="Column of the manifest or groups.csv whose groups of images are scored apart."),
]
Weighing = Annotated[
    Literal["cases", "images"],
    Option(help="What counts once in means over images: each case, or each image."),
]
TolerancePx = Annotated[
    float, Option(help="Distance in pixels up to which outlines agree, for surface Dice.")
]
ToleranceMm = Annotated[
    float | None, Option(help="The same in mm, where the size of a pixel is known.")
]
SizeLimits = Annotated[
    tuple[float, float] | None,
    Option(help="Areas in pixels that divide small, medium and large objects; thirds by default."),
]
Calibration = Annotated[bool, Option(help="Score the probabilities of masks as well.")]


def evaluate(
    run: Annotated[Path, Argument(help="Folder of the run.")],
    data: options.Data,
    split: options.Split = "test",
    folder: options.OutFolder = None,
    size: Size = "original",
    flips: options.Flips = False,
    pixel_range: options.PixelRange = None,
    by: By = None,
    weigh: Weighing = "cases",
    tolerance_px: TolerancePx = 2.0,
    tolerance_mm: ToleranceMm = None,
    size_limits: SizeLimits = None,
    calibration: Calibration = True,
    allow_code: options.AllowCode = False,
    as_json: options.Json = False,
) -> None:
    """Score a model on a split that it was not trained on."""
    from maskwright import api

    evaluation = api.evaluate(
        run,
        data,
        split=split,
        out=folder,
        size=size,
        flips=flips,
        pixel_range=pixel_range,
        by=by,
        weigh=weigh,
        tolerance_px=tolerance_px,
        tolerance_mm=tolerance_mm,
        size_limits=size_limits,
        calibration=calibration,
        allow_code=allow_code,
        on_message=print_message,
    )
    report_evaluation(run, evaluation, folder or run / "evaluation" / split, as_json)


def compare(
    run_a: Annotated[Path, Argument(help="Folder of the first run (A).")],
    run_b: Annotated[Path, Argument(help="Folder of the second run (B).")],
    data: options.Data,
    split: options.Split = "test",
    folder: options.OutFolder = None,
    size: Size = "original",
    flips: options.Flips = False,
    pixel_range: options.PixelRange = None,
    seeds: Annotated[
        int | None,
        Option(
            min=2,
            help="Train the settings of both runs with so many seeds, and compare these recipes.",
        ),
    ] = None,
    tolerance_px: Annotated[
        float | None,
        Option(help="Compare outlines too; distance in pixels up to which they agree."),
    ] = None,
    tolerance_mm: ToleranceMm = None,
    as_json: options.Json = False,
) -> None:
    """Test whether two models differ significantly, on the same images."""
    from maskwright import api

    if seeds is not None:
        if size != "original" or flips or pixel_range or tolerance_px or tolerance_mm:
            raise ConfigError(
                "Recipes are compared by Dice at the original size: leave out the options --size, "
                "--flips, --pixel-range, --tolerance-px and --tolerance-mm, or --seeds."
            )
        found = api.compare_recipes(
            run_a, run_b, data, seeds=seeds, split=split, out=folder, on_message=print_message
        )
        echo(json.dumps(found.table) if as_json else str(found))
        print_message(f"See {found.folder / 'recipes.json'}.")
        return
    out = folder or api.comparison_folder(run_a, run_b, split)
    tolerance: dict[str, Any] = {} if tolerance_px is None else {"tolerance_px": tolerance_px}
    comparison = api.compare(
        run_a,
        run_b,
        data,
        split=split,
        out=out,
        size=size,
        flips=flips,
        pixel_range=pixel_range,
        tolerance_mm=tolerance_mm,
        **tolerance,
        on_message=print_message,
    )
    report_evaluation(run_a, comparison, out, as_json)
