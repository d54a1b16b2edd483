"""Where on Earth an image lies, as the tags of a GeoTIFF say it."""

from dataclasses import dataclass
from typing import Any

import tifffile

GeoTag = tuple[int, int, int, Any]
"""Code, type, count and value of a tag, as tifffile takes them."""

NODATA_TAG = 42113  # of GDAL, text
# Scale, tie points, matrix; then coordinate system: keys, numbers and names.
_GEO_TAGS = (33550, 33922, 34264, 34735, 34736, 34737)


@dataclass(frozen=True)
class GeoTags:
    """Georeference of an image: what another image of the same pixels is given to have it too."""

    tags: tuple[GeoTag, ...]


def geo_tags(page: Any) -> GeoTags | None:
    """Georeference of a page of a TIFF, or `None`."""
    found = [page.tags[code] for code in _GEO_TAGS if code in page.tags]
    tags = tuple((tag.code, int(tag.dtype), tag.count, tag.value) for tag in found)
    return GeoTags(tags) if tags else None


def tiff_nodata(page: Any) -> float | None:
    """Value that stands for no data, which GDAL writes as text, or `None`."""
    tag = page.tags.get(NODATA_TAG)
    try:
        return None if tag is None else float(str(tag.value).strip("\0 "))
    except ValueError:
        return None


def tags_of(crs: Any, transform: Any) -> GeoTags | None:
    """Georeference from rasterio's coordinate system and transform."""
    from rasterio.io import MemoryFile

    # GDAL knows how systems are put into keys: it writes one pixel, and the tags are read there.
    with MemoryFile() as memory:
        profile = {"driver": "GTiff", "width": 1, "height": 1, "count": 1, "dtype": "uint8"}
        with memory.open(**profile, crs=crs, transform=transform):
            pass
        with tifffile.TiffFile(memory) as tiff:
            return geo_tags(tiff.pages[0])
