"""Asymmetry of images under flips: positions of classes, and brightness."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

GRID = 16
"""Rows and columns of the class maps."""

_PERMUTATIONS = 2000
_SIDED_EFFECT = 0.3  # of the width: a class that is always in one half moves by half on average
_SIDED_LEVEL = 0.01
_MIN_SIDED_IMAGES = 10
_RIGHT = {"left": "right", "l": "r"}
_ENUMERATED = 11  # up to this number of images, all combinations of flips are tested
MIN_IMAGES = 5
"""Number of images below which no test is made: they agree by chance too often."""


@dataclass(frozen=True)
class Asymmetry:
    """Difference between images and their flipped versions, with a permutation test.

    Args:
        effect: Size of the difference, from 0; its unit depends on the function that computed it.
        p_value: Fraction of random flips of single images with at least this effect; 1 if there
            are too few images.
    """

    effect: float
    p_value: float

    def significant(self, min_effect: float, level: float = 0.02) -> bool:
        """Whether the effect is at least `min_effect` with a p-value of at most `level`."""
        return self.effect >= min_effect and self.p_value <= level

    def is_sided(self, images: int) -> bool:
        """Whether a class in this number of images lies in one half of them, by its asymmetry
        under horizontal flips.
        """
        return self.significant(_SIDED_EFFECT, _SIDED_LEVEL) and images >= _MIN_SIDED_IMAGES


NO_ASYMMETRY = Asymmetry(0.0, 1.0)


def left_right_pair(names: Sequence[str]) -> tuple[str, str] | None:
    """The first two names that differ in left and right, such as `lung_l` and `lung_r`, if any."""
    lower = {name.lower(): name for name in names}
    for left, name in lower.items():
        right = re.sub("(?<![a-z])(left|l)(?![a-z])", lambda word: _RIGHT[word[1]], left)
        if right != left and right in lower:
            return name, lower[right]
    return None


def class_asymmetry(maps: np.ndarray, axis: int) -> list[Asymmetry]:
    """Asymmetry of the position of each class, followed by that of all classes together.

    The effect of a class is the earth mover's distance between the distribution of its pixels over
    rows (or columns) and the flipped distribution, as a fraction of the image height (or width).
    The effect of all classes is the mean over classes, weighted by the images that contain them.

    Args:
        maps: Fraction of each grid cell that a class fills, `(n, classes, GRID, GRID)`.
        axis: 0 for vertical flips, 1 for horizontal flips.
    """
    profiles = maps.sum(axis=3 if axis == 0 else 2)  # (n, classes, GRID)
    odd = profiles - profiles[..., ::-1]
    total = np.maximum(profiles.sum(axis=(0, 2)), 1e-9)
    images = (profiles.sum(axis=2) > 0).sum(axis=0)
    signs = _signs(len(maps))
    moved = np.cumsum(np.tensordot(signs, odd, axes=1), axis=2)  # (permutations, classes, GRID)
    effects = np.abs(moved).sum(axis=2) / GRID / total
    weights = images / max(images.sum(), 1)
    by_class = [_test(effects[:, label], int(images[label])) for label in range(maps.shape[1])]
    return [*by_class, _test(effects @ weights, len(maps))]


def brightness_asymmetry(thumbnails: np.ndarray, axis: int) -> Asymmetry:
    """Asymmetry of brightness.

    The effect is half the mean absolute difference between the mean image and the flipped mean
    image, in standard deviations of the pixels of an image.

    Args:
        thumbnails: Gray images `(n, side, side)`, of any brightness and contrast.
    """
    flat = thumbnails.reshape(len(thumbnails), -1)
    deviation = np.maximum(flat.std(axis=1), 1e-6)[:, None, None]
    standardized = (thumbnails - flat.mean(axis=1)[:, None, None]) / deviation
    odd = (standardized - np.flip(standardized, axis=axis + 1)) / 2
    signs = _signs(len(thumbnails))
    effects = np.abs(signs @ odd.reshape(len(odd), -1)).mean(axis=1) / len(odd)
    return _test(effects, len(thumbnails))


def _test(effects: np.ndarray, images: int) -> Asymmetry:
    """Permutation test: the observed effect comes first, then those of random flips."""
    extreme = effects >= effects[0] * (1 - 1e-9)
    return Asymmetry(float(effects[0]), float(extreme.mean()) if images >= MIN_IMAGES else 1.0)


def _signs(number: int) -> np.ndarray:
    """Signs `(permutations, number)`: -1 flips an image, 1 does not; the first row flips none.

    A flip inverts the sign of the odd part of an image, so no pixels need to be flipped.
    """
    if number <= _ENUMERATED:
        return np.array(list(product((1.0, -1.0), repeat=number)))
    signs = np.random.default_rng(0).choice((1.0, -1.0), (_PERMUTATIONS, number))
    signs[0] = 1.0
    return signs
