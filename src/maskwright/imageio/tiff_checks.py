"""What is checked of a TIFF: its directories before tifffile reads them, its parts before decoding.

tifffile follows lists of directories that never end, and allocates what a file declares.
"""

import io
import struct
from math import prod
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree import ElementTree

import tifffile
from PIL import Image

from maskwright.errors import DataError
from maskwright.imageio.files import NamedBytes

_MOST_DIRECTORIES = 10_000
_MOST_ENTRIES = 4096  # of a directory, as in tifffile
_MOST_PLANES = 10**6  # that an OME-TIFF may declare
_PART_SAMPLES = 2**24  # of a tile of an image that is smaller than its tile
_MOST_SWOLLEN = 4  # stored by decoded bytes of a part; compression makes noise little larger
_HEADER_BYTES = 2**16  # more than the header of any stored part
_OME_COUNTS = {"SizeZ", "SizeC", "SizeT", "FirstZ", "FirstC", "FirstT", "IFD", "PlaneCount"}


def check_directories(path: Path | NamedBytes) -> None:
    """Raise `DataError` unless the list of directories ends, at most 10,000 directories on."""
    with path.open("rb") as file:
        head = file.read(16)
        order = "<" if head.startswith(b"II") else ">"
        big = 43 in head[2:4]
        size = file.seek(0, io.SEEK_END)
        number, link, entry = ("Q", "Q", 20) if big else ("H", "I", 12)
        seen: set[int] = set()
        offset = _number(file, order + link, 8 if big else 4)
        while offset and offset < size:
            seen.add(offset)
            entries = _number(file, order + number, offset)
            if not 0 < entries <= _MOST_ENTRIES:
                break
            after = offset + struct.calcsize("<" + number) + entries * entry
            offset = _number(file, order + link, after)
            if offset in seen:
                break
            if len(seen) == _MOST_DIRECTORIES:
                raise DataError(
                    f"{path} contains more than {_MOST_DIRECTORIES:,} pictures; write each to a "
                    f"separate file."
                )
        else:
            return
    raise DataError(
        f"{path} is damaged: its list of pictures has an empty entry or leads back into itself; "
        f"export it again."
    )


def _number(file: BinaryIO, form: str, offset: int) -> int:
    """Integer at an offset; 0, the end of a list, where the file ends before."""
    file.seek(offset)
    data = file.read(struct.calcsize(form))
    return int(struct.unpack(form, data)[0]) if len(data) == struct.calcsize(form) else 0


def check_metadata(path: Path | NamedBytes, tiff: tifffile.TiffFile) -> None:
    """Raise `DataError` where an OME-TIFF declares more planes than any file has."""
    if not tiff.is_ome:
        return
    for element in ElementTree.fromstring(tiff.ome_metadata or "<OME/>").iter():
        counts = {name: int(value) for name, value in element.items() if name in _OME_COUNTS}
        planes = prod(max(1, counts.pop(name, 1)) for name in ("SizeZ", "SizeC", "SizeT"))
        if (most := max(planes, *counts.values(), 0)) > _MOST_PLANES:
            raise DataError(
                f"{path} declares {most:,} planes in its OME metadata; export it again."
            )


def check_single(path: Path | NamedBytes, tiff: tifffile.TiffFile) -> None:
    """Raise `DataError` where pictures follow that are no smaller versions of the first."""
    first = tiff.series[0]
    if first.kind not in {"generic", "shaped", "uniform"}:
        return  # formats of slides and microscopes say what else they hold
    height, width = first.keyframe.shape[:2]
    for other in tiff.series[1:]:
        page = other.keyframe
        low, wide = page.shape[:2] if len(page.shape) > 1 else (0, 0)
        is_smaller = low < height and abs(low * width - wide * height) <= max(height, width)
        if not (page.is_reduced or page.is_mask or is_smaller):
            raise DataError(
                f"{path} holds {len(tiff.series)} pictures, the first of {width}x{height} pixels "
                f"and another of {wide}x{low}; write each to a separate file."
            )


def check_parts(path: Path | NamedBytes, tiff: tifffile.TiffFile) -> None:
    """Raise `DataError` unless the tiles or strips of the first image are as large as can be.

    A tile may exceed a small image, but not by far; a part lies inside the file and takes not much
    more than what it decodes to; a part that is an image of its own is no larger than the part.
    """
    size = tiff.filehandle.size
    pages = [frame for frame in tiff.series[0].pages if frame is not None]
    for page in {id(frame.keyframe): frame.keyframe for frame in pages}.values():
        samples = prod(page.chunks)
        if page.dtype is None or samples > max(_PART_SAMPLES, 4 * prod(page.shaped)):
            raise DataError(
                f"{path} stores {page.bitspersample} bits a sample in parts of "
                f"{'x'.join(map(str, page.chunks))}, which cannot be decoded; export it again."
            )
        if page.compression in tifffile.TIFF.IMAGE_COMPRESSIONS:
            _bound_images(path, page)
    for frame in pages:
        page = frame.keyframe
        most = size
        if page.compression != tifffile.COMPRESSION.NONE:
            part_bytes = prod(page.chunks) * max(1, page.dtype.itemsize)
            most = min(size, _MOST_SWOLLEN * part_bytes + _HEADER_BYTES)
        for offset, length in zip(frame.dataoffsets, frame.databytecounts, strict=False):
            if length > most or (length and offset + length > size):
                raise DataError(
                    f"{path} is damaged or incomplete: {length:,} bytes at {offset:,} are no tile "
                    f"or strip of this file of {size:,} bytes; copy it again or remove it."
                )


def _bound_images(path: Path | NamedBytes, page: Any) -> None:
    """Let `page.decode` refuse parts that are images larger than a tile or strip."""
    decode, most = page.decode, prod(page.chunks[:2])

    def bounded(data: bytes | None, index: int, **options: Any) -> Any:
        if data is not None:
            width, height = _coded_size((options.get("jpegheader") or b"") + data)
            if width * height > most:
                raise DataError(
                    f"{path} has a tile or strip of {width}x{height} pixels where {most:,} pixels "
                    f"are expected; export it again."
                )
        return decode(data, index, **options)

    page.decode = bounded


def _coded_size(data: bytes) -> tuple[int, int]:
    """Width and height of a coded image; Pillow does not open all of JPEG and JPEG 2000."""
    if data.startswith(b"\xff\xd8"):
        at = 2
        while at + 9 < len(data):
            marker, length, _, height, width = struct.unpack_from(">2sHBHH", data, at)
            if marker[0] != 0xFF:
                break
            if 0xC0 <= marker[1] <= 0xCF and marker[1] not in (0xC4, 0xC8, 0xCC):
                return width, height
            at += 1 if marker[1] == 0xFF else 2 + length
        return 0, 0  # what has no frame is not decoded
    if (at := data.find(b"\xff\x4f\xff\x51")) >= 0:
        right, bottom, left, top = struct.unpack_from(">IIII", data, at + 8)
        return right - left, bottom - top
    with Image.open(io.BytesIO(data), formats=("PNG", "WEBP")) as image:
        return image.size
