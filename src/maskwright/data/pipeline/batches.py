"""Arrays → batches with `tf.data`: what a step sees depends on seed, epoch and sample alone."""

import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import tensorflow as tf

from maskwright.data.geometry import cut_image, cut_labels
from maskwright.data.pipeline.arrays import (
    MEMORY_LIMIT_MB,
    Arrays,
    class_weights,
    load,
    rare_class_weights,
)
from maskwright.data.pipeline.augment import Augmentation, augment
from maskwright.errors import ConfigError
from maskwright.labels import IGNORE_LABEL

__all__ = [
    "MEMORY_LIMIT_MB",
    "Arrays",
    "class_weights",
    "epoch_batches",
    "eval_batches",
    "in_order",
    "load",
    "rare_class_weights",
    "steps_per_epoch",
    "train_batches",
    "windows",
]

Batch = tuple[np.ndarray, np.ndarray, np.ndarray]
Drawn = tuple[int, np.random.Generator]
"""Place of a sample, and the generator that decides its augmentation."""

_MOST_THREADS = 8  # that make batches
_JITTER = 0.25  # of the crop: how far its middle may lie from the pixel that drew it


def steps_per_epoch(num_samples: int, batch_size: int) -> int:
    """Batches that show every sample at least once."""
    return -(-num_samples // batch_size)


def train_batches(
    arrays: Arrays,
    batch_size: int,
    seed: int,
    epoch: int,
    augmentation: Augmentation,
    crop: tuple[int, int] | None = None,
    favor: np.ndarray | None = None,
    class_weights: np.ndarray | None = None,
    *,
    skip: int = 0,
    shard: tuple[int, int] | None = None,
    epochs: int = 1,
) -> tf.data.Dataset:
    """Batches of one epoch or several: images, labels and weights of pixels.

    The order comes from `(seed, epoch)` and the augmentation of a sample from
    `(seed, epoch, sample)`, whatever the number of threads. Every batch is full: the last one of
    an epoch is filled from the start of its order, with other augmentations.

    Args:
        batch_size: Images in a step of all workers together.
        epoch: Number of the first epoch, from 0.
        crop: Height and width of a window at the scale of the arrays; `None` takes whole images,
            which must then be of one size.
        favor: Chance of each class to be in the middle of a crop, `(num_classes,)`, as
            `rare_class_weights` gives; `None` places crops anywhere.
        class_weights: Weight of the pixels of each class, `(num_classes,)`; `None` for ones.
        skip: Batches of the first epoch that were already used.
        shard: Index and count of workers; each gets its own part of every batch.
        epochs: Number of epochs, one after the other without a pause.

    Returns:
        Batches of images float32 `(b, h, w, c)`, labels int32 `(b, h, w)` and weights float32
        `(b, h, w)`: class weight times sample weight, 0 where the label is ignored.

    Raises:
        ConfigError: If the sizes differ and there is no crop, or workers cannot share a batch.
    """
    size = crop or arrays.size
    if size is None:
        raise ConfigError(
            "Expected images of one working size or a crop; the images differ in size and no "
            "crop is set."
        )
    if favor is not None and crop is None:
        raise ConfigError("Favoring rare classes chooses where to crop; set a crop with it.")
    chances = None if favor is None else _chances(arrays, favor)
    weight_of = _weight_table(class_weights)

    def draw(index: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        image, labels = arrays[index]
        center = None
        if chances is not None and chances[index].any():
            center = _favored(labels, chances[index], size, rng)
        return augment(
            image,
            labels,
            augmentation,
            rng,
            size,
            center,
            window=crop,
            value_range=arrays.value_range,
        )

    def batch(drawn: Sequence[Drawn]) -> Batch:
        images = np.empty((len(drawn), *size, arrays.channels), np.float32)
        labels = np.empty((len(drawn), *size), np.int32)
        weights = np.empty((len(drawn), *size), np.float32)
        for row, (index, rng) in enumerate(drawn):
            images[row], mask = draw(index, rng)
            labels[row] = mask
            np.take(weight_of, mask, out=weights[row])
            weights[row] *= arrays.weights[index]
        return images, labels, weights

    return epoch_batches(
        len(arrays),
        batch_size,
        seed,
        epoch,
        batch,
        lambda share: _signature((share, *size, arrays.channels)),
        skip=skip,
        shard=shard,
        epochs=epochs,
    )


def eval_batches(
    arrays: Arrays, batch_size: int, tile: tuple[int, int] | None = None
) -> tf.data.Dataset:
    """The same triple as `train_batches`, unchanged and in order; the last batch may be short.

    Args:
        batch_size: Images in a batch; 1 is used where images differ in size and are not tiled.
        tile: Height and width of tiles that cover every image once, laid side by side; what
            reaches beyond an image is ignored. `None` takes whole images.
    """
    size = tile or arrays.size
    places = windows(arrays.sizes, tile)
    count = batch_size if size is not None else 1
    weight_of = _weight_table(None)

    def batch(number: int) -> Batch:
        images, masks, weights = [], [], []
        for index, top, left in places[number * count : (number + 1) * count]:
            image, mask = arrays[index]
            shown = size or mask.shape
            images.append(cut_image(image, top, left, shown))
            masks.append(cut_labels(mask, top, left, shown))
            weights.append(weight_of[masks[-1]] * arrays.weights[index])
        return (
            np.stack(images).astype(np.float32),
            np.stack(masks).astype(np.int32),
            np.stack(weights),
        )

    signature = _signature((None, *(size or (None, None)), arrays.channels))
    return in_order(range(steps_per_epoch(len(places), count)), batch, signature)


def windows(sizes: np.ndarray, tile: tuple[int, int] | None) -> list[tuple[int, int, int]]:
    """Place, top and left of tiles that cover images of sizes `(n, 2)` side by side.

    Without a size of tiles, there is one for each image.
    """
    return [
        (index, top, left)
        for index, (height, width) in enumerate(sizes.tolist())
        for top in range(0, height, tile[0] if tile else height)
        for left in range(0, width, tile[1] if tile else width)
    ]


def epoch_batches(
    number: int,
    batch_size: int,
    seed: int,
    epoch: int,
    batch: Callable[[Sequence[Drawn]], Any],
    signature: Callable[[int], Any],
    *,
    skip: int = 0,
    shard: tuple[int, int] | None = None,
    epochs: int = 1,
) -> tf.data.Dataset:
    """Batches of one epoch or several, of whatever samples; see `train_batches`.

    Args:
        number: Of the samples.
        batch_size: Samples in a step of all workers together.
        seed: Of order and augmentation.
        epoch: Number of the first epoch, from 0.
        batch: From places of samples, each with a generator of its own, to arrays in any nesting.
        signature: From the samples in a batch of one worker to `tf.TensorSpec`s in that nesting.
        skip: As in `train_batches`; so the next two.
    """
    worker, share = _part_of(batch_size, shard)
    steps = steps_per_epoch(number, batch_size)
    order = _shuffled(seed, number, steps * batch_size)

    def make(at: int) -> Any:
        of_epoch, step = epoch + at // steps, at % steps
        first = step * batch_size + worker * share
        drawn = []
        for place in range(first, first + share):
            index, again = int(order(of_epoch)[place]), place // number
            key = [seed, of_epoch, index, again] if again else [seed, of_epoch, index]
            drawn.append((index, np.random.default_rng(key)))
        return batch(drawn)

    return in_order(range(skip, steps * epochs), make, signature(share))


def _shuffled(seed: int, number: int, length: int) -> Callable[[int], np.ndarray]:
    """Function from an epoch to the order of `number` samples in it, repeated up to `length`."""

    @lru_cache(maxsize=4)
    def order(epoch: int) -> np.ndarray:
        return np.resize(np.random.default_rng([seed, epoch]).permutation(number), length)

    return order


def _part_of(batch_size: int, shard: tuple[int, int] | None) -> tuple[int, int]:
    """Number of a worker and the rows that it takes of every batch.

    Raises:
        ConfigError: If the workers cannot share a batch evenly.
    """
    worker, workers = shard or (0, 1)
    if batch_size < 1 or batch_size % workers or not 0 <= worker < workers:
        raise ConfigError(
            f"Expected a batch size that {workers} workers can share evenly; "
            f"received {batch_size} for worker {worker}."
        )
    return worker, batch_size // workers


def in_order(numbers: range, batch: Callable[[int], Any], signature: Any) -> tf.data.Dataset:
    """Data set of the batches with these numbers, made side by side and handed out in order.

    Args:
        numbers: Of the batches.
        batch: From a number to arrays in any nesting.
        signature: `tf.TensorSpec`s in the same nesting.
    """
    specs = tf.nest.flatten(signature)

    def make(number: tf.Tensor) -> Any:
        arrays = tf.numpy_function(
            lambda value: tf.nest.flatten(batch(int(value))),
            [number],
            [spec.dtype for spec in specs],
            stateful=False,
        )
        shaped = [tf.ensure_shape(a, spec.shape) for a, spec in zip(arrays, specs, strict=True)]
        return tf.nest.pack_sequence_as(signature, shaped)

    options = tf.data.Options()
    # Workers get their part by `shard`; files, which TensorFlow would divide, there are none.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    options.deterministic = True
    # When an iteration ends, TensorFlow 2.21 waits for its autotuner to wake up, which sleeps for
    # as long as the iteration has taken so far, up to a minute: a third of a run was lost.
    options.autotune.enabled = False
    dataset = tf.data.Dataset.range(numbers.start, numbers.stop)
    dataset = dataset.map(make, num_parallel_calls=min(os.cpu_count() or 1, _MOST_THREADS))
    return dataset.prefetch(2).with_options(options)


def _signature(shape: tuple[int | None, ...]) -> tuple[tf.TensorSpec, ...]:
    """Of images of a shape `(b, h, w, c)`, their labels and weights."""
    return (
        tf.TensorSpec(shape, tf.float32),
        tf.TensorSpec(shape[:-1], tf.int32),
        tf.TensorSpec(shape[:-1], tf.float32),
    )


def _weight_table(class_weights: np.ndarray | None) -> np.ndarray:
    """Weight of a pixel by its label, `(256,)`; the ignore label has none."""
    table = np.ones(256, np.float32)
    if class_weights is not None:
        table[: len(class_weights)] = class_weights
    table[IGNORE_LABEL] = 0
    return table


def _chances(arrays: Arrays, favor: np.ndarray) -> np.ndarray:
    """Chance of each class to be drawn in each sample, `(n, num_classes)`; rows sum to 1 or 0."""
    present = (arrays.counts(len(favor)) > 0) * favor
    return present / np.maximum(present.sum(axis=1, keepdims=True), np.finfo(float).tiny)


def _favored(
    labels: np.ndarray, chances: np.ndarray, crop: tuple[int, int], rng: np.random.Generator
) -> tuple[float, float]:
    """Middle of a crop near a pixel of a class drawn by chance."""
    label = rng.choice(len(chances), p=chances)
    pixels = np.flatnonzero(labels == label)
    row, column = divmod(int(pixels[rng.integers(len(pixels))]), labels.shape[1])
    return (
        row + crop[0] * rng.uniform(-_JITTER, _JITTER),
        column + crop[1] * rng.uniform(-_JITTER, _JITTER),
    )
