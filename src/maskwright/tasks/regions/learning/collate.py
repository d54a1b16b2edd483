"""Collate regions into the inputs of a classifier: arrays by name, without padding."""

from collections.abc import Sequence

import numpy as np

from maskwright.tasks.regions.extraction.crops import treat
from maskwright.tasks.regions.learning.bags import RegionArrays
from maskwright.types import Outside

Inputs = dict[str, np.ndarray]


def true_inputs(arrays: RegionArrays, indices: Sequence[int], outside: Outside) -> Inputs:
    """Inputs of a classifier for the bags at `indices`, with their true masks."""
    rows, owners = [], []
    for owner, index in enumerate(indices):
        true_rows = [arrays.rows[region][0] for region in arrays.bags[index].regions]
        rows += true_rows
        owners += [owner] * len(true_rows)
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
        vectors: Features `(m,)` each.
        owners: Index of the bag of each, from 0 without a gap.
        outside: As in `treat`.
        high: Pixel value of white.
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
