"""What is shown and written of a comparison of two models."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.samples import counted, examples
from maskwright.evaluation.reports.formatting import csv_cell, number
from maskwright.evaluation.reports.parts import (
    Page,
    Report,
    Row,
    Score,
    Table,
    TableCell,
    model_settings,
    upper_first,
)
from maskwright.metrics import tally_scores
from maskwright.metrics.confusion import EMPTY_RULE
from maskwright.tasks.paired_tables import paired_entry, paired_row, paired_table
from maskwright.tasks.semantic.evaluation.comparison import FAILED, Comparison
from maskwright.tasks.semantic.evaluation.details.outlines import (
    DISTANCES,
    OUTLINE_RULE,
    OUTLINE_SCORES,
)
from maskwright.tasks.semantic.evaluation.drawing import error_colors
from maskwright.tasks.semantic.evaluation.scores import background_of, means_of


def comparison_report(comparison: Comparison) -> Report:
    """Report of two models on the same images."""
    ahead, behind = (int((sign * comparison.gains > 0).sum()) for sign in (1, -1))
    notes = (
        f"A is {comparison.names[0]}, B is {comparison.names[1]}.",
        f"A has the higher Dice in {ahead} images, B in {behind}.",
        *_failures(comparison),
    )
    flips = ", flips averaged" if comparison.options.flips else ""
    images = counted(len(comparison.samples), "image")
    cases = counted(comparison.num_cases, "case")
    return Report(
        evaluation=comparison,
        summary=f"{images} of {cases}, at the {comparison.options.size} size{flips}",
        table=_table(comparison),
        scores=_scores(comparison),
        cases=_images(comparison),
        page=partial(_page, comparison, " ".join(notes)),
        notes=notes,
        scores_file="comparison.json",
        cases_file="images.csv",
    )


def _failures(comparison: Comparison) -> list[str]:
    """Sentences on the images that only one of the models misses."""
    return [
        f"Only {name} fails (Dice below {FAILED:g}) in {counted(len(ids), 'image')}: "
        f"{examples(ids)}."
        for name, ids in zip("AB", comparison.failed_alone, strict=True)
        if ids
    ]


def _scores(comparison: Comparison) -> dict[str, Any]:
    failed_alone = dict(zip("ab", comparison.failed_alone, strict=True))
    return {
        "primary": comparison.primary,
        "a": comparison.names[0],
        "b": comparison.names[1],
        **{mean.key: _entry(comparison, mean.key) for mean in means_of(comparison.card)},
        **({} if comparison.outlines is None else {"outlines": _outline_entries(comparison)}),
        "per_class": {
            name: {"iou": _entry(comparison, "iou", label)}
            for label, name in enumerate(comparison.labels.names)
        },
        "failed_alone": failed_alone,
        "level": comparison.paired.level,
        "scored_at": comparison.options.size,
        "flips": comparison.options.flips,
        "empty_rule": EMPTY_RULE,
        "model_sha256": [card.model_sha256 for card in comparison.cards],
    }


def _entry(comparison: Comparison, key: str, label: int | None = None) -> dict[str, Any]:
    chance = comparison.chances[key] if label is None else comparison.chances[key][label]
    values = _values(comparison, key, label)
    return paired_entry(values, chance, comparison.verdict(key, label))


def _outline_entries(comparison: Comparison) -> dict[str, Any]:
    """Scores of outlines, all exploratory, for JSON."""
    return {
        key: paired_entry(
            (mean.a, mean.b, mean.gain, mean.ends),
            comparison.chances[key],
            comparison.outline_verdict(key),
        )
        for key, mean in comparison.outline_means.items()
    }


def _images(comparison: Comparison) -> tuple[list[str], list[list[Any]]]:
    """A line for each image: scores of both models and their difference in Dice."""
    scores = tally_scores(comparison.tallies, background_of(comparison.card), held_only=True)
    keys = [mean.key for mean in means_of(comparison.card)]
    rows = []
    for index, sample in enumerate(comparison.samples):
        values = [csv_cell(getattr(scores, key)[index, side]) for key in keys for side in (0, 1)]
        gain = csv_cell(comparison.gains[index])
        rows.append([sample.id, sample.case, sample.image, *values, gain])
    columns = [f"{key} {side}" for key in keys for side in "ab"]
    return ["id", "case", "image", *columns, "dice a - b"], rows


def _table(comparison: Comparison) -> Table:
    names = comparison.labels.names
    rows = [_row(comparison, upper_first(m.title), m.key) for m in means_of(comparison.card)]
    rows += [_row(comparison, f"IoU {name}", "iou", label) for label, name in enumerate(names)]
    rows += [
        _outline_row(comparison, score)
        for score in OUTLINE_SCORES
        if score.key in comparison.outline_means
    ]
    rule = EMPTY_RULE
    if comparison.outlines is not None:
        rule += (
            f" Scores of outlines are means over cases, surface Dice at "
            f"{comparison.outlines[0].tolerance}; of distances, low ones are good. {OUTLINE_RULE}"
        )
    return paired_table(rows, "All pixels of the split taken together.", rule)


def _row(comparison: Comparison, title: str, key: str, label: int | None = None) -> Row:
    return paired_row(title, _values(comparison, key, label), comparison.verdict(key, label))


def _outline_row(comparison: Comparison, score: Score) -> Row:
    mean = comparison.outline_means[score.key]
    show = _distance if score.key in DISTANCES else number
    low, high = (show(end, signed=True) for end in mean.ends)
    cells = (
        TableCell(show(mean.a)),
        TableCell(show(mean.b)),
        TableCell(
            show(mean.gain, signed=True), "" if np.isnan(mean.ends).any() else f"{low} to {high}"
        ),
        TableCell(comparison.outline_verdict(score.key)),
    )
    return Row(title=score.title, cells=cells)


def _distance(value: float, signed: bool = False) -> str:
    return f"{value:+.1f}" if signed else f"{value:.1f}"


def _values(comparison: Comparison, key: str, label: int | None) -> list[np.ndarray]:
    paired = comparison.paired
    values = [getattr(scores, key) for scores in (paired.a, paired.b, paired.gain, paired.ends)]
    return values if label is None else [value[..., label] for value in values]


def _page(comparison: Comparison, lead: str) -> Page:
    labels = comparison.labels
    a, b = (Path(name).name for name in comparison.names)
    models = zip("AB", comparison.names, comparison.cards, strict=True)
    settings = model_settings(comparison, "jackknife over cases; verdicts by swaps within cases")
    return Page(
        settings={
            **{side: f"{name}, SHA-256 {card.model_sha256[:16]}" for side, name, card in models},
            "Intervals": settings["Intervals"],
        },
        heading=f"{a} and {b} on {comparison.data.name}, {comparison.split} split",
        overline="Maskwright comparison",
        lead=lead,
        examples_note="Images ordered by the difference of their Dice.",
        legends=(
            list(zip(labels.colors, labels.names, strict=True)),
            error_colors(comparison.card.background, comparison.card.overlapping),
        ),
    )
