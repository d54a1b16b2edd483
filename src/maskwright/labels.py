"""Class labels: names, colors, and display of masks.

A mask in memory is an integer array `(height, width)` with labels `0 … num_classes - 1`, and
`IGNORE_LABEL` for ignored pixels, whatever the encoding of its file.
"""

import colorsys
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from unicodedata import category

import cv2
import numpy as np

from maskwright.errors import DataError

IGNORE_LABEL = 255
"""Label of ignored pixels, which are neither trained on nor scored."""

MAX_CLASSES = IGNORE_LABEL
"""Maximum number of classes: labels are bytes, of which 255 is the ignore label."""

IN_LAYER, LAYER_IGNORED = 255, 128
"""Gray values, in the file of a layer, of its pixels and of those that are ignored."""

Color = tuple[int, int, int]
"""Red, green and blue, from 0 to 255."""

_IGNORE_COLOR: Color = (128, 128, 128)
# The seven colors of Okabe and Ito, distinguishable with color vision deficiency, then others.
_PALETTE = bytes.fromhex(
    "E69F00 56B4E9 009E73 F0E442 D55E00 0072B2 CC79A7 "
    "911EB4 800000 00FF00 FABED4 00FFFF 808000 000080 FF0000 DCBEFF AA6E28 AAFFC3 FF00FF FFFAC8"
)
_EXACT_IN_FLOAT32 = 2**24
BACKGROUND_NAMES = frozenset({"background", "bg", "_background_", "unlabeled", "unlabelled"})


@dataclass(frozen=True)
class Labels:
    """Unique names of the classes, and their colors; the position of a name is its label."""

    names: tuple[str, ...]
    colors: tuple[Color, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.names) <= MAX_CLASSES:
            raise DataError(f"Expected 1 to {MAX_CLASSES} classes; received {len(self.names)}.")
        if other := [name for name in self.names if not isinstance(name, str)]:
            raise DataError(f"Expected text as the name of each class; received {other[0]!r}.")
        if other := [name for name in self.names if any(category(c) == "Cc" for c in name)]:
            raise DataError(f"Expected class names of printable characters; received {other[0]!r}.")
        if len(set(self.names)) != len(self.names):
            repeated = sorted({name for name in self.names if self.names.count(name) > 1})
            raise DataError(f"Expected unique class names; repeated: {', '.join(repeated)}.")
        if len(self.colors) != len(self.names):
            raise DataError(
                f"Expected one color for each of {len(self.names)} classes; "
                f"received {len(self.colors)}."
            )

    @classmethod
    def create(cls, names: Sequence[str], colors: Sequence[Color] | None = None) -> "Labels":
        """Labels with the given colors, or with default colors if `colors` is `None`."""
        if colors is None:
            colors = default_colors(names)
        return cls(tuple(names), tuple((int(r), int(g), int(b)) for r, g, b in colors))

    @property
    def num_classes(self) -> int:
        """Number of classes, without the ignore label."""
        return len(self.names)

    @property
    def background(self) -> int | None:
        """Label of the background class by its name, or `None`."""
        names = (name.lower() for name in self.names)
        return next((label for label, name in enumerate(names) if name in BACKGROUND_NAMES), None)

    def color(self, mask: np.ndarray) -> np.ndarray:
        """Convert a mask `(h, w)` to class colors, uint8 `(h, w, 3)`, RGB."""
        table = np.full((256, 3), _IGNORE_COLOR, np.uint8)
        table[: self.num_classes] = self.colors
        return table[np.clip(mask, 0, IGNORE_LABEL).astype(np.uint8)]

    def overlay(self, image: np.ndarray, mask: np.ndarray, opacity: float = 0.5) -> np.ndarray:
        """Blend the colored mask `(h, w)` with an image, uint8 `(h, w, 3)`; without background.

        Outlines are opaque; `opacity` goes from 0 (image only) to 1 (colors only). Of classes that
        overlap, `(h, w, classes)` with 1 in their pixels, later ones are blended with earlier ones.
        """
        if mask.ndim == 3:
            for place in range(self.num_classes):
                layer = np.where(mask[..., place] == 1, place, IGNORE_LABEL)
                image = self.overlay(image, layer, opacity)
            return image
        labels = np.clip(mask, 0, IGNORE_LABEL).astype(np.uint8)
        colors = self.color(np.arange(256))
        result = np.array(image, np.uint8, order="C")
        foreground = np.zeros(labels.shape, np.uint8)
        values = np.arange(256)[:, None]
        for label in np.flatnonzero(label_counts(labels)):
            if label in (IGNORE_LABEL, self.background):
                continue
            inside = (labels == label).view(np.uint8)
            foreground |= inside
            # A lookup table of the 256 pixel values is many times as fast as arithmetic.
            blended = (values * (1 - opacity) + colors[label] * opacity).round().astype(np.uint8)
            cv2.copyTo(cv2.LUT(result, blended[:, None]), inside, result)
        kernel = np.ones((3, 3), np.uint8)
        edge = (cv2.dilate(labels, kernel) != cv2.erode(labels, kernel)).view(np.uint8) & foreground
        return cv2.copyTo(cv2.LUT(cv2.merge([labels] * 3), colors[:, None]), edge, result)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON and YAML; `from_dict` reads them back."""
        return {
            "names": list(self.names),
            "colors": ["#{:02X}{:02X}{:02X}".format(*color) for color in self.colors],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Labels":
        """Labels from the result of `to_dict`."""
        return cls.create(values["names"], [parse_color(text) for text in values["colors"]])


def label_counts(labels: np.ndarray) -> np.ndarray:
    """Number of pixels of each label, int64 `(256,)`, in a mask uint8 of any shape."""
    # OpenCV takes a fraction of the time and memory of `np.bincount`, but counts in float32.
    bands = np.array_split(labels.reshape(-1, 1), labels.size // _EXACT_IN_FLOAT32 + 1)
    counts = [cv2.calcHist([band], [0], None, [256], [0, 256]) for band in bands]
    return np.sum(counts, axis=0, dtype=np.float64).ravel().astype(np.int64)


def layer_values(layer: np.ndarray) -> np.ndarray:
    """Gray values uint8 of a layer: 255 where it is 1, 0 outside, 128 where pixels are ignored."""
    table = np.zeros(256, np.uint8)
    table[[1, IGNORE_LABEL]] = IN_LAYER, LAYER_IGNORED
    values: np.ndarray = table[layer]
    return values


def layer_of_values(values: np.ndarray) -> np.ndarray:
    """Layer uint8 that `layer_values` stands for."""
    ignored = np.where(values == LAYER_IGNORED, np.uint8(IGNORE_LABEL), np.uint8(0))
    return np.where(values == IN_LAYER, np.uint8(1), ignored)


def parse_color(text: str) -> Color:
    """Parse `#RRGGBB` to RGB; raises `DataError` for other texts."""
    if not (match := re.fullmatch(r"#?([0-9a-fA-F]{6})", text)):
        raise DataError(f"Expected a color such as #1A2B3C; received {text!r}.")
    red, green, blue = bytes.fromhex(match[1])
    return red, green, blue


def default_colors(names: Sequence[str]) -> list[Color]:
    """Distinct colors by class, black for background; after twenty classes, hues at distance."""
    places = itertools.count()
    return [
        (0, 0, 0) if name.lower() in BACKGROUND_NAMES else _default_color(next(places))
        for name in names
    ]


def _default_color(place: int) -> Color:
    if 3 * place < len(_PALETTE):
        red, green, blue = _PALETTE[3 * place : 3 * place + 3]
        return red, green, blue
    hue = place * 0.618 % 1
    red, green, blue = (round(255 * value) for value in colorsys.hsv_to_rgb(hue, 0.65, 0.95))
    return red, green, blue
