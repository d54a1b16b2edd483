"""`maskwright predict`."""

from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.console import (
    ClusterAddress,
    Flips,
    FolderEngine,
    Overwrite,
    print_message,
    quiet_tensorflow,
    report_predictions,
)


def predict(
    model: Annotated[Path, typer.Argument(help="Folder of a run, or an exported model.")],
    images: Annotated[str, typer.Argument(help="Image, folder or glob.")],
    folder: Annotated[Path, typer.Option("-o", "--out", help="Folder for the masks.")],
    flips: Flips = False,
    overlays: Annotated[bool, typer.Option(help="Also write overlays of mask and image.")] = True,
    probabilities: Annotated[bool, typer.Option(help="Also write probabilities.")] = False,
    threshold: Annotated[
        float | None, typer.Option(help="Foreground probability threshold.")
    ] = None,
    tile: Annotated[
        int | None, typer.Option(help="Side of the tiles of large images, in pixels.", min=16)
    ] = None,
    min_area_px: Annotated[
        int | None, typer.Option(help="Minimum component area, in pixels of the image.")
    ] = None,
    fill_holes_px: Annotated[
        int | None, typer.Option(help="Maximum area of filled holes, in pixels of the image.")
    ] = None,
    keep_largest: Annotated[
        bool | None, typer.Option(help="Keep only the largest component of each class.")
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option(help="Semantic run for panoptic output; MODEL segments instances."),
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Images or tiles per batch.", min=1)] = 8,
    overwrite: Overwrite = False,
    engine: FolderEngine = "local",
    address: ClusterAddress = None,
    large: Annotated[
        bool, typer.Option(help="Process all images by windows, as those above 33 megapixels.")
    ] = False,
    polygons: Annotated[
        bool, typer.Option(help="Also write polygons as GeoJSON; implies --large.")
    ] = False,
) -> None:
    """Predict masks, objects or decisions for images."""
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
        on_message=print_message,
    )
    report_predictions(result, folder)
