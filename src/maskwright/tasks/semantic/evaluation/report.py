"""What is shown and written of an evaluation of masks of classes."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from maskwright.data.samples import counted
from maskwright.evaluation.reports.formatting import csv_cell, number, plain, span
from maskwright.evaluation.reports.parts import (
    NO_INTERVAL,
    Column,
    Report,
    Row,
    Table,
    TableCell,
    cell,
    gauge,
    interval_note,
    upper_first,
)
from maskwright.metrics.confusion import EMPTY_RULE, IMAGE_RULE, TRUTH
from maskwright.metrics.false_alarms import FalseAlarms
from maskwright.tasks.semantic.evaluation.page import evaluation_page
from maskwright.tasks.semantic.evaluation.scores import PER_CLASS, SemanticEvaluation, background_of

_WITH_INTERVAL = [score.key for score in PER_CLASS if score.interval]
_BLANK = (TableCell(), TableCell())


def semantic_report(evaluation: SemanticEvaluation) -> Report:
    """Report of an evaluation of masks."""
    notes = [*_false_alarms(evaluation), EMPTY_RULE]
    if not evaluation.card.overlapping:
        accuracy = f"Pixel accuracy {number(evaluation.total.pixel_accuracy)}"
        if ends := span(evaluation.intervals.pixel_accuracy):
            accuracy += f", 95 % {ends}"
        notes.insert(0, f"{accuracy}.")
    return Report(
        evaluation=evaluation,
        summary=_summary(evaluation),
        table=_table(evaluation),
        scores=_scores(evaluation),
        cases=_images(evaluation),
        page=partial(evaluation_page, evaluation),
        notes=tuple(notes),
    )


def _summary(evaluation: SemanticEvaluation) -> str:
    """What was scored, such as `101 images of 40 cases, at the original size`."""
    parts = [counted(len(evaluation.samples), "image")]
    if evaluation.num_cases < len(evaluation.samples):
        parts[0] += f" of {counted(evaluation.num_cases, 'case')}"
    if evaluation.options.size == "original" or evaluation.card.size is None:
        parts.append("at the original size")
    else:
        height, width = evaluation.card.size
        parts.append(f"at the working size, {height} x {width} px")
    if evaluation.options.flips:
        parts.append("flips averaged")
    if evaluation.skipped:
        parts.append(f"{len(evaluation.skipped)} skipped")
    return ", ".join(parts)


def _scores(evaluation: SemanticEvaluation) -> dict[str, Any]:
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
    for values, alarms in zip(per_class.values(), evaluation.absent, strict=True):
        values["absent"] = _alarms(alarms)
    return {
        "headline": keys[0],
        **_means(total, keys),
        "per_class": per_class,
        "image_wise": {
            **_means(evaluation.image_wise, keys),
            "per_class": _per_class(evaluation.image_wise, names),
        },
        "intervals": {
            **_means(intervals, keys),
            "per_class": _per_class(intervals, names),
            "image_wise": {
                **_means(evaluation.image_wise_intervals, keys),
                "per_class": _per_class(evaluation.image_wise_intervals, names),
            },
        },
        "empty_images": _alarms(evaluation.empty),
        "confusion": evaluation.counts.tolist(),
        "scored_at": evaluation.options.size,
        "flips": evaluation.options.flips,
        "empty_rule": EMPTY_RULE,
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


def _false_alarms(evaluation: SemanticEvaluation) -> list[str]:
    """Sentence on images without foreground, where there are any."""
    empty = evaluation.empty
    if not empty.images:
        return []
    ends = f", 95 % {span(empty.rate_ends)}" if span(empty.rate_ends) else ""
    return [
        f"Without foreground: {counted(empty.images, 'image')}, something predicted in "
        f"{number(empty.rate)} of them{ends}; {empty.area_px:,.0f} px on average."
    ]


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


def _images(evaluation: SemanticEvaluation) -> tuple[list[str], list[list[Any]]]:
    """A line of scores for each image; what is not defined is left empty."""
    scores, means = vars(evaluation.images), [mean.key for mean in evaluation.means]
    pixels = evaluation.tallies[:, TRUTH].sum(axis=-1)
    rows = []
    for index, sample in enumerate(evaluation.samples):
        row = [sample.id, sample.case, sample.image]
        row += [csv_cell(scores[key][index]) for key in means] + [int(pixels[index])]
        row += [csv_cell(value) for key in _WITH_INTERVAL for value in scores[key][index]]
        rows.append(row)
    per_class = [f"{key} {name}" for key in _WITH_INTERVAL for name in evaluation.labels.names]
    return ["id", "case", "image", *means, "pixels", *per_class], rows


def _table(evaluation: SemanticEvaluation) -> Table:
    """Scores of each class, and their means over classes and over images."""
    total, intervals = vars(evaluation.total), vars(evaluation.intervals)
    labels = evaluation.labels
    share = evaluation.tallies[:, TRUTH].sum(axis=0) / max(evaluation.pixels, 1)
    rows = []
    for label, (name, color) in enumerate(zip(labels.names, labels.colors, strict=True)):
        cells = [
            cell(total[s.key][label], intervals[s.key][:, label] if s.interval else NO_INTERVAL)
            for s in PER_CLASS
        ]
        cells.append(TableCell(f"{evaluation.class_cases[label]}"))
        cells.append(TableCell(f"{share[label]:.1%}"))
        bar = gauge(total["dice"][label], intervals["dice"][:, label])
        rows.append(Row(title=name, cells=tuple(cells), gauge=bar, color=color))
    over_images = evaluation.image_wise, evaluation.image_wise_intervals
    summaries = [
        ("mean (all classes)", "mean", total, intervals),
        ("mean (images)", "foreground", *over_images),
    ]
    if background_of(evaluation.card) is not None:
        summaries.insert(0, ("foreground", "foreground", total, intervals))
    for title, kind, scores, ends in summaries:
        means = [cell(scores[f"{kind}_{s.key}"], ends[f"{kind}_{s.key}"]) for s in PER_CLASS[:2]]
        rows.append(
            Row(
                title=upper_first(title),
                short=title,
                cells=(*means, TableCell(), TableCell(), *_BLANK),
                gauge=gauge(scores[f"{kind}_dice"], ends[f"{kind}_dice"]),
                total=True,
            )
        )
    # A terminal has room for one column of intervals.
    columns = [Column(s.title, s.short, interval=s is PER_CLASS[0]) for s in PER_CLASS]
    return Table(
        title="Classes",
        first="Class",
        columns=(*columns, Column("Cases", "cases"), Column("Share of pixels", "pixels")),
        rows=tuple(rows),
        note=f"All pixels of the split taken together. {interval_note(evaluation)} {EMPTY_RULE} "
        f"{IMAGE_RULE}",
    )
