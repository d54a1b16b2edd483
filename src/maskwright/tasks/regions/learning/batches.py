"""Bags → batches with `tf.data`: crops augmented with their masks, side by side, nothing padded."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from maskwright.data.pipeline.augment import Augmentation, augment
from maskwright.data.pipeline.batches import Drawn, epoch_batches, in_order
from maskwright.tasks.regions.learning.bags import RegionArrays
from maskwright.tasks.regions.learning.collate import Inputs, as_inputs, true_inputs
from maskwright.types import Outside

GUESSED = 1 / 3
"""Chance that a bag shows what a segmenter finds, instead of its true regions."""

_REGIONS_AT_ONCE = 128  # in a batch that is only looked at


def train_batches(
    arrays: RegionArrays,
    batch_size: int,
    seed: int,
    epoch: int,
    augmentation: Augmentation,
    outside: Outside,
    label_weights: Sequence[float] = (1.0, 1.0),
    max_regions: int = 64,
    *,
    skip: int = 0,
    shard: tuple[int, int] | None = None,
    epochs: int = 1,
) -> tf.data.Dataset:
    """Batches of one epoch or several: inputs of a classifier, labels and weights of bags.

    The order comes from `(seed, epoch)`, and what is drawn for a bag (which of its regions, which
    of their masks, the augmentation) from `(seed, epoch, bag)`.

    Args:
        batch_size: Bags in a step of all workers together.
        epoch: Number of the first epoch, from 0.
        augmentation: Of every crop with its mask.
        outside: As in `treat`.
        label_weights: Of negative and positive bags.
        max_regions: At most so many are drawn of a bag.
        skip: Batches of the first epoch that were already used.
        shard: Index and count of workers; each gets its own part of every batch.
        epochs: Number of epochs, one after the other without a pause.

    Returns:
        Batches of inputs as `models.classifiers` takes them, labels int32 `(b,)` and weights
        float32 `(b,)`.
    """

    def batch(drawn: Sequence[Drawn]) -> tuple[Inputs, np.ndarray, np.ndarray]:
        crops, masks, vectors, owners = [], [], [], []
        for owner, (place, rng) in enumerate(drawn):
            bag = arrays.bags[place]
            guesses = bag.guesses and rng.random() < GUESSED
            regions = np.array(bag.guesses if guesses else bag.regions)
            if len(regions) > max_regions:
                regions = np.sort(rng.choice(regions, max_regions, replace=False))
            for region in regions:
                row = int(rng.choice(arrays.rows[region]))
                crop, mask = augment(
                    arrays.crops[row],
                    arrays.masks[row],
                    augmentation,
                    rng,
                    value_range=arrays.value_range,
                )
                crops.append(crop)
                masks.append(mask == 1)
                vectors.append(arrays.vectors[row])
                owners.append(owner)
        inputs = as_inputs(crops, masks, vectors, owners, outside, arrays.value_range[1])
        return inputs, *_answers(arrays, [place for place, _ in drawn], label_weights)

    return epoch_batches(
        len(arrays),
        batch_size,
        seed,
        epoch,
        batch,
        lambda share: _signature(arrays, outside, share),
        skip=skip,
        shard=shard,
        epochs=epochs,
    )


def eval_batches(
    arrays: RegionArrays, outside: Outside, label_weights: Sequence[float] = (1.0, 1.0)
) -> tf.data.Dataset:
    """The same triple, of true masks, unchanged and in order; bags of many regions come alone."""
    groups: list[list[int]] = [[]]
    held = 0
    for place, bag in enumerate(arrays.bags):
        if groups[-1] and held + len(bag.regions) > _REGIONS_AT_ONCE:
            groups.append([])
            held = 0
        groups[-1].append(place)
        held += len(bag.regions)

    def batch(number: int) -> tuple[Inputs, np.ndarray, np.ndarray]:
        places = groups[number]
        return true_inputs(arrays, places, outside), *_answers(arrays, places, label_weights)

    return in_order(range(len(groups)), batch, _signature(arrays, outside, None))


def _answers(
    arrays: RegionArrays, places: Sequence[int], label_weights: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Labels and weights of some bags."""
    labels = arrays.labels[places]
    weights = np.array([arrays.bags[place].weight for place in places], np.float32)
    return labels, weights * np.array(label_weights, np.float32)[labels]


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
