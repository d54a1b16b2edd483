"""`maskwright predict`."""

from collections.abc import Iterator
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, cast, get_type_hints

from typer import Argument, Option

from maskwright.cli import options
from maskwright.cli.console import print_message, report_predictions
from maskwright.model_card.postprocessing import STEPS, Postprocessing


def predict(
    model: Annotated[Path, Argument(help="Folder of a run, or an exported model.")],
    images: Annotated[str, Argument(help="Image, folder or glob.")],
    folder: Annotated[Path, Option("-o", "--out", help="Folder for the masks.")],
    flips: options.Flips = False,
    overlays: Annotated[bool, Option(help="Also write overlays of mask and image.")] = True,
    probabilities: Annotated[bool, Option(help="Also write probabilities.")] = False,
    threshold: Annotated[float | None, Option(help="Foreground probability threshold.")] = None,
    score: Annotated[
        float | None, Option(help="Minimum score of an object.", min=0, max=0.999)
    ] = None,
    tile: Annotated[
        int | None, Option(help="Side of the tiles of large images, in pixels.", min=16)
    ] = None,
    classes: Annotated[
        Path | None, Option(help="Semantic run for panoptic output; MODEL segments instances.")
    ] = None,
    batch_size: Annotated[int, Option(help="Images or tiles per batch.", min=1)] = 8,
    pixel_range: options.PixelRange = None,
    overwrite: options.Overwrite = False,
    engine: options.FolderEngine = "local",
    address: options.ClusterAddress = None,
    large: Annotated[
        bool, Option(help="Process all images by windows, as those above 33 megapixels.")
    ] = False,
    polygons: Annotated[
        bool, Option(help="Also write polygons as GeoJSON; implies --large.")
    ] = False,
    bounds: Annotated[
        bool,
        Option(help="Also write outer and inner masks and trust.csv; needs maskwright trust."),
    ] = False,
    allow_code: options.AllowCode = False,
    **steps: Any,
) -> None:
    """Predict masks, objects or decisions for images."""
    from maskwright import api

    result = api.predict(
        model,
        images,
        folder,
        flips=flips,
        overlays=overlays,
        probabilities=probabilities,
        threshold=threshold,
        score=score,
        tile=tile,
        classes=classes,
        batch_size=batch_size,
        pixel_range=pixel_range,
        overwrite=overwrite,
        engine=engine,
        address=address,
        large=large,
        polygons=polygons,
        bounds=bounds,
        allow_code=allow_code,
        **steps,
        on_message=print_message,
    )
    report_predictions(result, folder)


def _parameters() -> Iterator[Parameter]:
    """Parameters of `predict`, with the steps of post-processing as options behind `tile`."""
    types = get_type_hints(Postprocessing)
    for parameter in signature(predict).parameters.values():
        if parameter.kind is not Parameter.VAR_KEYWORD:
            yield parameter
        if parameter.name == "tile":
            for name, step in STEPS.items():
                option = Option(None, help=step.option)
                yield parameter.replace(name=name, annotation=types[name] | None, default=option)


cast(Any, predict).__signature__ = signature(predict).replace(parameters=list(_parameters()))
