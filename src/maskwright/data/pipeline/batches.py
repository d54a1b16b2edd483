"""Images with masks → batches of images, labels and weights of pixels."""

from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from maskwright.data.geometry import cut_image, cut_labels
from maskwright.data.pipeline.arrays import Arrays, class_chances, favored_center, weight_table
from maskwright.data.pipeline.augment import augment
from maskwright.data.pipeline.augmentation import Augmentation
from maskwright.data.pipeline.epochs import (
    EpochSchedule,
    Window,
    epoch_batches,
    output_size,
    window_batches,
)
from maskwright.errors import ConfigError

Batch = tuple[np.ndarray, np.ndarray, np.ndarray]


def train_batches(
    arrays: Arrays,
    schedule: EpochSchedule,
    augmentation: Augmentation,
    crop: tuple[int, int] | None = None,
    favor: np.ndarray | None = None,
    class_weights: np.ndarray | None = None,
) -> tf.data.Dataset:
    """Batches of images, labels and weights of pixels, as `epoch_batches` orders them.

    A second iteration repeats the first. For `fit`, state `epochs` in the schedule and its
    `steps_per_epoch`, or use `augment_dataset`.

    Args:
        crop: Height and width of a window at the scale of the arrays; `None` takes whole images,
            which must then be of one size.
        favor: Chance of each class to be in the middle of a crop, `(num_classes,)`, as
            `rare_class_weights` gives; `None` places crops anywhere.
        class_weights: Weight of the pixels of each class, `(num_classes,)`; `None` for ones.

    Returns:
        Images float32 `(b, h, w, c)`, labels int32 `(b, h, w)` and weights float32 `(b, h, w)`:
        class weight times sample weight, 0 where the label is ignored. `ConfigError` if the sizes
        differ and there is no crop, or workers cannot share a batch.
    """
    size = output_size(arrays.size, crop)
    if favor is not None and crop is None:
        raise ConfigError("Favoring rare classes chooses where to crop; set a crop with it.")
    chances = None if favor is None else class_chances(arrays, favor)
    weight_of = weight_table(class_weights)

    def draw(index: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        image, labels = arrays[index]
        center = None
        if chances is not None and chances[index].any():
            center = favored_center(labels, chances[index], size, rng)
        span = arrays.value_range
        return augment(
            image, labels, augmentation, rng, size, center, window=crop, value_range=span
        )

    def collate(items: Iterable[tuple[np.ndarray, np.ndarray]], indices: Sequence[int]) -> Batch:
        images = np.empty((len(indices), *size, arrays.channels), np.float32)
        labels = np.empty((len(indices), *size), np.int32)
        weights = np.empty((len(indices), *size), np.float32)
        for row, ((image, mask), index) in enumerate(zip(items, indices, strict=True)):
            images[row], labels[row] = image, mask
            np.take(weight_of, mask, out=weights[row])
            weights[row] *= arrays.weights[index]
        return images, labels, weights

    return epoch_batches(
        len(arrays), schedule, draw, collate, lambda share: _specs((share, *size, arrays.channels))
    )


def eval_batches(
    arrays: Arrays, batch_size: int, tile: tuple[int, int] | None = None
) -> tf.data.Dataset:
    """The same triple, unaugmented, as `window_batches` orders it; ignored beyond the image."""
    weight_of = weight_table(None)

    def collate(windows: Sequence[Window]) -> Batch:
        images, masks, weights = [], [], []
        for index, top, left, size in windows:
            image, mask = arrays[index]
            images.append(cut_image(image, top, left, size))
            masks.append(cut_labels(mask, top, left, size))
            weights.append(weight_of[masks[-1]] * arrays.weights[index])
        labels = np.stack(masks).astype(np.int32)
        return np.stack(images).astype(np.float32), labels, np.stack(weights)

    return window_batches(
        arrays.sizes, batch_size, tile, collate, lambda size: _specs((None, *size, arrays.channels))
    )


def _specs(shape: tuple[int | None, ...]) -> tuple[tf.TensorSpec, ...]:
    """Of images of a shape `(b, h, w, c)`, their labels and weights."""
    labels, weights = (tf.TensorSpec(shape[:-1], kind) for kind in (tf.int32, tf.float32))
    return tf.TensorSpec(shape, tf.float32), labels, weights
