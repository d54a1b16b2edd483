"""Metrics: integer counts → scores.

Metrics for `compile` are imported with Keras on first use. The modules on objects, outlines,
components and probabilities of pixels are imported by name.
"""

from typing import TYPE_CHECKING

from maskwright.lazy import lazy_names
from maskwright.metrics.calibration import (
    brier,
    calibration_curve,
    expected_calibration_error,
    fit_temperature,
)
from maskwright.metrics.confusion import (
    Scores,
    confusion,
    layer_confusion,
    layer_tally,
    scores,
    tally,
    tally_scores,
)
from maskwright.metrics.curves import (
    average_precision,
    precision_recall_curve,
    roc_auc,
    roc_curve,
    sensitivity_at,
)
from maskwright.metrics.decisions import Decisions, decision_intervals, decision_scores
from maskwright.metrics.paired import Paired, paired_difference

if TYPE_CHECKING:
    from maskwright.metrics.streaming import ConfusionMatrix, MeanDice, MeanIoU

__all__ = [
    "ConfusionMatrix",
    "Decisions",
    "MeanDice",
    "MeanIoU",
    "Paired",
    "Scores",
    "average_precision",
    "brier",
    "calibration_curve",
    "confusion",
    "decision_intervals",
    "decision_scores",
    "expected_calibration_error",
    "fit_temperature",
    "layer_confusion",
    "layer_tally",
    "paired_difference",
    "precision_recall_curve",
    "roc_auc",
    "roc_curve",
    "scores",
    "sensitivity_at",
    "tally",
    "tally_scores",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    dict.fromkeys(("ConfusionMatrix", "MeanDice", "MeanIoU"), "maskwright.metrics.streaming"),
)
