"""Calibration of probabilities, and temperature scaling."""

import numpy as np

from maskwright.errors import DataError
from maskwright.metrics.confusion import ratio

CALIBRATION_BINS = 10
"""Equal parts of [0, 1] in which probabilities are compared with shares of positives."""

_COLDEST, _HOTTEST = 0.05, 20.0
_DOUBT = np.log(2)  # standard deviation of the logarithm of a temperature before data was seen
_GRID = 41  # temperatures of a search, first a factor of 1.16 apart
_ROUNDS = 3  # each between the neighbors of the best temperature so far


def brier(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean squared distance of probability and label, 0 to 1, lower is better.

    Both are `(n,)`; `DataError` if a label is not 0 or 1, or a probability not in [0, 1].

    Source: Brier, Verification of forecasts expressed in terms of probability, 1950, in the form
    for two classes that counts one of them.
    """
    labels, probabilities = checked(labels, probabilities, probable=True)
    return float(squared_error(labels, probabilities, np.ones(len(labels))))


def expected_calibration_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean distance of the calibration curve from the diagonal, by samples.

    A small set shows some error even where its probabilities are right: each part holds few.

    Source: Guo et al., On calibration of modern neural networks, 2017, of the positive class.
    """
    labels, probabilities = checked(labels, probabilities, probable=True)
    return float(calibration_error(labels, probabilities, np.ones(len(labels))))


def calibration_curve(
    labels: np.ndarray, probabilities: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean probability, share of positives and number of samples in equal parts of [0, 1].

    Each is `(CALIBRATION_BINS,)`; a part holds its lower end, the last one both. The first two are
    nan where there is no sample. Arguments and errors are as of `brier`.
    """
    labels, probabilities = checked(labels, probabilities, probable=True)
    place = _bin(probabilities)
    number = np.bincount(place, minlength=CALIBRATION_BINS)
    positive = np.bincount(place, labels, CALIBRATION_BINS)
    mean = np.bincount(place, probabilities, CALIBRATION_BINS)
    return ratio(mean, number), ratio(positive, number), number


def fit_temperature(labels: np.ndarray, logits: np.ndarray) -> float:
    """Temperature by which logits are divided so that their sigmoids are probabilities.

    The cross-entropy of a set that the logits separate falls for ever as the temperature does. So
    the logarithm of the temperature is taken to be normal around 0 with a deviation of log 2
    before any data is seen: ten right answers at logits of ±1 then give 0.92 each, which is near
    the 11 / 12 of the rule of succession, and with hundreds of cases that are not all right the
    data decides. The search ends at 0.05 and 20.

    Labels are 0 or 1, `(n,)`, logits those of label 1, of cases that the model was not trained on.
    The temperature is 1 where there are not both classes.

    Source: Guo et al., 2017, with this prior.
    """
    labels, logits = checked(labels, logits)
    if len(set(labels.tolist())) < 2:
        return 1.0
    towards = np.where(labels == 1, -logits, logits)
    ones = np.ones(len(labels))

    def cost(log_temperature: float) -> float:
        entropy = np.logaddexp(0, towards * np.exp(-log_temperature))
        return float(ones @ entropy + (log_temperature / _DOUBT) ** 2 / 2)

    low, high = np.log(_COLDEST), np.log(_HOTTEST)
    for _ in range(_ROUNDS):
        grid = np.linspace(low, high, _GRID)
        best = int(np.argmin([cost(value) for value in grid]))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, _GRID - 1)]
    return float(np.exp(grid[best]))


def checked(
    labels: np.ndarray, values: np.ndarray, probable: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Labels int64 `(n,)` and values float64 `(n,)`, if `probable` in [0, 1], else `DataError`."""
    labels, values = np.asarray(labels), np.asarray(values, np.float64)
    if not labels.shape == values.shape == (labels.size,):
        raise DataError(
            "Expected one label and one value for each sample; received arrays of "
            f"{labels.shape} and {values.shape}."
        )
    if not np.isin(labels, (0, 1)).all():
        others = np.setdiff1d(labels, (0, 1))[:3].tolist()
        raise DataError(f"Expected labels of 0 and 1; received others: {others}.")
    if not np.isfinite(values).all():
        raise DataError("Expected finite values; received nan or infinity.")
    if probable and values.size and not 0 <= values.min() <= values.max() <= 1:
        raise DataError(
            "Expected probabilities from 0 to 1; received values from "
            f"{values.min():g} to {values.max():g}; apply the sigmoid to logits first."
        )
    return labels.astype(np.int64), values


def squared_error(labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """`brier` of each weighting of the samples, `(…, n)`."""
    return ratio(weights @ (probabilities - labels) ** 2, weights.sum(-1))


def calibration_error(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """`expected_calibration_error` of each weighting of the samples, `(…, n)`."""
    surplus = np.zeros((len(labels), CALIBRATION_BINS))
    surplus[np.arange(len(labels)), _bin(probabilities)] = probabilities - labels
    return ratio(np.abs(weights @ surplus).sum(-1), weights.sum(-1))


def _bin(probabilities: np.ndarray) -> np.ndarray:
    return np.minimum((probabilities * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
