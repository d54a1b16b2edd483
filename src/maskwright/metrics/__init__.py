"""Metrics: integer counts → scores.

`metrics.streaming`, which needs Keras, `metrics.instances` and `metrics.coco` are imported by name.
"""

from maskwright.metrics.bootstrap import add_by_case, interval, resample, resample_mean
from maskwright.metrics.calibration import calibration_curve, fit_temperature
from maskwright.metrics.confusion import (
    EMPTY_RULE,
    Scores,
    confusion,
    defined_mean,
    scores,
    tally,
    tally_scores,
)
from maskwright.metrics.curves import (
    BINS,
    binned_scores,
    precision_recall_curve,
    roc_curve,
    sensitivity_at,
)
from maskwright.metrics.decisions import (
    DECISION_SCORES,
    Decisions,
    decision_ends,
    decision_scores,
    resample_decisions,
)
from maskwright.metrics.paired import (
    NO_DIFFERENCE,
    Paired,
    fewest_cases,
    paired_difference,
    shared_level,
    sign_shown,
    verdict,
)

__all__ = [
    "BINS",
    "DECISION_SCORES",
    "Decisions",
    "EMPTY_RULE",
    "NO_DIFFERENCE",
    "Paired",
    "Scores",
    "add_by_case",
    "binned_scores",
    "calibration_curve",
    "confusion",
    "decision_ends",
    "decision_scores",
    "defined_mean",
    "fewest_cases",
    "fit_temperature",
    "interval",
    "paired_difference",
    "precision_recall_curve",
    "resample",
    "resample_decisions",
    "resample_mean",
    "roc_curve",
    "scores",
    "sensitivity_at",
    "shared_level",
    "sign_shown",
    "tally",
    "tally_scores",
    "verdict",
]
