"""Objects by their size: how many were detected, and false ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from maskwright.evaluation.reports.formatting import plain
from maskwright.evaluation.reports.parts import (
    NO_INTERVAL,
    Column,
    Row,
    Table,
    TableCell,
    cell,
    gauge,
    upper_first,
)
from maskwright.metrics.components import DETECTED, SIZES, SPECK_PX, size_groups, tercile_limits
from maskwright.metrics.confusion import ratio
from maskwright.metrics.intervals import FEWEST_CASES, add_by_case, proportion_interval
from maskwright.tasks.semantic.evaluation.details.measures import MaskDetails
from maskwright.tasks.semantic.evaluation.scores import SemanticEvaluation


@dataclass(frozen=True, eq=False)
class SizeScores:
    """Objects of one size: number, images and cases with any, detected and covered share.

    `ends` are those of the interval of `detected`; `false` is the number of predicted objects of
    that size that hold no pixel of their class.
    """

    title: str
    objects: int
    cases: int
    detected: float
    ends: np.ndarray
    covered: float
    false: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "objects": self.objects,
            "cases": self.cases,
            "detected": plain(self.detected),
            "detected_interval": plain(self.ends),
            "pixel_recall": plain(self.covered),
            "false_objects": self.false,
        }


def size_limits(evaluation: SemanticEvaluation, details: MaskDetails) -> tuple[float, float]:
    """Areas that divide small, medium and large objects, px: stated, or thirds of all."""
    return evaluation.options.size_limits or tercile_limits(details.objects.true[:, 2])


def size_scores(evaluation: SemanticEvaluation, details: MaskDetails) -> dict[str, SizeScores]:
    """Scores of the objects of each size."""
    objects, limits = details.objects, size_limits(evaluation, details)
    true, false = (size_groups(rows[:, 2], limits) for rows in (objects.true, objects.false))
    low, high = (f"{limit:,.0f}" for limit in limits)
    titles = (f"small, below {low} px", f"medium, below {high} px", f"large, from {high} px")
    scores = {}
    for place, (name, title) in enumerate(zip(SIZES, titles, strict=True)):
        image, _, area, covered = objects.true[true == place].T
        cases = [evaluation.cases[at] for at in image]
        hits = np.stack([covered >= DETECTED * area, np.ones(len(area))], axis=1)
        by_case = add_by_case(hits, cases)
        scores[name] = SizeScores(
            title=title,
            objects=len(area),
            cases=len(by_case),
            detected=float(ratio(*by_case.sum(axis=0))),
            ends=NO_INTERVAL if len(by_case) < FEWEST_CASES else proportion_interval(*by_case.T),
            covered=float(ratio(covered.sum(), area.sum())),
            false=int((false == place).sum()),
        )
    return scores


def size_table(evaluation: SemanticEvaluation, details: MaskDetails) -> Table:
    """Objects by size: the share that was detected, and false ones."""
    stated = evaluation.options.size_limits is not None
    scores = size_scores(evaluation, details)
    return Table(
        title="Objects by size",
        first="Size",
        columns=tuple(
            Column(title, interval=title == "Detected")
            for title in ("Detected", "Recall of pixels", "Objects", "Cases", "False objects")
        ),
        rows=tuple(
            Row(
                title=upper_first(each.title),
                cells=(
                    cell(each.detected, each.ends),
                    cell(each.covered),
                    *(TableCell(f"{n:,}") for n in (each.objects, each.cases, each.false)),
                ),
                gauge=gauge(each.detected, each.ends),
            )
            for each in scores.values()
        ),
        note="Objects are connected components of a class other than the background, by their area "
        + ("as stated. " if stated else f"in thirds of those from {SPECK_PX} px. ")
        + "Detected are those of which at least half of the pixels were predicted as their class; "
        "false are predicted objects without a single pixel of their class.",
    )
