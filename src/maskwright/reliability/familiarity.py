"""How unlike the training images an image is, by features of the encoder."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.data.samples import counted
from maskwright.errors import DataError
from maskwright.metrics.intervals import add_by_case
from maskwright.reliability.promises import REACH, percent
from maskwright.reliability.risk_control import ROUNDING, fewest_cases

FLAGGED = 0.05
"""P-value up to which an image is flagged as unfamiliar: one in twenty images like the others."""

SHIFTED = 0.01
"""P-value of the number of flagged images up to which promises do not reach as far as these."""

_MOST_COMPONENTS = 16
_IMAGES_PER_COMPONENT = 5
_LEAST_STD = 1e-6
_LEAST_UNIT = 0.01  # of the median one
_LEAST_SCALE = 0.01  # of a value in its unit, and its logarithm, which engines compute to 0.001
_LEAST_VALUE = 0.01  # of a feature in its unit, where its logarithm ends


@dataclass(frozen=True, eq=False)
class FamiliarityModel:
    """Where the features of training images lie.

    Features are the means over all pixels of each channel of the encoder at strides 8 and 16, side
    by side, `(n, d)`. Each is taken as it is and as its logarithm: damage that damps a channel
    moves the logarithm far and the value hardly.

    Args:
        unit: Mean absolute value of each feature, `(d,)`, at least a hundredth of the median one.
        mean: Of values in these units and of their logarithms, `(2 * d,)`.
        scale: Standard deviations of these, `(2 * d,)`, at least 0.01; 1 of channels that are dead
            in training.
        components: Directions of the largest variance of what is standardized, `(k, 2 * d)`.
        deviations: Standard deviations along the components, `(k,)`.
        residual: Root of the mean squared distance from the plane of the components.
    """

    unit: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    components: np.ndarray
    deviations: np.ndarray
    residual: float

    def distances(self, features: np.ndarray) -> np.ndarray:
        """Squared distance of images from the training images, `(n,)`, of features `(n, d)`.

        The mean square of the distances along each component, in standard deviations (the mean, not
        the sum of Mahalanobis, so that sixteen components do not drown what follows), plus the
        squared distance from their plane; each of both is about 1 for training images.
        """
        standard = (_with_logarithms(features, self.unit) - self.mean) / self.scale
        along = standard @ self.components.T
        beyond = np.maximum((standard**2).sum(axis=1) - (along**2).sum(axis=1), 0)
        within = ((along / self.deviations) ** 2).sum(axis=1) / max(len(self.deviations), 1)
        return within + beyond / self.residual**2


def fit_familiarity(features: np.ndarray) -> FamiliarityModel:
    """The model of training images with features `(n, d)`.

    It has a component for every five images, at most sixteen: variances of more would be noise.

    Raises:
        DataError: If there are fewer than two images, or a feature is not finite.

    Source: Lee et al., A simple unified framework for detecting out-of-distribution samples, 2018,
    without classes; of the residual, Wang et al., ViM, 2022. The logarithms are ours.
    """
    features = np.asarray(features, np.float64)
    if len(features) < 2 or not np.isfinite(features).all():
        raise DataError(
            "Expected finite features of at least 2 training images; received features of "
            f"{len(features)}{'' if np.isfinite(features).all() else ', some nan or infinite'}."
        )
    unit = np.abs(features).mean(axis=0)
    least_unit = max(_LEAST_UNIT * float(np.median(unit)), _LEAST_STD)
    # A channel that is dead in training holds rounding noise, which must not count as variance.
    least_scale = np.tile(np.where(unit < least_unit, 1.0, _LEAST_SCALE), 2)
    unit = np.maximum(unit, least_unit)
    inputs = _with_logarithms(features, unit)
    mean, scale = inputs.mean(axis=0), np.maximum(inputs.std(axis=0), least_scale)
    _, singular, directions = np.linalg.svd((inputs - mean) / scale, full_matrices=False)
    deviations = singular / math.sqrt(len(features))
    number = min(_MOST_COMPONENTS, len(features) // _IMAGES_PER_COMPONENT)
    number = min(number, int((deviations > _LEAST_STD).sum()))
    residual = max(math.sqrt((deviations[number:] ** 2).sum()), _LEAST_STD)
    return FamiliarityModel(unit, mean, scale, directions[:number], deviations[:number], residual)


def _with_logarithms(features: np.ndarray, unit: np.ndarray) -> np.ndarray:
    relative = np.asarray(features, np.float64) / unit
    return np.concatenate([relative, np.log(np.abs(relative) + _LEAST_VALUE)], axis=1)


def familiarity_p_values(
    distances: np.ndarray, calibration: np.ndarray, cases: Sequence[str]
) -> np.ndarray:
    """How often an image like the calibration images is as far from the training images, `(n,)`.

    Of images that are like them, at most a share `p` has a p-value of `p` or less. Each case weighs
    the same, however many images it has. Distances of training images cannot serve: the network
    has learned from them.

    Args:
        distances: Of new images, `(n,)`.
        calibration: Of images that the network was not trained on, `(c,)`.
        cases: The case of each calibration image; a p-value of `FLAGGED` needs 19 of them.

    Raises:
        DataError: If there are fewer cases than flags need.

    Source: Bates et al., Testing for outliers with conformal p-values, 2023; by case, Lee et al.,
    Distribution-free inference with hierarchical data, 2023.
    """
    count, fewest = len(set(cases)), fewest_cases(FLAGGED)
    if count < fewest:
        raise DataError(
            f"Expected calibration images of at least {fewest} cases to tell unfamiliar images; "
            f"received {count}."
        )
    farther = (calibration[:, None] >= distances).astype(np.float64)
    sums = add_by_case(np.concatenate([farther, np.ones((len(cases), 1))], axis=1), cases)
    return (1 + (sums[:, :-1] / sums[:, -1:]).sum(axis=0)) / (1 + count)


def shift_p_value(num_flagged: int, num_images: int, num_cases: int) -> float:
    """Probability of at least so many flags among images that are like the calibration images.

    Where it is small, new images as a whole are unlike them, and no promise reaches so far. Flags
    at `FLAGGED` share their calibration cases, of which few may by chance lie near: of `n` cases,
    the share of flags follows a beta distribution, and their number a beta-binomial one.

    Args:
        num_flagged: New images with a p-value up to `FLAGGED`.
        num_images: All new images, each of a case of its own.
        num_cases: Calibration cases.

    Source: Vovk, Conditional validity of inductive conformal predictors, 2012.
    """
    from scipy.stats import betabinom  # slow to import, and needed here alone

    rank = math.floor(FLAGGED * (num_cases + 1) + ROUNDING)
    return float(betabinom.sf(num_flagged - 1, num_images, rank, num_cases + 1 - rank))


@dataclass(frozen=True, eq=False)
class Familiarity:
    """How unlike the training images an image is.

    Args:
        model: Of the training images.
        distances: Of the calibration images, by this model, `(c,)`.
        cases: Number of the case of each, `(c,)`.
    """

    model: FamiliarityModel
    distances: np.ndarray
    cases: np.ndarray

    def p_values(self, channel_means: np.ndarray) -> np.ndarray:
        """P-values `(n,)` of images with channel means `(n, d)`; see `familiarity_p_values`."""
        distances = self.model.distances(channel_means)
        return familiarity_p_values(distances, self.distances, self.cases.tolist())

    @property
    def sentence(self) -> str:
        """What a flag means, in words."""
        return (
            f"An image is flagged as unlike the training images where its p-value is at most "
            f"{FLAGGED:g}, as that of {percent(FLAGGED)} of images like the calibration images is; "
            f"from {counted(len(set(self.cases.tolist())), 'case')}, {REACH}."
        )
