"""Classify masked regions over several images, from three lists, with a training step of your own.

    python examples/classify_regions.py runs/classify --epochs 20

The three lists are paths of images, paths of their masks, and the answer of each case, of which
each has several images. Every case becomes a bag of crops whose pixels outside the mask are
removed; a network gives scores for each crop, and their mean decides. There are three answers here,
by a softmax; with two, `num_classes=1` and a sigmoid do the same.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import maskwright
from maskwright.data.synthetic import write_dataset
from maskwright.imageio import read_image

CROP = maskwright.regions.CropSpec(kind="components", size=32, context=0.2, outside="removed")
ANSWERS = ("few cells", "some cells", "many cells")


def three_lists(out: Path, num_images: int) -> tuple[list[list[Path]], list[list[Path]], list[int]]:
    """Images of each case, their masks, and the answer of each case; here drawn.

    The answer is how much of the two images of a case is covered by cells.
    """
    folder = write_dataset(out / "data", num_images=num_images, size=96)
    images = sorted((folder / "images").glob("*.png"))
    masks = [folder / "masks" / path.name for path in images]
    cases = [slice(start, start + 2) for start in range(0, len(images) - 1, 2)]
    covered = [np.mean([read_image(m) > 0 for m in masks[case]]) for case in cases]
    limits = np.quantile(covered, [1 / 3, 2 / 3])
    answers = [int(np.searchsorted(limits, share)) for share in covered]
    return [images[case] for case in cases], [masks[case] for case in cases], answers


def bag(images: list[Path], masks: list[Path], most: int = 16) -> np.ndarray:
    """Crops float32 `(most, 32, 32, 3)` of the largest regions of a case, the rest zeros."""
    found = []
    for image, mask in zip(images, masks, strict=True):
        labels = read_image(mask)[..., 0]
        found += maskwright.regions.extract(read_image(image), labels > 0, CROP)
    found.sort(key=lambda region: -region.area_px)
    crops = np.zeros((most, 32, 32, 3), np.float32)
    for place, region in enumerate(found[:most]):
        crops[place] = region.crop
    return crops


def build(num_classes: int, most: int = 16) -> keras.Model:
    """Bags of crops `(b, n, 32, 32, 3)` to logits `(b, num_classes)`, the mean of their scores."""
    one = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(num_classes),
        ],
        name="one_region",
    )
    bags = keras.Input((most, 32, 32, 3))
    scores = layers.TimeDistributed(one)(bags)
    return keras.Model(bags, layers.GlobalAveragePooling1D()(scores))


def main(out: Path, epochs: int = 20, num_images: int = 80) -> float:
    """Train with a `GradientTape`; the accuracy on cases that were held out."""
    keras.utils.set_random_seed(0)
    images, masks, answers = three_lists(out, num_images)
    x = np.stack([bag(*case) for case in zip(images, masks, strict=True)])
    y = np.array(answers)
    held_out = np.arange(len(y)) % 4 == 0  # whole cases, never single images of one

    model = build(len(ANSWERS))
    optimizer = keras.optimizers.Adam(2e-3)
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def step(crops, truth):
        with tf.GradientTape() as tape:
            loss = entropy(truth, model(crops, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    batches = tf.data.Dataset.from_tensor_slices((x[~held_out], y[~held_out]))
    batches = batches.shuffle(100, seed=0).batch(8)
    for epoch in range(epochs):
        losses = [float(step(crops, truth)) for crops, truth in batches]
        if epoch % 5 == 4:
            print(f"epoch {epoch + 1}: loss {np.mean(losses):.3f}")
    probabilities = keras.ops.softmax(model(x[held_out]))
    return float(np.mean(np.argmax(probabilities, axis=-1) == y[held_out]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--epochs", type=int, default=20)
    arguments = parser.parse_args()
    print(f"Accuracy on held-out cases: {main(arguments.out, arguments.epochs):.3f}")
