"""The temperature of a model of masks, and the thresholds that keep its masks the same."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import expit, logit

from maskwright.labels import IGNORE_LABEL
from maskwright.reliability.observations import ObservedPrediction
from maskwright.reliability.pixel_temperature import fit_pixel_temperature, sample_pixels

_LEAST_SHARE = 1e-6  # of a threshold, which lies between 0 and 1


class PixelSamples:
    """Pixels of images that a temperature is fitted to; a layer of classes that overlap is two."""

    def __init__(self) -> None:
        self.samples: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, truth: np.ndarray, prediction: ObservedPrediction) -> None:
        """Take pixels of an image; truth is labels `(h, w)`, or layers `(h, w, classes)`."""
        values = np.asarray(prediction.probabilities)
        if truth.ndim == 3:
            values = np.stack([1 - values, values], axis=-1)
        ignored = truth == IGNORE_LABEL
        self.samples.append(sample_pixels(values, truth, ignored, seed=len(self.samples)))

    def factor(self, cases: Sequence[str]) -> float:
        """By what the temperature of the card is to be multiplied; `cases` are those of images."""
        return fit_pixel_temperature(self.samples, cases)


def may_change_temperature(card: Any) -> bool:
    """Whether thresholds can be changed with the temperature so that masks stay the same.

    A threshold below which the most probable of several classes is background cannot.
    """
    return card.threshold is None or card.overlapping or card.labels.num_classes == 2


def with_temperature(card: Any, temperature: float) -> Any:
    """Card with another temperature, and with thresholds that mean the same logits as before.

    A calibration split must not move masks: a probability of 0.35 that was chosen as the threshold
    means another logit at another temperature.
    """
    power = card.temperature / temperature

    def moved(threshold: float) -> float:
        share = float(expit(logit(threshold) * power))
        return min(max(share, _LEAST_SHARE), 1 - _LEAST_SHARE)

    changes: dict[str, Any] = {"temperature": temperature}
    if card.threshold is not None:
        changes["threshold"] = moved(card.threshold)
    if card.overlapping:
        changes["thresholds"] = tuple(map(moved, card.thresholds))
    return replace(card, **changes)
