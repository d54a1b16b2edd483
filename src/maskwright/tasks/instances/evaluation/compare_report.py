"""What is shown and written of a comparison of two models of single objects."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.samples import counted
from maskwright.evaluation.reports.formatting import csv_cell, number, plain
from maskwright.evaluation.reports.parts import (
    Column,
    Page,
    Report,
    Row,
    Table,
    TableCell,
    model_settings,
    upper_first,
)
from maskwright.metrics.intervals import LEVEL
from maskwright.tasks.instances.evaluation.comparison import PRIMARY, InstanceComparison
from maskwright.tasks.instances.evaluation.outcomes import OUTCOME_COLORS
from maskwright.tasks.instances.evaluation.report import COUNTS, METHODS, RULE
from maskwright.tasks.instances.evaluation.scores import SCORES
from maskwright.tasks.paired_tables import paired_entry, paired_row, paired_table

_ORDERED = sorted(SCORES, key=lambda score: score.key != PRIMARY)


def comparison_report(comparison: InstanceComparison) -> Report:
    """Report of two models of objects on the same images."""
    ahead, behind = (int((sign * comparison.gains > 0).sum()) for sign in (1, -1))
    notes = (
        f"A is {comparison.names[0]}, B is {comparison.names[1]}.",
        f"A has the higher AP in {ahead} images, B in {behind}.",
    )
    images = counted(len(comparison.samples), "image")
    cases = counted(comparison.num_cases, "case")
    objects = counted(int(comparison.sides[0].counts[:, ::2].sum()), "object")
    return Report(
        evaluation=comparison,
        summary=f"{images} of {cases}, {objects}",
        table=_table(comparison),
        scores=_scores(comparison),
        cases=_images(comparison),
        page=partial(_page, comparison, " ".join(notes)),
        notes=notes,
        further_tables=(_counts(comparison),),
        scores_file="comparison.json",
        cases_file="images.csv",
    )


def _scores(comparison: InstanceComparison) -> dict[str, Any]:
    return {
        "primary": PRIMARY,
        "a": comparison.names[0],
        "b": comparison.names[1],
        **{score.key: _entry(comparison, score.key) for score in _ORDERED},
        "per_class": {
            name: {"pq": _entry(comparison, "class_pq", label)}
            for label, name in _classes(comparison)
        },
        "objects": _object_counts(comparison),
        "coco_ap": {
            side: plain(e.masks.ap) for side, e in zip("ab", comparison.sides, strict=True)
        },
        "level": LEVEL,
        "rule": RULE,
        "methods": [side.card.method for side in comparison.sides],
        "model_sha256": [side.card.model_sha256 for side in comparison.sides],
    }


def _classes(comparison: InstanceComparison) -> list[tuple[int, str]]:
    """Labels and names of the classes of objects where there are several."""
    names = list(enumerate(comparison.labels.names))[1:]
    return names if len(names) > 1 else []


def _entry(comparison: InstanceComparison, key: str, label: int | None = None) -> dict[str, Any]:
    chance = comparison.chances[key] if label is None else comparison.chances[key][label]
    values = _values(comparison, key, label)
    return paired_entry(values, chance, comparison.verdict(key, label))


def _values(comparison: InstanceComparison, key: str, label: int | None) -> list[np.ndarray]:
    paired = comparison.paired
    values = [scores[key] for scores in (paired.a, paired.b, paired.gain, paired.ends)]
    return values if label is None else [value[..., label] for value in values]


def _object_counts(comparison: InstanceComparison) -> dict[str, dict[str, int]]:
    """Objects matched, false, missed and duplicated by both models."""
    counts = {
        key: {
            side: int(evaluation.counts[:, column].sum())
            for side, evaluation in zip("ab", comparison.sides, strict=True)
        }
        for key, column in COUNTS.items()
    }
    sides = zip("ab", comparison.sides, strict=True)
    return counts | {"duplicates": {side: evaluation.duplicates for side, evaluation in sides}}


def _images(comparison: InstanceComparison) -> tuple[list[str], list[list[Any]]]:
    """A line for each image: AP and counts of both models and their difference in AP."""
    rows = []
    for index, sample in enumerate(comparison.samples):
        totals = [side.tallies[index].counts[0].sum(axis=0) for side in comparison.sides]
        counts = [total[column] for column in COUNTS.values() for total in totals]
        ap = map(csv_cell, comparison.image_ap[index])
        gain = csv_cell(comparison.gains[index])
        rows.append([sample.id, sample.case, sample.image, *ap, *counts, gain])
    columns = [f"{key} {side}" for key in (PRIMARY, *COUNTS) for side in "ab"]
    return ["id", "case", "image", *columns, "ap a - b"], rows


def _table(comparison: InstanceComparison) -> Table:
    rows = [_row(comparison, upper_first(score.title), score.key) for score in _ORDERED]
    rows += [
        _row(comparison, f"Panoptic quality {name}", "class_pq", label)
        for label, name in _classes(comparison)
    ]
    return paired_table(rows, RULE)


def _row(comparison: InstanceComparison, title: str, key: str, label: int | None = None) -> Row:
    return paired_row(title, _values(comparison, key, label), comparison.verdict(key, label))


def _counts(comparison: InstanceComparison) -> Table:
    rows = [
        Row(title=upper_first(key), cells=tuple(TableCell(f"{sides[side]:,}") for side in "ab"))
        for key, sides in _object_counts(comparison).items()
    ]
    a, b = (number(side.masks.ap) for side in comparison.sides)
    rows.append(Row(title="COCO AP of masks", cells=(TableCell(a), TableCell(b))))
    note = (
        "Matched at IoU 0.5, each model with the score threshold of its card; COCO's AP ranks all "
        "predictions by score. Duplicates are among the false ones. Of these there is no test."
    )
    columns = (Column("A"), Column("B"))
    return Table(title="Objects", first="Objects", columns=columns, rows=tuple(rows), note=note)


def _page(comparison: InstanceComparison, lead: str) -> Page:
    a, b = (Path(name).name for name in comparison.names)
    settings = model_settings(comparison, "jackknife over cases; verdicts by swaps within cases")
    models = {
        side: f"{name}, {METHODS[e.card.method]}, SHA-256 {e.card.model_sha256[:16]}"
        for side, name, e in zip("AB", comparison.names, comparison.sides, strict=True)
    }
    return Page(
        settings={**models, "Intervals": settings["Intervals"]},
        heading=f"{a} and {b} on {comparison.data.name}, {comparison.split} split",
        overline="Maskwright comparison",
        lead=lead,
        tables=(_counts(comparison),),
        examples_note="Images ordered by the difference of their AP.",
        legends=(OUTCOME_COLORS,),
    )
