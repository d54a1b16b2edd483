"""Tile pyramids: an image as JPEG tiles of all sizes, written from windows of it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from maskwright.data.geometry import shrink_bands
from maskwright.data.to_rgb import SAMPLE_PX, as_picture, shown_channels, shown_span
from maskwright.imageio.tiff import TIFF_MAGIC
from maskwright.imageio.windows import Windows

TILE = 512
"""Side of the tiles, px; those at the right and at the bottom may be smaller."""

_THUMBNAIL_SIDE = 160
_BAND_PIXELS = 2**21  # of the image, read at once
_QUALITY = 90
_SLIDES = frozenset({".svs", ".ndpi", ".scn", ".bif"})  # formats of one file, a TIFF

Span = tuple[float, float]
"""Pixel values that are shown as black and as white."""


@dataclass(frozen=True)
class TilePyramid:
    """Tiles of an image in all sizes, numbered as in Deep Zoom.

    Level `levels - 1` is the image itself; each one below has half its sides, rounded up, and the
    first is a single pixel.

    Args:
        folder: Folder with `LEVEL/COLUMN_ROW.jpg` and `thumbnail.jpg`.
        span: Values shown as black and white, of pixels that are not 8 bits.
    """

    folder: Path
    levels: int
    span: Span | None

    @property
    def thumbnail(self) -> Path:
        """JPEG of at most 160 px a side."""
        return self.folder / "thumbnail.jpg"

    def tile(self, level: int, column: int, row: int) -> Path:
        """File of a tile; there is none for numbers outside the image."""
        return self.folder / str(level) / f"{column}_{row}.jpg"


def safe_suffix(name: str, start: bytes) -> str:
    """Suffix under which an upload may be stored and opened.

    Readers that go by the suffix, or by text in the file, could be led to other files of this
    machine: GDAL by a `.vrt`, OpenSlide by an index of JPEGs. Without a suffix, an image is opened
    by its content.
    """
    suffix = Path(name).suffix.lower()
    return suffix if suffix in _SLIDES and start.startswith(TIFF_MAGIC) else ""


def write_pyramid(windows: Windows, folder: Path, advance: Callable[[float], None]) -> TilePyramid:
    """Write the tiles of an image and its thumbnail, with memory for two rows of tiles."""
    height, width = windows.height, windows.width
    span = None if windows.dtype == "uint8" else _span_of(windows)
    pyramid = TilePyramid(folder, (max(height, width) - 1).bit_length() + 1, span)

    def pictures() -> Iterator[np.ndarray]:
        for band in _bands(windows):
            yield as_picture(band, span)
            advance(len(band) / height)

    bands = pictures()
    for level in reversed(range(pyramid.levels)):
        bands = _write_level(pyramid, level, bands)
    for _ in bands:  # each size takes its rows from the one before
        pass
    _write_thumbnail(pyramid)
    return pyramid


def reduced_picture(windows: Windows, span: Span | None, size: tuple[int, int]) -> np.ndarray:
    """Image as uint8 RGB `(h, w, 3)`, in its size or a smaller one."""
    pictures = (as_picture(band, span) for band in _bands(windows))
    if size == (windows.height, windows.width):
        return np.concatenate(list(pictures))
    return shrink_bands(pictures, (windows.height, windows.width), size)


def _bands(windows: Windows) -> Iterator[np.ndarray]:
    rows = max(1, _BAND_PIXELS // windows.width)
    for top in range(0, windows.height, rows):
        yield windows.read(top, min(top + rows, windows.height), 0, windows.width)


def _span_of(windows: Windows) -> Span:
    """Span as in `as_picture`, of the pixels that hold data."""
    step = max(1, windows.height * windows.width // SAMPLE_PX)
    parts, first = [], 0
    for band in _bands(windows):
        shown = shown_channels(band)
        pixels = shown.reshape(-1, shown.shape[2])
        parts.append(pixels[first::step])
        first = (first - len(pixels)) % step
    sample = np.concatenate(parts)
    if windows.nodata is not None:
        sample = sample[(sample != windows.nodata).any(axis=1)]
    return shown_span(sample)


def _write_level(
    pyramid: TilePyramid, level: int, bands: Iterable[np.ndarray]
) -> Iterator[np.ndarray]:
    """Write the tiles of one size from bands of its rows, and give those of the next smaller."""
    (pyramid.folder / str(level)).mkdir(parents=True, exist_ok=True)
    for row, strip in enumerate(_strips(bands)):
        for column, left in enumerate(range(0, strip.shape[1], TILE)):
            _write_jpeg(pyramid.tile(level, column, row), strip[:, left : left + TILE])
        yield _halve(strip)


def _strips(bands: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Regroup bands of rows into strips as high as a tile; the last may be lower."""
    waiting: list[np.ndarray] = []
    for band in bands:
        waiting.append(band)
        if sum(map(len, waiting)) >= TILE:
            joined = np.concatenate(waiting)
            full = len(joined) // TILE * TILE
            yield from np.split(joined[:full], full // TILE)
            waiting = [joined[full:]]
    if any(map(len, waiting)):
        yield np.concatenate(waiting)


def _halve(strip: np.ndarray) -> np.ndarray:
    """Means of two by two pixels; an odd last row or column counts twice."""
    height, width = strip.shape[:2]
    if height % 2 or width % 2:
        strip = cv2.copyMakeBorder(strip, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    size = ((width + 1) // 2, (height + 1) // 2)
    return np.asarray(cv2.resize(strip, size, interpolation=cv2.INTER_AREA))


def _write_jpeg(file: Path, picture: np.ndarray) -> None:
    """Write uint8 RGB `(h, w, 3)`."""
    bgr = np.ascontiguousarray(picture[..., ::-1])
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    file.write_bytes(data.tobytes())


def _write_thumbnail(pyramid: TilePyramid) -> None:
    level = min(pyramid.levels - 1, TILE.bit_length() - 1)  # the largest that is one tile
    small = np.asarray(cv2.imread(str(pyramid.tile(level, 0, 0)), cv2.IMREAD_COLOR_RGB))
    factor = min(1.0, _THUMBNAIL_SIDE / max(small.shape[:2]))
    size = tuple(max(1, round(side * factor)) for side in small.shape[1::-1])
    _write_jpeg(pyramid.thumbnail, cv2.resize(small, size, interpolation=cv2.INTER_AREA))
