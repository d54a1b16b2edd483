"""Where on Earth an image lies, as the tags of a GeoTIFF say it."""

from dataclasses import dataclass
from typing import Any

import tifffile

NODATA_TAG = 42113  # of GDAL, text
# Scale, tie points, matrix; then coordinate system: keys, numbers and names.
_GEO_TAGS = (33550, 33922, 34264, 34735, 34736, 34737)


@dataclass(frozen=True)
class GeoTags:
    """Georeference of an image: code, type, count and value of each tag, as tifffile takes them."""

    tags: tuple[tuple[int, int, int, Any], ...]


def geo_tags(page: Any) -> GeoTags | None:
    """Georeference of a page of a TIFF, or `None`."""
    tags = [page.tags[code] for code in _GEO_TAGS if code in page.tags]
    copied = tuple((tag.code, int(tag.dtype), tag.count, tag.value) for tag in tags)
    return GeoTags(copied) if copied else None


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
