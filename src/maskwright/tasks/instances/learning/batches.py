"""Images with objects → batches of images and of what heads for objects learn."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from maskwright.data.geometry import cut_image, cut_labels
from maskwright.data.pipeline.augment import augment
from maskwright.data.pipeline.augmentation import Augmentation
from maskwright.data.pipeline.epochs import (
    EpochSchedule,
    Window,
    epoch_batches,
    output_size,
    window_batches,
)
from maskwright.labels import IGNORE_LABEL
from maskwright.tasks.instances.learning.targets import ObjectArrays, depth_target, visible

_ON_OBJECTS = 0.5  # of the crops smaller than the image have a pixel of an object in their middle
_MIN_AREA_PX = 9  # what is left of an object in a crop, below which it cannot be recognized


@dataclass(frozen=True)
class Target:
    """What a kind of head learns from the maps of a window.

    Args:
        make: From maps `(h, w, 1 + layers)`, classes of objects and weights of windows to arrays,
            in any nesting, that a loss takes as labels, and weights.
        signature: From the size of the windows to the `tf.TensorSpec`s of one.
    """

    make: Callable[[Sequence[np.ndarray], Sequence[np.ndarray], np.ndarray], tuple[Any, np.ndarray]]
    signature: Callable[[tuple[int | None, int | None]], tuple[Any, tuple[int | None, ...]]]


def train_batches(
    arrays: ObjectArrays,
    target: Target,
    schedule: EpochSchedule,
    augmentation: Augmentation,
    crop: tuple[int, int] | None = None,
) -> tf.data.Dataset:
    """Batches of images float32 `(b, h, w, c)` and what `target` makes of their objects.

    Half of the crops are laid around a pixel of an object. Other arguments and errors are those of
    `data.pipeline.batches.train_batches`.
    """
    size = output_size(arrays.arrays.size, crop)

    def draw(index: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        image, maps, classes = arrays[index]
        cut = crop is not None and (image.shape[0] > crop[0] or image.shape[1] > crop[1])
        center = _object_center(maps, rng) if cut and rng.random() < _ON_OBJECTS else None
        value_range = arrays.arrays.value_range
        image, maps = augment(
            image, maps, augmentation, rng, size, center, window=crop, value_range=value_range
        )
        return image, maps, classes

    return epoch_batches(
        len(arrays),
        schedule,
        draw,
        partial(_collate, arrays, target),
        lambda share: _signature(target, share, size, arrays.arrays.channels),
    )


def eval_batches(
    arrays: ObjectArrays, target: Target, batch_size: int, tile: tuple[int, int] | None = None
) -> tf.data.Dataset:
    """The same triple, unaugmented and in order; see `data.pipeline.epochs.window_batches`."""

    def collate(windows: Sequence[Window]) -> tuple[np.ndarray, Any, np.ndarray]:
        items = []
        for index, top, left, size in windows:
            image, maps, classes = arrays[index]
            window = cut_image(image, top, left, size, reflect=False).astype(np.float32)
            items.append((window, cut_labels(maps, top, left, size), classes))
        return _collate(arrays, target, items, [index for index, *_ in windows])

    return window_batches(
        arrays.arrays.sizes,
        batch_size,
        tile,
        collate,
        lambda size: _signature(target, None, size, arrays.arrays.channels),
    )


def _collate(
    arrays: ObjectArrays,
    target: Target,
    items: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]],
    indices: Sequence[int],
) -> tuple[np.ndarray, Any, np.ndarray]:
    """Batch of images, their maps and the classes of their objects."""
    images, maps, classes = zip(*items, strict=True)
    return np.stack(images), *target.make(maps, classes, arrays.arrays.weights[list(indices)])


def _object_center(maps: np.ndarray, rng: np.random.Generator) -> tuple[float, float] | None:
    """Row and column of a pixel of an object, each object as likely as any other."""
    numbers = maps[..., 1]
    objects = np.unique(numbers)
    objects = objects[objects > 0]
    if not objects.size:
        return None
    pixels = np.flatnonzero(numbers == objects[rng.integers(objects.size)])
    row, column = divmod(int(pixels[rng.integers(pixels.size)]), numbers.shape[1])
    return float(row), float(column)


def _signature(
    target: Target, share: int | None, size: tuple[int | None, int | None], channels: int
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
    targets = np.stack([depth_target(each) for each in maps])
    counted = targets[..., 0] != IGNORE_LABEL
    return targets, counted.astype(np.float32) * weights[:, None, None]


def _boxes(
    maps: Sequence[np.ndarray], labels: Sequence[np.ndarray], weights: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    items = [visible(*window, _MIN_AREA_PX) for window in zip(maps, labels, strict=True)]
    most = max(1, *(len(classes) for _, _, classes in items))
    layers = max(numbers.shape[2] for numbers, _, _ in items)
    ids = np.zeros((len(items), *maps[0].shape[:2], layers), np.int32)
    boxes = np.zeros((len(items), most, 4), np.float32)
    padded = np.zeros((len(items), most), np.int32)
    for row, (numbers, corners, classes) in enumerate(items):
        ids[row, ..., : numbers.shape[2]] = numbers
        boxes[row, : len(classes)] = corners
        padded[row, : len(classes)] = classes
    counted = np.stack([each[..., 0] != IGNORE_LABEL for each in maps]).astype(np.float32)
    return {"boxes": boxes, "labels": padded, "ids": ids, "counted": counted}, weights


DEPTHS = Target(_depths, lambda size: (tf.TensorSpec((*size, 3), tf.float32), size))
"""`depth_target` float32 `(b, h, w, 3)`; weights `(b, h, w)`, 0 where pixels are ignored."""

BOXES = Target(
    _boxes,
    lambda size: (
        {
            "boxes": tf.TensorSpec((None, 4), tf.float32),
            "labels": tf.TensorSpec((None,), tf.int32),
            "ids": tf.TensorSpec((*size, None), tf.int32),
            "counted": tf.TensorSpec(size, tf.float32),
        },
        (),
    ),
)
"""What `rcnn_losses` and `condinst_losses` take as true; weights `(b,)`."""
