"""Metrics: integer counts → scores.

`metrics.streaming`, which needs Keras, `metrics.instances` and `metrics.coco` are imported by name.
"""

from maskwright.metrics.bootstrap import (
    NO_DIFFERENCE,
    Paired,
    add_by_case,
    fewest_cases,
    interval,
    paired_difference,
    resample,
    resample_mean,
    shared_level,
    sign_shown,
    verdict,
)
from maskwright.metrics.calibration import (
    brier,
    calibration_curve,
    expected_calibration_error,
    fit_temperature,
)
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
    average_precision,
    binned_scores,
    precision_recall_curve,
    roc_auc,
    roc_curve,
    sensitivity_at,
)
from maskwright.metrics.decisions import (
    DECISION_SCORES,
    Decisions,
    binary_accuracy,
    decision_intervals,
    decision_scores,
    resample_decisions,
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
    "average_precision",
    "binary_accuracy",
    "binned_scores",
    "brier",
    "calibration_curve",
    "confusion",
    "decision_intervals",
    "decision_scores",
    "defined_mean",
    "expected_calibration_error",
    "fewest_cases",
    "fit_temperature",
    "interval",
    "paired_difference",
    "precision_recall_curve",
    "resample",
    "resample_decisions",
    "resample_mean",
    "roc_auc",
    "roc_curve",
    "scores",
    "sensitivity_at",
    "shared_level",
    "sign_shown",
    "tally",
    "tally_scores",
    "verdict",
]
