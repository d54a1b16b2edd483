"""What a classifier takes of the measures of a region: a vector of standardizable numbers."""

import math
from collections.abc import Callable, Mapping

import numpy as np

_Measures = Mapping[str, float]

_LOG_OFFSET = 0.01  # added before logarithms, so that tiny shares do not differ much

SHAPE_FEATURES: Mapping[str, Callable[[_Measures], float]] = {
    "log_area": lambda m: math.log(m["area_px"]),
    "log_share": lambda m: math.log(m["share"]),
    "log_aspect": lambda m: math.log(m["aspect"]),
    "log_circularity": lambda m: math.log(m["circularity"]),
    "extent": lambda m: m["extent"],
    "axis_ratio": lambda m: m["minor_axis_px"] / m["major_axis_px"] if m["major_axis_px"] else 1.0,
    "log_dents": lambda m: _log_deficit(m["solidity"]),
    "log_excess_perimeter": lambda m: _log_deficit(m["convexity"]),
    "log_roughness": lambda m: _log_deficit(m["smoothness"]),
    "log_holes": lambda m: math.log1p(m["holes"]),
    "touches_border": lambda m: m["touches_border"],
}
INTENSITY_FEATURES: Mapping[str, Callable[[_Measures], float]] = {
    "mean": lambda m: m["mean"] / m["full_scale"],
    "percentile_10": lambda m: m["percentile_10"] / m["full_scale"],
    "percentile_90": lambda m: m["percentile_90"] / m["full_scale"],
    "ring_mean": lambda m: m["ring_mean"] / m["full_scale"],
    "log_std": lambda m: math.log(m["std"] / m["full_scale"] + _LOG_OFFSET),
    "contrast": lambda m: _contrast(m["mean"] / m["full_scale"], m["ring_mean"] / m["full_scale"]),
    "log_sharpness": lambda m: math.log(m["sharpness"] + _LOG_OFFSET),
    "log_texture": lambda m: math.log(m["texture"] / m["full_scale"] + _LOG_OFFSET),
}
VECTOR_NAMES = (*SHAPE_FEATURES, *INTENSITY_FEATURES)
"""Elements of `vector`, in order: eleven on size and shape, eight on intensity."""


def vector(measures: _Measures) -> np.ndarray:
    """Features of a region from its measures: finite float32 `(len(VECTOR_NAMES),)`.

    None depends on the place or the orientation of the region. Sizes are logarithms; intensities
    are shares of `full_scale`, and 0 where the measures have none. `solidity`, `convexity` and
    `smoothness` enter by the logarithm of their deficit to 1, so that 0.99 and 0.97 differ as much
    as 0.9 and 0.7, and a region in pieces is no outlier.
    """
    values = [compute(measures) for compute in SHAPE_FEATURES.values()]
    if "full_scale" in measures:
        values += [compute(measures) for compute in INTENSITY_FEATURES.values()]
    else:
        values += [0.0] * len(INTENSITY_FEATURES)
    return np.array(values, np.float32)


def _log_deficit(share: float) -> float:
    return math.log(max(0.0, 1 - share) + _LOG_OFFSET)


def _contrast(inside: float, ring: float) -> float:
    return (inside - ring) / (abs(inside) + abs(ring) + 1 / 255)
