"""Scores of decisions as a table to read, and as JSON and CSV for other programs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from maskwright.evaluation.evaluate import Evaluation
from maskwright.evaluation.reports.formatting import (
    cell,
    change,
    number,
    plain,
    span,
    write_json,
    write_rows,
)
from maskwright.metrics import DECISION_SCORES, Decisions, calibration_curve
from maskwright.tasks.regions.region_scores import DecisionEvaluation

_NAMES = {
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "binary_accuracy": "accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "brier": "Brier score",
    "expected_calibration_error": "calibration error",
}


def score_name(name: str, evaluation: DecisionEvaluation, short: bool = False) -> str:
    """How one of the `DECISION_SCORES` is called on paper; `short` fits a terminal."""
    if name != "sensitivity_at_specificity":
        return _NAMES[name]
    asked = f"{100 * evaluation.specificity:g}"
    return f"sens. at {asked}% spec" if short else f"sensitivity at {asked} % specificity"


def to_dict(evaluation: DecisionEvaluation) -> dict[str, Any]:
    """Plain values as `scores.json` holds them; a score that is not defined is `None`."""
    values = _score_dict(evaluation, evaluation.true, evaluation.intervals)
    values["calibration"] = _calibration(evaluation, evaluation.probabilities)
    positive = int(evaluation.labels.sum())
    values |= {
        "bags": len(evaluation.decided),
        "cases": len(set(evaluation.cases)),
        "positive": positive,
        "negative": len(evaluation.decided) - positive,
    }
    if evaluation.predicted is not None:
        values["predicted"] = {
            **_score_dict(evaluation, evaluation.predicted, evaluation.predicted_intervals),
            "calibration": _calibration(evaluation, evaluation.predicted_probabilities),
            "without_region": evaluation.num_missed,
        }
        values["difference"] = {
            key: plain(value)
            for name in DECISION_SCORES
            for key, value in (
                (name, evaluation.difference[name]),
                (f"{name}_interval", evaluation.difference_intervals[name]),
            )
        }
    if evaluation.segmentation is not None:
        values["segmentation"] = _segmentation(evaluation.segmentation)
    card = evaluation.card
    return values | {
        "names": list(evaluation.names),
        "unit": evaluation.unit,
        "temperature": evaluation.temperature,
        "threshold": evaluation.threshold,
        "level": 0.95,
        "draws": evaluation.draws,
        "seed": evaluation.seed,
        "split": evaluation.split,
        "skipped": [
            {"id": skip.sample.id, "image": str(skip.sample.image), "reason": skip.reason}
            for skip in evaluation.skipped
        ],
        "warnings": list(evaluation.cautions),
        "data": str(evaluation.data),
        "model_sha256": None if card is None else card.model_sha256,
        "date": evaluation.date,
    }


def table(evaluation: DecisionEvaluation) -> Table:
    """Scores with 95 % intervals, and what predicted masks change, for the terminal."""
    notes = list(evaluation.cautions)
    if evaluation.has_predicted:
        notes.insert(0, "true: with true masks; pred.: with those that the segmenter predicts.")
    if evaluation.segmentation is not None:
        notes.insert(1, segmenter_line(evaluation.segmentation))
    shown = Table(
        title=escape(f"{evaluation.split}: {summary(evaluation)}"),
        box=SIMPLE_HEAD,
        pad_edge=False,
        caption=escape("\n".join(notes)),
        caption_justify="left",
    )
    # Narrow enough for a terminal of 80 columns.
    shown.add_column("score", no_wrap=True)
    headings = ["true", "95 %"] if evaluation.predicted is not None else ["", "95 %"]
    if evaluation.predicted is not None:
        headings += ["pred.", "change", "95 %"]
    for heading in headings:
        shown.add_column(heading, justify="right", no_wrap=True)
    for name in DECISION_SCORES:
        cells = [number(getattr(evaluation.true, name)), span(evaluation.intervals[name])]
        if evaluation.predicted is not None:
            cells += [
                number(getattr(evaluation.predicted, name)),
                change(evaluation.difference[name]),
                span(evaluation.difference_intervals[name], signed=True),
            ]
        shown.add_row(score_name(name, evaluation, short=True), *cells)
    return shown


def summary(evaluation: DecisionEvaluation) -> str:
    """What was scored, such as `130 images of 120 cases, 42 malignant and 88 benign`."""
    total, num_cases = len(evaluation.decided), len(set(evaluation.cases))
    positive = int(evaluation.labels.sum())
    text = evaluation.counted(total)
    if num_cases < total:
        text += f" in {num_cases} groups" if evaluation.unit == "case" else f" of {num_cases} cases"
    text += f", {positive} {evaluation.names[1]} and {total - positive} {evaluation.names[0]}"
    return f"{text}, {len(evaluation.skipped)} skipped" if evaluation.skipped else text


def segmenter_line(segmentation: Evaluation) -> str:
    """What a segmenter reached on the same split, in a sentence."""
    total = segmentation.total
    foreground = [
        f"Dice of {name} {number(total.dice[label])}"
        for label, name in enumerate(segmentation.labels.names)
        if label != segmentation.card.background
    ]
    means = f"mean Dice {number(total.mean_dice)}, mean IoU {number(total.mean_iou)}"
    return f"The segmenter on the same split: {', '.join([*foreground, means])}."


def write_scores(evaluation: DecisionEvaluation, path: Path) -> None:
    """Write `to_dict` as JSON."""
    write_json(to_dict(evaluation), path)


def write_cases(evaluation: DecisionEvaluation, path: Path) -> None:
    """Write one line for each bag as CSV; what is not there is left empty."""
    headings = ["id", "case", "label", "probability", "decision"]
    headings += ["regions", "deciding_region", "weight"]
    if evaluation.has_predicted:
        headings += ["predicted_probability", "predicted_decision", "predicted_regions"]
        headings += ["predicted_deciding_region", "predicted_weight"]
    rows = []
    for place, one in enumerate(evaluation.decided):
        row = [one.id, one.case, evaluation.names[one.label]]
        row += _decision(evaluation, float(evaluation.probabilities[place]))
        row += [str(len(one.regions)), *_deciding(one.deciding)]
        if evaluation.has_predicted:
            row += _decision(evaluation, float(evaluation.predicted_probabilities[place]))
            row += [str(len(one.predicted_regions)), *_deciding(one.predicted_deciding)]
        rows.append(row)
    write_rows(headings, rows, path)


def decision_name(evaluation: DecisionEvaluation, probability: float) -> str:
    """Answer that a probability stands for."""
    return evaluation.names[int(probability >= evaluation.threshold)]


def _decision(evaluation: DecisionEvaluation, probability: float) -> list[str]:
    return [cell(probability), decision_name(evaluation, probability)]


def _deciding(found: tuple[str, float] | None) -> list[str]:
    return ["", ""] if found is None else [found[0], cell(found[1])]


def _score_dict(
    evaluation: DecisionEvaluation, found: Decisions, intervals: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in DECISION_SCORES:
        score, ends = plain(getattr(found, name)), plain(intervals[name])
        if name == "sensitivity_at_specificity":
            values[name] = {
                "specificity": evaluation.specificity,
                "sensitivity": score,
                "interval": ends,
                "threshold": plain(found.threshold_at_specificity),
            }
        else:
            values |= {name: score, f"{name}_interval": ends}
    return values | {"confusion": found.confusion.tolist()}


def _calibration(
    evaluation: DecisionEvaluation, probabilities: np.ndarray
) -> list[dict[str, float]]:
    """Points of the calibration curve, those that hold a bag."""
    points = zip(*calibration_curve(evaluation.labels, probabilities), strict=True)
    return [
        {"probability": float(mean), "positive": float(share), "number": int(held)}
        for mean, share, held in points
        if held
    ]


def _segmentation(segmentation: Evaluation) -> dict[str, Any]:
    total, intervals = segmentation.total, segmentation.intervals
    return {
        "mean_dice": plain(total.mean_dice),
        "mean_dice_interval": plain(intervals.mean_dice),
        "mean_iou": plain(total.mean_iou),
        "mean_iou_interval": plain(intervals.mean_iou),
        "dice": {
            name: plain(total.dice[label]) for label, name in enumerate(segmentation.labels.names)
        },
    }
