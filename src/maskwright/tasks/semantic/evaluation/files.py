"""Scores of masks as other programs read them: what `scores.json` and `cases.csv` hold."""

from typing import Any

from maskwright.evaluation.reports.formatting import csv_cell, plain
from maskwright.metrics import EMPTY_RULE
from maskwright.metrics.confusion import TRUTH
from maskwright.tasks.semantic.evaluation.scores import MEANS, PER_CLASS, SemanticEvaluation


def scores_dict(evaluation: SemanticEvaluation) -> dict[str, Any]:
    """Scores of all pixels, of each class, over images, and their intervals."""
    total, intervals, image_wise = evaluation.total, evaluation.intervals, evaluation.image_wise
    names = evaluation.labels.names
    pixels = evaluation.counts.sum(1)
    interval_keys = [score.key for score in PER_CLASS if score.interval]
    return {
        **{mean.key: plain(getattr(total, mean.key)) for mean in MEANS},
        "per_class": {
            name: {
                **{score.key: plain(getattr(total, score.key)[label]) for score in PER_CLASS},
                "pixels": int(pixels[label]),
            }
            for label, name in enumerate(names)
        },
        "image_wise": {
            **{mean.key: plain(image_wise[mean.key]) for mean in MEANS},
            "per_class": {
                name: {key: plain(image_wise[key][label]) for key in interval_keys}
                for label, name in enumerate(names)
            },
        },
        "intervals": {
            **{mean.key: plain(getattr(intervals, mean.key)) for mean in MEANS},
            "per_class": {
                name: {key: plain(getattr(intervals, key)[:, label]) for key in interval_keys}
                for label, name in enumerate(names)
            },
            "image_wise": {
                key: plain(ends) for key, ends in evaluation.image_wise_intervals.items()
            },
        },
        "confusion": evaluation.counts.tolist(),
        "scored_at": evaluation.options.size,
        "flips": evaluation.options.flips,
        "empty_rule": EMPTY_RULE,
    }


def case_rows(evaluation: SemanticEvaluation) -> tuple[list[str], list[list[Any]]]:
    """A line of scores for each image; what is not defined is left empty."""
    images, names = evaluation.images, evaluation.labels.names
    interval_keys = [score.key for score in PER_CLASS if score.interval]
    rows = []
    for index, sample in enumerate(evaluation.samples):
        means = [csv_cell(getattr(images, mean.key)[index]) for mean in MEANS]
        pixels = int(evaluation.tallies[index, TRUTH].sum())
        classes = [
            csv_cell(value) for key in interval_keys for value in getattr(images, key)[index]
        ]
        rows.append([sample.id, sample.case, sample.image, *means, pixels, *classes])
    per_class = [f"{key} {name}" for key in interval_keys for name in names]
    means = [mean.key for mean in MEANS]
    return ["id", "case", "image", *means, "pixels", *per_class], rows
