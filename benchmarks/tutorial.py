"""The TensorFlow image segmentation tutorial's recipe, rebuilt from its description, as a racer.

Called by race.py with the folder of the task. It shares no code with Maskwright on purpose: a
rival built from our own parts would inherit our mistakes.

Source: TensorFlow tutorials, "Image segmentation", read in 2026: MobileNetV2 frozen and fed pixels
in [0, 1], up-sampling blocks of pix2pix, Adam at its default rate, cross-entropy, left-right flips,
batches of 64 out of a cached data set.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from exchange import IGNORE_LABEL, Stopwatch, Task, pad, read_task, write_result

BATCH_SIZE = 64
SKIPS = (
    "block_1_expand_relu",
    "block_3_expand_relu",
    "block_6_expand_relu",
    "block_13_expand_relu",
    "block_16_project",
)
PER_CLASS = 160 * 9 + 1
"""Parameters that each class has in the last layer, 3 by 3 on 160 channels and a bias."""
PARAMETERS = 6_504_227 - 3 * PER_CLASS
TRAINABLE = 4_660_323 - 3 * PER_CLASS
"""The tutorial's figures are for three classes."""


class StopWhenOver(keras.callbacks.Callback):
    """Ends training after the step in which its time runs out."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def on_train_begin(self, logs=None):
        """Start the clock; the first step, which compiles, is on it."""
        self.clock = Stopwatch(self.seconds)

    def on_train_batch_end(self, batch, logs=None):
        """Count the step."""
        self.clock.step()
        if self.clock.done >= 1:
            self.model.stop_training = True


def upsample(filters: int) -> keras.Sequential:
    """Twice the height and width: pix2pix's block with batch normalization, without dropout."""
    start = keras.initializers.RandomNormal(0.0, 0.02)
    return keras.Sequential(
        [
            layers.Conv2DTranspose(
                filters, 3, strides=2, padding="same", kernel_initializer=start, use_bias=False
            ),
            layers.BatchNormalization(),
            layers.ReLU(),
        ]
    )


def tutorial_unet(
    size: Sequence[int], num_classes: int, encoder_weights: str | None
) -> keras.Model:
    """Build the tutorial's U-Net for images `(h, w)` in [0, 1]; both sides multiples of 32.

    The encoder is frozen where it has weights; a random one is trained, since the rest of the
    network could do nothing with features that never change.

    Raises:
        RuntimeError: If the parameters are not as many as the tutorial's.
    """
    encoder = keras.applications.MobileNetV2(
        input_shape=(*size, 3), include_top=False, weights=encoder_weights
    )
    down = keras.Model(encoder.input, [encoder.get_layer(name).output for name in SKIPS])
    down.trainable = False

    inputs = keras.Input((*size, 3))
    *skips, x = down(inputs)
    for filters, skip in zip((512, 256, 128, 64), reversed(skips), strict=True):
        x = layers.Concatenate()([upsample(filters)(x), skip])
    x = layers.Conv2DTranspose(num_classes, 3, strides=2, padding="same")(x)
    model = keras.Model(inputs, x)

    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    expected = PARAMETERS + num_classes * PER_CLASS, TRAINABLE + num_classes * PER_CLASS
    if (model.count_params(), trainable) != expected:
        raise RuntimeError(
            f"Expected the tutorial's {expected[0]} parameters, {expected[1]} trainable; "
            f"built {model.count_params()}, {trainable}."
        )
    down.trainable = encoder_weights is None
    return model


def flip(images, labels, weights):
    """Mirror half of the images of a batch, each with its mask."""
    chosen = tf.random.uniform([tf.shape(images)[0]]) < 0.5
    mirrored = chosen[:, None, None]
    return (
        tf.where(mirrored[..., None], images[:, :, ::-1], images),
        tf.where(mirrored, labels[:, :, ::-1], labels),
        tf.where(mirrored, weights[:, :, ::-1], weights),
    )


def train(task: Task) -> tuple[keras.Model, Stopwatch]:
    """Train for the seconds of the task."""
    keras.utils.set_random_seed(task.settings.seed)
    images = pad(task.train_images, None)
    labels = pad(task.train_labels, IGNORE_LABEL)

    def prepare(image, label):
        # The tutorial knows no ignore label; weights of zero keep such pixels out of its loss.
        counted = label != IGNORE_LABEL
        label = tf.where(counted, label, tf.zeros_like(label))
        return tf.cast(image, tf.float32) / 255.0, label, tf.cast(counted, tf.float32)

    batches = (
        tf.data.Dataset.from_tensor_slices((images, labels))
        .map(prepare, num_parallel_calls=tf.data.AUTOTUNE)
        .cache()
        .shuffle(1000, seed=task.settings.seed)
        .batch(BATCH_SIZE)
        .repeat()
        .map(flip)
        .prefetch(tf.data.AUTOTUNE)
    )
    model = tutorial_unet(
        images.shape[1:3], task.settings.num_classes, task.settings.encoder_weights
    )
    model.compile(
        optimizer="adam",
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    stop = StopWhenOver(task.settings.seconds)
    model.fit(
        batches,
        epochs=sys.maxsize,
        steps_per_epoch=max(1, len(images) // BATCH_SIZE),
        callbacks=[stop],
        verbose=0,
    )
    return model, stop.clock


def main(folder: Path) -> None:
    """Train, predict and hand in."""
    task = read_task(folder)
    model, clock = train(task)
    height, width = task.test_images.shape[1:3]
    images = pad(task.test_images, None)
    labels = [
        np.argmax(model.predict_on_batch(images[i : i + 8].astype(np.float32) / 255), axis=-1)
        for i in range(0, len(images), 8)
    ]
    predictions = np.concatenate(labels)[:, :height, :width]
    write_result(folder, "tutorial", predictions, clock.steps, clock.seconds)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
