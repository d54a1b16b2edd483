"""Bags of regions → batches: crops augmented with their masks, side by side, nothing padded."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from maskwright.data.pipeline.augment import augment
from maskwright.data.pipeline.augmentation import Augmentation
from maskwright.data.pipeline.epochs import EpochSchedule, epoch_batches, in_order
from maskwright.tasks.regions.learning.bags import Inputs, RegionArrays, Row, as_inputs
from maskwright.types import Outside

PREDICTED_SHARE = 1 / 3
"""Chance that a bag shows what a segmenter predicts, instead of its true regions."""

_MAX_EVAL_REGIONS = 128  # in a batch that is not learned from


def train_batches(
    arrays: RegionArrays,
    schedule: EpochSchedule,
    augmentation: Augmentation,
    outside: Outside,
    label_weights: Sequence[float] = (1.0, 1.0),
    max_regions: int = 64,
) -> tf.data.Dataset:
    """Batches of inputs of a classifier, labels int32 `(b,)` and weights float32 `(b,)` of bags.

    They are ordered by `epoch_batches`. Which regions of a bag, at most `max_regions`, which of
    their masks and which augmentation are drawn comes from `(seed, epoch, bag)`. `label_weights`
    are those of negative and positive bags.
    """

    def draw(index: int, rng: np.random.Generator) -> list[Row]:
        bag = arrays.bags[index]
        predicted = bag.predicted_regions and rng.random() < PREDICTED_SHARE
        regions = np.array(bag.predicted_regions if predicted else bag.regions)
        if len(regions) > max_regions:
            regions = np.sort(rng.choice(regions, max_regions, replace=False))
        items = []
        for region in regions:
            row = int(rng.choice(arrays.rows[region]))
            crop, mask = augment(
                arrays.crops[row],
                arrays.masks[row],
                augmentation,
                rng,
                value_range=arrays.value_range,
            )
            items.append((crop, mask == 1, arrays.vectors[row]))
        return items

    def collate(bags: Iterable[list[Row]], indices: Sequence[int]) -> Any:
        return _batch(arrays, bags, indices, outside, label_weights)

    return epoch_batches(
        len(arrays), schedule, draw, collate, lambda share: _signature(arrays, outside, share)
    )


def eval_batches(
    arrays: RegionArrays, outside: Outside, label_weights: Sequence[float] = (1.0, 1.0)
) -> tf.data.Dataset:
    """The same triple, of true masks, unaugmented and in order; bags of many regions come alone."""
    groups: list[list[int]] = [[]]
    count = 0
    for index, bag in enumerate(arrays.bags):
        if groups[-1] and count + len(bag.regions) > _MAX_EVAL_REGIONS:
            groups.append([])
            count = 0
        groups[-1].append(index)
        count += len(bag.regions)

    def batch(number: int) -> Any:
        indices = groups[number]
        bags = [arrays.true_rows(arrays.bags[index]) for index in indices]
        return _batch(arrays, bags, indices, outside, label_weights)

    return in_order(range(len(groups)), batch, _signature(arrays, outside, None))


def _batch(
    arrays: RegionArrays,
    bags: Iterable[Sequence[Row]],
    indices: Sequence[int],
    outside: Outside,
    label_weights: Sequence[float],
) -> tuple[Inputs, np.ndarray, np.ndarray]:
    """Inputs, labels and weights of bags."""
    labels = arrays.labels[list(indices)]
    weights = np.array([arrays.bags[index].weight for index in indices], np.float32)
    weights *= np.array(label_weights, np.float32)[labels]
    return as_inputs(bags, outside, arrays.value_range[1]), labels, weights


def _signature(arrays: RegionArrays, outside: Outside, bags: int | None) -> Any:
    _, height, width, channels = arrays.crops.shape
    channels += outside == "channel"
    return (
        {
            "images": tf.TensorSpec((None, height, width, channels), tf.float32),
            "masks": tf.TensorSpec((None, height, width), tf.float32),
            "measures": tf.TensorSpec((None, arrays.vectors.shape[1]), tf.float32),
            "bags": tf.TensorSpec((bags, None), tf.float32),
        },
        tf.TensorSpec((bags,), tf.int32),
        tf.TensorSpec((bags,), tf.float32),
    )
