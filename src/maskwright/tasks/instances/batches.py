"""Objects → batches with `tf.data`; order and augmentation are those of `data.batches`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from maskwright.data.geometry import cut_image, cut_labels
from maskwright.data.pipeline.augment import Augmentation, augment
from maskwright.data.pipeline.batches import (
    Drawn,
    epoch_batches,
    in_order,
    steps_per_epoch,
    windows,
)
from maskwright.errors import ConfigError
from maskwright.labels import IGNORE_LABEL
from maskwright.tasks.instances.targets import ObjectArrays, depth_target, visible

_ON_OBJECTS = 0.5  # of the crops have a pixel of an object in their middle
_LEAST_PX = 9  # what is left of an object in a crop, below which it cannot be recognized


@dataclass(frozen=True)
class Target:
    """What a kind of head learns from the maps of a window.

    Args:
        make: From the maps `(h, w, 1 + layers)` and classes of objects of several windows to
            arrays, in any nesting, that a loss takes as labels, and the weights.
        signature: From the size of the windows to `tf.TensorSpec`s in the same nesting, without
            the number of windows.
    """

    make: Callable[[Sequence[np.ndarray], Sequence[np.ndarray], np.ndarray], tuple[Any, np.ndarray]]
    signature: Callable[[tuple[int | None, int | None]], tuple[Any, tuple[int | None, ...]]]


def train_batches(
    arrays: ObjectArrays,
    target: Target,
    batch_size: int,
    seed: int,
    epoch: int,
    augmentation: Augmentation,
    crop: tuple[int, int] | None = None,
    *,
    skip: int = 0,
    shard: tuple[int, int] | None = None,
    epochs: int = 1,
) -> tf.data.Dataset:
    """Batches of images float32 `(b, h, w, c)` and what `target` makes of their objects.

    Half of the crops are laid around a pixel of an object. Other arguments are those of
    `data.batches.train_batches`.

    Raises:
        ConfigError: If the sizes differ and there is no crop, or workers cannot share a batch.
    """
    size = crop or arrays.arrays.size
    if size is None:
        raise ConfigError(
            "Expected images of one working size or a crop; the images differ in size and no "
            "crop is set."
        )

    def batch(drawn: Sequence[Drawn]) -> tuple[np.ndarray, Any, np.ndarray]:
        images, maps, labels = [], [], []
        for index, rng in drawn:
            image, own, classes = arrays[index]
            center = _on_object(own, rng) if crop and rng.random() < _ON_OBJECTS else None
            image, moved = augment(
                image,
                own,
                augmentation,
                rng,
                size,
                center,
                window=crop,
                value_range=arrays.arrays.value_range,
            )
            images.append(image)
            maps.append(moved)
            labels.append(classes)
        weights = arrays.arrays.weights[[index for index, _ in drawn]]
        return np.stack(images), *target.make(maps, labels, weights)

    return epoch_batches(
        len(arrays),
        batch_size,
        seed,
        epoch,
        batch,
        lambda share: _signature(target, share, size, arrays.arrays.channels),
        skip=skip,
        shard=shard,
        epochs=epochs,
    )


def eval_batches(
    arrays: ObjectArrays,
    target: Target,
    batch_size: int,
    tile: tuple[int, int] | None = None,
) -> tf.data.Dataset:
    """The same triple, unchanged and in order; see `data.batches.eval_batches`."""
    size = tile or arrays.arrays.size
    places = windows(arrays.arrays.sizes, tile)
    count = batch_size if size is not None else 1

    def batch(number: int) -> tuple[np.ndarray, Any, np.ndarray]:
        images, maps, labels, rows = [], [], [], []
        for index, top, left in places[number * count : (number + 1) * count]:
            image, own, classes = arrays[index]
            shown = size or own.shape[:2]
            images.append(cut_image(image, top, left, shown).astype(np.float32))
            maps.append(cut_labels(own, top, left, shown))
            labels.append(classes)
            rows.append(index)
        return np.stack(images), *target.make(maps, labels, arrays.arrays.weights[rows])

    signature = _signature(target, None, size or (None, None), arrays.arrays.channels)
    return in_order(range(steps_per_epoch(len(places), count)), batch, signature)


def _on_object(maps: np.ndarray, rng: np.random.Generator) -> tuple[float, float] | None:
    """Row and column of a pixel of an object, each object as likely as any other."""
    numbers = maps[..., 1]
    found = np.unique(numbers)
    found = found[found > 0]
    if not found.size:
        return None
    pixels = np.flatnonzero(numbers == found[rng.integers(found.size)])
    row, column = divmod(int(pixels[rng.integers(pixels.size)]), numbers.shape[1])
    return float(row), float(column)


def _signature(
    target: Target,
    share: int | None,
    size: tuple[int | None, int | None],
    channels: int,
) -> tuple[Any, ...]:
    labels, weights = target.signature(size)
    batched = tf.nest.map_structure(
        lambda spec: tf.TensorSpec((share, *spec.shape), spec.dtype), labels
    )
    images = tf.TensorSpec((share, *size, channels), tf.float32)
    return images, batched, tf.TensorSpec((share, *weights), tf.float32)


def _depths(
    maps: Sequence[np.ndarray], labels: Sequence[np.ndarray], weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    made = np.stack([depth_target(own) for own in maps])
    counted = made[..., 0] != IGNORE_LABEL
    return made, counted.astype(np.float32) * weights[:, None, None]


def _boxes(
    maps: Sequence[np.ndarray], labels: Sequence[np.ndarray], weights: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    seen = [visible(own, classes, _LEAST_PX) for own, classes in zip(maps, labels, strict=True)]
    most = max(1, *(len(classes) for _, _, classes in seen))
    layers = max(numbers.shape[2] for numbers, _, _ in seen)
    ids = np.zeros((len(seen), *maps[0].shape[:2], layers), np.int32)
    boxes = np.zeros((len(seen), most, 4), np.float32)
    kinds = np.zeros((len(seen), most), np.int32)
    for row, (numbers, corners, classes) in enumerate(seen):
        ids[row, ..., : numbers.shape[2]] = numbers
        boxes[row, : len(classes)] = corners
        kinds[row, : len(classes)] = classes
    return {"boxes": boxes, "labels": kinds, "ids": ids}, weights


DEPTHS = Target(_depths, lambda size: (tf.TensorSpec((*size, 3), tf.float32), size))
"""`depth_target` float32 `(b, h, w, 3)`; weights `(b, h, w)`, 0 where pixels are ignored."""

BOXES = Target(
    _boxes,
    lambda size: (
        {
            "boxes": tf.TensorSpec((None, 4), tf.float32),
            "labels": tf.TensorSpec((None,), tf.int32),
            "ids": tf.TensorSpec((*size, None), tf.int32),
        },
        (),
    ),
)
"""What `models.rcnn.rcnn_losses` takes as true; weights `(b,)`."""
