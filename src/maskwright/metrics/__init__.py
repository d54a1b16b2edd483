"""Metrics: integer counts → scores. `metrics.streaming` needs Keras and is imported by name."""

from maskwright.metrics.bootstrap import add_by_case, interval, resample, resample_mean
from maskwright.metrics.confusion import (
    EMPTY_RULE,
    Scores,
    confusion,
    defined_mean,
    scores,
    tally,
    tally_scores,
)

__all__ = [
    "EMPTY_RULE",
    "Scores",
    "add_by_case",
    "confusion",
    "defined_mean",
    "interval",
    "resample",
    "resample_mean",
    "scores",
    "tally",
    "tally_scores",
]
