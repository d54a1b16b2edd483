"""What the numbers in a mask mean, and how they look.

A mask in memory is always an integer array `(height, width)` with labels `0 … num_classes - 1` and
`IGNORE_LABEL` where a pixel does not count, whatever the file held.
"""

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from maskwright.errors import DataError

IGNORE_LABEL = 255
"""Label of pixels that are neither trained on nor scored."""

MAX_CLASSES = IGNORE_LABEL
"""Labels are kept as bytes and 255 is taken, so there can be 255 classes."""

Color = tuple[int, int, int]

_IGNORE_COLOR: Color = (128, 128, 128)
# Okabe and Ito's seven, told apart by color-blind readers too, then what differs most from them.
_PALETTE: tuple[Color, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (213, 94, 0),
    (0, 114, 178),
    (204, 121, 167),
    (145, 30, 180),
    (128, 0, 0),
    (0, 255, 0),
    (250, 190, 212),
    (0, 255, 255),
    (128, 128, 0),
    (0, 0, 128),
    (255, 0, 0),
    (220, 190, 255),
    (170, 110, 40),
    (170, 255, 195),
    (255, 0, 255),
    (255, 250, 200),
)
BACKGROUND_NAMES = frozenset({"background", "bg", "_background_", "unlabeled", "unlabelled"})


@dataclass(frozen=True)
class Labels:
    """Names and colors of the classes; the position of a name is its label.

    Args:
        names: One for each class, all different.
        colors: RGB, 0 to 255, one for each class.
    """

    names: tuple[str, ...]
    colors: tuple[Color, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.names) <= MAX_CLASSES:
            raise DataError(f"Expected 1 to {MAX_CLASSES} classes, received {len(self.names)}.")
        if len(set(self.names)) != len(self.names):
            twice = sorted({name for name in self.names if self.names.count(name) > 1})
            raise DataError(f"Class names must differ; these occur twice: {', '.join(twice)}.")
        if len(self.colors) != len(self.names):
            raise DataError(
                f"Expected one color for each of {len(self.names)} classes, "
                f"received {len(self.colors)}."
            )

    @classmethod
    def create(cls, names: Sequence[str], colors: Sequence[Color] | None = None) -> "Labels":
        """Labels with colors chosen where none are given."""
        if colors is None:
            colors = default_colors(names)
        return cls(tuple(names), tuple((int(r), int(g), int(b)) for r, g, b in colors))

    @property
    def num_classes(self) -> int:
        """Number of classes, the ignore label not counted."""
        return len(self.names)

    @property
    def background(self) -> int | None:
        """Label of the class that stands for "nothing", or `None` where there is none."""
        for label, name in enumerate(self.names):
            if name.lower() in BACKGROUND_NAMES:
                return label
        return None

    def color(self, mask: np.ndarray) -> np.ndarray:
        """Paint a mask `(h, w)` in the colors of its classes; uint8 `(h, w, 3)`, RGB."""
        table = np.full((256, 3), _IGNORE_COLOR, np.uint8)
        table[: self.num_classes] = self.colors
        return table[np.clip(mask, 0, IGNORE_LABEL).astype(np.uint8)]

    def overlay(self, image: np.ndarray, mask: np.ndarray, opacity: float = 0.5) -> np.ndarray:
        """Lay the colored mask over an image, with a firm outline; background stays clear.

        Args:
            image: uint8 `(h, w, 3)`.
            mask: Labels, `(h, w)`.
            opacity: 0 shows the image alone, 1 the colors alone.
        """
        labels = np.clip(mask, 0, IGNORE_LABEL).astype(np.uint8)
        colors = self.color(np.arange(256))
        drawn = np.array(image, np.uint8, order="C")
        shown = np.zeros(labels.shape, np.uint8)
        values = np.arange(256)[:, None]
        for label in np.flatnonzero(cv2.calcHist([labels], [0], None, [256], [0, 256])):
            if label in (IGNORE_LABEL, self.background):
                continue
            own = (labels == label).view(np.uint8)
            shown |= own
            # Looked up in a table of the 256 values of a pixel: many times as fast as sums.
            blended = (values * (1 - opacity) + colors[label] * opacity).round().astype(np.uint8)
            cv2.copyTo(cv2.LUT(drawn, blended[:, None]), own, drawn)
        kernel = np.ones((3, 3), np.uint8)
        edge = (cv2.dilate(labels, kernel) != cv2.erode(labels, kernel)).view(np.uint8) & shown
        return cv2.copyTo(cv2.LUT(cv2.merge([labels] * 3), colors[:, None]), edge, drawn)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON and YAML; `from_dict` reads them back."""
        return {
            "names": list(self.names),
            "colors": ["#{:02X}{:02X}{:02X}".format(*color) for color in self.colors],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Labels":
        """Labels from what `to_dict` wrote."""
        return cls.create(values["names"], [parse_color(text) for text in values["colors"]])


def parse_color(text: str) -> Color:
    """RGB from `#RRGGBB`; `DataError` for anything else."""
    digits = text.removeprefix("#")
    try:
        if len(digits) != 6:
            raise ValueError
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
    except ValueError:
        raise DataError(f"Expected a color such as #1A2B3C, received {text!r}.") from None


def default_colors(names: Sequence[str]) -> list[Color]:
    """Colors that differ, black for a background; beyond twenty, hues far from the one before."""
    colors: list[Color] = []
    chosen = 0
    for name in names:
        if name.lower() in BACKGROUND_NAMES:
            colors.append((0, 0, 0))
            continue
        if chosen < len(_PALETTE):
            colors.append(_PALETTE[chosen])
        else:
            red, green, blue = colorsys.hsv_to_rgb(chosen * 0.618 % 1, 0.65, 0.95)
            colors.append((round(red * 255), round(green * 255), round(blue * 255)))
        chosen += 1
    return colors
