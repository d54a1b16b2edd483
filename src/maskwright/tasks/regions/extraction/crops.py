"""Cut regions out of images: one window for an image and its mask, square and of one size."""

import math
from typing import get_args

import numpy as np

from maskwright.data.geometry import resize_image, resize_labels, same_aspect
from maskwright.errors import ConfigError, DataError
from maskwright.tasks.regions.extraction.features import Box
from maskwright.types import Outside

_DARKENED = 0.3
# Other types take a detour through float64.
_RESIZED = (np.uint8, np.uint16, np.float32, np.float64)


def align(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mask of the size of its image: as it is, or stretched, taking nearest values.

    Sizes may differ by a factor; see `same_aspect`.

    Args:
        image: `(h, w)` or `(h, w, c)`.
        mask: Any values, `(h, w)` or `(h, w, 1)`.

    Returns:
        The mask, `(h, w)` of the image.

    Raises:
        DataError: If the mask has no two dimensions, or another aspect than the image.
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
    """Square around a box: its top, its left and its side, pixels.

    Each side of the box gets a margin, then the shorter direction is extended on both ends until
    it is as long as the other. The square may reach beyond the image.

    Args:
        box: Top, left, bottom and right, half-open.
        size: Height and width of the image.
        context: Margin above and below as a share of the height of the box, left and right as one
            of its width, at least 1 px where it is not 0; `None` takes the whole image, whatever
            the box is.
    """
    if context is None:
        box, context = (0, 0, *size), 0.0
    height, width = box[2] - box[0], box[3] - box[1]
    # Rounded first: 0.07 * 100 is a trifle more than 7.
    side = max(length + 2 * math.ceil(round(context * length, 6)) for length in (height, width))
    return box[0] - (side - height) // 2, box[1] - (side - width) // 2, side


def cut(
    image: np.ndarray, mask: np.ndarray, box: Box, size: int, context: float | None = 0.2
) -> tuple[np.ndarray, np.ndarray]:
    """Cut the window of a box out of an image and its mask, and bring both to one size.

    Beyond the image lie zeros. The image is averaged down or interpolated up, its aspect kept. The
    mask takes nearest values; where it would vanish, the pixel that its middle falls on stays.

    Args:
        image: `(h, w)` or `(h, w, c)`.
        mask: Boolean; of the box, or of the whole image, of which only the box is taken.
        box: Top, left, bottom and right, half-open.
        size: Side of the crop, px.
        context: As in `window`.

    Returns:
        Crop `(size, size, c)` of the image's type, and its boolean mask `(size, size)`.

    Raises:
        DataError: If the mask is neither of the box nor of the image, or the box not in it.
        ConfigError: If size or context cannot be.
    """
    check_crop(size, context)
    if image.ndim == 2:
        image = image[..., None]
    shape = (box[2] - box[0], box[3] - box[1])
    held = 0 <= box[0] < box[2] <= image.shape[0] and 0 <= box[1] < box[3] <= image.shape[1]
    if not held or mask.shape not in (shape, image.shape[:2]):
        raise DataError(
            f"Expected a box within the image of {image.shape[0]} x {image.shape[1]} px and a mask "
            f"of either's size, received the box {box} and a mask of shape {mask.shape}."
        )
    if mask.shape != shape:
        mask = mask[box[0] : box[2], box[1] : box[3]]
    square = window(box, image.shape[:2], context)
    return cut_pixels(image, square, size), cut_mask(mask, box, square, size)


def check_crop(size: int | None, context: float | None) -> None:
    """`ConfigError` where a size or a context of crops cannot be."""
    if size is not None and size < 1:
        raise ConfigError(f"Expected a size of crops of at least 1 px, received {size}.")
    if context is not None and not 0 <= context < math.inf:
        raise ConfigError(
            f"Expected the context as a share of the box from 0 up, or None for the whole image, "
            f"received {context}."
        )


def cut_pixels(image: np.ndarray, square: tuple[int, int, int], size: int) -> np.ndarray:
    """Window of `(h, w, c)`, zeros beyond it, at a size; a copy `(size, size, c)`."""
    top, left, side = square
    bottom, right = top + side, left + side
    pixels = image[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if pixels.shape[:2] != (side, side):
        whole = np.zeros((side, side, image.shape[2]), image.dtype)
        row, column = max(-top, 0), max(-left, 0)
        whole[row : row + pixels.shape[0], column : column + pixels.shape[1]] = pixels
        pixels = whole
    if image.dtype in _RESIZED:
        return np.array(resize_image(pixels, (size, size)), order="C")
    wide = resize_image(pixels.astype(np.float64), (size, size))
    return (wide if image.dtype.kind == "f" else np.rint(wide)).astype(image.dtype)


def cut_mask(mask: np.ndarray, box: Box, square: tuple[int, int, int], size: int) -> np.ndarray:
    """Window of a mask that is given in its box, at a size; empty only where the mask is."""
    top, left, side = square
    # Which pixel of the image the middle of each pixel of the crop lies in.
    places = (2 * np.arange(size) + 1) * side // (2 * size)
    rows, columns = places + (top - box[0]), places + (left - box[1])
    first_row, last_row = np.searchsorted(rows, (0, mask.shape[0]))
    first_column, last_column = np.searchsorted(columns, (0, mask.shape[1]))
    inside = np.zeros((size, size), bool)
    inside[first_row:last_row, first_column:last_column] = mask[
        rows[first_row:last_row, None], columns[first_column:last_column]
    ]
    if not inside.any():
        held = np.flatnonzero(mask)
        if held.size:
            row, column = divmod(int(held[held.size // 2]), mask.shape[1])
            where = ((row + box[0] - top) * size // side, (column + box[1] - left) * size // side)
            inside[min(where[0], size - 1), min(where[1], size - 1)] = True
    return inside


def treat(
    crop: np.ndarray, crop_mask: np.ndarray, outside: Outside, high: float | None = None
) -> np.ndarray:
    """Keep, darken or remove what lies outside the mask, or add the mask as a channel.

    Darkened pixels are 0.3 times what they were, removed ones 0. A channel is 0 outside and
    `high` inside.

    Args:
        crop: Of any type, `(…, h, w, c)`.
        crop_mask: True or not 0 inside, `(…, h, w)`.
        outside: What to do.
        high: Top of the range; `None` takes that of the type, and 255 for floats.

    Returns:
        Pixels of the crop's type, `(…, h, w, c)`, or `c + 1` with the mask as a channel; the crop
        itself where all is kept.

    Raises:
        ConfigError: If `outside` is none of the four.
    """
    check_outside(outside)
    if outside == "kept":
        return crop
    inside = crop_mask[..., None] != 0
    if outside == "removed":
        return np.where(inside, crop, np.zeros((), crop.dtype))
    if outside == "darkened":
        dark = crop * np.float32(_DARKENED)
        if crop.dtype.kind in "iu":
            dark = np.rint(dark)
        return np.where(inside, crop, dark.astype(crop.dtype))
    if high is None:
        high = np.iinfo(crop.dtype).max if crop.dtype.kind in "iu" else 255.0
    return np.concatenate([crop, np.multiply(inside, high).astype(crop.dtype)], axis=-1)


def check_outside(outside: str) -> None:
    """`ConfigError` where it is none of the four."""
    if outside not in get_args(Outside):
        raise ConfigError(
            f"Expected what lies outside the mask to be one of {', '.join(get_args(Outside))}, "
            f"received {outside!r}."
        )
