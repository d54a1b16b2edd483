"""What scores.json and cases.csv hold of an evaluation of masks of classes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from maskwright.evaluation.reports.formatting import csv_cell, plain
from maskwright.evaluation.reports.kept_promises import kept_scores
from maskwright.metrics.confusion import EMPTY_RULE, TRUTH
from maskwright.metrics.false_alarms import FalseAlarms
from maskwright.tasks.semantic.evaluation.details.calibration_tables import calibration_of
from maskwright.tasks.semantic.evaluation.details.image_tables import (
    column_scores,
    missed_images,
    outline_keys,
)
from maskwright.tasks.semantic.evaluation.details.measures import MaskDetails
from maskwright.tasks.semantic.evaluation.details.outlines import OUTLINE_RULE
from maskwright.tasks.semantic.evaluation.details.probability_tables import (
    class_curves,
    curve_scores,
)
from maskwright.tasks.semantic.evaluation.details.size_tables import size_limits, size_scores
from maskwright.tasks.semantic.evaluation.scores import PER_CLASS, SemanticEvaluation

_OF_GROUPS = ("foreground_dice", "foreground_iou", "mean_surface_dice")
_WITH_INTERVAL = [score.key for score in PER_CLASS if score.interval]


def scores_of(evaluation: SemanticEvaluation) -> dict[str, Any]:
    """Scores of all pixels, of each class, over images, and their intervals."""
    total, intervals = vars(evaluation.total), vars(evaluation.intervals)
    names = evaluation.labels.names
    per_class = _per_class(total, names, [score.key for score in PER_CLASS])
    sizes = evaluation.tallies[:, TRUTH].sum(axis=0).tolist()
    for values, pixels in zip(per_class.values(), sizes, strict=True):
        values["pixels"] = pixels
    for values, cases in zip(per_class.values(), evaluation.class_cases.tolist(), strict=True):
        values["cases"] = cases
    keys = [mean.key for mean in evaluation.means]
    outlines = outline_keys(evaluation.details) if evaluation.details else []
    of_images = [*_WITH_INTERVAL, *outlines]
    mean_keys = [*keys, *(f"mean_{key}" for key in outlines)]
    missed = missed_images(evaluation).tolist()
    for values, number in zip(per_class.values(), missed, strict=True):
        values["missed_images"] = number
    for values, alarms in zip(per_class.values(), evaluation.absent, strict=True):
        values["absent"] = _alarms(alarms)
    return {
        "headline": keys[0],
        **_means(total, keys),
        "per_class": per_class,
        "image_wise": {
            **_means(evaluation.image_wise, mean_keys),
            "per_class": _per_class(evaluation.image_wise, names, of_images),
            "weigh": evaluation.options.weigh,
        },
        "intervals": {
            **_means(intervals, keys),
            "per_class": _per_class(intervals, names),
            "image_wise": {
                **_means(evaluation.image_wise_intervals, mean_keys),
                "per_class": _per_class(evaluation.image_wise_intervals, names, of_images),
            },
        },
        "empty_images": _alarms(evaluation.empty),
        "confusion": evaluation.counts.tolist(),
        "scored_at": evaluation.options.size,
        "flips": evaluation.options.flips,
        "empty_rule": EMPTY_RULE,
        **(_details(evaluation, evaluation.details) if evaluation.details else {}),
        **({"trust": kept_scores(evaluation.trust)} if evaluation.trust else {}),
    }


def _alarms(alarms: FalseAlarms) -> dict[str, Any]:
    """False alarms for JSON."""
    return {
        "images": alarms.images,
        "false_alarm_rate": plain(alarms.rate),
        "false_alarm_rate_interval": plain(alarms.rate_ends),
        "false_area_px": plain(alarms.area_px),
        "false_area_px_interval": plain(alarms.area_ends),
    }


def _details(evaluation: SemanticEvaluation, details: MaskDetails) -> dict[str, Any]:
    """Scores of outlines, sizes, groups and probabilities, as far as they were asked for."""
    tolerance, calibration = details.tolerance, calibration_of(details, evaluation.cases)
    values: dict[str, Any] = {
        "outlines": {f"tolerance_{tolerance.unit}": tolerance.distance, "rule": OUTLINE_RULE},
        "sizes": {
            "limits_px": list(size_limits(evaluation, details)),
            **{name: each.to_dict() for name, each in size_scores(evaluation, details).items()},
        },
    }
    if groups := column_scores(evaluation):
        values["by"] = {
            "column": evaluation.options.by,
            "groups": {
                name: {
                    "images": len(group.samples),
                    "cases": group.num_cases,
                    **_means(group.image_wise, _OF_GROUPS),
                    "intervals": _means(group.image_wise_intervals, _OF_GROUPS),
                }
                for name, group in groups.items()
            },
        }
    if curves := class_curves(evaluation, details):
        values["thresholds"] = {name: curve_scores(curve) for name, curve in curves.items()}
    if calibration is not None:
        values["calibration"] = calibration.to_dict()
    return values


def _means(values: Mapping[str, np.ndarray], keys: Sequence[str]) -> dict[str, Any]:
    return {key: plain(values[key]) for key in keys}


def _per_class(
    values: Mapping[str, np.ndarray], names: Sequence[str], keys: Sequence[str] = _WITH_INTERVAL
) -> dict[str, dict[str, Any]]:
    """Scores or intervals, `(…, classes)`, by class and key."""
    return {
        name: {key: plain(values[key][..., label]) for key in keys}
        for label, name in enumerate(names)
    }


def image_rows(evaluation: SemanticEvaluation) -> tuple[list[str], list[list[Any]]]:
    """A line of scores for each image; what is not defined is left empty."""
    outlines = outline_keys(evaluation.details) if evaluation.details else []
    keys = [*_WITH_INTERVAL, *(f"mean_{key}" for key in outlines), *outlines]
    columns: dict[str, Sequence[Any]] = {
        **{
            name: [getattr(s, name) for s in evaluation.samples] for name in ("id", "case", "image")
        },
        **{mean.key: _cells(evaluation.of_images[mean.key]) for mean in evaluation.means},
        "pixels": evaluation.tallies[:, TRUTH].sum(axis=-1).tolist(),
    }
    for key in keys:
        values = evaluation.of_images[key]
        if values.ndim == 1:
            columns[key] = _cells(values)
            continue
        for name, of_class in zip(evaluation.labels.names, values.T, strict=True):
            columns[f"{key} {name}"] = _cells(of_class)
    return list(columns), [list(row) for row in zip(*columns.values(), strict=True)]


def _cells(values: np.ndarray) -> list[str]:
    return [csv_cell(value) for value in values]
