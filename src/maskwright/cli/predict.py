"""`maskwright predict`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.console import quiet_tensorflow, report_predictions
from maskwright.types import Engine


def predict(
    model: Annotated[Path, typer.Argument(help="Folder of a run, or an exported model.")],
    images: Annotated[str, typer.Argument(help="Image, folder or glob.")],
    folder: Annotated[Path, typer.Option("-o", "--out", help="Folder for the masks.")],
    flips: Annotated[bool, typer.Option(help="Average over the mirrored image too.")] = False,
    overlays: Annotated[bool, typer.Option(help="Draw the masks over the images too.")] = True,
    probabilities: Annotated[bool, typer.Option(help="Keep the probabilities too.")] = False,
    threshold: Annotated[
        float | None, typer.Option(help="Least probability of what is not background.")
    ] = None,
    tile: Annotated[
        int | None, typer.Option(help="Side of the tiles of large images, px.", min=16)
    ] = None,
    min_area_px: Annotated[
        int | None, typer.Option(help="Remove smaller components, px of the image.")
    ] = None,
    fill_holes_px: Annotated[
        int | None, typer.Option(help="Fill holes up to this area, px of the image.")
    ] = None,
    keep_largest: Annotated[
        bool | None, typer.Option(help="Keep the largest component of each class alone.")
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option(help="With objects: run that draws masks; writes panoptic masks of both."),
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Images run at once.", min=1)] = 8,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Do again what an earlier run has done.")
    ] = False,
    engine: Annotated[
        Engine, typer.Option(help="Work here, or on a Ray cluster that shares a file system.")
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            envvar="RAY_ADDRESS",
            help="Of a running Ray cluster; one is started here when left out.",
        ),
    ] = None,
    large: Annotated[
        bool, typer.Option(help="Work through all images by windows, as through those of >33 Mpx.")
    ] = False,
    polygons: Annotated[bool, typer.Option(help="Write GeoJSON too; includes --large.")] = False,
) -> None:
    """Write a mask for every image, or its objects, or the answers of a model of regions."""
    from maskwright.export.artifact import needs_tensorflow

    if engine == "local" and needs_tensorflow(model):
        quiet_tensorflow()
    from maskwright import api

    result = api.predict(
        model,
        images,
        folder,
        flips=flips,
        overlays=overlays,
        probabilities=probabilities,
        threshold=threshold,
        tile=tile,
        min_area_px=min_area_px,
        fill_holes_px=fill_holes_px,
        keep_largest=keep_largest,
        classes=classes,
        batch_size=batch_size,
        overwrite=overwrite,
        engine=engine,
        address=address,
        large=large,
        polygons=polygons,
        on_message=partial(typer.echo, err=True),
    )
    report_predictions(result, folder)
