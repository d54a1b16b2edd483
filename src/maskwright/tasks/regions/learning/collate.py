"""Regions as the inputs of a classifier: arrays by name, nothing padded."""

from collections.abc import Sequence

import numpy as np

from maskwright.tasks.regions.extraction.crops import treat
from maskwright.tasks.regions.learning.bags import RegionArrays
from maskwright.types import Outside

Inputs = dict[str, np.ndarray]


def true_inputs(arrays: RegionArrays, places: Sequence[int], outside: Outside) -> Inputs:
    """Inputs of a classifier for some bags, with their true masks."""
    rows, owners = [], []
    for owner, place in enumerate(places):
        own = [arrays.rows[region][0] for region in arrays.bags[place].regions]
        rows += own
        owners += [owner] * len(own)
    return as_inputs(
        list(arrays.crops[rows]),
        list(arrays.masks[rows]),
        list(arrays.vectors[rows]),
        owners,
        outside,
        arrays.value_range[1],
    )


def as_inputs(
    crops: Sequence[np.ndarray],
    masks: Sequence[np.ndarray],
    vectors: Sequence[np.ndarray],
    owners: Sequence[int],
    outside: Outside,
    high: float,
) -> Inputs:
    """Inputs of a classifier, as `models.classifiers` describes them.

    Args:
        crops: `(size, size, c)` each.
        masks: `(size, size)` each, true inside.
        vectors: Measures `(m,)` each.
        owners: Number of the bag of each, from 0 without a gap.
        outside: As in `treat`.
        high: Pixel that stands for white.
    """
    inside = np.stack(masks).astype(bool)
    images = treat(np.stack(crops).astype(np.float32), inside, outside, high=high)
    bags = np.arange(max(owners) + 1)[:, None] == np.array(owners)
    return {
        "images": images,
        "masks": inside.astype(np.float32),
        "measures": np.stack(vectors).astype(np.float32),
        "bags": bags.astype(np.float32),
    }
