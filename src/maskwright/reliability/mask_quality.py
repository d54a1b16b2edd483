"""Expected Dice of a mask without ground truth, and a lower bound that holds for new cases."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.errors import DataError
from maskwright.metrics.intervals import add_by_case, case_places
from maskwright.reliability.risk_control import ROUNDING, fewest_cases

FEATURES = ("soft_dice", "entropy", "agreement")
"""What `mask_features` measures, in this order."""

FEWEST_TO_FIT = 60
"""Cases below which the soft Dice is taken as it is: a regression would fit their noise."""

_FOLDS = 5
_RIDGE = 30.0
_LEAST_ERROR = 5e-3  # one minus a Dice, whose logarithm is taken
_LEAST_SPREAD = 0.1  # of an error, in Dice, beside one in proportion to the expected error


def mask_features(
    probabilities: np.ndarray,
    mirrored: np.ndarray,
    mask: np.ndarray,
    mirrored_mask: np.ndarray,
) -> np.ndarray:
    """What a mask of one class says of its own quality, `(3,)`, in the order of `FEATURES`.

    Soft Dice is `2 * sum(p in mask) / (area + sum(p))`, the Dice to expect where p, the mean of the
    probabilities in the image and in its mirror image, is right; entropy is that of p and 1 - p,
    mean inside the mask, in bits; agreement is the Dice of the masks of both images. An empty mask
    has soft Dice 0 and entropy 0, and two empty masks agree.

    Args:
        probabilities: Of the class, float `(h, w)`.
        mirrored: The same, predicted in the mirror image and mirrored back.
        mask: Bool `(h, w)`.
        mirrored_mask: The mask in the mirror image, mirrored back.

    Source: of soft Dice, Borges et al., Soft Dice confidence, 2024; of agreement, Wang et al.,
    Aleatoric uncertainty estimation with test-time augmentation, 2019.
    """
    sums = MaskSums()
    sums.add((probabilities.astype(np.float64) + mirrored) / 2, mask, mirrored_mask)
    return sums.features


class MaskSums:
    """Sums over pixels that `mask_features` are made of, for images that are looked at in parts."""

    def __init__(self) -> None:
        self.area = self.mirrored_area = self.overlap = 0
        self._inside = self._total = self._bits = 0.0

    def add(self, p: np.ndarray, mask: np.ndarray, mirrored_mask: np.ndarray) -> None:
        """Count a part `(rows, columns)`; `p` is the mean of the probabilities of both images."""
        inside = np.clip(p[mask].astype(np.float64), 1e-12, 1 - 1e-12)
        bits = -(inside * np.log2(inside) + (1 - inside) * np.log2(1 - inside))
        self.area += int(mask.sum())
        self.mirrored_area += int(mirrored_mask.sum())
        self.overlap += int((mask & mirrored_mask).sum())
        self._inside += float(inside.sum())
        self._total += float(p.sum(dtype=np.float64))
        self._bits += float(bits.sum())

    @property
    def features(self) -> np.ndarray:
        """As `mask_features`."""
        soft_dice = 2 * self._inside / (self.area + self._total) if self.area else 0.0
        entropy = self._bits / self.area if self.area else 0.0
        both = self.area + self.mirrored_area
        return np.array([soft_dice, entropy, 2 * self.overlap / both if both else 1.0])


@dataclass(frozen=True, eq=False)
class QualityModel:
    """Expected Dice from the features of a mask.

    Args:
        weights: Of 1, the logarithms of one minus soft Dice and one minus agreement, and entropy,
            whose sum is the logarithm of the factor by which one minus soft Dice is off; for each
            model of the cross-fitting, `(folds, 4)`, no folds for the soft Dice as it is.
    """

    weights: np.ndarray

    def expected_dice(self, features: np.ndarray) -> np.ndarray:
        """Expected Dice in [0, 1], `(n,)`, of masks with features `(n, 3)`."""
        if not len(self.weights):
            return features[:, 0].clip(0, 1)
        factors = np.exp(_inputs(features) @ self.weights.T).mean(axis=1)
        return (1 - factors * (1 - features[:, 0])).clip(0, 1)


def fit_quality(
    features: np.ndarray, dice: np.ndarray, cases: Sequence[str], seed: int = 0
) -> tuple[QualityModel, np.ndarray]:
    """A model of quality, and the expected Dice `(n,)` of the masks it was fitted to.

    From `FEWEST_TO_FIT` cases on, a ridge regression says by which factor the error that soft Dice
    expects, one minus itself, is too small or too large. It is fitted once without each of five
    parts of the cases; the expected Dice of a mask is that of the model that did not see its case,
    so that errors are those to come with new cases, for which the models are averaged.

    Args:
        features: Of masks that are not empty, `(n, 3)`.
        dice: Their Dice with the truth, `(n,)`.
        cases: The case of each.
        seed: Of the division into parts.

    Raises:
        DataError: If there are no masks, or their numbers differ.
    """
    _check(features, dice, cases)
    num_cases = len(set(cases))
    if num_cases < FEWEST_TO_FIT:
        model = QualityModel(np.zeros((0, 1 + len(FEATURES))))
        return model, model.expected_dice(features)
    part = (np.random.default_rng(seed).permutation(num_cases) % _FOLDS)[case_places(cases)]
    weight = 1 / _images_of(cases)
    inputs = _inputs(features)
    target = np.log(np.maximum(1 - dice, _LEAST_ERROR)) - inputs[:, 1]
    expected, weights = np.empty(len(dice)), []
    for held_out in range(_FOLDS):
        fitted = part != held_out
        weights.append(_ridge(inputs[fitted], target[fitted], weight[fitted]))
        model = QualityModel(np.array(weights[-1:]))
        expected[~fitted] = model.expected_dice(features[~fitted])
    return QualityModel(np.array(weights)), expected


def margin(
    expected: np.ndarray, dice: np.ndarray, cases: Sequence[str], level: float = 0.1
) -> float:
    """How far, in units of its spread, the Dice of a mask may lie below the expected one.

    `lower_bound` of this margin is above the Dice of a random image of a new case with a
    probability of at most `level`. Each case weighs the same, however many images it has.

    Args:
        expected: Expected Dice of masks that the model was not fitted to, `(n,)`.
        dice: Their Dice, `(n,)`.
        cases: The case of each.
        level: Share of the new masks that may lie below their bound.

    Raises:
        DataError: If there are fewer than `fewest_cases(level)` cases.

    Source: Lei et al., Distribution-free predictive inference for regression, 2018, locally
    weighted; by case, Lee et al., Distribution-free inference with hierarchical data, 2023.
    """
    _check(expected, dice, cases)
    count, fewest = len(set(cases)), fewest_cases(level)
    if count < fewest:
        raise DataError(
            f"Expected at least {fewest} cases for a lower bound at level {level:g}; received "
            f"{count}: use more calibration images, or a higher level."
        )
    excess = (expected - dice) / _spread(expected)
    order = np.argsort(excess)
    weight = (1 / _images_of(cases))[order].cumsum()
    enough = weight >= (1 - level) * (count + 1) - ROUNDING
    return float(excess[order][np.argmax(enough)])


def lower_bound(expected: np.ndarray, margin: float) -> np.ndarray:
    """Dice in [0, 1] that a mask of this expected Dice has at least, `(n,)`; see `margin`."""
    return np.clip(expected - margin * _spread(expected), 0, 1)


def _spread(expected: np.ndarray) -> np.ndarray:
    """Scale of an error: masks that are expected to be good miss their expectation by less."""
    return 1 - expected + _LEAST_SPREAD


def _inputs(features: np.ndarray) -> np.ndarray:
    soft_dice, entropy, agreement = features.T
    errors = [np.log(np.maximum(1 - part, _LEAST_ERROR)) for part in (soft_dice, agreement)]
    return np.stack([np.ones(len(features)), *errors, entropy], axis=1)


def _ridge(inputs: np.ndarray, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weights `(4,)` of a ridge regression on standardized inputs, whose first is 1."""
    total = weight.sum()
    mean, height = weight @ inputs / total, weight @ target / total
    centered = inputs - mean
    scale = np.sqrt(weight @ centered**2 / total)
    scale[scale == 0] = 1  # of what does not vary, as the intercept
    standard = (centered / scale)[:, 1:]
    normal = standard.T @ (weight[:, None] * standard) + _RIDGE * np.eye(standard.shape[1])
    slopes = np.linalg.solve(normal, standard.T @ (weight * (target - height))) / scale[1:]
    return np.append(height - mean[1:] @ slopes, slopes)


def _images_of(cases: Sequence[str]) -> np.ndarray:
    """Number of images of the case of each image, `(n,)`."""
    return add_by_case(np.ones(len(cases)), cases)[case_places(cases)]


def _check(features: np.ndarray, dice: np.ndarray, cases: Sequence[str]) -> None:
    if not 0 < len(features) == len(dice) == len(cases):
        raise DataError(
            "Expected features, Dice and case of the same masks, at least of one; received "
            f"{len(features)}, {len(dice)} and {len(cases)}."
        )
