"""Shapes of annotated objects, drawn as masks once the size of their image is known."""

import base64
import binascii
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from maskwright.errors import DataError
from maskwright.imageio import NamedBytes, read_header, read_mask
from maskwright.imageio.header import reading
from maskwright.imageio.rasters import checked_png
from maskwright.rle import decode_rle, fill_polygons

_ELLIPSE_POINTS = 360
_MAX_PIXEL = 2**15  # that OpenCV fills without overflow

DIGITS = 6
"""Decimals of pixels left of what is given in shares of an image: dividing moves the others."""

Shape = Callable[[tuple[int, int]], np.ndarray]
"""From height and width of an image to a mask, bool `(h, w)`; `DataError` where there is none."""

Ring = Sequence[float]
"""Closed outline `x, y, x, y, …` in px; 0, 0 is the upper left corner of the first pixel."""


@dataclass(frozen=True)
class Polygons:
    """Union of polygons, each the ring around it and the rings of its holes."""

    parts: Sequence[Sequence[Ring]]

    def __call__(self, size: tuple[int, int]) -> np.ndarray:
        """Mask of the polygons."""
        inside = fill_polygons([outer for outer, *holes in self.parts if not holes], size)
        for outer, *holes in (part for part in self.parts if len(part) > 1):
            inside |= fill_polygons([outer], size) & ~fill_polygons(holes, size)
        return inside


@dataclass(frozen=True)
class PixelPolygon:
    """Polygon whose points `(x, y)` are pixels: those on its ring are inside, of holes outside."""

    rings: Sequence[Any]

    def __call__(self, size: tuple[int, int]) -> np.ndarray:
        """Mask of the polygon."""
        mask = np.zeros(size, np.uint8)
        for number, ring in enumerate(self.rings):
            points = np.array(ring, np.float64).reshape(-1, 2)
            if not np.isfinite(points).all() or np.abs(points).max(initial=0) > _MAX_PIXEL:
                raise DataError(f"expected points of pixels, received {str(ring)[:60]}")
            if len(points):
                cv2.fillPoly(mask, [points.round().astype(np.int32)], int(number == 0))
        return mask.view(bool)


@dataclass(frozen=True)
class Box:
    """Rectangle, perhaps turned, of which it is not said that the object fills it."""

    ring: Ring

    def __call__(self, size: tuple[int, int]) -> np.ndarray:
        """Mask of the whole rectangle."""
        return fill_polygons([self.ring], size)


def box(
    left: float,
    top: float,
    right: float,
    bottom: float,
    degrees: float = 0,
    *,
    corner: bool = False,
) -> Box:
    """Box of these sides, turned clockwise about its center, or its first `corner`."""
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    x, y = (left, top) if corner else ((left + right) / 2, (top + bottom) / 2)
    return Box(_turned(corners, x, y, degrees))


def ellipse(x: float, y: float, radius_x: float, radius_y: float, degrees: float = 0) -> Polygons:
    """Polygon of an ellipse, turned clockwise about its center `x, y`."""
    angles = np.arange(_ELLIPSE_POINTS) * (2 * np.pi / _ELLIPSE_POINTS)
    points = np.stack([x + radius_x * np.cos(angles), y + radius_y * np.sin(angles)], axis=1)
    return Polygons([[_turned(points, x, y, degrees)]])


def _turned(points: np.ndarray, x: float, y: float, degrees: float) -> list[float]:
    if not degrees:
        return [float(value) for value in points.ravel()]
    sine, cosine = np.sin(np.deg2rad(degrees)), np.cos(np.deg2rad(degrees))
    turned = (points - (x, y)) @ np.array([[cosine, sine], [-sine, cosine]]) + (x, y)
    return [float(value) for value in turned.ravel()]


@dataclass(frozen=True)
class Runs:
    """Run lengths as COCO writes them: column by column, background first."""

    counts: Any
    size: Any

    def __call__(self, size: tuple[int, int]) -> np.ndarray:
        """Mask of the runs."""
        if self.size != list(size):
            raise DataError(
                f"run lengths of the size {str(self.size)[:40]} in an image of {size[0]}x"
                f"{size[1]}; run lengths belong to the image they were made for"
            )
        return decode_rle(self.counts, size)


@dataclass(frozen=True)
class Bitmap:
    """Small mask whose first row and column lie somewhere in the image."""

    decode: Callable[[], np.ndarray]
    left: int
    top: int

    def __call__(self, size: tuple[int, int]) -> np.ndarray:
        """Mask of the bitmap in the whole image."""
        inside = self.decode()
        height, width = inside.shape
        if not (0 <= self.left <= size[1] - width and 0 <= self.top <= size[0] - height):
            raise DataError(
                f"expected a bitmap within the {size[0]}x{size[1]} pixels of its image; received "
                f"{height}x{width} at column {self.left}, row {self.top}"
            )
        mask = np.zeros(size, bool)
        mask[self.top : self.top + height, self.left : self.left + width] = inside
        return mask


@dataclass(frozen=True)
class PixelValue:
    """Pixels of a value in a mask file, RGB as `r + 256 g + 65536 b`; all are `known`, if given."""

    path: Path
    value: int
    known: frozenset[int] | None = None

    def __call__(self, size: tuple[int, int]) -> np.ndarray:
        """Mask of the value."""
        values = _pixel_values(self.path, self.path.stat().st_mtime_ns)
        if values.shape != size:
            raise DataError(
                f"{self.path} is {values.shape[0]}x{values.shape[1]} pixels, its image {size[0]}x"
                f"{size[1]}"
            )
        if self.known is not None and (unknown := set(np.unique(values).tolist()) - self.known):
            raise DataError(
                f"{self.path} holds the value {min(unknown)}, which the annotations do not name"
            )
        return values == self.value


@lru_cache(maxsize=32)  # objects of an image come one after another, images in several threads
def _pixel_values(path: Path, changed: int) -> np.ndarray:
    values = read_mask(path).values
    if values.ndim == 2:
        return values
    return (values[..., :3].astype(np.int64) << (0, 8, 16)).sum(axis=2)


def united(first: Shape, second: Shape) -> Shape:
    """Shape of two parts of an object."""
    if isinstance(first, Polygons) and isinstance(second, Polygons):
        return Polygons([*first.parts, *second.parts])
    return lambda size: first(size) | second(size)


def decode_png(text: Any) -> np.ndarray:
    """Mask, bool `(h, w)`, of what is not zero in a PNG of base64 text; alpha where there is."""
    try:
        data = base64.b64decode(text, validate=False)
    except (binascii.Error, TypeError, ValueError):
        raise DataError(f"expected a PNG in base64; received {str(text)[:40]}") from None
    return png_mask(data)


def png_mask(data: bytes) -> np.ndarray:
    """Mask, bool `(h, w)`, of what is not zero in the bytes of a PNG; alpha where there is."""
    file = NamedBytes("the bitmap", data)
    if read_header(file).format != "PNG":
        raise DataError("expected a bitmap as PNG")
    with reading(file), Image.open(io.BytesIO(checked_png(file))) as image:
        pixels = np.asarray(image.getchannel("A") if "A" in image.getbands() else image)
    return (pixels if pixels.ndim == 2 else pixels.max(axis=2)) > 0
