"""Joint augmentation of an image and its mask: one geometric map for both, then light and lens.

Ours because Keras's layers warp image and mask differently, break index masks and have no seed per
sample.
"""

import math
from typing import Any

import cv2
import numpy as np

from maskwright.data.geometry import by_channels, cut_image, cut_labels
from maskwright.data.pipeline.augmentation import Augmentation
from maskwright.errors import ConfigError
from maskwright.labels import IGNORE_LABEL


def augment(
    image: np.ndarray,
    labels: np.ndarray,
    augmentation: Augmentation,
    rng: np.random.Generator,
    size: tuple[int, int] | None = None,
    center: tuple[float, float] | None = None,
    *,
    window: tuple[int, int] | None = None,
    value_range: tuple[float, float] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Augment an image and its mask; the state of `rng` alone decides the result.

    Both go through the same map; the image is interpolated and reflected at its border, or filled
    with its mean where labels number objects, for a reflected object is one more; the mask takes
    the nearest label and `IGNORE_LABEL` beyond the border; but see `Augmentation.fill_mode`.
    Photometric changes come after and leave the mask alone.

    Args:
        image: uint8, uint16 or float32, `(h, w, c)`.
        labels: uint8, `(h, w)`; or uint16, `(h, w, maps)`, of which the first holds labels and the
            others number objects, with 0 for none and beyond the border.
        size: Height and width of the result; `None` for that of the window.
        center: Row and column of the image to have in the middle of the window, which is kept
            inside the image as far as it fits. `None` draws the place.
        window: Height and width of the part of the image that fills the result, before `scale`;
            `None` for the whole image. Where it equals `size`, pixels keep their scale.
        value_range: Lowest and highest value of a pixel; `None` for 0 to 255 of uint8 and for the
            image's own extremes of other types.

    Returns:
        Image, float32 `(*size, c)`, and labels of their type, `(*size)` or `(*size, maps)`.

    Raises:
        ConfigError: If objects would be doubled by filling the border with what is inside.
    """
    fill = augmentation.fill_mode
    if labels.ndim == 3 and fill not in ("ignore", "constant"):
        raise ConfigError(
            f"augmentation.fill_mode={fill} would double single objects; expected ignore, constant."
        )
    whole_height, whole_width = image.shape[:2]
    window = window or (whole_height, whole_width)
    size = size or window
    height, width = _window_size(augmentation, rng, window)
    top = _place(rng, whole_height, height, None if center is None else center[0])
    left = _place(rng, whole_width, width, None if center is None else center[1])
    if _applies(rng, augmentation.shift, augmentation.shift_probability):
        top += height * rng.uniform(-augmentation.shift, augmentation.shift)
        left += width * rng.uniform(-augmentation.shift, augmentation.shift)
    flip_x = rng.random() < augmentation.flip_horizontal
    flip_y = rng.random() < augmentation.flip_vertical
    turn = _turn(augmentation, rng)
    offsets = _elastic_offsets(augmentation, rng, size)
    if turn is None and offsets is None and (height, width) == size and fill == "ignore":
        image = cut_image(image, round(top), round(left), size, reflect=labels.ndim == 2)
        labels = cut_labels(labels, round(top), round(left), size)
        steps = (slice(None, None, -1 if flip_y else 1), slice(None, None, -1 if flip_x else 1))
        image, labels = image[steps], labels[steps]
    else:
        scale_x = (-1 if flip_x else 1) * width / size[1]
        scale_y = (-1 if flip_y else 1) * height / size[0]
        scales = np.diag([scale_x, scale_y])
        linear = scales if turn is None else turn @ scales
        # Pixel 0 is centered on 0.5, and the middle of the output falls on that of the window.
        middle = np.array([left + width / 2, top + height / 2]) - 0.5
        start = middle + linear @ [0.5 - size[1] / 2, 0.5 - size[0] / 2]
        matrix = np.column_stack([linear, start])
        image, labels = _warp(image, labels, matrix, size, offsets, fill)
    return _change_tone(image, augmentation, rng, value_range), np.ascontiguousarray(labels)


def _applies(rng: np.random.Generator, amount: float, probability: float) -> bool:
    """Whether a change of some amount is made."""
    return amount > 0 and rng.random() < probability


def _draw(rng: np.random.Generator, most: float, probability: float, least: float = -1.0) -> float:
    """Amount of a change between `least * most` and `most`; 0 where it is not made."""
    return rng.uniform(least, 1) * most if _applies(rng, most, probability) else 0.0


def _window_size(
    augmentation: Augmentation, rng: np.random.Generator, window: tuple[int, int]
) -> tuple[float, float]:
    """Height and width of the window, scaled but not beyond the largest scale allowed."""
    low, high = augmentation.scale
    scale = 1.0
    if low != 1 or high != 1:
        scale = rng.uniform(low, high) if rng.random() < augmentation.scale_probability else 1.0
    stretch = 1.0
    if _applies(rng, augmentation.aspect - 1, augmentation.aspect_probability):
        stretch = math.exp(rng.uniform(-1, 1) * math.log(augmentation.aspect) / 2)
    most = max(high, scale)
    return window[0] * min(scale * stretch, most), window[1] * min(scale / stretch, most)


def _place(rng: np.random.Generator, whole: int, side: float, center: float | None) -> float:
    """First coordinate of a window: inside the image, or around it where it is the larger."""
    room = whole - side
    if center is None:
        return room * rng.random()
    return min(max(center + 0.5 - side / 2, min(room, 0)), max(room, 0))


def _turn(augmentation: Augmentation, rng: np.random.Generator) -> np.ndarray | None:
    """Matrix `(2, 2)` on `(x, y)` of rotation and shear, or `None` where neither applies."""
    degrees = _draw(rng, augmentation.rotate_degrees, augmentation.rotate_probability)
    angle = math.radians(degrees)
    degrees = _draw(rng, augmentation.shear_degrees, augmentation.shear_probability)
    slant = math.tan(math.radians(degrees))
    if angle == 0 and slant == 0:
        return None
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return rotation @ np.array([[1.0, slant], [0.0, 1.0]])


def _elastic_offsets(
    augmentation: Augmentation, rng: np.random.Generator, size: tuple[int, int]
) -> np.ndarray | None:
    """Smooth displacements `(h, w, 2)` in `(x, y)`, pixels of the output, or `None`.

    Source: Ronneberger et al., U-Net, 2015: normal, on a coarse grid, interpolated bicubically.
    """
    if not _applies(rng, augmentation.elastic, augmentation.elastic_probability):
        return None
    points = [max(2, round(side / (augmentation.elastic_spacing * min(size))) + 1) for side in size]
    coarse = rng.standard_normal((*points, 2), np.float32) * augmentation.elastic * min(size)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)


_BORDERS = {
    **{"constant": cv2.BORDER_CONSTANT, "nearest": cv2.BORDER_REPLICATE},
    **{"reflect": cv2.BORDER_REFLECT, "wrap": cv2.BORDER_WRAP},
}


def _warp(
    image: np.ndarray,
    labels: np.ndarray,
    matrix: np.ndarray,
    size: tuple[int, int],
    offsets: np.ndarray | None,
    fill: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Move image and mask by the matrix `(2, 3)` from output to input, `(x, y)`."""
    maps: list[np.ndarray] = []
    if offsets is not None:
        rows, columns = np.indices(size, np.float32)
        columns, rows = columns + offsets[..., 0], rows + offsets[..., 1]
        table = matrix.astype(np.float32)
        maps = [to_x * columns + to_y * rows + start for to_x, to_y, start in table]

    def move(pixels: np.ndarray, interpolation: int, border: int, *outside: float) -> np.ndarray:
        edge: dict[str, Any] = {"borderMode": border, "borderValue": outside}
        if maps:
            return cv2.remap(pixels, maps[0], maps[1], interpolation, **edge)
        flags = interpolation | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(pixels, matrix, size[::-1], flags=flags, **edge)

    def move_labels(part: np.ndarray, *outside: int) -> np.ndarray:
        border = _BORDERS.get(fill, cv2.BORDER_CONSTANT)
        return move(part, cv2.INTER_NEAREST, border, *([0] if fill == "constant" else outside))

    def move_image(part: np.ndarray) -> np.ndarray:
        if fill in _BORDERS:
            return move(part, cv2.INTER_LINEAR, _BORDERS[fill], 0, 0, 0, 0)
        if labels.ndim == 2:
            return move(part, cv2.INTER_LINEAR, cv2.BORDER_REFLECT_101)
        return move(part, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT, *cv2.mean(part))

    moved = by_channels(move_image, image, 4)
    if labels.ndim == 2:
        return moved, move_labels(np.ascontiguousarray(labels), IGNORE_LABEL)
    classes = move_labels(np.ascontiguousarray(labels[..., 0]), IGNORE_LABEL)
    numbers = by_channels(lambda part: move_labels(part, 0, 0, 0, 0), labels[..., 1:], 4)
    return moved, np.dstack([classes, numbers])


def _change_tone(
    image: np.ndarray,
    augmentation: Augmentation,
    rng: np.random.Generator,
    value_range: tuple[float, float] | None,
) -> np.ndarray:
    """Change light and lens; float32, contiguous, clipped to the range of values."""
    amount = augmentation
    added = _draw(rng, amount.brightness, amount.brightness_probability)
    factor = 1 + _draw(rng, amount.contrast, amount.contrast_probability)
    exponent = math.exp(_draw(rng, math.log1p(amount.gamma), amount.gamma_probability))
    blur = _draw(rng, amount.blur, amount.blur_probability, least=0)
    noise = _draw(rng, amount.noise, amount.noise_probability, least=0)
    tone = (added, factor, exponent) != (0.0, 1.0, 1.0)
    if not tone and blur == 0 and noise == 0:
        return np.array(image, np.float32, order="C")
    if value_range is None:
        is_byte = image.dtype == np.uint8
        value_range = (0.0, 255.0) if is_byte else (float(image.min()), float(image.max()))
    low, high = value_range
    span = max(high - low, 1e-6)
    shape = image.shape
    flat = np.ascontiguousarray(image).reshape(shape[0], -1)
    if tone:
        mean = min(max((cv2.mean(flat)[0] - low) / span, 0.0), 1.0) ** exponent

        def adjust(values: np.ndarray) -> np.ndarray:
            share = np.clip((values.astype(np.float32) - low) / span, 0, 1)
            if exponent != 1:
                share = share**exponent
            share = (share - mean) * factor + (mean + added)
            return (np.clip(share, 0, 1) * span + low).astype(np.float32)

        # A byte has 256 values, so that a table does the whole of it.
        flat = cv2.LUT(flat, adjust(np.arange(256))) if flat.dtype == np.uint8 else adjust(flat)
    changed = flat.astype(np.float32, copy=False).reshape(shape)
    if blur > 0:
        changed = by_channels(lambda part: cv2.GaussianBlur(part, (0, 0), blur), changed, 128)
    if noise > 0:
        changed = changed + rng.standard_normal(shape, np.float32) * np.float32(noise * span)
        changed = np.clip(changed, low, high, out=changed)
    return changed
