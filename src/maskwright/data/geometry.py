"""Change the size of images and masks, and cut parts out of them; any number of channels."""

from collections.abc import Callable, Iterable, Sequence

import cv2
import numpy as np

from maskwright.labels import IGNORE_LABEL

_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)


def luminance(pixels: np.ndarray) -> np.ndarray:
    """Gray float32 `(…, 1)` of RGB `(…, 3)`, weighted as in ITU-R BT.601."""
    return (pixels @ _LUMINANCE)[..., None]


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Stretch `(h, w, c)` to `size`, height and width; averages down, interpolates up."""
    height, width = image.shape[:2]
    if (height, width) == size:
        return image
    smaller = size[0] * size[1] < height * width
    interpolation = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return resize_channels(image, size, interpolation)


def resize_channels(image: np.ndarray, size: tuple[int, int], interpolation: int) -> np.ndarray:
    """`cv2.resize` of `(h, w, c)` to `size`, height and width, for any number of channels."""
    # OpenCV 5 takes 128 channels; averaging down one axis and enlarging the other, only four.
    most = 4 if interpolation == cv2.INTER_AREA else 128
    return by_channels(
        lambda part: cv2.resize(part, size[::-1], interpolation=interpolation), image, most
    )


def by_channels(
    change: Callable[[np.ndarray], np.ndarray], pixels: np.ndarray, most: int
) -> np.ndarray:
    """Apply what OpenCV does to at most `most` channels to any number; keeps three dimensions."""
    parts = [
        change(np.ascontiguousarray(pixels[..., first : first + most]))
        for first in range(0, pixels.shape[2], most)
    ]
    parts = [part.reshape(*part.shape[:2], -1) for part in parts]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)


def shrink_bands(
    bands: Iterable[np.ndarray], size: tuple[int, int], smaller: tuple[int, int]
) -> np.ndarray:
    """`resize_image` of an image that comes in bands `(rows, w, c)`, from top to bottom.

    `size` is that of the image, `smaller` that of the result. Pixels have the type of the bands;
    whole numbers may be off by one from `resize_image`.
    """
    scale = size[0] / smaller[0]
    total = np.zeros((0, 0, 0), np.float32)
    top = 0
    for band in bands:
        rows = resize_channels(band.astype(np.float32), (len(band), smaller[1]), cv2.INTER_AREA)
        if not total.size:
            total = np.zeros((*smaller, band.shape[2]), np.float32)
        first, last = int(top / scale), min(smaller[0], int(np.ceil((top + len(band)) / scale)))
        # Share of each row of the band in each row of the result.
        starts = np.arange(first, last)[:, None] * scale
        above = np.arange(top, top + len(band))
        shares = np.minimum(above + 1, starts + scale) - np.maximum(above, starts)
        weights = (shares.clip(0) / scale).astype(np.float32)
        total[first:last] += np.tensordot(weights, rows, axes=1)
        top += len(band)
        dtype = band.dtype
    return total.round().astype(dtype) if dtype.kind == "u" else total


def resize_labels(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Stretch `(h, w)` or `(h, w, maps)` of any integers to `size`, taking nearest labels."""
    if labels.shape[:2] == size:
        return labels
    # `cv2.INTER_NEAREST` is half a pixel off, and none of its kin takes every integer type.
    rows, columns = (
        nearest_positions(old, new) for old, new in zip(labels.shape[:2], size, strict=True)
    )
    return labels[rows][:, columns]


def nearest_positions(old: int, new: int) -> np.ndarray:
    """For each of `new` pixels along an axis, the nearest of `old`."""
    return np.minimum((np.arange(new) + 0.5) * old / new, old - 1).astype(np.intp)


def outline_px(labels: np.ndarray) -> int:
    """Length of the outlines in labels `(h, w)`: neighbors, beside or below, that differ."""
    across = np.count_nonzero(labels[:, 1:] != labels[:, :-1])
    return int(across + np.count_nonzero(labels[1:] != labels[:-1]))


def same_aspect(first: Sequence[int], second: Sequence[int]) -> bool:
    """Whether two sizes differ by a factor alone, to less than a pixel of the smaller."""
    small, large = sorted((tuple(first), tuple(second)))
    if 0 in (*small, *large):
        return False
    return (
        abs(small[1] - large[1] * small[0] / large[0]) < 1
        and abs(small[0] - large[0] * small[1] / large[1]) < 1
    )


def longer_side_size(size: tuple[int, int], longer_side: int) -> tuple[int, int]:
    """Height and width of the same aspect whose longer side is `longer_side`, px."""
    scale = longer_side / max(size)
    return max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)


def cut_image(
    image: np.ndarray, top: int, left: int, size: tuple[int, int], *, reflect: bool = True
) -> np.ndarray:
    """Window of `(h, w, c)` that may reach beyond the image, which is reflected there, or filled
    with its mean, because a reflected object is one more.
    """
    if _holds(image, top, left, size):
        return image[top : top + size[0], left : left + size[1]]
    if not reflect:
        window = np.empty((*size, image.shape[2]), image.dtype)
        window[:] = image.mean(axis=(0, 1))
        return _lay(window, image, top, left)
    rows, columns = (
        _reflected(start, new, old)
        for start, new, old in zip((top, left), size, image.shape, strict=False)
    )
    return image[rows[:, None], columns]


def cut_labels(labels: np.ndarray, top: int, left: int, size: tuple[int, int]) -> np.ndarray:
    """Window of `(h, w)` that may reach beyond the mask, with `IGNORE_LABEL` there.

    Of `(h, w, maps)`, the first map holds labels; the others number objects, and are 0 there.
    """
    if _holds(labels, top, left, size):
        return labels[top : top + size[0], left : left + size[1]]
    window = np.zeros((*size, *labels.shape[2:]), labels.dtype)
    (window if window.ndim == 2 else window[..., 0])[:] = IGNORE_LABEL
    return _lay(window, labels, top, left)


def _lay(window: np.ndarray, pixels: np.ndarray, top: int, left: int) -> np.ndarray:
    """A window with the pixels that lie in it."""
    height, width = window.shape[:2]
    inside = pixels[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
    rows, columns = max(-top, 0), max(-left, 0)
    window[rows : rows + inside.shape[0], columns : columns + inside.shape[1]] = inside
    return window


def _holds(pixels: np.ndarray, top: int, left: int, size: tuple[int, int]) -> bool:
    height, width = pixels.shape[:2]
    return min(top, left) >= 0 and top + size[0] <= height and left + size[1] <= width


def _reflected(start: int, count: int, length: int) -> np.ndarray:
    """Indices from `start` on, reflected about the outermost pixels of `length`."""
    period = max(2 * length - 2, 1)
    folded = np.arange(start, start + count) % period
    return np.minimum(folded, period - folded)
