"""What is predicted in images whose truth holds nothing of it."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.metrics.confusion import PREDICTED, TRUTH
from maskwright.metrics.intervals import add_by_case, mean_interval, proportion_interval


@dataclass(frozen=True, eq=False)
class FalseAlarms:
    """Predictions of some classes in images whose truth holds none of them.

    Args:
        images: Number of such images.
        rate: Share of them with any pixel predicted; nan without such images, as all that follows.
        rate_ends: Its 95 % interval, `(2,)`.
        area_px: Pixels predicted, on average over all such images.
        area_ends: Its 95 % interval, `(2,)`.
    """

    images: int
    rate: float
    rate_ends: np.ndarray
    area_px: float
    area_ends: np.ndarray


def false_areas(tallies: np.ndarray, labels: Sequence[int] | np.ndarray) -> np.ndarray:
    """Pixels of some classes predicted in each image `(n, 3, classes)` that holds none, `(n,)`.

    nan in images that hold one.
    """
    chosen = tallies[..., list(labels)].sum(axis=-1)
    return np.where(chosen[:, TRUTH] == 0, chosen[:, PREDICTED], np.nan)


def false_alarms(
    tallies: np.ndarray, cases: Sequence[Hashable], labels: Sequence[int] | np.ndarray
) -> FalseAlarms:
    """How often and how much is predicted of some classes where they are not, by case."""
    areas = false_areas(tallies, labels)
    empty = ~np.isnan(areas)
    alarms = np.stack([areas > 0, empty], axis=1).astype(np.int64)
    if not empty.any():
        none = np.full(2, np.nan)
        return FalseAlarms(0, np.nan, none, np.nan, none)
    return FalseAlarms(
        images=int(empty.sum()),
        rate=float(alarms[:, 0].sum() / empty.sum()),
        rate_ends=proportion_interval(*add_by_case(alarms, cases).T),
        area_px=float(areas[empty].mean()),
        area_ends=mean_interval(areas, cases, bounded=False).clip(min=0),
    )
