"""Previews of a run on regions: the same bags with their probabilities, each epoch."""

from collections.abc import Callable
from functools import cache
from typing import Any

import keras
import numpy as np

from maskwright.data.to_rgb import as_picture
from maskwright.models import with_weights
from maskwright.tasks.regions.drawing import NEGATIVE, POSITIVE, caption, outline
from maskwright.tasks.regions.learning.bags import RegionArrays, as_inputs
from maskwright.training.callbacks import stack_rows
from maskwright.types import Outside

_MAX_REGIONS = 8  # drawn of a bag


def previews(
    arrays: RegionArrays, names: tuple[str, str], outside: Outside, number: int
) -> Callable[[keras.Model], np.ndarray]:
    """Regions of a few bags, evenly over both labels, with weights and probabilities."""
    order = np.argsort(arrays.labels, kind="stable")
    spread = np.linspace(0, len(order) - 1, min(number, len(order))).round().astype(int)
    bags = [arrays.bags[index] for index in order[spread]]
    rows_of_bags = [arrays.true_rows(bag) for bag in bags]
    inputs = [as_inputs([rows], outside, arrays.value_range[1]) for rows in rows_of_bags]
    crops = [
        [
            outline(as_picture(crop), mask, POSITIVE if bag.label else NEGATIVE)
            for crop, mask, _ in rows[:_MAX_REGIONS]
        ]
        for bag, rows in zip(bags, rows_of_bags, strict=True)
    ]
    weighted = cache(with_weights)

    def draw(model: keras.Model) -> np.ndarray:
        rows = []
        for bag, given, pictures in zip(bags, inputs, crops, strict=True):
            outputs: dict[str, Any] = weighted(model)(given, training=False)
            probability = 1 / (1 + np.exp(-float(outputs["logits"][0, 0])))
            weights = np.asarray(outputs["weights"])[0]
            color = POSITIVE if probability >= 0.5 else NEGATIVE
            result = f"{probability:.2f} {names[bag.label]}"
            texts = [result] + [f"weight {w:.2f}" for w in weights[1 : len(pictures)]]
            row = [caption(p, t, color) for p, t in zip(pictures, texts, strict=True)]
            rows.append(np.hstack(row))
        return stack_rows(rows)

    return draw
