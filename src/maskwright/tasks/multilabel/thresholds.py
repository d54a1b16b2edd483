"""The threshold of each of several classes that overlap, chosen on validation samples."""

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from maskwright.config import TrainConfig
from maskwright.data.layers import Combinations
from maskwright.labels import IGNORE_LABEL
from maskwright.metrics.confusion import ratio

if TYPE_CHECKING:
    import keras

    from maskwright.data.pipeline.arrays import Arrays

_THRESHOLDS = tuple(round(0.2 + 0.05 * step, 2) for step in range(13))
_MIN_GAIN = 0.002  # of Dice over that of 0.5, below which the usual threshold stays


def tune_thresholds(
    model: "keras.Model", validation: "Arrays", config: TrainConfig, combinations: Combinations
) -> tuple[float, ...]:
    """Threshold of each class with the highest Dice over all validation pixels; 0.5 if close."""
    from maskwright.data.pipeline.batches import eval_batches

    table = np.full((IGNORE_LABEL + 1, combinations.num_classes), IGNORE_LABEL, np.uint8)
    table[: len(combinations.codes)] = combinations.layers
    limits = np.array(_THRESHOLDS, np.float32)
    # Pixels by how many thresholds their probability reaches, of truth 0 and 1.
    counts = np.zeros((combinations.num_classes, 2, len(limits) + 1), np.int64)
    for images, numbers, _ in eval_batches(validation, config.batch_size, config.crop):
        probabilities = expit(np.asarray(model(images, training=False)))
        levels = np.searchsorted(limits, probabilities, "right")
        truth = table[np.asarray(numbers)]
        for place, count in enumerate(counts):
            for value in (0, 1):
                chosen = levels[..., place][truth[..., place] == value]
                count[value] += np.bincount(chosen, minlength=len(limits) + 1)
    return tuple(map(_best, counts))


def _best(counts: np.ndarray) -> float:
    """Threshold from the counts of pixels `(2, levels)`."""
    reached = counts[:, ::-1].cumsum(axis=1)[:, -2::-1]  # of each threshold
    dice = ratio(2 * reached[1], reached.sum(axis=0) + counts[1].sum())
    usual, best = _THRESHOLDS.index(0.5), int(np.nan_to_num(dice).argmax())
    gains = np.nan_to_num(dice)[best] - np.nan_to_num(dice)[usual]
    return _THRESHOLDS[best if gains > _MIN_GAIN else usual]
