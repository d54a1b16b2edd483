"""What is shown and written of an evaluation of decisions."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from maskwright.data.samples import counted
from maskwright.evaluation.reports import parts
from maskwright.evaluation.reports.formatting import csv_cell, number, plain, span
from maskwright.metrics import Decisions, calibration_curve
from maskwright.tasks.regions.evaluation.page import region_page
from maskwright.tasks.regions.evaluation.scores import AT_SPECIFICITY, SCORES, RegionEvaluation
from maskwright.tasks.regions.trust.report import answer_tables, kept_answers_scores
from maskwright.tasks.semantic.evaluation.scores import SemanticEvaluation, background_of


def region_report(evaluation: RegionEvaluation) -> parts.Report:
    """Report of an evaluation of decisions."""
    notes = []
    if evaluation.has_predicted:
        notes.append(
            "true: with ground truth masks; pred.: with masks that the segmenter predicts."
        )
    if evaluation.segmentation is not None:
        notes.append(_segmenter_line(evaluation.segmentation))
    return parts.Report(
        evaluation=evaluation,
        summary=_summary(evaluation),
        table=_table(evaluation),
        scores=_scores(evaluation),
        cases=_cases(evaluation),
        page=partial(region_page, evaluation),
        notes=tuple(notes),
        further_tables=answer_tables(evaluation.trust),
    )


def _summary(evaluation: RegionEvaluation) -> str:
    """What was scored, such as `130 images of 120 cases, 42 malignant and 88 benign`."""
    negative, positive = evaluation.card.names
    total, num_positive = len(evaluation.bags), int(evaluation.labels.sum())
    text = counted(total, evaluation.card.unit)
    if evaluation.num_cases < total:
        within = ("in", "group") if evaluation.card.unit == "case" else ("of", "case")
        text += f" {within[0]} {counted(evaluation.num_cases, within[1])}"
    text += f", {num_positive} {positive} and {total - num_positive} {negative}"
    return f"{text}, {len(evaluation.skipped)} skipped" if evaluation.skipped else text


def _segmenter_line(segmentation: SemanticEvaluation) -> str:
    """Scores of the segmenter on the same split, in a sentence."""
    total = segmentation.total
    scores = [
        f"Dice of {name} {number(total.dice[label])}"
        for label, name in enumerate(segmentation.labels.names)
        if label != background_of(segmentation.card)
    ]
    if len(scores) > 1:
        scores.append(f"mean of these {number(total.foreground_dice)}")
    return f"The segmenter on the same split: {', '.join(scores)}."


def _scores(evaluation: RegionEvaluation) -> dict[str, Any]:
    card, total = evaluation.card, len(evaluation.bags)
    positive = int(evaluation.labels.sum())
    scores = {
        **_score_dict(evaluation, evaluation.true, evaluation.intervals),
        "calibration": _calibration(evaluation, evaluation.probabilities),
        "bags": total,
        "positive": positive,
        "negative": total - positive,
        "names": list(card.names),
        "unit": card.unit,
        "temperature": card.temperature,
        "threshold": card.threshold,
    }
    if evaluation.predicted is not None:
        scores["predicted"] = {
            **_score_dict(evaluation, evaluation.predicted, evaluation.predicted_intervals),
            "calibration": _calibration(evaluation, evaluation.predicted_probabilities),
            "without_region": evaluation.num_missed,
        }
        scores["difference"] = {}
        for key, value in evaluation.difference.items():
            ends = evaluation.difference_intervals[key]
            scores["difference"] |= {key: plain(value), f"{key}_interval": plain(ends)}
    if evaluation.trust is not None:
        scores["trust"] = kept_answers_scores(evaluation.trust)
    if evaluation.segmentation is not None:
        scores["segmentation"] = _segmentation(evaluation.segmentation)
    return scores


def _score_dict(
    evaluation: RegionEvaluation, decisions: Decisions, intervals: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key in (score.key for score in SCORES):
        value, ends = plain(getattr(decisions, key)), plain(intervals[key])
        if key == AT_SPECIFICITY:
            values[key] = {
                "specificity": evaluation.specificity,
                "sensitivity": value,
                "interval": ends,
                "threshold": plain(decisions.threshold_at_specificity),
            }
        else:
            values |= {key: value, f"{key}_interval": ends}
    return values | {"confusion": decisions.confusion.tolist()}


def _calibration(evaluation: RegionEvaluation, probabilities: np.ndarray) -> list[dict[str, float]]:
    """Points of the calibration curve that hold a bag."""
    points = zip(*calibration_curve(evaluation.labels, probabilities), strict=True)
    return [
        {"probability": float(mean), "positive": float(share), "number": int(number)}
        for mean, share, number in points
        if number
    ]


def _segmentation(segmentation: SemanticEvaluation) -> dict[str, Any]:
    total, intervals = segmentation.total, segmentation.intervals
    keys = ("foreground_dice", "foreground_iou", "mean_dice", "mean_iou")
    return {
        **{key: plain(getattr(total, key)) for key in keys},
        **{f"{key}_interval": plain(getattr(intervals, key)) for key in keys},
        "dice": {
            name: plain(total.dice[label]) for label, name in enumerate(segmentation.labels.names)
        },
    }


def _cases(evaluation: RegionEvaluation) -> tuple[list[str], list[list[Any]]]:
    """A line for each bag; what does not exist is left empty."""
    headings = ["id", "case", "label", "probability", "decision"]
    headings += ["regions", "deciding_region", "weight"]
    if evaluation.has_predicted:
        headings += ["predicted_probability", "predicted_decision", "predicted_regions"]
        headings += ["predicted_deciding_region", "predicted_weight"]
    card, rows = evaluation.card, []

    def cells(probability: float, regions: int, deciding: tuple[str, float] | None) -> list[str]:
        name, weight = ("", "") if deciding is None else (deciding[0], csv_cell(deciding[1]))
        decision = card.names[int(probability >= card.threshold)]
        return [csv_cell(probability), decision, str(regions), name, weight]

    for index, bag in enumerate(evaluation.bags):
        row = [bag.id, bag.case, card.names[bag.label]]
        row += cells(float(evaluation.probabilities[index]), len(bag.regions), bag.deciding)
        if evaluation.has_predicted:
            probability = float(evaluation.predicted_probabilities[index])
            row += cells(probability, len(bag.predicted_regions), bag.predicted_deciding)
        rows.append(row)
    return headings, rows


def _table(evaluation: RegionEvaluation) -> parts.Table:
    """All scores; with predicted masks, those with them and the difference."""
    predicted = evaluation.predicted
    columns = [parts.Column("Ground truth masks", "true" if predicted else "value", interval=True)]
    if predicted is not None:
        columns += [parts.Column("Predicted masks", "pred.")]
        columns += [parts.Column("Difference", "change", interval=True)]
    rows = []
    for score in SCORES:
        key = score.key
        cells = [parts.cell(getattr(evaluation.true, key), evaluation.intervals[key])]
        if predicted is not None:
            ends = evaluation.difference_intervals[key]
            difference = number(evaluation.difference[key], signed=True)
            cells += [
                parts.cell(getattr(predicted, key), evaluation.predicted_intervals[key]),
                parts.TableCell(difference, span(ends, signed=True)),
            ]
        percent = 100 * evaluation.specificity
        title, short = score.title.format(percent), (score.short or score.title).format(percent)
        rows.append(parts.Row(title=parts.upper_first(title), short=short, cells=tuple(cells)))
    note = (
        f"{parts.interval_note(evaluation)} Of Brier score and calibration error, less is better."
    )
    if evaluation.segmentation is not None:
        note += f" {_segmenter_line(evaluation.segmentation)}"
    return parts.Table(
        title="Scores", first="Score", columns=tuple(columns), rows=tuple(rows), note=note
    )
