"""Previews of a run on regions: the same bags with their probabilities, each epoch."""

from typing import Any

import keras
import numpy as np

from maskwright.data.to_rgb import as_picture
from maskwright.imageio import write_image
from maskwright.models import with_weights
from maskwright.tasks.regions.drawing import NEGATIVE, POSITIVE, caption, outline
from maskwright.tasks.regions.learning.bags import RegionArrays, true_inputs
from maskwright.training import Run
from maskwright.types import Outside

Logs = dict[str, float] | None

_MAX_REGIONS = 8  # drawn of a bag


class RegionPreviews(keras.callbacks.Callback):
    """Draws regions of a few bags, evenly over both labels, with weights and probabilities.

    The `previews` folder of the run gets `epoch_0001.png` and so on.
    """

    def __init__(
        self, run: Run, arrays: RegionArrays, names: tuple[str, str], outside: Outside, number: int
    ) -> None:
        super().__init__()
        self.run, self.names = run, names
        order = np.argsort(arrays.labels, kind="stable")
        spread = np.linspace(0, len(order) - 1, min(number, len(order))).round().astype(int)
        self.bags = [arrays.bags[index] for index in order[spread]]
        self.inputs = [true_inputs(arrays, [int(index)], outside) for index in order[spread]]
        self.crops = [
            [
                outline(
                    as_picture(arrays.crops[arrays.rows[region][0]]),
                    arrays.masks[arrays.rows[region][0]],
                    POSITIVE if bag.label else NEGATIVE,
                )
                for region in bag.regions[:_MAX_REGIONS]
            ]
            for bag in self.bags
        ]

    def set_model(self, model: keras.Model) -> None:
        """Build a model that outputs the weights of regions too."""
        super().set_model(model)
        self.model_with_weights = with_weights(model)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Predict and draw."""
        rows = []
        for bag, inputs, crops in zip(self.bags, self.inputs, self.crops, strict=True):
            outputs: dict[str, Any] = self.model_with_weights(inputs, training=False)
            probability = 1 / (1 + np.exp(-float(outputs["logits"][0, 0])))
            weights = np.asarray(outputs["weights"])[0]
            color = POSITIVE if probability >= 0.5 else NEGATIVE
            result = f"{probability:.2f} {self.names[bag.label]}"
            texts = [result] + [f"weight {w:.2f}" for w in weights[1 : len(crops)]]
            row = np.hstack([caption(c, t, color) for c, t in zip(crops, texts, strict=True)])
            rows.append(row)
        width = max(row.shape[1] for row in rows)
        rows = [np.pad(row, ((0, 2), (0, width - row.shape[1]), (0, 0))) for row in rows]
        write_image(self.run.previews / f"epoch_{epoch + 1:04d}.png", np.vstack(rows))
