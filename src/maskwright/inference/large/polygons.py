"""Masks as polygons: GeoJSON in longitude and latitude, or in pixels."""

import json
import warnings
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import DataError
from maskwright.imageio import atomic_write
from maskwright.labels import IGNORE_LABEL, Labels

Ring = list[tuple[float, float]]

_AT_ONCE = 2000  # polygons turned into longitude and latitude together: one call costs much
_CACHE_BYTES = 2**26  # of GDAL, which would take a twentieth of the machine's memory
_DIGITS = 8  # of degrees, some millimeters
_PIXELS = "pixels from the upper left corner, x to the right and y down"


def write_polygons(
    mask: str | Path, out: str | Path, labels: Labels, background: int | None = None
) -> int:
    """Write the regions of a mask, connected at sides, as GeoJSON (RFC 7946); how many there are.

    Each is a polygon along the borders of its pixels, with its holes, and has the properties
    `class`, `label`, `area_px` and, where the mask has a coordinate system in lengths, `area_m2`.
    Coordinates are longitude and latitude (WGS 84); of a mask without a coordinate system, pixels,
    as the member `coordinates` states. Memory grows with the polygons, not with the pixels. Raises
    `DataError` if rasterio is not installed.

    The mask is a label TIFF, such as `predict_large` writes; `background` is skipped, as the ignore
    label is.
    """
    need_rasterio()
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning
    from rasterio.features import shapes

    out = Path(out)
    number = 0
    with (
        warnings.catch_warnings(),
        rasterio.Env(GDAL_CACHEMAX=_CACHE_BYTES),
        atomic_write(out) as new,
    ):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(mask) as image, new.open("w", encoding="utf-8") as file:
            where = {} if image.crs else {"coordinates": _PIXELS}
            file.write(json.dumps({"type": "FeatureCollection", **where})[:-1])
            file.write(', "features": [')
            outlines = shapes(rasterio.band(image, 1), connectivity=4)
            regions = _regions(outlines, background)
            while batch := list(islice(regions, _AT_ONCE)):
                for feature in _features(batch, labels, image.crs, image.transform):
                    file.write(",\n" if number else "\n")
                    file.write(json.dumps(feature))
                    number += 1
            file.write("\n]}\n")
    return number


def pixel_polygons(mask: np.ndarray, labels: Labels, background: int | None = None) -> Any:
    """What `write_polygons` writes, of a mask `(h, w)` in memory, in pixels."""
    need_rasterio()
    from rasterio.features import shapes
    from rasterio.transform import IDENTITY

    regions = list(_regions(shapes(mask.astype(np.uint8), connectivity=4), background))
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
    outlines: Iterable[tuple[Any, float]], background: int | None
) -> Iterator[tuple[list[Ring], int]]:
    """Rings and label of each region that is written."""
    for shape, label in outlines:
        if int(label) not in (background, IGNORE_LABEL):
            yield [[(x, y) for x, y in ring] for ring in shape["coordinates"]], int(label)


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
        if crs is not None and crs.is_projected:
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
