"""What a run on regions shows while it trains: the same few, with their probabilities."""

from typing import Any

import keras
import numpy as np

from maskwright.data.to_rgb import as_picture
from maskwright.imageio import write_image
from maskwright.models import with_weights
from maskwright.tasks.regions.drawing import NEGATIVE, POSITIVE, caption, outline
from maskwright.tasks.regions.learning.bags import RegionArrays
from maskwright.tasks.regions.learning.collate import true_inputs
from maskwright.training import Run
from maskwright.types import Outside

Logs = dict[str, float] | None

_MOST_REGIONS = 8  # drawn of a bag


class RegionPreviews(keras.callbacks.Callback):
    """Regions of some bags with their weights, and what is decided, drawn every epoch.

    Args:
        run: Its `previews` folder gets `epoch_0001.png` and so on.
        arrays: Bags to draw from, spread over both labels.
        names: Of the labels.
        outside: As in `treat`.
        number: Of the bags drawn.
    """

    def __init__(
        self, run: Run, arrays: RegionArrays, names: tuple[str, str], outside: Outside, number: int
    ) -> None:
        super().__init__()
        self.run, self.names = run, names
        order = np.argsort(arrays.labels, kind="stable")
        spread = np.linspace(0, len(order) - 1, min(number, len(order))).round().astype(int)
        self.bags = [arrays.bags[place] for place in order[spread]]
        self.inputs = [true_inputs(arrays, [int(place)], outside) for place in order[spread]]
        self.crops = [
            [
                outline(
                    as_picture(arrays.crops[arrays.rows[region][0]]),
                    arrays.masks[arrays.rows[region][0]],
                    POSITIVE if bag.label else NEGATIVE,
                )
                for region in bag.regions[:_MOST_REGIONS]
            ]
            for bag in self.bags
        ]

    def set_model(self, model: keras.Model) -> None:
        """Keep a copy of the graph that tells the weights too."""
        super().set_model(model)
        self.telling = with_weights(model)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Decide and draw."""
        rows = []
        for bag, inputs, crops in zip(self.bags, self.inputs, self.crops, strict=True):
            told: dict[str, Any] = self.telling(inputs, training=False)
            probability = 1 / (1 + np.exp(-float(told["logits"][0, 0])))
            weights = np.asarray(told["weights"])[0]
            color = POSITIVE if probability >= 0.5 else NEGATIVE
            decided = f"{probability:.2f} {self.names[bag.label]}"
            texts = [decided] + [f"weight {w:.2f}" for w in weights[1 : len(crops)]]
            row = np.hstack([caption(c, t, color) for c, t in zip(crops, texts, strict=True)])
            rows.append(row)
        wide = max(row.shape[1] for row in rows)
        rows = [np.pad(row, ((0, 2), (0, wide - row.shape[1]), (0, 0))) for row in rows]
        write_image(self.run.previews / f"epoch_{epoch + 1:04d}.png", np.vstack(rows))
