"""Tables and charts of the probabilities of masks: scores by threshold, and calibration."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.samples import counted
from maskwright.evaluation.reports import charts
from maskwright.evaluation.reports.formatting import csv_cell, number, plain
from maskwright.evaluation.reports.parts import Chart, Column, Row, Table, TableCell, cell
from maskwright.imageio import write_table
from maskwright.metrics.pixel_probabilities import (
    BAND_PX,
    CONFIDENCE_BINS,
    THRESHOLD_BINS,
    ThresholdCurve,
    mean_squared_error,
    reliability,
    threshold_curve,
    top_label_error,
)
from maskwright.tasks.semantic.evaluation.details.measures import MaskDetails
from maskwright.tasks.semantic.evaluation.scores import SemanticEvaluation, background_of

_MOST_CURVES = 4  # in a chart
_STEP = THRESHOLD_BINS // 100  # between rows of the CSV file
PARTS = ("all_pixels", "predicted_outline")
"""Keys of the calibration of all pixels and of the band along the predicted outline."""

_TITLES = ("All pixels", f"Within {BAND_PX} px of the predicted outline")
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


@dataclass(frozen=True, eq=False)
class PixelCalibration:
    """Counts of `count_confidence` of all images, `(2, 4, bins)`, and how many were counted."""

    counts: np.ndarray
    images: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, of all pixels and of the band."""
        errors, squares = top_label_error(self.counts), mean_squared_error(self.counts)
        parts = {}
        for place, key in enumerate(PARTS):
            mean, share, pixels = reliability(self.counts[place])
            parts[key] = {
                "expected_calibration_error": plain(errors[place]),
                "brier": plain(squares[place]),
                "pixels": int(pixels.sum()),
                "confidence": [plain(value) for value in mean],
                "right": [plain(value) for value in share],
                "pixels_of_bins": pixels.tolist(),
            }
        return {"images": self.images, "band_px": BAND_PX, "bins": CONFIDENCE_BINS, **parts}


def calibration_of(details: MaskDetails) -> PixelCalibration | None:
    """Calibration of the images whose probabilities were counted, or `None`."""
    if details.confidence_counts is None:
        return None
    counted_ones = ~np.isnan(details.confidence_counts).any(axis=(1, 2, 3))
    counts = details.confidence_counts[counted_ones].sum(axis=0)
    return PixelCalibration(counts, int(counted_ones.sum()))


def calibration_table(calibration: PixelCalibration, not_counted: int) -> Table:
    """Top-label calibration error and Brier score of all pixels and of the band."""
    errors, squares = top_label_error(calibration.counts), mean_squared_error(calibration.counts)
    rows = []
    for place, title in enumerate(_TITLES):
        pixels, right, confidence, _ = calibration.counts[place].sum(axis=-1)
        means = (confidence / pixels, right / pixels) if pixels else (np.nan, np.nan)
        cells = [cell(value) for value in (errors[place], squares[place], *means)]
        rows.append(Row(title=title, cells=(*cells, TableCell(f"{pixels:,.0f}"))))
    titles = ("Calibration error", "Brier score", "Mean probability", "Right", "Pixels")
    note = (
        "Of the most probable class of each pixel, before threshold and post-processing: how far "
        "its probability is from the share of pixels where it is right (expected calibration "
        f"error, {CONFIDENCE_BINS} parts). Most pixels lie far from any outline and are easy: "
        "those along the predicted outline tell more. Along the true outline, every model would "
        "look wrong."
    )
    if not_counted:
        note += f" Without {counted(not_counted, 'image')} that are too large."
    return Table(
        title="Calibration of probabilities",
        first="Pixels",
        columns=tuple(map(Column, titles)),
        rows=tuple(rows),
        note=note,
    )


def calibration_chart(calibration: PixelCalibration) -> Chart:
    """Reliability diagram of all pixels and of the band."""
    names = ("all pixels", f"{BAND_PX} px along the predicted outline")
    series = {
        name: reliability(calibration.counts[place])
        for place, name in enumerate(names)
        if calibration.counts[place, 0].any()
    }
    return Chart(
        "Reliability diagram",
        "Share of pixels whose most probable class is right, by its probability; on the diagonal, "
        "probabilities mean what they say, below it they are too high. Numbers are pixels.",
        charts.calibration(series, ("probability of the most probable class", "share right")),
    )


def calibration_note(calibration: PixelCalibration) -> str:
    """One sentence for a terminal."""
    whole, band = top_label_error(calibration.counts)
    return (
        f"Calibration error of the probabilities {number(whole)} over all pixels, {number(band)} "
        f"within {BAND_PX} px of the predicted outline."
    )


def _threshold(curve: ThresholdCurve) -> str:
    return f"{curve.thresholds[curve.best]:g}"


def _points(x: np.ndarray, y: np.ndarray) -> list[tuple[float, float]]:
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _point(x: np.ndarray, y: np.ndarray, place: int) -> tuple[float, float]:
    return float(x[place]), float(y[place])
