"""Joint augmentation of an image and its mask: one geometric map for both, then light and lens.

Ours because the layers of Keras warp image and mask differently, break index masks and cannot be
seeded per sample.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np

from maskwright.data.geometry import cut_image, cut_labels
from maskwright.errors import ConfigError
from maskwright.labels import IGNORE_LABEL


@dataclass(frozen=True)
class Augmentation:
    """What may happen to an image on its way into a batch; the defaults change nothing.

    An amount is drawn evenly from the stated range each time; `*_probability` says in which share
    of the images it is drawn at all. Photometric amounts are shares of the range of pixel values.

    Args:
        flip_horizontal: Probability of swapping left and right.
        flip_vertical: Probability of swapping top and bottom. No strength has it: whether up
            differs from down is a property of the images. Set 0.5 for microscopy and aerial.
        rotate_degrees: Largest angle, either way.
        shift: Largest move along each axis, either way, as a share of the window.
        scale: Smallest and largest side of the window that fills the output, as a share of the
            whole; below 1 zooms in, above 1 shows the border. Its place is drawn evenly.
        aspect: Largest change of width against height, as a factor, 1 for none.
        shear_degrees: Largest slant of the vertical axis, either way.
        elastic: Standard deviation of the local displacement, as a share of the shorter side.
        elastic_spacing: Distance between the points that are displaced, same unit.
        brightness: Largest value added or taken away.
        contrast: Largest change of the factor that stretches values about their mean.
        gamma: The exponent lies between `1 / (1 + gamma)` and `1 + gamma`.
        noise: Largest standard deviation of Gaussian noise.
        blur: Largest standard deviation of the Gaussian, in pixels of the output.

    Raises:
        ConfigError: If a value lies outside its range.
    """

    flip_horizontal: float = 0.0
    flip_vertical: float = 0.0
    rotate_degrees: float = 0.0
    rotate_probability: float = 1.0
    shift: float = 0.0
    shift_probability: float = 1.0
    scale: tuple[float, float] = (1.0, 1.0)
    scale_probability: float = 1.0
    aspect: float = 1.0
    aspect_probability: float = 1.0
    shear_degrees: float = 0.0
    shear_probability: float = 1.0
    elastic: float = 0.0
    elastic_spacing: float = 0.25
    elastic_probability: float = 1.0
    brightness: float = 0.0
    brightness_probability: float = 1.0
    contrast: float = 0.0
    contrast_probability: float = 1.0
    gamma: float = 0.0
    gamma_probability: float = 1.0
    noise: float = 0.0
    noise_probability: float = 1.0
    blur: float = 0.0
    blur_probability: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "scale":
                low, high = value
                _require(0 < low <= high, "scale", "two values, 0 < low <= high", value)
            elif field.name == "aspect":
                _require(1 <= value <= 4, "aspect", "a factor of 1 to 4", value)
            elif field.name == "elastic_spacing":
                _require(0.01 <= value <= 1, "elastic_spacing", "a share of 0.01 to 1", value)
            else:
                most = _MOST.get(field.name, 1.0)
                _require(0 <= value <= most, field.name, f"a number from 0 to {most:g}", value)

    @classmethod
    def named(cls, name: str, **overrides: Any) -> "Augmentation":
        """A named strength, with single settings changed.

        Raises:
            ConfigError: If the strength or a setting does not exist.
        """
        if name not in STRENGTHS:
            raise ConfigError(
                f"Expected an augmentation of {', '.join(STRENGTHS)}; received {name!r}."
            )
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(overrides) - known):
            raise ConfigError(
                f"Augmentation has no setting {', '.join(unknown)}; it has "
                f"{', '.join(sorted(known))}."
            )
        if isinstance(overrides.get("scale"), list):  # YAML and JSON have no tuples
            overrides["scale"] = tuple(overrides["scale"])
        return replace(STRENGTHS[name], **overrides)


_MOST = {"rotate_degrees": 180.0, "shear_degrees": 60.0, "gamma": 4.0, "blur": 20.0}


def _require(holds: bool, name: str, expected: str, value: object) -> None:
    if not holds:
        raise ConfigError(f"Augmentation setting `{name}` takes {expected}; received {value}.")


STRENGTHS: Mapping[str, Augmentation] = MappingProxyType(
    {
        "none": Augmentation(),
        "light": Augmentation(
            flip_horizontal=0.5, scale=(0.8, 1.0), aspect=1.1, brightness=0.1, contrast=0.2
        ),
        "medium": Augmentation(
            flip_horizontal=0.5,
            rotate_degrees=15,
            rotate_probability=0.5,
            shift=0.05,
            shift_probability=0.5,
            scale=(0.7, 1.0),
            aspect=1.15,
            brightness=0.15,
            contrast=0.3,
            gamma=0.3,
            gamma_probability=0.5,
            noise=0.03,
            noise_probability=0.2,
            blur=1.0,
            blur_probability=0.2,
        ),
        "strong": Augmentation(
            flip_horizontal=0.5,
            rotate_degrees=30,
            rotate_probability=0.8,
            shift=0.1,
            shift_probability=0.5,
            scale=(0.5, 1.2),
            aspect=1.3,
            shear_degrees=10,
            shear_probability=0.5,
            elastic=0.02,
            elastic_probability=0.3,
            brightness=0.2,
            contrast=0.4,
            gamma=0.5,
            gamma_probability=0.5,
            noise=0.05,
            noise_probability=0.3,
            blur=1.5,
            blur_probability=0.3,
        ),
    }
)
"""From nothing to a lot; `medium` is what training uses unless told otherwise."""


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
    """Draw one augmented version of an image and its mask.

    Both go through the same map; the image is interpolated and reflected at its border, the mask
    takes the nearest label and `IGNORE_LABEL` beyond the border. Photometric changes come
    after and leave the mask alone.

    Args:
        image: uint8, uint16 or float32, `(h, w, c)`.
        labels: uint8, `(h, w)`; or uint16, `(h, w, maps)`, of which the first holds labels and the
            others number objects, with 0 for none and beyond the border.
        rng: Its state alone decides what is drawn.
        size: Height and width of the result; `None` for that of the window.
        center: Row and column, pixels of the image, to have in the middle of the window; it is
            moved as little as keeps the window inside the image. `None` draws the place.
        window: Height and width of the part of the image that fills the result, before `scale`;
            `None` for the whole image. Where it equals `size`, pixels keep their scale.
        value_range: Lowest and highest value of a pixel; `None` for 0 to 255 of uint8 and for the
            image's own extremes of other types.

    Returns:
        Image, float32 `(*size, c)`, and labels of their type, `(*size)` or `(*size, maps)`.
    """
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

    if turn is None and offsets is None and (height, width) == size:
        image = cut_image(image, round(top), round(left), size)
        labels = cut_labels(labels, round(top), round(left), size)
        steps = (slice(None, None, -1 if flip_y else 1), slice(None, None, -1 if flip_x else 1))
        image, labels = image[steps], labels[steps]
    else:
        scale_x = (-1 if flip_x else 1) * width / size[1]
        scale_y = (-1 if flip_y else 1) * height / size[0]
        linear = np.diag([scale_x, scale_y]) if turn is None else turn @ np.diag([scale_x, scale_y])
        # Pixel 0 is centered on 0.5, and the middle of the output falls on that of the window.
        middle = np.array([left + width / 2, top + height / 2]) - 0.5
        start = middle + linear @ [0.5 - size[1] / 2, 0.5 - size[0] / 2]
        matrix = np.column_stack([linear, start])
        image, labels = _warp(image, labels, matrix, size, offsets)
    changed = _photometric(image, augmentation, rng, value_range)
    return changed, np.ascontiguousarray(labels)


def _applies(rng: np.random.Generator, amount: float, probability: float) -> bool:
    return amount > 0 and rng.random() < probability


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
    """Matrix `(2, 2)` on `(x, y)` of rotation and shear, or `None` where neither was drawn."""
    angle = slant = 0.0
    if _applies(rng, augmentation.rotate_degrees, augmentation.rotate_probability):
        angle = math.radians(rng.uniform(-1, 1) * augmentation.rotate_degrees)
    if _applies(rng, augmentation.shear_degrees, augmentation.shear_probability):
        slant = math.tan(math.radians(rng.uniform(-1, 1) * augmentation.shear_degrees))
    if angle == 0 and slant == 0:
        return None
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return rotation @ np.array([[1.0, slant], [0.0, 1.0]])


def _elastic_offsets(
    augmentation: Augmentation, rng: np.random.Generator, size: tuple[int, int]
) -> np.ndarray | None:
    """Displacements `(h, w, 2)` in `(x, y)`, pixels of the output, smooth, or `None`.

    Source: Ronneberger et al., U-Net, 2015: normal displacements of a coarse grid, interpolated
    bicubically.
    """
    if not _applies(rng, augmentation.elastic, augmentation.elastic_probability):
        return None
    points = [max(2, round(side / (augmentation.elastic_spacing * min(size))) + 1) for side in size]
    coarse = rng.standard_normal((*points, 2), np.float32) * augmentation.elastic * min(size)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)


def _warp(
    image: np.ndarray,
    labels: np.ndarray,
    matrix: np.ndarray,
    size: tuple[int, int],
    offsets: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Move image and mask by the matrix `(2, 3)` from output to input, `(x, y)`."""
    if offsets is None:

        def move(pixels: np.ndarray, interpolation: int, border: int, *outside: int) -> np.ndarray:
            return cv2.warpAffine(
                pixels,
                matrix,
                size[::-1],
                flags=interpolation | cv2.WARP_INVERSE_MAP,
                borderMode=border,
                borderValue=outside,
            )

    else:
        columns, rows = np.meshgrid(
            np.arange(size[1], dtype=np.float32), np.arange(size[0], dtype=np.float32)
        )
        columns, rows = columns + offsets[..., 0], rows + offsets[..., 1]
        table = matrix.astype(np.float32)
        map_x = table[0, 0] * columns + table[0, 1] * rows + table[0, 2]
        map_y = table[1, 0] * columns + table[1, 1] * rows + table[1, 2]

        def move(pixels: np.ndarray, interpolation: int, border: int, *outside: int) -> np.ndarray:
            return cv2.remap(
                pixels, map_x, map_y, interpolation, borderMode=border, borderValue=outside
            )

    def move_labels(part: np.ndarray, *outside: int) -> np.ndarray:
        return move(part, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT, *outside)

    moved = _by_channels(
        lambda part: move(part, cv2.INTER_LINEAR, cv2.BORDER_REFLECT_101), image, 4
    )
    if labels.ndim == 2:
        return moved, move_labels(np.ascontiguousarray(labels), IGNORE_LABEL)
    classes = move_labels(np.ascontiguousarray(labels[..., 0]), IGNORE_LABEL)
    numbers = _by_channels(lambda part: move_labels(part, 0, 0, 0, 0), labels[..., 1:], 4)
    return moved, np.dstack([classes, numbers])


def _by_channels(
    change: Callable[[np.ndarray], np.ndarray], pixels: np.ndarray, most: int
) -> np.ndarray:
    """Apply what OpenCV does to at most `most` channels to any number; keeps three dimensions."""
    parts = [
        change(np.ascontiguousarray(pixels[..., first : first + most]))
        for first in range(0, pixels.shape[2], most)
    ]
    parts = [part.reshape(*part.shape[:2], -1) for part in parts]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)


def _photometric(
    image: np.ndarray,
    augmentation: Augmentation,
    rng: np.random.Generator,
    value_range: tuple[float, float] | None,
) -> np.ndarray:
    """Change light and lens; float32, contiguous, kept within the range of values."""
    amount = augmentation
    added, factor, exponent = 0.0, 1.0, 1.0
    if _applies(rng, amount.brightness, amount.brightness_probability):
        added = rng.uniform(-1, 1) * amount.brightness
    if _applies(rng, amount.contrast, amount.contrast_probability):
        factor = 1 + rng.uniform(-1, 1) * amount.contrast
    if _applies(rng, amount.gamma, amount.gamma_probability):
        exponent = math.exp(rng.uniform(-1, 1) * math.log1p(amount.gamma))
    blur = noise = 0.0
    if _applies(rng, amount.blur, amount.blur_probability):
        blur = rng.uniform(0, amount.blur)
    if _applies(rng, amount.noise, amount.noise_probability):
        noise = rng.uniform(0, amount.noise)
    tone = (added, factor, exponent) != (0.0, 1.0, 1.0)
    if not tone and blur == 0 and noise == 0:
        return np.array(image, np.float32, order="C")

    if value_range is None:
        own = image.dtype != np.uint8
        value_range = (float(image.min()), float(image.max())) if own else (0.0, 255.0)
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
        changed = _by_channels(lambda part: cv2.GaussianBlur(part, (0, 0), blur), changed, 128)
    if noise > 0:
        changed = changed + rng.standard_normal(shape, np.float32) * np.float32(noise * span)
        changed = np.clip(changed, low, high, out=changed)
    return changed
