"""Calibration of probabilities, and temperature scaling."""

import numpy as np

from maskwright.errors import DataError

CALIBRATION_BINS = 10
"""Equal parts of [0, 1] in which probabilities are compared with shares of positives."""

_COLDEST, _HOTTEST = 0.05, 20.0
_DOUBT = np.log(2)  # standard deviation of the logarithm of a temperature before data was seen
_GRID = 41  # temperatures of a search, first a factor of 1.16 apart
_ROUNDS = 3  # each between the neighbors of the best temperature so far


def brier(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """Mean squared distance of probability and label, 0 to 1, lower is better; nan without samples.

    Args:
        labels: 0 or 1, `(n,)`.
        probabilities: Of label 1, `(n,)`.
        weights: Not negative, `(n,)`; `None` for 1 each.

    Raises:
        DataError: If lengths differ, labels are not 0 or 1, or a probability is not in [0, 1].

    Source: Brier, Verification of forecasts expressed in terms of probability, 1950, in the form
    for two classes that counts one of them.
    """
    labels, probabilities, rows = checked(labels, probabilities, weights, probable=True)
    return float(squared_error(labels, probabilities, rows)[0])


def calibration_curve(
    labels: np.ndarray,
    probabilities: np.ndarray,
    weights: np.ndarray | None = None,
    bins: int = CALIBRATION_BINS,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean probability, share of positives and number of samples in equal parts of [0, 1].

    Args:
        labels: 0 or 1, `(n,)`.
        probabilities: Of label 1, `(n,)`.
        weights: As `brier` takes them.
        bins: Number of parts; a part holds its lower end, the last one both.

    Returns:
        Three arrays `(bins,)`; the first two are nan where all weights are 0, the third counts
        samples whatever their weights.

    Raises:
        DataError: As `brier` does.
    """
    labels, probabilities, rows = checked(labels, probabilities, weights, probable=True)
    place = _bin(probabilities, bins)
    weight = np.bincount(place, rows[0], bins)
    positive = np.bincount(place, rows[0] * labels, bins)
    mean = np.bincount(place, rows[0] * probabilities, bins)
    return ratio(mean, weight), ratio(positive, weight), np.bincount(place, minlength=bins)


def expected_calibration_error(
    labels: np.ndarray,
    probabilities: np.ndarray,
    weights: np.ndarray | None = None,
    bins: int = CALIBRATION_BINS,
) -> float:
    """Mean distance of the calibration curve from the diagonal, by samples; nan without samples.

    A small set shows some error even where its probabilities are right: each part holds few.

    Source: Guo et al., On calibration of modern neural networks, 2017, of the positive class.
    """
    labels, probabilities, rows = checked(labels, probabilities, weights, probable=True)
    return float(calibration_error(labels, probabilities, rows, bins)[0])


def fit_temperature(
    labels: np.ndarray, logits: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """Temperature by which logits are divided so that their sigmoids are probabilities.

    The cross-entropy of a set that the logits separate falls for ever as the temperature does. So
    the logarithm of the temperature is taken to be normal around 0 with a deviation of log 2
    before any data is seen: ten right answers at logits of ±1 then give 0.92 each, which is near
    the 11 / 12 of the rule of succession, and with hundreds of cases that are not all right the
    data decides. The search ends at 0.05 and 20.

    Args:
        labels: 0 or 1, `(n,)`.
        logits: Of label 1, `(n,)`, of cases that the model was not trained on.
        weights: As `brier` takes them; only their ratios count.

    Returns:
        A positive number; 1 where there are not both classes.

    Raises:
        DataError: As `brier` does.

    Source: Guo et al., 2017, with this prior.
    """
    labels, logits, rows = checked(labels, logits, weights)
    used = rows[0] > 0
    labels, logits, weight = labels[used], logits[used], rows[0][used]
    if len(set(labels.tolist())) < 2:
        return 1.0
    weight = weight / weight.mean()
    towards = np.where(labels == 1, -logits, logits)

    def cost(log_temperature: float) -> float:
        entropy = np.logaddexp(0, towards * np.exp(-log_temperature))
        return float(weight @ entropy + (log_temperature / _DOUBT) ** 2 / 2)

    low, high = np.log(_COLDEST), np.log(_HOTTEST)
    for _ in range(_ROUNDS):
        grid = np.linspace(low, high, _GRID)
        best = int(np.argmin([cost(value) for value in grid]))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, _GRID - 1)]
    return float(np.exp(grid[best]))


def checked(
    labels: np.ndarray, values: np.ndarray, weights: np.ndarray | None, probable: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels int64 `(n,)`, values float64 `(n,)` and weights float64 `(1, n)`.

    Raises:
        DataError: If lengths differ, labels are not 0 or 1, values are not finite (or, if
            `probable`, not in [0, 1]) or weights are negative.
    """
    labels, values = np.asarray(labels), np.asarray(values, np.float64)
    weight = np.ones(len(labels)) if weights is None else np.asarray(weights, np.float64)
    if not labels.shape == values.shape == weight.shape == (labels.size,):
        raise DataError(
            "Expected one label, one value and one weight for each sample; received arrays of "
            f"{labels.shape}, {values.shape} and {weight.shape}."
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
    if not (np.isfinite(weight).all() and (weight >= 0).all()):
        raise DataError("Expected finite weights of at least 0; received others.")
    return labels.astype(np.int64), values, weight[None]


def squared_error(labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """`brier` for each row of weights `(draws, n)`."""
    return ratio(weights @ (probabilities - labels) ** 2, weights.sum(1))


def calibration_error(
    labels: np.ndarray,
    probabilities: np.ndarray,
    weights: np.ndarray,
    bins: int = CALIBRATION_BINS,
) -> np.ndarray:
    """`expected_calibration_error` for each row of weights `(draws, n)`."""
    surplus = np.zeros((len(labels), bins))
    surplus[np.arange(len(labels)), _bin(probabilities, bins)] = probabilities - labels
    return ratio(np.abs(weights @ surplus).sum(1), weights.sum(1))


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Quotient of floats, nan where `below` is 0."""
    return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below > 0)


def _bin(probabilities: np.ndarray, bins: int) -> np.ndarray:
    return np.minimum((probabilities * bins).astype(np.int64), bins - 1)
