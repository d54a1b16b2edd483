"""Balance of classes: weights of their pixels in the loss, and crops around rare ones."""

import numpy as np

from maskwright.data.pipeline.arrays import Arrays
from maskwright.labels import IGNORE_LABEL

_JITTER = 0.25  # of the crop: how far its center may lie from the pixel that was chosen


def class_weights(arrays: Arrays, num_classes: int) -> np.ndarray:
    """Weight of each class, float32: median frequency, at most 25 apart, mean one over pixels.

    The frequency of a class is its share of the pixels of the images it occurs in. Weights are
    clipped to `[0.2, 5]` and then divided by their mean over all pixels that count, so that they
    do not change the learning rate. A class that never occurs gets 1.

    Source: Eigen and Fergus, 2015; clipping and normalizing are ours.
    """
    counts = arrays.counts(num_classes)
    total = counts.sum(axis=0)
    occurs = total > 0
    weights = np.ones(num_classes)
    if not occurs.any():
        return weights.astype(np.float32)
    around = ((counts > 0) * counts.sum(axis=1, keepdims=True)).sum(axis=0)
    frequency = total[occurs] / around[occurs]
    weights[occurs] = np.clip(np.median(frequency) / frequency, 0.2, 5.0)
    weights[occurs] /= (weights * total).sum() / total.sum()
    return weights.astype(np.float32)


def rare_class_weights(arrays: Arrays, num_classes: int) -> np.ndarray:
    """Chance of each class to be the middle of a crop: one over its pixels, sum one; float64."""
    total = arrays.counts(num_classes).sum(axis=0)
    inverse = np.where(total > 0, 1 / np.maximum(total, 1), 0.0)
    return inverse / max(float(inverse.sum()), np.finfo(float).tiny)


def weight_table(class_weights: np.ndarray | None) -> np.ndarray:
    """Weight of a pixel by its label, float32 `(256,)`, 0 for the ignore label; `None` for ones."""
    table = np.ones(256, np.float32)
    if class_weights is not None:
        table[: len(class_weights)] = class_weights
    table[IGNORE_LABEL] = 0
    return table


def class_chances(arrays: Arrays, favor: np.ndarray) -> np.ndarray:
    """Chance of each class to be chosen in each sample, `(n, num_classes)`; rows sum to 1 or 0."""
    present = (arrays.counts(len(favor)) > 0) * favor
    return present / np.maximum(present.sum(axis=1, keepdims=True), np.finfo(float).tiny)


def favored_center(
    labels: np.ndarray, chances: np.ndarray, crop: tuple[int, int], rng: np.random.Generator
) -> tuple[float, float]:
    """Row and column of the center of a crop near a random pixel of a random class.

    `chances` are those of the classes of the mask, `(num_classes,)`, with sum one.
    """
    label = rng.choice(len(chances), p=chances)
    pixels = np.flatnonzero(labels == label)
    row, column = divmod(int(pixels[rng.integers(len(pixels))]), labels.shape[1])
    return (
        row + crop[0] * rng.uniform(-_JITTER, _JITTER),
        column + crop[1] * rng.uniform(-_JITTER, _JITTER),
    )
