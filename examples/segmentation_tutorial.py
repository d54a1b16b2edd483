"""The segmentation tutorial step by step: load, show, build, train, look, change one thing.

    python examples/segmentation_tutorial.py runs/tutorial --epochs 10

1. Load images and masks, here in the layout of Kaggle's Carvana challenge, and show some.
2. Build a MobileNetV2 U-Net from layers by name, and draw it.
3. Predict before training; train, and draw predictions after every epoch; draw the curves.
4. Once more with class weights, with other layers, and with another encoder.

Everything that is shown becomes a picture in the output folder.
"""

import argparse
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import maskwright
from maskwright.data.synthetic import write_dataset
from maskwright.imageio import write_image
from maskwright.training.diagram import diagram

COLORS = np.array([(0, 0, 0), (230, 159, 0), (86, 180, 233)], np.uint8)
OTHER_LAYERS = {
    2: "block_1_expand_relu",
    4: "block_3_expand_relu",
    8: "block_6_expand_relu",
    16: "block_12_add",
    32: "block_16_project",
}


def write_carvana(out: Path, num_images: int, size: int) -> Path:
    """Drawn cells as `train/NAME.png` and `train_masks/NAME_mask.png`."""
    data = maskwright.open_dataset(write_dataset(out / "drawn", num_images=num_images, size=size))
    for sample in data.samples:
        write_image(out / "carvana" / "train" / f"{sample.id}.png", data.read_image(sample))
        mask = data.read_mask(sample).astype(np.uint8)
        write_image(out / "carvana" / "train_masks" / f"{sample.id}_mask.png", mask)
    names = {0: "background", 1: "round", 2: "spindle"}
    lines = [f"  {value}: {name}" for value, name in names.items()]
    text = "\n".join(["images: train", "masks: train_masks", "values:", *lines])
    (out / "carvana" / "data.yaml").write_text(text + "\n", encoding="utf-8")
    return out / "carvana"


def arrays(data: maskwright.data.DataSet, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 `(n, h, w, 3)` and masks uint8 `(n, h, w)`."""
    pairs = [data.read(sample) for sample in data.of(split)]
    return np.stack([image for image, _ in pairs]), np.stack([mask for _, mask in pairs])


def show(path: Path, images: np.ndarray, *masks: np.ndarray) -> None:
    """Write a picture: a row for each image, with its masks in colors beside it."""
    rows = zip(images, *(COLORS[mask] for mask in masks), strict=True)
    write_image(path, np.vstack([np.hstack(row) for row in rows]))


class DisplayCallback(keras.callbacks.Callback):
    """Draws the predictions for some images after every epoch."""

    def __init__(self, folder: Path, images: np.ndarray, masks: np.ndarray) -> None:
        super().__init__()
        self.folder, self.images, self.masks = folder, images, masks

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Draw image, true mask and predicted mask."""
        predicted = self.model.predict(self.images, verbose=0).argmax(axis=-1)
        show(self.folder / f"epoch_{epoch + 1:02}.png", self.images, self.masks, predicted)


def unet(encoder: str, taps: dict[int, str] | None = None, **options: Any) -> keras.Model:
    """A light U-Net on an encoder; `weights="imagenet"` starts it from features of photographs."""
    return maskwright.models.SegmenterSpec(
        num_classes=3, decoder_name="light", encoder_name=encoder, taps=taps, **options
    ).build()


def train(
    model: keras.Model,
    data: maskwright.data.DataSet,
    epochs: int,
    class_weights: list[float] | None = None,
    callbacks: tuple[Any, ...] = (),
) -> dict[str, list[float]]:
    """Compile and fit; the history."""
    images, masks = arrays(data, "train")
    weights = np.ones(256, np.float32) if class_weights is None else np.zeros(256, np.float32)
    if class_weights is not None:
        weights[: len(class_weights)] = class_weights  # of pixels, by the class of each
    batches = tf.data.Dataset.from_tensor_slices((images, masks)).shuffle(100, seed=0).batch(8)
    batches = maskwright.augment.augment_dataset(batches, "light", seed=0)
    batches = batches.map(lambda x, y: (x, y, tf.gather(weights, tf.cast(y, tf.int32))))
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss=maskwright.losses.CrossEntropy(),
        metrics=[maskwright.metrics.MeanIoU(3)],
    )
    val = tf.data.Dataset.from_tensor_slices(arrays(data, "val")).batch(8)
    model.fit(
        batches,
        validation_data=val,
        epochs=epochs,
        callbacks=list(callbacks),
        shuffle=False,  # the data set is shuffled
        verbose=0,
    )
    return model.history.history


def draw_curves(path: Path, histories: dict[str, dict[str, list[float]]]) -> None:
    """Validation IoU of several trainings by epoch."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4))
    panel = figure.subplots()
    for name, history in histories.items():
        panel.plot(range(1, len(history["loss"]) + 1), history["val_mean_iou"], label=name)
    panel.set(xlabel="epoch", ylabel="validation mean IoU")
    panel.legend()
    figure.savefig(path)


def main(
    out: Path, epochs: int = 10, num_images: int = 40, size: int = 96, weights: str | None = None
) -> dict[str, dict[str, list[float]]]:
    """Run all steps; the history of each training by name."""
    data = maskwright.open_dataset(write_carvana(out, num_images, size), test_share=0.2)
    images, masks = (each[:2] for each in arrays(data, "val"))
    show(out / "samples.png", images, masks)

    model = unet("mobilenet_v2", weights=weights)
    write_image(out / "model.png", diagram(model))
    show(out / "before_training.png", images, masks, model.predict(images, verbose=0).argmax(-1))
    display = DisplayCallback(out / "epochs", images, masks)
    histories = {"plain": train(model, data, epochs, callbacks=(display,))}
    others = {
        "class weights": (unet("mobilenet_v2", weights=weights), [0.5, 1.0, 2.0]),
        "other layers": (unet("mobilenet_v2", OTHER_LAYERS, weights=weights), None),
        "other encoder": (unet("efficientnet_lite0", weights="imagenet"), None),
    }
    for name, (other, class_weights) in others.items():
        histories[name] = train(other, data, epochs, class_weights)
    draw_curves(out / "curves.png", histories)
    return histories


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--weights", help='of MobileNetV2: "imagenet", or a file')
    arguments = parser.parse_args()
    for name, history in main(arguments.out, arguments.epochs, weights=arguments.weights).items():
        print(f"{name}: validation mean IoU {history['val_mean_iou'][-1]:.3f}")
