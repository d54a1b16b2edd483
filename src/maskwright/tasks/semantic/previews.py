"""Predictions of the same few samples, drawn after every epoch."""

import keras
import numpy as np

from maskwright.data.to_rgb import as_picture
from maskwright.imageio import write_image
from maskwright.labels import Labels
from maskwright.training.run import Run

PREVIEW_COLUMNS = ("image", "true mask", "predicted")
"""What `Previews` draws side by side."""


class Previews(keras.callbacks.Callback):
    """Image, true mask and predicted mask of the same few samples, drawn every epoch.

    Args:
        run: Its `previews` folder gets `epoch_0001.png` and so on.
        images: `(n, h, w, c)` of any type.
        masks: Labels, `(n, h, w)`.
    """

    def __init__(self, run: Run, images: np.ndarray, masks: np.ndarray, labels: Labels) -> None:
        super().__init__()
        self.run, self.images, self.masks, self.labels = run, images, masks, labels
        self.pictures = [as_picture(image) for image in images]

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Predict and draw."""
        logits = np.asarray(self.model(self.images.astype(np.float32), training=False))
        guess = logits[..., 0] > 0 if logits.shape[-1] == 1 else logits.argmax(-1)
        rows = [
            np.hstack([picture, self.labels.color(mask), self.labels.color(found)])
            for picture, mask, found in zip(self.pictures, self.masks, guess, strict=True)
        ]
        write_image(self.run.previews / f"epoch_{epoch + 1:04d}.png", np.vstack(rows))
