"""Scores of single objects, from the objects of every image matched with the true ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from maskwright.evaluation import Evaluation
from maskwright.evaluation.reports.parts import Score
from maskwright.labels import Labels
from maskwright.metrics.coco import CocoScores, Pairs
from maskwright.metrics.instances import (
    FN,
    THRESHOLDS,
    TP,
    ObjectScores,
    ObjectTally,
    object_scores,
    weighted_scores,
)
from maskwright.metrics.intervals import (
    FEWEST_CASES,
    add_by_case,
    jackknife_interval,
    without_each,
)
from maskwright.model_card import InstanceCard
from maskwright.tasks.instances.trust.verify import (
    ObjectTrustCheck,
)

SCORES = (
    Score("ap50", "AP at 0.5", interval=True, card=True),
    Score("ap75", "AP at 0.75", interval=True),
    Score("ap", "AP from 0.5 to 0.95", interval=True, card=True),
    Score("pq", "panoptic quality", interval=True, card=True),
    Score("aji", "aggregated Jaccard", interval=True),
)
"""Scores of a data set: keys of `InstanceEvaluation.scores`."""


@dataclass(frozen=True, eq=False, kw_only=True)
class InstanceEvaluation(Evaluation):
    """Matched objects of every image of a split, and the scores that follow from them.

    `masks` and `boxes` are COCO scores of the 100 highest scores in an image, or of as many as the
    fullest image has objects; `pairs` are the objects of each image, whatever their scores, against
    the true ones; `trust` is whether promises of the model hold, if it has any.
    """

    card: InstanceCard
    labels: Labels
    tallies: tuple[ObjectTally, ...]
    masks: CocoScores
    boxes: CocoScores
    pairs: tuple[Pairs, ...]
    trust: ObjectTrustCheck | None = None

    @cached_property
    def total(self) -> ObjectScores:
        """Scores of all images."""
        return object_scores(self.tallies)

    @cached_property
    def scores(self) -> Mapping[str, float]:
        """The `SCORES`: AP of the Data Science Bowl at IoU 0.5, at 0.75 and averaged from 0.5 to
        0.95, panoptic quality averaged over classes, aggregated Jaccard index.
        """
        total = self.total
        ap = {"ap50": total.ap[0], "ap75": total.ap[THRESHOLDS.index(0.75)], "ap": total.ap.mean()}
        return {**{n: float(v) for n, v in ap.items()}, "pq": total.mean_pq, "aji": total.aji}

    @cached_property
    def counts(self) -> np.ndarray:
        """Matched, false and missed objects of each class at IoU 0.5, int64 `(classes, 3)`."""
        return np.sum([tally.counts[0] for tally in self.tallies], axis=0)

    @cached_property
    def by_size(self) -> np.ndarray:
        """Matched, false and missed objects of each of `metrics.coco.SIZES_PX` at IoU 0.5, int64
        `(sizes, 3)`.
        """
        return np.sum([tally.by_size for tally in self.tallies], axis=0)

    @cached_property
    def duplicates(self) -> int:
        """Predictions of objects that have one already; see `ObjectTally`."""
        return sum(tally.duplicates for tally in self.tallies)

    @cached_property
    def image_ap(self) -> np.ndarray:
        """AP of each image, averaged from 0.5 to 0.95, `(n,)`; nan where there is nothing."""
        return image_ap(self.tallies)

    @cached_property
    def intervals(self) -> Mapping[str, np.ndarray]:
        """Ends of the 95 % intervals of `scores`, `(2,)` each; see `jackknife_interval`.

        Panoptic quality, a mean over classes, has none where fewer than six cases hold one of its
        classes.
        """
        parts = [weighted_scores(self.tallies, weights) for weights in without_each(self.cases)]
        without = {key: np.concatenate([part[key] for part in parts]) for key in self.scores}
        ends = {key: jackknife_interval(self.scores[key], without[key]) for key in self.scores}
        scored = ~np.isnan(self.total.pq)
        if (scored & (self.class_cases < FEWEST_CASES)).any():
            ends["pq"] = np.full(2, np.nan)
        return ends

    @cached_property
    def class_cases(self) -> np.ndarray:
        """Number of cases whose truth holds objects of each class, `(classes,)`."""
        counts = np.stack([tally.counts[0] for tally in self.tallies])
        truth: np.ndarray = counts[..., TP] + counts[..., FN]
        return (add_by_case(truth, self.cases) > 0).sum(axis=0)


def image_ap(tallies: tuple[ObjectTally, ...]) -> np.ndarray:
    """AP of each image, averaged from IoU 0.5 to 0.95, `(n,)`; nan where there is nothing."""
    return np.array([object_scores([tally]).ap.mean() for tally in tallies])
