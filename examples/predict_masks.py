"""Predict masks with a small encoder-decoder: one foreground class, a sigmoid, Keras's own fit.

    python examples/predict_masks.py runs/predict_masks --epochs 20

Draws cells, trains on images and masks that are augmented together, predicts masks of images never
trained on, thresholds them, and writes image, true mask and prediction beside each other.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import maskwright
from maskwright.data.synthetic import write_dataset
from maskwright.imageio import write_image


def arrays(data: maskwright.data.DataSet, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 `(n, h, w, 3)` and masks uint8 `(n, h, w, 1)` of 0 and 1."""
    samples = data.of(split)
    images = np.stack([data.read_image(sample) for sample in samples])
    masks = np.stack([data.read_mask(sample) > 0 for sample in samples])
    return images, masks[..., None].astype(np.uint8)


def small_network() -> keras.Model:
    """186,433 parameters: two convolutions, half the size, one more, and back up to a sigmoid."""
    logits = maskwright.models.small(num_classes=1)
    return keras.Sequential([logits, keras.layers.Activation("sigmoid")])


def main(out: Path, epochs: int = 20, num_images: int = 60, size: int = 96) -> float:
    """Train and predict; the IoU of the masks on the test split."""
    data = maskwright.open_dataset(write_dataset(out / "data", num_images=num_images, size=size))
    train = tf.data.Dataset.from_tensor_slices(arrays(data, "train")).shuffle(100, seed=0).batch(8)
    train = maskwright.augment.augment_dataset(
        train, {"flip_horizontal": 0.5, "rotate_degrees": 15}, seed=0
    )

    model = small_network()
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss=maskwright.losses.Dice(from_logits=False),
        metrics=[maskwright.metrics.MeanIoU(2, from_logits=False)],
    )
    model.fit(
        train,
        validation_data=tf.data.Dataset.from_tensor_slices(arrays(data, "val")).batch(8),
        epochs=epochs,
        shuffle=False,  # the data set is shuffled
        callbacks=[
            keras.callbacks.ModelCheckpoint(out / "best.keras", save_best_only=True),
            keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True),
        ],
        verbose=0,
    )

    images, masks = arrays(data, "test")
    predicted = (model.predict(images, verbose=0) > 0.5).astype(np.uint8)
    for number, (image, true, mask) in enumerate(zip(images, masks, predicted, strict=True)):
        shown = [image, *(np.repeat(each * 255, 3, axis=-1) for each in (true, mask))]
        write_image(out / "predictions" / f"{number:03}.png", np.hstack(shown))
    both = (predicted & masks).sum()
    return float(both / (predicted | masks).sum())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--epochs", type=int, default=20)
    arguments = parser.parse_args()
    print(f"IoU on the test split: {main(arguments.out, arguments.epochs):.3f}")
