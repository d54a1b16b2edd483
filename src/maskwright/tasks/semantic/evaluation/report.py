"""What is shown and written of an evaluation of masks of classes."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from maskwright.data.samples import counted
from maskwright.evaluation.reports import charts
from maskwright.evaluation.reports.formatting import csv_cell, number, plain, span
from maskwright.evaluation.reports.parts import (
    NO_INTERVAL,
    Card,
    Chart,
    Column,
    Matrix,
    Page,
    Report,
    Row,
    Table,
    TableCell,
    cell,
    gauge,
    interval_note,
    model_input,
    model_settings,
    upper_first,
)
from maskwright.metrics.confusion import EMPTY_RULE, TRUTH
from maskwright.model_card import STEPS, postprocessing_of
from maskwright.tasks.semantic.evaluation.drawing import error_colors
from maskwright.tasks.semantic.evaluation.scores import MEANS, PER_CLASS, SemanticEvaluation

_WITH_INTERVAL = [score.key for score in PER_CLASS if score.interval]
_BLANK = (TableCell(), TableCell())
_MAX_CELLS = 24  # classes up to which the confusion matrix is a table, not a picture
_CURVES = {"loss": "Loss", "mean_dice": "Mean Dice", "mean_iou": "Mean IoU"}
_FLIPS = {False: "none", True: "mirror image averaged", "all": "four averaged"}


def semantic_report(evaluation: SemanticEvaluation) -> Report:
    """Report of an evaluation of masks."""
    notes = [EMPTY_RULE]
    if MEANS[-1] in evaluation.means:
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
        page=partial(_page, evaluation),
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
    return {
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
        "confusion": evaluation.counts.tolist(),
        "scored_at": evaluation.options.size,
        "flips": evaluation.options.flips,
        "empty_rule": EMPTY_RULE,
    }


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
        bar = gauge(total["iou"][label], intervals["iou"][:, label])
        rows.append(Row(title=name, cells=tuple(cells), gauge=bar, color=color))
    for title, scores, ends in (
        ("mean (classes)", total, intervals),
        ("mean (images)", evaluation.image_wise, evaluation.image_wise_intervals),
    ):
        means = {mean.key: cell(scores[mean.key], ends[mean.key]) for mean in evaluation.means}
        rows.append(
            Row(
                title=upper_first(title),
                short=title,
                cells=(*(means.get(f"mean_{s.key}", TableCell()) for s in PER_CLASS), *_BLANK),
                gauge=gauge(scores["mean_iou"], ends["mean_iou"]),
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
        note=f"All pixels of the split taken together. {interval_note(evaluation)} {EMPTY_RULE}",
    )


def _page(evaluation: SemanticEvaluation) -> Page:
    labels, counts = evaluation.labels, evaluation.counts
    note = "Each row shows how the pixels of a true class were predicted."
    overlapping = evaluation.card.overlapping
    is_table = labels.num_classes <= _MAX_CELLS
    title, draw = "Confusion matrix", partial(charts.confusion, counts, labels.names)
    matrix = () if overlapping else (Matrix(title, note, counts, labels.names, "px"),)
    distribution = Chart(
        "Distribution over images",
        "Dice of each image, averaged over the classes that occur in it.",
        charts.histogram(evaluation.images.mean_dice, "mean Dice of an image"),
    )
    return Page(
        settings=_settings(evaluation),
        cards=tuple(_card(evaluation, m.key, upper_first(m.title)) for m in evaluation.means),
        matrices=matrix if is_table else (),
        charts=(distribution,)
        if is_table or overlapping
        else (Chart(title, note, draw()), distribution),
        curves=_CURVES,
        examples_note="Images ordered by their mean Dice. Median images show what to expect, the "
        "worst where to look for errors.",
        legends=(
            list(zip(labels.colors, labels.names, strict=True)),
            error_colors(evaluation.card.background, overlapping),
        ),
        files={} if overlapping else {"confusion.png": draw},
    )


def _card(evaluation: SemanticEvaluation, key: str, title: str) -> Card:
    """A mean with its interval, and its mean over images."""
    over_images = evaluation.image_wise[key], evaluation.image_wise_intervals[key]
    return Card(
        title,
        number(getattr(evaluation.total, key)),
        span(getattr(evaluation.intervals, key)),
        ("Mean over images", number(over_images[0]), span(over_images[1])),
    )


def _settings(evaluation: SemanticEvaluation) -> dict[str, object]:
    card = evaluation.card
    steps = postprocessing_of(card).items()
    cleaning = [STEPS[name].applied.format(value) for name, value in steps if value]
    decision = "most probable class"
    if card.overlapping and card.threshold is None:
        each = zip(card.labels.names, card.thresholds, strict=True)
        decision = "thresholds " + ", ".join(f"{name} {value:g}" for name, value in each)
    return {
        "Model input": model_input(card.size, card.tile),
        "Scored at": f"{evaluation.options.size} size",
        "Flips": _FLIPS[evaluation.options.flips],
        "Decision": decision if card.threshold is None else f"threshold {card.threshold:g}",
        "Postprocessing": ", ".join(cleaning) or "none",
        **model_settings(evaluation),
    }
