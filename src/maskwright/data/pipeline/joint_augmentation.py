"""Joint augmentation for `fit`: of a `tf.data.Dataset`, and as a Keras layer on dictionaries."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from maskwright.data.pipeline.augment import augment
from maskwright.data.pipeline.augmentation import Augmentation
from maskwright.labels import IGNORE_LABEL

Tensor = Any
_MOST_SEED = 2**31 - 1
_MAX_THREADS = 8


@keras.saving.register_keras_serializable(package="maskwright")
class JointAugmentation(keras.layers.Layer):
    """Random changes of images together with their masks, which no layer of Keras makes.

    Image and mask go through one geometric map; the image is interpolated and reflected at its
    border, the mask takes the nearest label. Light and lens change the image alone. It works on the
    CPU: in a data set, which `augment_dataset` keeps reproducible, or in a training step of your
    own. It changes nothing with `training=False`.

    Args:
        augmentation: One of `STRENGTHS`, such as `"medium"`, or single settings by name, as of
            `Augmentation`, or an `Augmentation`.
        value_range: Lowest and highest value of a pixel, such as `(0, 1)`. `None` is 0 to 255 for
            uint8; other types need it.
        size: Height and width of random crops; `None` keeps the size of the images. Images that
            are smaller than a crop are reflected.
        border_label: Label of pixels beyond the border of the image, which losses of `maskwright`
            ignore; give that of the background for losses that ignore none.
        seed: Integer for the same changes in each run; calls differ from each other.

    Call arguments:
        inputs: Dictionary of `images`, `(height, width, channels)` or `(batch, height, width,
            channels)`, and `masks`, integer labels from 0 to 255 with or without a last axis of 1.
            Other entries are returned as they are.
        training: Whether to change anything, `True` by default.

    Returns:
        The dictionary, with images float32 and masks of their type, of static shape.

    Raises:
        ValueError: If an entry is missing, shapes do not fit, or the range of values is not known.
        ConfigError: If there is no such augmentation.
    """

    def __init__(
        self,
        augmentation: str | Mapping[str, Any] | Augmentation = "medium",
        value_range: tuple[float, float] | None = None,
        size: tuple[int, int] | None = None,
        border_label: int = IGNORE_LABEL,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.augmentation = _augmentation(augmentation)
        self.value_range = None if value_range is None else (value_range[0], value_range[1])
        self.size = None if size is None else (size[0], size[1])
        self.border_label = border_label
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)
        self.supports_jit = False  # NumPy and OpenCV make the changes

    def call(self, inputs: dict[str, Tensor], training: bool = True) -> dict[str, Tensor]:
        """Changed images and masks; see the class."""
        seeds = keras.random.randint((2,), 0, _MOST_SEED, "int32", self.generator)
        return self.with_seeds(inputs, seeds) if training else inputs

    def with_seeds(self, inputs: dict[str, Tensor], seeds: Tensor) -> dict[str, Tensor]:
        """Images and masks changed as seeds decide, integers `(n,)` not below 0."""
        missing = {"images", "masks"} - (inputs.keys() if isinstance(inputs, Mapping) else set())
        if missing:
            raise ValueError(
                f"`JointAugmentation` expects a dictionary of images and masks; it lacks "
                f"{' and '.join(sorted(missing))}."
            )
        images, masks = (tf.convert_to_tensor(inputs[name]) for name in ("images", "masks"))
        value_range = self._range(images.dtype)
        shape = self._shape(images.shape, masks.shape)
        mask_shape = [*shape[:-1], *masks.shape[len(shape) - 1 :]]

        def change(images: np.ndarray, masks: np.ndarray, seeds: np.ndarray) -> Any:
            return self._change(images, masks, seeds, value_range)

        changed, moved = tf.numpy_function(
            change, [images, masks, seeds], [tf.float32, masks.dtype], stateful=False
        )
        parts = {
            "images": tf.ensure_shape(changed, shape),
            "masks": tf.ensure_shape(moved, mask_shape),
        }
        return {**inputs, **parts}

    def _range(self, dtype: tf.DType) -> tuple[float, float]:
        if self.value_range is not None:
            return self.value_range
        if dtype != tf.uint8:
            raise ValueError(
                f"`JointAugmentation` needs the range of pixel values of {dtype.name} images: pass "
                f"`value_range`, such as (0, 1) or (0, 255)."
            )
        return 0.0, 255.0

    def _shape(self, images: tf.TensorShape, masks: tf.TensorShape) -> list[int | None]:
        """Static shape of the changed images; `ValueError` where images and masks do not fit."""
        fits = images.rank in (3, 4) and masks.rank in (images.rank - 1, images.rank)
        if fits:
            fits = masks[: images.rank - 1].is_compatible_with(images[:-1])
            fits = fits and (masks.rank < images.rank or masks[-1] == 1)
        if not fits:
            raise ValueError(
                f"`JointAugmentation` expects images (batch, height, width, channels), or one "
                f"without the batch, and one label for each of their pixels; received images of "
                f"shape {images} and masks of shape {masks}."
            )
        return [*images[:-3], *(self.size or images[-3:-1]), images[-1]]

    def _change(
        self,
        images: np.ndarray,
        masks: np.ndarray,
        seeds: np.ndarray,
        value_range: tuple[float, float],
    ) -> tuple[np.ndarray, np.ndarray]:
        labels = masks.astype(np.uint8)
        if not np.array_equal(labels, masks):
            raise ValueError("`JointAugmentation` expects masks of whole numbers from 0 to 255.")
        batch = images.reshape(-1, *images.shape[-3:])
        labels = labels.reshape(batch.shape[:3])
        if batch.dtype not in (np.uint8, np.uint16, np.float32):
            batch = batch.astype(np.float32)
        size = self.size or (batch.shape[1], batch.shape[2])
        changed = np.empty((len(batch), *size, batch.shape[-1]), np.float32)
        moved = np.empty((len(batch), *size), np.uint8)
        for row, (image, mask) in enumerate(zip(batch, labels, strict=True)):
            rng = np.random.default_rng([*seeds.tolist(), row])
            changed[row], moved[row] = augment(
                image, mask, self.augmentation, rng, size, window=size, value_range=value_range
            )
        moved[moved == IGNORE_LABEL] = self.border_label
        whole = (*images.shape[:-3], *size)
        after = (*whole, *masks.shape[images.ndim - 1 :])
        return changed.reshape(*whole, -1), moved.reshape(after).astype(masks.dtype)

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild the layer."""
        names = ("value_range", "size", "border_label", "seed")
        arguments = {name: getattr(self, name) for name in names}
        unchanged = asdict(Augmentation())
        settings = {k: v for k, v in asdict(self.augmentation).items() if v != unchanged[k]}
        return {**super().get_config(), "augmentation": settings, **arguments}


def augment_dataset(
    dataset: tf.data.Dataset,
    augmentation: str | Mapping[str, Any] | Augmentation = "medium",
    *,
    value_range: tuple[float, float] | None = None,
    size: tuple[int, int] | None = None,
    border_label: int = IGNORE_LABEL,
    seed: int = 0,
) -> tf.data.Dataset:
    """A data set of images and masks with changes that are new each time it is iterated over.

    `fit` iterates once an epoch. A seed gives the same epochs in each run, however many threads
    work.

    Args:
        dataset: Pairs `(images, masks)`, with weights of images as a third part if need be, or
            dictionaries of `images` and `masks`; single or batched, see `JointAugmentation` for
            these and all other arguments.

    Raises:
        ValueError: As of `JointAugmentation`, or where an element is neither.
    """
    layer = JointAugmentation(augmentation, value_range, size, border_label)

    def change(element: Any, seeds: Tensor) -> Any:
        if isinstance(element, Mapping):
            return layer.with_seeds(dict(element), seeds)
        if not isinstance(element, tuple) or len(element) not in (2, 3):
            raise ValueError(
                "`augment_dataset` expects elements (images, masks), with weights of images as a "
                "third part if need be, or dictionaries of images and masks."
            )
        changed = layer.with_seeds({"images": element[0], "masks": element[1]}, seeds)
        return changed["images"], changed["masks"], *element[2:]

    seeds = tf.data.Dataset.random(seed, rerandomize_each_iteration=True).batch(2)
    pairs = tf.data.Dataset.zip(dataset, seeds)
    return pairs.map(change, min(os.cpu_count() or 1, _MAX_THREADS), deterministic=True)


def _augmentation(given: str | Mapping[str, Any] | Augmentation) -> Augmentation:
    """Augmentation by its strength, by its settings, or as it is."""
    if isinstance(given, str):
        return Augmentation.named(given)
    return given if isinstance(given, Augmentation) else Augmentation.named("none", **given)
