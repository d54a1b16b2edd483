"""Georeferences, and files that GDAL opens by their content."""

import re
import warnings
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile

from maskwright.errors import DataError
from maskwright.imageio.header import reading, start_of

NODATA_TAG = 42113  # text tag of GDAL
# Scale, tie points, matrix; then coordinate system: keys, numbers and names.
_GEO_TAGS = (33550, 33922, 34264, 34735, 34736, 34737)
_RASTER_TYPE, _PIXEL_IS_POINT = 1025, 2  # key, and its value where positions are of pixel centers
_DRIVERS = {
    b"\0\0\0\x0cjP  ": "JP2OpenJPEG",
    b"\xff\x4f\xff\x51": "JP2OpenJPEG",
    b"EHFA_HEADER_TAG": "HFA",
    b"<VRTDataset": "VRT",
}
"""The only driver that may open a file, by its first bytes: others would follow what it names."""
_SOURCES = (*list(_DRIVERS)[:2], b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_VRT_BYTES = 2**24
_MOST_SHRUNK = 1.1  # of the sources of a mosaic; beyond, GDAL looks for overviews
_VRT_TAG = re.compile(
    "VRTDataset|VRTRasterBand|SRS|GeoTransform|Metadata|MDI|Description|UnitType|Offset|Scale"
    "|NoDataValue|ColorInterp|ColorTable|Entry|CategoryNames|Category|MaskBand|SimpleSource"
    "|ComplexSource|SourceFilename|SourceBand|SourceProperties|SrcRect|DstRect|NODATA"
    "|UseMaskBand|ScaleOffset|ScaleRatio|BlockXSize|BlockYSize"
)
"""Elements of a mosaic of images; all that names other files is `SourceFilename`."""

GeoTags = tuple[tuple[int, int, int, Any], ...]
"""Georeference of an image: code, type, count and value of each tag, as in tifffile."""


def open_gdal(path: Path) -> Any:
    """Data set of rasterio for a JPEG 2000, an ERDAS Imagine file or a mosaic (VRT).

    Raises `DataError` for other files, and for those that read files outside their own folder.
    """
    try:
        import rasterio
        from rasterio.errors import NotGeoreferencedWarning
    except ImportError:
        raise DataError(
            f"Reading {path} requires rasterio, which is not installed; install it with: pip "
            f'install "maskwright[geo]"'
        ) from None
    start = start_of(path)
    driver = next((name for magic, name in _DRIVERS.items() if start.startswith(magic)), None)
    if driver is None or (driver == "VRT") != (path.suffix.lower() == ".vrt"):
        raise DataError(
            f"{path} is no JPEG 2000, ERDAS Imagine or VRT file; it starts with {start[:12]!r}."
        )
    with reading(path):
        if driver == "VRT":
            _check_mosaic(path)
        if driver == "HFA" and _has_spill(path):
            raise DataError(
                f"{path} keeps its pixels in another file; convert it to a GeoTIFF with "
                f"`gdal_translate`."
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)  # most images are not
            return rasterio.open(path.absolute(), driver=driver)


def _has_spill(path: Path) -> bool:
    """Whether an ERDAS Imagine file names another file that holds its pixels."""
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        return re.search(rb"(?i)externalrasterdms", content) is not None


def _check_mosaic(path: Path) -> None:
    """Raise `DataError` unless a VRT only joins TIFF and JPEG 2000 files of its own folder."""
    if path.stat().st_size > _VRT_BYTES:
        raise DataError(f"{path} is longer than any mosaic; convert it with `gdal_translate`.")
    place = path.parent.resolve()
    root = ElementTree.fromstring(path.read_bytes())
    if any(map(_shrinks, root.iter())):
        raise DataError(
            f"{path} shrinks its sources, for which GDAL opens what they name as overviews; "
            f"expected a mosaic at their size: convert it with `gdal_translate`."
        )
    for element in root.iter():
        named = element.text or ""
        right = bool(_VRT_TAG.fullmatch(element.tag)) and element.get("subClass") is None
        if right and element.tag == "SourceFilename":
            source = (place / named).resolve()
            right = (
                ":" not in named
                and element.get("relativeToVRT") == "1"
                and source.is_relative_to(place)
                and start_of(source).startswith(_SOURCES)
            )
        if not right:
            raise DataError(
                f"{path} has {element.tag} {named.strip()[:80]!r}; expected a mosaic of TIFF or "
                f"JPEG 2000 files in its own folder: convert it with `gdal_translate`."
            )


def _shrinks(source: ElementTree.Element) -> bool:
    """Whether an element of a VRT draws a part of a source into a smaller place."""
    old, new = source.find("SrcRect"), source.find("DstRect")
    if old is None or new is None:
        return False
    sides = [(float(old.get(n, "inf")), float(new.get(n, "0"))) for n in ("xSize", "ySize")]
    return any(not before <= _MOST_SHRUNK * after for before, after in sides)


def geo_tags(page: Any) -> GeoTags | None:
    """Georeference of a page of a TIFF, or `None`."""
    present = (page.tags[code] for code in _GEO_TAGS if code in page.tags)
    tags = tuple((tag.code, int(tag.dtype), tag.count, tag.value) for tag in present)
    return tags or None


def tiff_nodata(page: Any) -> float | None:
    """No-data value, which GDAL writes as text, or `None`."""
    tag = page.tags.get(NODATA_TAG)
    try:
        return None if tag is None else float(str(tag.value).strip("\0 "))
    except ValueError:
        return None


def corners_of(page: Any) -> tuple[float, float, float, float] | None:
    """Position of the top left and the bottom right corner of a page, x and y; `None` without."""
    tags = {code: page.tags[code].value for code in _GEO_TAGS[:4] if code in page.tags}
    tie = tags.get(_GEO_TAGS[1], ())
    if _GEO_TAGS[2] in tags:
        xx, xy, _, x, yx, yy, _, y = tags[_GEO_TAGS[2]][:8]
    elif _GEO_TAGS[0] in tags and len(tie) == 6:  # more points are a warp
        xx, xy, yx, yy = tags[_GEO_TAGS[0]][0], 0.0, 0.0, -tags[_GEO_TAGS[0]][1]
        x, y = tie[3] - tie[0] * xx, tie[4] - tie[1] * yy
    else:
        return None
    keys = np.array(tags.get(_GEO_TAGS[3], ()), np.int64)
    keys = keys[: len(keys) // 4 * 4].reshape(-1, 4)
    is_point = bool(((keys[:, 0] == _RASTER_TYPE) & (keys[:, 3] == _PIXEL_IS_POINT)).any())
    first = -0.5 if is_point else 0.0  # of a pixel: the position of the corner of the image
    ends = [(first, first), (page.imagewidth + first, page.imagelength + first)]
    left, top, right, bottom = (
        float(value) for c, r in ends for value in (x + xx * c + xy * r, y + yx * c + yy * r)
    )
    return left, top, right, bottom


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
