"""Epochs of any kind of sample as `tf.data`: what a step sees depends on seed, epoch and sample."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import count
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from maskwright.errors import ConfigError

Item = TypeVar("Item")
Window = tuple[int, int, int, tuple[int, int]]
"""Index of an image; top, left, and height and width of a window in it."""

_MAX_THREADS = 8  # that make batches


@dataclass(frozen=True)
class EpochSchedule:
    """Which batches of which epochs one worker makes.

    Args:
        batch_size: Samples in a step of all workers together.
        epoch: Number of the first epoch, from 0, of which `skip` batches were already used.
        shard: Index and count of workers, each with its part of every batch; `None` for one alone.
        epochs: Number of epochs, one after the other without a pause.
    """

    batch_size: int
    seed: int = 0
    epoch: int = 0
    skip: int = 0
    shard: tuple[int, int] | None = None
    epochs: int = 1

    def rows(self) -> tuple[int, int]:
        """First row that this worker makes of a batch, and how many; `ConfigError` if uneven."""
        worker, workers = self.shard or (0, 1)
        if self.batch_size < 1 or self.batch_size % workers or not 0 <= worker < workers:
            raise ConfigError(
                f"Expected a batch size that {workers} workers can share evenly; "
                f"received {self.batch_size} for worker {worker}."
            )
        share = self.batch_size // workers
        return worker * share, share


def steps_per_epoch(num_samples: int, batch_size: int) -> int:
    """Batches that show every sample at least once."""
    return -(-num_samples // batch_size)


def epoch_batches(
    num_samples: int,
    schedule: EpochSchedule,
    draw: Callable[[int, np.random.Generator], Item],
    collate: Callable[[Iterable[Item], Sequence[int]], Any],
    signature: Callable[[int], Any],
) -> tf.data.Dataset:
    """Batches of one epoch or several.

    The order comes from `(seed, epoch)` and the generator of a sample from `(seed, epoch, sample)`,
    whatever the number of threads. Every batch is full: the last one of an epoch is filled from the
    start of its order, with other generators.

    Args:
        draw: From the index of a sample and its generator to the augmented sample.
        collate: From augmented samples, made as they are taken, and their indices to arrays.
        signature: From the samples in a batch of one worker to `tf.TensorSpec`s, nested as arrays.
    """
    first_row, share = schedule.rows()
    steps = steps_per_epoch(num_samples, schedule.batch_size)

    @lru_cache(maxsize=4)
    def order(epoch: int) -> np.ndarray:
        shuffled = np.random.default_rng([schedule.seed, epoch]).permutation(num_samples)
        return np.resize(shuffled, steps * schedule.batch_size)

    def item(epoch: int, index: int, position: int) -> Item:
        repetition = position // num_samples
        key = [schedule.seed, epoch, index, *([repetition] if repetition else [])]
        return draw(index, np.random.default_rng(key))

    def batch(number: int) -> Any:
        epoch, step = schedule.epoch + number // steps, number % steps
        first = step * schedule.batch_size + first_row
        indices = order(epoch)[first : first + share].tolist()
        return collate(map(partial(item, epoch), indices, count(first)), indices)

    return in_order(range(schedule.skip, steps * schedule.epochs), batch, signature(share))


def window_batches(
    sizes: np.ndarray,
    batch_size: int,
    tile: tuple[int, int] | None,
    collate: Callable[[Sequence[Window]], Any],
    signature: Callable[[tuple[int | None, int | None]], Any],
) -> tf.data.Dataset:
    """Batches of windows that cover every image once, in order; the last batch may be short.

    Args:
        sizes: Height and width of each image, `(n, 2)`.
        batch_size: Windows in a batch; 1 is used where images differ in size and are not tiled.
        tile: Height and width of tiles, which may reach beyond an image; `None` for whole images.
        collate: From windows to arrays in any nesting.
        signature: From the size of the windows, `None` where it varies, to `tf.TensorSpec`s.
    """
    windows = [
        (index, top, left, tile or (height, width))
        for index, (height, width) in enumerate(sizes.tolist())
        for top in range(0, height, tile[0] if tile else height)
        for left in range(0, width, tile[1] if tile else width)
    ]
    shapes = {size for *_, size in windows}
    size = next(iter(shapes)) if len(shapes) == 1 else None
    share = batch_size if size is not None else 1

    def batch(number: int) -> Any:
        return collate(windows[number * share : (number + 1) * share])

    numbers = range(steps_per_epoch(len(windows), share))
    return in_order(numbers, batch, signature(size or (None, None)))


def output_size(size: tuple[int, int] | None, crop: tuple[int, int] | None) -> tuple[int, int]:
    """Size of training images: that of the crop, else `size`, which all images must have."""
    if crop is None and size is None:
        raise ConfigError(
            "Expected images of one working size or a crop; the images differ in size and no "
            "crop is set."
        )
    return crop or size or (0, 0)


def in_order(numbers: range, batch: Callable[[int], Any], signature: Any) -> tf.data.Dataset:
    """Batches with these numbers, nested as `signature`, made side by side, handed out in order."""
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
    # as long as the iteration has taken so far, up to a minute: which was a third of a run.
    options.autotune.enabled = False
    dataset = tf.data.Dataset.range(numbers.start, numbers.stop)
    dataset = dataset.map(make, num_parallel_calls=min(os.cpu_count() or 1, _MAX_THREADS))
    return dataset.prefetch(2).with_options(options)
