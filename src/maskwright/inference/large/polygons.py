"""Masks as polygons: GeoJSON in longitude and latitude, or in pixels."""

import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import DataError
from maskwright.imageio import atomic_write
from maskwright.labels import IGNORE_LABEL, IN_LAYER, Labels, layer_values

Ring = list[tuple[float, float]]
LabelOf = Callable[[int], int | None]
"""Class that the regions of a value show, `None` for none."""

_AT_ONCE = 2000  # polygons turned into longitude and latitude together: one call costs much
_CACHE_BYTES = 2**26  # of GDAL, which would take a twentieth of the machine's memory
_DIGITS = 8  # of degrees, some millimeters
_PIXELS = "pixels from the upper left corner, x to the right and y down"


def write_polygons(
    mask: str | Path | Sequence[Path],
    out: str | Path,
    labels: Labels,
    background: int | None = None,
) -> int:
    """Write the regions of a mask, connected at sides, as GeoJSON (RFC 7946); how many there are.

    Each is a polygon along the borders of its pixels, with its holes, and has the properties
    `class`, `label`, `area_px` and, where the mask has a coordinate system in lengths, `area_m2`.
    Coordinates are longitude and latitude (WGS 84); of a mask without a coordinate system, pixels,
    as the member `coordinates` states, and QuPath reads each polygon as an annotation of its class.
    Memory grows with the polygons, not with the pixels. Raises `DataError` if rasterio is not
    installed.

    The mask is a label TIFF as of `predict_large`, or one for each of several classes that overlap;
    `background` is skipped, as ignored pixels are.
    """
    need_rasterio()
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning
    from rasterio.features import shapes

    out = Path(out)
    number = 0
    files: list[tuple[Path, LabelOf]]
    if isinstance(mask, str | Path):
        files = [(Path(mask), _class_but(background))]
    else:
        files = [(file, _class_of_layer(place)) for place, file in enumerate(mask)]
    with (
        warnings.catch_warnings(),
        rasterio.Env(GDAL_CACHEMAX=_CACHE_BYTES),
        atomic_write(out) as new,
    ):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with new.open("w", encoding="utf-8") as written:
            for file, label_of in files:
                with rasterio.open(file) as image:
                    if file == files[0][0]:
                        where = {} if image.crs else {"coordinates": _PIXELS}
                        written.write(json.dumps({"type": "FeatureCollection", **where})[:-1])
                        written.write(', "features": [')
                    regions = _regions(shapes(rasterio.band(image, 1), connectivity=4), label_of)
                    while batch := list(islice(regions, _AT_ONCE)):
                        for feature in _features(batch, labels, image.crs, image.transform):
                            written.write(",\n" if number else "\n")
                            written.write(json.dumps(feature))
                            number += 1
            written.write("\n]}\n")
    return number


def pixel_polygons(mask: np.ndarray, labels: Labels, background: int | None = None) -> Any:
    """What `write_polygons` writes, of a mask in memory, in pixels.

    The mask is `(h, w)`, or `(h, w, classes)` where they overlap.
    """
    need_rasterio()
    from rasterio.features import shapes
    from rasterio.transform import IDENTITY

    planes = [(mask, _class_but(background))]
    if mask.ndim == 3:
        layers = map(layer_values, np.moveaxis(mask, -1, 0))
        planes = [(layer, _class_of_layer(place)) for place, layer in enumerate(layers)]
    regions = [
        region
        for plane, label_of in planes
        for region in _regions(shapes(plane.astype(np.uint8), connectivity=4), label_of)
    ]
    features = list(_features(regions, labels, None, IDENTITY))
    return {"type": "FeatureCollection", "coordinates": _PIXELS, "features": features}


def need_rasterio() -> None:
    """Raise `DataError` where rasterio cannot be imported."""
    try:
        import rasterio.features  # noqa: F401
    except ImportError as error:
        raise DataError(
            f"Polygons need rasterio, which cannot be imported ({error}); install it with: pip "
            f'install "maskwright[geo]"'
        ) from None


def _regions(
    outlines: Iterable[tuple[Any, float]], label_of: LabelOf
) -> Iterator[tuple[list[Ring], int]]:
    """Rings and label of each region that is written."""
    for shape, value in outlines:
        label = label_of(int(value))
        if label is not None:
            yield [[(x, y) for x, y in ring] for ring in shape["coordinates"]], label


def _class_but(background: int | None) -> LabelOf:
    return lambda value: None if value in (background, IGNORE_LABEL) else value


def _class_of_layer(place: int) -> LabelOf:
    return lambda value: place if value == IN_LAYER else None


def _features(
    regions: list[tuple[list[Ring], int]], labels: Labels, crs: Any, transform: Any
) -> Iterator[dict[str, Any]]:
    """Features of some regions, whose rings are in the coordinates of the mask."""
    placed = [rings for rings, _ in regions] if crs is None else _lon_lat(regions, crs)
    pixel = abs(transform.determinant)
    for ((outer, *holes), label), rings in zip(regions, placed, strict=True):
        area = abs(_area(outer)) - sum(abs(_area(hole)) for hole in holes)
        properties: dict[str, Any] = {
            "class": labels.names[label],
            "label": label,
            "area_px": round(area / pixel),
        }
        if crs is None:
            color = list(labels.colors[label])
            shown = {"name": labels.names[label], "color": color}
            properties |= {"objectType": "annotation", "classification": shown}
        elif crs.is_projected:
            properties["area_m2"] = round(area * crs.linear_units_factor[1] ** 2, 3)
        yield {
            "type": "Feature",
            "properties": properties,
            "geometry": {"type": "Polygon", "coordinates": _turned(rings)},
        }


def _lon_lat(regions: list[tuple[list[Ring], int]], crs: Any) -> list[list[Ring]]:
    """Rings of regions in longitude and latitude."""
    from rasterio.warp import transform as reproject  # keeps longitude first

    flat = [point for rings, _ in regions for ring in rings for point in ring]
    placed = reproject(crs, "EPSG:4326", *map(list, zip(*flat, strict=True)))
    points = ((round(x, _DIGITS), round(y, _DIGITS)) for x, y in zip(*placed, strict=True))
    return [[list(islice(points, len(ring))) for ring in rings] for rings, _ in regions]


def _turned(rings: list[Ring]) -> list[Ring]:
    """Rings in the order that RFC 7946 wants: the first to the left, holes to the right."""
    return [
        ring if (_area(ring) > 0) == (number == 0) else ring[::-1]
        for number, ring in enumerate(rings)
    ]


def _area(ring: Iterable[tuple[float, float]]) -> float:
    """Area within a closed ring, positive where it turns from x to y."""
    x, y = np.array(list(ring)).T
    x, y = x - x[0], y - y[0]  # small rings far from zero would lose their digits
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2
