"""Whether up differs from down and left from right, by where classes and light lie."""

from dataclasses import dataclass
from itertools import product

import numpy as np

GRID = 16
"""Rows and columns of the maps of classes, and of light."""

_DRAWS = 2000
_ENUMERATED = 11  # images for which all mirrorings are tried instead of some
FEWEST = 5
"""Images below which nothing can be told: all agree by chance too often."""


@dataclass(frozen=True)
class Asymmetry:
    """How far images differ from their mirror images, together.

    Args:
        effect: How much changes, from 0; of what is for the function that made it to say.
        chance: How often as much is found when every image is mirrored or not at random; 1 where
            there are too few images to tell.
    """

    effect: float
    chance: float

    def shown(self, least: float, level: float = 0.02) -> bool:
        """Whether it is at least so large and hardly there by chance."""
        return self.effect >= least and self.chance <= level


def class_asymmetry(maps: np.ndarray, axis: int, seed: int = 0) -> list[Asymmetry]:
    """Asymmetry of where each class lies, and after these that of all classes together.

    The effect of a class is how far its pixels would have to move on average, as a share of the
    height (or width), for their distribution over rows, added up over images, to become the
    mirrored one: the earth mover's distance of the two. That of all classes is the mean, weighted
    by the images that hold each.

    Args:
        maps: Share of each cell of an image that a class fills, `(n, classes, GRID, GRID)`.
        axis: 0 for up and down, 1 for left and right.
        seed: Of the random mirrorings, where there are too many to try all.
    """
    profiles = maps.sum(axis=3 if axis == 0 else 2)  # (n, classes, GRID)
    odd = profiles - profiles[..., ::-1]
    total = np.maximum(profiles.sum(axis=(0, 2)), 1e-9)
    held = (profiles.sum(axis=2) > 0).sum(axis=0)
    signs = _signs(len(maps), seed)
    moved = np.cumsum(np.tensordot(signs, odd, axes=1), axis=2)  # (draws, classes, GRID)
    drawn = np.abs(moved).sum(axis=2) / GRID / total
    weights = held / max(held.sum(), 1)
    together = drawn @ weights
    found = [_judge(drawn[:, label], int(held[label])) for label in range(maps.shape[1])]
    return [*found, _judge(together, len(maps))]


def light_asymmetry(thumbs: np.ndarray, axis: int, seed: int = 0) -> Asymmetry:
    """Asymmetry of brightness.

    The effect is half the mean difference between the mean image and its mirror image, in standard
    deviations of the pixels of an image.

    Args:
        thumbs: Gray images `(n, side, side)`, of any brightness and contrast.
        axis: 0 for up and down, 1 for left and right.
        seed: See `class_asymmetry`.
    """
    flat = thumbs.reshape(len(thumbs), -1)
    deviation = np.maximum(flat.std(axis=1), 1e-6)[:, None, None]
    even = (thumbs - flat.mean(axis=1)[:, None, None]) / deviation
    odd = (even - np.flip(even, axis=axis + 1)) / 2
    signs = _signs(len(thumbs), seed)
    drawn = np.abs(signs @ odd.reshape(len(odd), -1)).mean(axis=1) / len(odd)
    return _judge(drawn, len(thumbs))


def _judge(drawn: np.ndarray, images: int) -> Asymmetry:
    """From the effect as it is, first, and that of random mirrorings."""
    chance = float((drawn >= drawn[0] * (1 - 1e-9)).mean()) if images >= FEWEST else 1.0
    return Asymmetry(float(drawn[0]), chance)


def _signs(number: int, seed: int) -> np.ndarray:
    """-1 for each image that is mirrored, 1 for others, `(draws, number)`; the first mirrors none.

    Mirroring an image turns the sign of what is odd in it, so that no image needs to be mirrored.
    """
    if number <= _ENUMERATED:
        return np.array(list(product((1.0, -1.0), repeat=number)))
    signs = np.random.default_rng(seed).choice((1.0, -1.0), (_DRAWS, number))
    signs[0] = 1.0
    return signs
