"""What is shown and written of an evaluation of single objects."""

from functools import partial
from typing import Any

import numpy as np

from maskwright.data.samples import counted
from maskwright.evaluation.reports.charts import histogram, score_curve
from maskwright.evaluation.reports.formatting import csv_cell, number, plain, span
from maskwright.evaluation.reports.parts import (
    Card,
    Chart,
    Column,
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
from maskwright.metrics.coco import CocoScores
from maskwright.metrics.instances import FN, FP, SIZES_PX, THRESHOLDS, TP
from maskwright.tasks.instances.evaluation.outcomes import OUTCOME_COLORS
from maskwright.tasks.instances.evaluation.scores import SCORES, InstanceEvaluation
from maskwright.tasks.instances.trust.report import kept_objects_scores, kept_objects_table

RULE = (
    "AP is matched / (matched + false + missed) of an image, averaged over images, as in the Data "
    "Science Bowl 2018; an object is matched where a prediction of its class overlaps it by more "
    "than the IoU threshold. An image without true and predicted objects has no score."
)
"""Definition of AP, shown wherever it is."""

_CURVES = {
    "loss": "Loss",
    "foreground_dice": "Foreground Dice",
    "mean_dice": "Mean Dice",
    "mask_iou": "IoU of masks in their boxes",
    "class_accuracy": "Class accuracy of regions",
}
METHODS = {"centers": "centers and distances", "condinst": "CondInst", "mask_rcnn": "Mask R-CNN"}
"""Methods as they are shown."""
COUNTS = {"matched": TP, "false": FP, "missed": FN}
"""Columns of counts as they are shown."""


def instance_report(evaluation: InstanceEvaluation) -> Report:
    """Report of an evaluation of single objects."""
    matched, false, missed = (int(count) for count in evaluation.counts.sum(axis=0))
    summary = (
        f"{counted(len(evaluation.samples), 'image')}, {counted(matched + missed, 'object')}, "
        f"{missed:,} missed, {false:,} false, {evaluation.duplicates:,} duplicates"
    )
    return Report(
        evaluation=evaluation,
        summary=summary + (f", {len(evaluation.skipped)} skipped" if evaluation.skipped else ""),
        table=_table(evaluation),
        scores=_scores(evaluation),
        cases=_cases(evaluation),
        page=partial(_page, evaluation),
        notes=(RULE,),
        further_tables=(_sizes(evaluation), *_promises(evaluation)),
    )


def _scores(evaluation: InstanceEvaluation) -> dict[str, Any]:
    total, counts = evaluation.total, evaluation.counts
    return {
        **{score.key: plain(evaluation.scores[score.key]) for score in SCORES},
        "ap_by_overlap": {
            f"{threshold:g}": plain(value)
            for threshold, value in zip(THRESHOLDS, total.ap, strict=True)
        },
        "coco": {"masks": _coco(evaluation.masks), "boxes": _coco(evaluation.boxes)},
        "per_class": {
            name: {
                **{key: plain(values[label]) for key, values in _class_scores(evaluation).items()},
                **{key: int(counts[label, column]) for key, column in COUNTS.items()},
            }
            for label, name in enumerate(evaluation.labels.names)
            if label
        },
        "by_size": {
            size: {
                **_size_counts(evaluation, row),
                "coco_ap": plain(evaluation.masks.by_size[size]),
            }
            for row, size in enumerate(SIZES_PX)
        },
        "duplicates": evaluation.duplicates,
        "duplicates_per_image": evaluation.duplicates / len(evaluation.tallies),
        "intervals": {key: plain(ends) for key, ends in evaluation.intervals.items()},
        "rule": RULE,
        **({"trust": kept_objects_scores(evaluation.trust)} if evaluation.trust else {}),
    }


def _size_counts(evaluation: InstanceEvaluation, row: int) -> dict[str, int]:
    return {key: int(evaluation.by_size[row, column]) for key, column in COUNTS.items()}


def _sizes(evaluation: InstanceEvaluation) -> Table:
    """Objects by their size."""
    rows = []
    for row, (size, (low, high)) in enumerate(SIZES_PX.items()):
        ap = evaluation.masks.by_size[size]
        limits = f"{low:,} to {high:,} px" if high < 10**9 else f"from {low:,} px"
        cells = [TableCell(f"{count:,}") for count in _size_counts(evaluation, row).values()]
        title = f"{upper_first(size)}, {limits}"
        rows.append(Row(title=title, cells=(*cells, cell(ap)), gauge=gauge(ap)))
    note = (
        f"Areas are those of true objects, of false ones their own; matched at IoU 0.5. "
        f"Duplicates, predictions of an object that has one already: {evaluation.duplicates:,}."
    )
    columns = tuple(map(Column, (*map(upper_first, COUNTS), "COCO AP")))
    return Table(title="Sizes", first="Area", columns=columns, rows=tuple(rows), note=note)


def _promises(evaluation: InstanceEvaluation) -> tuple[Table, ...]:
    """Whether promises hold, if the model has any."""
    trust = evaluation.trust
    return (kept_objects_table(trust),) if trust is not None and trust.promises else ()


def _class_scores(evaluation: InstanceEvaluation) -> dict[str, np.ndarray]:
    """Scores of each class, the background included, `(classes,)` each."""
    total = evaluation.total
    return {"pq": total.pq, "sq": total.sq, "rq": total.rq, "coco_ap": evaluation.masks.by_class}


def _coco(scores: CocoScores) -> dict[str, Any]:
    values = {"ap": scores.ap, "ap50": scores.ap50, "ap75": scores.ap75, **scores.by_size}
    return {name: plain(value) for name, value in values.items()}


def _cases(evaluation: InstanceEvaluation) -> tuple[list[str], list[list[Any]]]:
    rows = []
    for sample, tally, ap in zip(
        evaluation.samples, evaluation.tallies, evaluation.image_ap.tolist(), strict=True
    ):
        aji = tally.shared / tally.united if tally.united else float("nan")
        counts = tally.counts[0].sum(axis=0)[list(COUNTS.values())]
        rows.append([sample.id, sample.case, sample.image, csv_cell(ap), csv_cell(aji), *counts])
    return ["id", "case", "image", "ap", "aji", *COUNTS], rows


def _table(evaluation: InstanceEvaluation) -> Table:
    rows = []
    for score in SCORES:
        value, ends = evaluation.scores[score.key], evaluation.intervals[score.key]
        title, cells = upper_first(score.title), (cell(value, ends),)
        rows.append(Row(title=title, cells=cells, gauge=gauge(value, ends)))
    for name, coco in (("masks", evaluation.masks), ("boxes", evaluation.boxes)):
        rows.append(Row(title=f"COCO AP of {name}", cells=(cell(coco.ap),), gauge=gauge(coco.ap)))
    note = f"{RULE} COCO's AP ranks predictions by score. {interval_note(evaluation)}"
    columns = (Column("Value", "value", interval=True),)
    return Table(title="Scores", first="Score", columns=columns, rows=tuple(rows), note=note)


def _page(evaluation: InstanceEvaluation) -> Page:
    by_image = histogram(evaluation.image_ap, "AP of an image")
    note = "AP from 0.5 to 0.95 of each image."
    distribution = Chart("Distribution over images", note, by_image)
    points = list(zip(THRESHOLDS, evaluation.total.ap.tolist(), strict=True))
    by_threshold = Chart(
        "AP by IoU threshold",
        "Matched / (matched + false + missed) objects, by the IoU from which an object is matched.",
        score_curve(points, ("IoU threshold", "AP")),
    )
    return Page(
        settings=_settings(evaluation),
        cards=tuple(
            Card(
                upper_first(score.title),
                number(evaluation.scores[score.key]),
                span(evaluation.intervals[score.key]),
            )
            for score in SCORES
            if score.card
        ),
        charts=(by_threshold, distribution),
        tables=(_classes(evaluation), _sizes(evaluation), *_promises(evaluation)),
        curves=_CURVES,
        examples_note="Images ordered by their AP. Each object has a color of its own; errors have "
        "the colors below. A duplicate is a false object inside a true one that has another.",
        legends=(OUTCOME_COLORS,),
    )


def _classes(evaluation: InstanceEvaluation) -> Table:
    labels, rows = evaluation.labels, []
    for label in range(1, labels.num_classes):
        cells = [cell(values[label]) for values in _class_scores(evaluation).values()]
        cells += [TableCell(f"{evaluation.counts[label, c]:,}") for c in COUNTS.values()]
        bar = gauge(evaluation.total.pq[label])
        title, color = labels.names[label], labels.colors[label]
        rows.append(Row(title=title, cells=tuple(cells), gauge=bar, color=color))
    headings = ("PQ", "SQ", "RQ", "COCO AP", *map(upper_first, COUNTS))
    note = (
        "Panoptic quality (PQ) is segmentation quality (SQ), the mean IoU of matched objects, "
        "times recognition quality (RQ), the F1 score of matching."
    )
    columns = tuple(map(Column, headings))
    return Table(title="Classes", first="Class", columns=columns, rows=tuple(rows), note=note)


def _settings(evaluation: InstanceEvaluation) -> dict[str, object]:
    model = evaluation.card
    thresholds = f"score {model.score:g}"
    if model.method == "centers":
        thresholds = f"foreground probability {model.foreground:g}, center {model.marker:g}"
    return {
        "Method": METHODS[model.method],
        "Model input": f"whole images, longer side {model.longer_side} px"
        if model.longer_side
        else model_input(model.size, model.tile),
        "Thresholds": f"{thresholds}, minimum area {model.min_area_px} px",
        **model_settings(evaluation),
    }
