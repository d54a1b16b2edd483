"""Metrics: integer counts → scores. `metrics.streaming` needs Keras and is imported by name."""

from maskwright.metrics.bootstrap import add_by_case, interval, resample, resample_mean
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
from maskwright.metrics.decisions import (
    BINS,
    DECISION_SCORES,
    Decisions,
    average_precision,
    binary_accuracy,
    binned_scores,
    decision_intervals,
    decision_scores,
    precision_recall_curve,
    resample_decisions,
    roc_auc,
    roc_curve,
    sensitivity_at,
)

__all__ = [
    "BINS",
    "DECISION_SCORES",
    "Decisions",
    "EMPTY_RULE",
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
    "fit_temperature",
    "interval",
    "precision_recall_curve",
    "resample",
    "resample_decisions",
    "resample_mean",
    "roc_auc",
    "roc_curve",
    "scores",
    "sensitivity_at",
    "tally",
    "tally_scores",
]
