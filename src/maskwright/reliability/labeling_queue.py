"""Which images to label next."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import DataError
from maskwright.inference.output_paths import Failure
from maskwright.metrics.intervals import case_places
from maskwright.types import OnMessage, show_alert


@dataclass(frozen=True, kw_only=True)
class QueueOptions:
    """How images are put in the order in which to label them.

    Args:
        count: Number of images to name; `None` for all.
        group_by: Pattern whose first group, in the path of an image, is its case; `None` where each
            image is a case of its own.
        pixel_range: Pixel values of black and white in the images; `None` for those of their type.
        allow_code: Open an exported model whose format can run code.
        on_message: Called with what the user should know.
    """

    count: int | None = None
    group_by: str | None = None
    pixel_range: tuple[float, float] | None = None
    allow_code: bool = False
    on_message: OnMessage = show_alert


@dataclass(frozen=True, kw_only=True)
class QueuedImage:
    """An image to label.

    Args:
        expected_dice: Of its worst class, `class_name`.
        unfamiliar_p: P-value, small where it is unlike the training images; `None` if unknown.
        reason: What is known of it, in words.
    """

    image: Path
    case: str
    class_name: str
    expected_dice: float
    unfamiliar_p: float | None
    reason: str


@dataclass(frozen=True)
class LabelingQueue:
    """Images in the order in which to label them; those that could not be read are in `failed`.

    `notes` say what the order is made of.
    """

    images: tuple[QueuedImage, ...]
    failed: tuple[Failure, ...]
    notes: tuple[str, ...]

    headings = ("rank", "image", "case", "class", "expected_dice", "unfamiliar_p", "reason")

    def rows(self) -> list[list[Any]]:
        """A row for each image under `headings`."""
        return [
            [
                *(rank, each.image, each.case, each.class_name, f"{each.expected_dice:.4f}"),
                "" if each.unfamiliar_p is None else f"{each.unfamiliar_p:.4f}",
                each.reason,
            ]
            for rank, each in enumerate(self.images, start=1)
        ]


def labeling_order(
    expected_dice: np.ndarray,
    unfamiliar: np.ndarray,
    features: np.ndarray,
    cases: Sequence[str],
    labeled: np.ndarray | None = None,
) -> np.ndarray:
    """Images in the order in which to label them, int64 `(n,)`.

    The next image is always that with the largest product of its doubt and its distance from the
    nearest image that is labeled or ahead of it. Doubt is the mean of two ranks, that of the
    expected Dice, low first, and that of `unfamiliar`; the distance spares images that resemble
    each other. A second image of a case comes after the first one of every case.

    Args:
        expected_dice: Of each image, `(n,)`, of its worst class.
        unfamiliar: P-values of `familiarity_p_values`, `(n,)`, small where unfamiliar.
        features: Channel means of the encoder, `(n, d)`.
        cases: The case of each image.
        labeled: Features of the images that are labeled already, `(l, d)`.

    Raises:
        DataError: If the numbers of images differ.

    Source: farthest-first of Gonzalez, Clustering to minimize the maximum intercluster distance,
    1985, and Sener and Savarese, Active learning for convolutional neural networks, 2018, with
    weights.
    """
    n = len(features)
    if not len(expected_dice) == len(unfamiliar) == len(cases) == n:
        raise DataError(
            "Expected expected Dice, p-value, features and case of the same images; received "
            f"{len(expected_dice)}, {len(unfamiliar)}, {n} and {len(cases)}."
        )
    known = features[:0] if labeled is None else labeled
    everything = np.concatenate([features, known]).astype(np.float64)
    if not n:
        return np.zeros(0, np.int64)
    scale = everything.std(axis=0)
    standard = (everything - everything.mean(axis=0)) / np.where(scale > 0, scale, 1)
    images = standard[:n]
    doubt = (_ranks(-expected_dice) + _ranks(-unfamiliar)) / 2
    nearest = np.full(n, np.inf)
    for place in standard[n:]:
        nearest = np.minimum(nearest, _distances(images, place))
    of_case, seen = np.array(case_places(cases)), np.zeros(n, np.int64)
    order: list[int] = []
    waiting = np.ones(n, bool)
    while waiting.any():
        turn = waiting & (seen[of_case] == seen[of_case[waiting]].min())
        # Without anything to be far from, the doubt alone decides.
        gain = doubt * np.where(np.isinf(nearest), 1, nearest)
        candidates = np.flatnonzero(turn)
        best = candidates[np.lexsort((-doubt[candidates], -gain[candidates]))[0]]
        order.append(int(best))
        waiting[best] = False
        seen[of_case[best]] += 1
        nearest = np.minimum(nearest, _distances(images, images[best]))
    return np.array(order)


def _distances(images: np.ndarray, place: np.ndarray) -> np.ndarray:
    return np.sqrt(((images - place) ** 2).sum(axis=1))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Share of the values that are at most this one, `(n,)`; equal values have equal ranks."""
    return np.searchsorted(np.sort(values), values, side="right") / len(values)
