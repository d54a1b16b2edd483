"""Georeference of an image, as GeoTIFF tags."""

from dataclasses import dataclass
from typing import Any

import tifffile

GeoTag = tuple[int, int, int, Any]
"""Code, type, count and value of a tag, as in tifffile."""

NODATA_TAG = 42113  # text tag of GDAL
# Scale, tie points, matrix; then coordinate system: keys, numbers and names.
_GEO_TAGS = (33550, 33922, 34264, 34735, 34736, 34737)


@dataclass(frozen=True)
class GeoTags:
    """Georeference of an image, which can be written to another image of the same size."""

    tags: tuple[GeoTag, ...]


def geo_tags(page: Any) -> GeoTags | None:
    """Georeference of a page of a TIFF, or `None`."""
    present = [page.tags[code] for code in _GEO_TAGS if code in page.tags]
    tags = tuple((tag.code, int(tag.dtype), tag.count, tag.value) for tag in present)
    return GeoTags(tags) if tags else None


def tiff_nodata(page: Any) -> float | None:
    """No-data value, which GDAL writes as text, or `None`."""
    tag = page.tags.get(NODATA_TAG)
    try:
        return None if tag is None else float(str(tag.value).strip("\0 "))
    except ValueError:
        return None


def tags_of(crs: Any, transform: Any) -> GeoTags | None:
    """Georeference from a coordinate system and transform of rasterio."""
    from rasterio.io import MemoryFile

    # GDAL encodes coordinate systems: it writes a TIFF of one pixel, from which tags are read.
    with MemoryFile() as memory:
        profile = {"driver": "GTiff", "width": 1, "height": 1, "count": 1, "dtype": "uint8"}
        with memory.open(**profile, crs=crs, transform=transform):
            pass
        with tifffile.TiffFile(memory) as tiff:
            return geo_tags(tiff.pages[0])
