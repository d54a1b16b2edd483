"""Crops of regions: one square window for an image and its mask, resized to one size."""

import math
from dataclasses import dataclass
from typing import get_args

import numpy as np

from maskwright.data.geometry import resize_image, resize_labels, same_aspect
from maskwright.errors import ConfigError, DataError
from maskwright.tasks.regions.extraction.shapes import Box, check_spacing
from maskwright.types import Outside, RegionKind

_DARKENING = 0.3
# Types that `resize_image` takes; others go through float64.
_RESIZABLE = (np.uint8, np.uint16, np.float32, np.float64)


@dataclass(frozen=True)
class CropSpec:
    """Which regions of a mask are extracted, and how their crops are made.

    Args:
        kind: `"components"`: connected components of each class, with diagonal neighbors.
            `"instances"`: each value of an instance mask, connected or not. `"whole"`: all
            foreground of the image as one region.
        size: Side of the square crops, px; `None` makes no crops.
        context: Margin around the box, as a share of its sides; `None` crops the whole image.
        outside: Treatment of the pixels of a crop outside the mask, as in `treat`.
        min_area_px: Minimum area of a region; smaller ones are skipped and not numbered.
        min_predicted_px: Minimum area of a region in a predicted mask, see `extract_predicted`.
        spacing_mm: Millimeters from row to row and from column to column; `None` if unknown.
        full_scale: Pixel value that counts as full, for intensities and for the mask as a channel;
            `None` takes `full_scale_of` each image.
    """

    kind: RegionKind = "components"
    size: int | None = None
    context: float | None = 0.2
    outside: Outside = "kept"
    min_area_px: int = 1
    min_predicted_px: int = 1
    spacing_mm: tuple[float, float] | None = None
    full_scale: float | None = None

    def __post_init__(self) -> None:
        _require_one_of("the kind of regions", self.kind, get_args(RegionKind))
        _require_one_of("`outside`", self.outside, get_args(Outside))
        check_crop(self.size, self.context)
        if self.spacing_mm is not None:
            check_spacing(self.spacing_mm)


def align(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mask `(h, w)` in the size of its image, resized with nearest neighbor where they differ.

    The mask is `(h, w)` or `(h, w, 1)`, of any values. `DataError` where its aspect, as in
    `same_aspect`, is not that of the image.
    """
    if mask.ndim == 3 and mask.shape[2] == 1:
        mask = mask[..., 0]
    if mask.ndim != 2 or image.ndim not in (2, 3):
        raise DataError(
            f"Expected an image (h, w) or (h, w, c) and a mask (h, w), received the shapes "
            f"{image.shape} and {mask.shape}."
        )
    size = image.shape[:2]
    if mask.shape == size:
        return mask
    if not same_aspect(mask.shape, size):
        raise DataError(
            f"Expected a mask of the image's size or aspect, received {mask.shape[0]} x "
            f"{mask.shape[1]} px (height x width) for an image of {size[0]} x {size[1]} px; check "
            f"that they belong together and were not cropped apart."
        )
    return resize_labels(mask, size)


def window(box: Box, size: tuple[int, int], context: float | None) -> tuple[int, int, int]:
    """Square window around a box: top, left and side, px.

    The box gets a margin on each side, then the shorter direction is extended on both ends to the
    length of the other; the window may reach beyond the image. `context` is the margin above and
    below as a share of the height of the box, left and right as one of its width, at least 1 px
    where it is not 0; `None` takes the whole image in place of the box.
    """
    if context is None:
        box, context = (0, 0, *size), 0.0
    height, width = box[2] - box[0], box[3] - box[1]
    # Rounded first: 0.07 * 100 is slightly more than 7 in floating point.
    side = max(length + 2 * math.ceil(round(context * length, 6)) for length in (height, width))
    return box[0] - (side - height) // 2, box[1] - (side - width) // 2, side


def cut(
    image: np.ndarray, mask: np.ndarray, box: Box, size: int, context: float | None = 0.2
) -> tuple[np.ndarray, np.ndarray]:
    """Crop `(size, size, c)` of an image around a box, and its boolean mask `(size, size)`.

    Pixels beyond the image are zero. The image, `(h, w)` or `(h, w, c)`, is averaged down or
    interpolated up, with its aspect preserved. The mask, boolean, of the box or of the whole image,
    is resized with nearest neighbor; where nothing of it would be left, the pixel at its middle is
    set. `context` is as in `window`.
    """
    check_crop(size, context)
    if image.ndim == 2:
        image = image[..., None]
    shape = (box[2] - box[0], box[3] - box[1])
    fits = 0 <= box[0] < box[2] <= image.shape[0] and 0 <= box[1] < box[3] <= image.shape[1]
    if not fits or mask.shape not in (shape, image.shape[:2]):
        raise DataError(
            f"Expected a box within the image of {image.shape[0]} x {image.shape[1]} px and a mask "
            f"of either's size, received the box {box} and a mask of shape {mask.shape}."
        )
    if mask.shape != shape:
        mask = mask[box[0] : box[2], box[1] : box[3]]
    square = window(box, image.shape[:2], context)
    return cut_pixels(image, square, size), cut_mask(mask, box, square, size)


def check_crop(size: int | None, context: float | None) -> None:
    """`ConfigError` where a size or a context of crops is out of range."""
    if size is not None and size < 1:
        raise ConfigError(f"Expected a size of crops of at least 1 px, received {size}.")
    if context is not None and not 0 <= context < math.inf:
        raise ConfigError(
            f"Expected the context as a share of the box from 0 up, or None for the whole image, "
            f"received {context}."
        )


def cut_pixels(image: np.ndarray, square: tuple[int, int, int], size: int) -> np.ndarray:
    """Window of an image `(h, w, c)`, zero beyond it, resized; a copy `(size, size, c)`."""
    top, left, side = square
    bottom, right = top + side, left + side
    pixels = image[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if pixels.shape[:2] != (side, side):
        whole = np.zeros((side, side, image.shape[2]), image.dtype)
        row, column = max(-top, 0), max(-left, 0)
        whole[row : row + pixels.shape[0], column : column + pixels.shape[1]] = pixels
        pixels = whole
    if image.dtype in _RESIZABLE:
        return np.array(resize_image(pixels, (size, size)), order="C")
    wide = resize_image(pixels.astype(np.float64), (size, size))
    return (wide if image.dtype.kind == "f" else np.rint(wide)).astype(image.dtype)


def cut_mask(mask: np.ndarray, box: Box, square: tuple[int, int, int], size: int) -> np.ndarray:
    """Window of a mask that is given within its box, resized; empty only where the mask is."""
    top, left, side = square
    # Pixel of the window that the center of each pixel of the crop lies in.
    nearest = (2 * np.arange(size) + 1) * side // (2 * size)
    rows, columns = nearest + (top - box[0]), nearest + (left - box[1])
    first_row, last_row = np.searchsorted(rows, (0, mask.shape[0]))
    first_column, last_column = np.searchsorted(columns, (0, mask.shape[1]))
    inside = np.zeros((size, size), bool)
    inside[first_row:last_row, first_column:last_column] = mask[
        rows[first_row:last_row, None], columns[first_column:last_column]
    ]
    if not inside.any():
        pixels = np.flatnonzero(mask)
        if pixels.size:
            row, column = divmod(int(pixels[pixels.size // 2]), mask.shape[1])
            y, x = ((row + box[0] - top) * size // side, (column + box[1] - left) * size // side)
            inside[min(y, size - 1), min(x, size - 1)] = True
    return inside


def treat(
    crop: np.ndarray, crop_mask: np.ndarray, outside: Outside, high: float | None = None
) -> np.ndarray:
    """Treat the pixels outside the mask: keep, darken or remove them, or add the mask as a channel.

    Darkened pixels are multiplied by 0.3, removed ones are 0. A channel is 0 outside and `high`
    inside; `None` takes the maximum of the type, and 255 for floats. The crop, `(…, h, w, c)`,
    keeps its type; `crop_mask`, `(…, h, w)`, is not 0 inside.
    """
    _require_one_of("`outside`", outside, get_args(Outside))
    if outside == "kept":
        return crop
    inside = crop_mask[..., None] != 0
    if outside == "removed":
        return np.where(inside, crop, np.zeros((), crop.dtype))
    if outside == "darkened":
        dark = crop * np.float32(_DARKENING)
        if crop.dtype.kind in "iu":
            dark = np.rint(dark)
        return np.where(inside, crop, dark.astype(crop.dtype))
    if high is None:
        high = np.iinfo(crop.dtype).max if crop.dtype.kind in "iu" else 255.0
    return np.concatenate([crop, np.multiply(inside, high).astype(crop.dtype)], axis=-1)


def _require_one_of(title: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(
            f"Expected {title} to be one of {', '.join(choices)}; received {value!r}."
        )
