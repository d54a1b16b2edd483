"""Two models of single objects on the same images: how far apart they are, and by what chance."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.errors import DataError
from maskwright.metrics.instances import FN, TP, ObjectTally, weighted_scores
from maskwright.metrics.intervals import (
    FEWEST_CASES,
    LEVEL,
    add_by_case,
    case_places,
    jackknife_interval,
    without_each,
)
from maskwright.metrics.paired import SWAPS, swap_chances


@dataclass(frozen=True, eq=False)
class PairedObjects:
    """Scores of two models on the same images by name, as of `weighted_scores`, and what differs.

    `gain` is how far `a` lies above `b`, nan where one of them has no score; `ends` are those of
    its intervals, `(2,)` and `(2, classes)`; `p` is the chance of a difference as large between
    models that are equal. Both are nan where there are too few cases, of all or of a class.
    """

    a: Mapping[str, np.ndarray]
    b: Mapping[str, np.ndarray]
    gain: Mapping[str, np.ndarray]
    ends: Mapping[str, np.ndarray]
    p: Mapping[str, np.ndarray]


def paired_objects(
    tallies_a: Sequence[ObjectTally],
    tallies_b: Sequence[ObjectTally],
    cases: Sequence[Hashable],
    *,
    swaps: int = SWAPS,
    seed: int = 0,
    level: float = LEVEL,
) -> PairedObjects:
    """How far one model of objects is above another, with intervals, and tests by swapping.

    Scores are those of `weighted_scores` over all images. The test and the intervals are those of
    `paired_difference`: what both models made of a case is swapped, all its images together.

    Args:
        tallies_a: Counts of each image by one model.
        tallies_b: Those of the same images by the other.
        cases: The case of each image.

    Raises:
        DataError: If these are not of the same number of images.
    """
    number = len(cases)
    if len(tallies_a) != number or len(tallies_b) != number:
        raise DataError(
            f"Expected counts of the same images by both models and a case for each; received "
            f"{len(tallies_a)} and {len(tallies_b)} for {number} cases."
        )
    both = (*tallies_a, *tallies_b)

    def sides(own: np.ndarray, other: np.ndarray) -> list[dict[str, np.ndarray]]:
        """Scores of A and B with weights of their own images and those of the other."""
        first, second = np.hstack([own, other]), np.hstack([other, own])
        return [weighted_scores(both, weights) for weights in (first, second)]

    def gains(own: np.ndarray, other: np.ndarray) -> dict[str, np.ndarray]:
        first, second = sides(own, other)
        return {name: value - second[name] for name, value in first.items()}

    all_once = np.ones((1, number))
    a, b = ({n: v[0] for n, v in side.items()} for side in sides(all_once, np.zeros((1, number))))
    gain = {name: value - b[name] for name, value in a.items()}
    parts = [gains(weights, np.zeros_like(weights)) for weights in without_each(cases)]
    ends = {
        name: jackknife_interval(
            value, np.concatenate([part[name] for part in parts]), level, bounded=False
        )
        for name, value in gain.items()
    }
    places = np.array(case_places(cases), np.int64)

    def swapped(moved: np.ndarray) -> dict[str, np.ndarray]:
        of_images = moved[:, places].astype(np.float64)
        return gains(1 - of_images, of_images)

    p = swap_chances(gain, swapped, len(set(cases)), 2 * number, swaps=swaps, seed=seed)
    for name, few in _few_cases(tallies_a, cases, a["class_pq"], b["class_pq"]).items():
        ends[name][..., few] = p[name][..., few] = np.nan
    return PairedObjects(a, b, gain, ends, p)


def _few_cases(
    tallies: Sequence[ObjectTally], cases: Sequence[Hashable], *class_scores: np.ndarray
) -> dict[str, np.ndarray]:
    """Whether each score rests on fewer than `FEWEST_CASES`, `()` or `(classes,)`, by name."""
    counts = np.stack([tally.counts[0] for tally in tallies])
    held = add_by_case(counts[..., TP] + counts[..., FN], cases) > 0
    few = held.sum(axis=0) < FEWEST_CASES
    scored = ~np.isnan(class_scores).all(axis=0)
    over_all = np.array(len(set(cases)) < FEWEST_CASES)
    return {
        **dict.fromkeys(("ap50", "ap75", "ap", "aji"), over_all),
        "pq": (few & scored).any(),
        "class_pq": few,
    }
