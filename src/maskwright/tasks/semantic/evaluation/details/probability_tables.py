"""Tables and charts of the probabilities of masks: scores by threshold."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.evaluation.reports import charts
from maskwright.evaluation.reports.formatting import csv_cell, plain
from maskwright.evaluation.reports.parts import Chart, Column, Row, Table, TableCell, cell
from maskwright.imageio import write_table
from maskwright.metrics.pixel_probabilities import (
    THRESHOLD_BINS,
    ThresholdCurve,
    threshold_curve,
)
from maskwright.tasks.semantic.evaluation.details.measures import MaskDetails
from maskwright.tasks.semantic.evaluation.scores import SemanticEvaluation, background_of

_MOST_CURVES = 4  # in a chart
_STEP = THRESHOLD_BINS // 100  # between rows of the CSV file
_EXPLORATORY = (
    "The best threshold is that of the highest Dice on these very images, so that its Dice is too "
    "good for others: exploratory. Choose a threshold on validation images."
)


def class_curves(evaluation: SemanticEvaluation, details: MaskDetails) -> dict[str, ThresholdCurve]:
    """Scores by threshold of each class but the background; empty where there are none."""
    if details.threshold_counts is None:
        return {}
    background = background_of(evaluation.card)
    return {
        name: threshold_curve(details.threshold_counts[label])
        for label, name in enumerate(evaluation.labels.names)
        if label != background
    }


def curve_scores(curve: ThresholdCurve) -> dict[str, Any]:
    """Plain values of one class for JSON."""
    best = curve.best
    return {
        "average_precision": plain(curve.average_precision),
        "dice_at_half": plain(curve.dice[THRESHOLD_BINS // 2]),
        "best_threshold": plain(curve.thresholds[best]),
        "best_dice": plain(curve.dice[best]),
    }


def threshold_table(curves: Mapping[str, ThresholdCurve]) -> Table:
    """Average precision, and Dice at one half and at the best threshold, of each class."""
    rows = [
        Row(
            title=name,
            cells=(
                cell(curve.average_precision),
                cell(curve.dice[THRESHOLD_BINS // 2]),
                cell(curve.dice[curve.best]),
                TableCell("-" if np.isnan(curve.dice[curve.best]) else _threshold(curve)),
            ),
        )
        for name, curve in curves.items()
    ]
    return Table(
        title="Thresholds",
        first="Class",
        columns=tuple(
            map(Column, ("Average precision", "Dice at 0.5", "Best Dice", "Best threshold"))
        ),
        rows=tuple(rows),
        note="Each class by itself, over all pixels of the split: a pixel is of it where the "
        f"probability reaches the threshold, before post-processing. {_EXPLORATORY}",
    )


def threshold_charts(curves: Mapping[str, ThresholdCurve]) -> tuple[Chart, ...]:
    """Precision against recall, and scores against the threshold, of the first few classes."""
    shown = dict(list(curves.items())[:_MOST_CURVES])
    if len(curves) == 1:
        (curve,) = curves.values()
        fields = {"Dice": curve.dice, "IoU": curve.iou}
        fields |= {"precision": curve.precision, "recall": curve.recall}
        by_threshold = {key: _points(curve.thresholds, values) for key, values in fields.items()}
        title = "Scores by threshold"
    else:
        by_threshold = {name: _points(c.thresholds, c.dice) for name, c in shown.items()}
        title = "Dice by threshold"
    marks = [_point(c.thresholds, c.dice, c.best) for c in shown.values()]
    recalls = {name: _points(c.recall, c.precision) for name, c in shown.items()}
    best = [_point(c.recall, c.precision, c.best) for c in shown.values()]
    more = "" if len(shown) == len(curves) else f" The first {_MOST_CURVES} of {len(curves)}"
    more += " classes; thresholds.csv has all." if more else ""
    names = ("threshold", "score" if len(curves) == 1 else "Dice")
    return (
        Chart(
            title,
            f"Of all pixels; the circle is the best Dice. {_EXPLORATORY}{more}",
            charts.unit_curves(by_threshold, names, title, marks=marks, chance=math.nan),
        ),
        Chart(
            "Precision and recall",
            f"By threshold; the circle is the best Dice.{more}",
            charts.unit_curves(
                recalls,
                ("recall", "precision"),
                "Precision-recall curve",
                marks=best,
                chance=math.nan,
            ),
        ),
    )


def write_thresholds(curves: Mapping[str, ThresholdCurve], path: Path) -> None:
    """Write the scores of each class at a hundred thresholds as CSV."""
    fields = ("precision", "recall", "dice", "iou")
    rows = [
        [name, f"{curve.thresholds[at]:.2f}", *(csv_cell(getattr(curve, f)[at]) for f in fields)]
        for name, curve in curves.items()
        for at in range(0, THRESHOLD_BINS, _STEP)
    ]
    write_table(path, ["class", "threshold", *fields], rows)


def _threshold(curve: ThresholdCurve) -> str:
    return f"{curve.thresholds[curve.best]:g}"


def _points(x: np.ndarray, y: np.ndarray) -> list[tuple[float, float]]:
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _point(x: np.ndarray, y: np.ndarray, place: int) -> tuple[float, float]:
    return float(x[place]), float(y[place])
