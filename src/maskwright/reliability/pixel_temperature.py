"""One temperature that makes the probabilities of masks mean what they say."""

from collections.abc import Sequence

import numpy as np

from maskwright.errors import DataError
from maskwright.metrics.intervals import add_by_case, case_places

PIXELS_PER_IMAGE = 20_000
"""Most pixels of an image that a temperature is fitted to."""

_COLDEST, _HOTTEST = 0.05, 20.0
_LEAST_PROBABILITY = 1e-30  # float32 has still smaller ones, but 0 has no logarithm


def sample_pixels(
    probabilities: np.ndarray, truth: np.ndarray, ignored: np.ndarray | None = None, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of probabilities float32 `(k, classes)` and labels `(k,)` of random pixels.

    Args:
        probabilities: `(h, w, classes)`, as activated with the temperature of the model card. A
            layer of classes that overlap is given as two, those of not being in it and being in it.
        truth: Labels `(h, w)`.
        ignored: Pixels that do not count, bool `(h, w)`.
        seed: Of the choice, where there are more than `PIXELS_PER_IMAGE`.
    """
    pixels = np.flatnonzero(np.ones(truth.size, bool) if ignored is None else ~ignored.ravel())
    if pixels.size > PIXELS_PER_IMAGE:
        pixels = np.random.default_rng(seed).choice(pixels, PIXELS_PER_IMAGE, replace=False)
    values = probabilities.reshape(-1, probabilities.shape[-1])[pixels].astype(np.float32)
    return np.log(np.maximum(values, np.float32(_LEAST_PROBABILITY))), truth.ravel()[pixels]


def fit_pixel_temperature(
    samples: Sequence[tuple[np.ndarray, np.ndarray]], cases: Sequence[str]
) -> float:
    """Temperature by which logits are divided, between 0.05 and 20, from `sample_pixels` of images.

    It minimizes the negative log likelihood, in which each case weighs the same, and the images of
    a case, and the pixels of an image. That of the model card is to be multiplied by it: logarithms
    of probabilities are logits but for a constant. 1 where there are no pixels.

    Raises:
        DataError: If there is not a case for each image.

    Source: Guo et al., On calibration of modern neural networks, 2017.
    """
    from scipy.optimize import minimize_scalar  # slow to import, and needed here alone

    if len(samples) != len(cases):
        raise DataError(
            f"Expected a case for each image; received {len(cases)} for {len(samples)} images."
        )
    counted = [i for i, (_, labels) in enumerate(samples) if len(labels)]
    if not counted:
        return 1.0
    places = case_places([cases[i] for i in counted])
    images = add_by_case(np.ones(len(counted)), places)[places]
    logs = np.concatenate([samples[i][0] for i in counted])
    labels = np.concatenate([samples[i][1] for i in counted]).astype(np.int64)
    weights = np.concatenate(
        [
            np.full(len(samples[i][1]), 1 / (number * len(samples[i][1])))
            for i, number in zip(counted, images.tolist(), strict=True)
        ]
    )
    # Of logits relative to that of the label, the loss of a pixel is the logarithm of a sum.
    relative = logs - np.take_along_axis(logs, labels[:, None], axis=1)

    def loss(log_temperature: float) -> float:
        scaled = relative * np.float32(np.exp(-log_temperature))
        top = scaled.max(axis=1)
        return float(weights @ (top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))))

    bounds = (np.log(_COLDEST), np.log(_HOTTEST))
    # Convex in the inverse of the temperature, so that there is one minimum.
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def at_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities `(…, classes)` that logits divided by `temperature` would have given."""
    logs = np.log(np.maximum(probabilities, np.float32(_LEAST_PROBABILITY))) / temperature
    values = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return np.asarray(values / values.sum(axis=-1, keepdims=True), probabilities.dtype)
