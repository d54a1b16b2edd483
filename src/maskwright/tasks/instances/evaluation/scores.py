"""`InstanceEvaluation`: matched objects of every image of a split, and the scores that follow."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from maskwright.evaluation.reports.parts import Score
from maskwright.evaluation.result import Evaluation
from maskwright.labels import Labels
from maskwright.metrics import defined_mean, interval
from maskwright.metrics.bootstrap import draw_cases
from maskwright.metrics.coco import CocoScores
from maskwright.metrics.instances import (
    FN,
    FP,
    THRESHOLDS,
    TP,
    ObjectScores,
    ObjectTally,
    object_scores,
)
from maskwright.model_card import InstanceCard

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
    fullest image has objects.
    """

    card: InstanceCard
    labels: Labels
    tallies: tuple[ObjectTally, ...]
    masks: CocoScores
    boxes: CocoScores

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
    def image_ap(self) -> np.ndarray:
        """AP of each image, averaged from 0.5 to 0.95, `(n,)`; nan where there is nothing."""
        return image_ap(self.tallies)

    @cached_property
    def intervals(self) -> Mapping[str, np.ndarray]:
        """Ends of the 95 % intervals of `scores`, `(2,)` each, cases resampled.

        All nan where there is a single case, or no bootstrap.
        """
        if not self.draws:
            return {score.key: np.full(2, np.nan) for score in SCORES}
        resampled: dict[str, list[np.ndarray]] = {score.key: [] for score in SCORES}
        for times in draw_cases(self.cases, self.draws, self.options.seed):
            for key, values in _resampled(self.tallies, times).items():
                resampled[key].append(values)
        return {key: interval(np.concatenate(values)) for key, values in resampled.items()}


def image_ap(tallies: tuple[ObjectTally, ...]) -> np.ndarray:
    """AP of each image, averaged from IoU 0.5 to 0.95, `(n,)`; nan where there is nothing."""
    return np.array([object_scores([tally]).ap.mean() for tally in tallies])


def _resampled(tallies: tuple[ObjectTally, ...], times: np.ndarray) -> dict[str, np.ndarray]:
    """The `SCORES` of bootstrap samples, `(draws,)` each; `times` `(draws, n)` counts images."""
    counts = np.stack([tally.counts for tally in tallies])
    image = counts.sum(axis=2)
    total = image.sum(axis=-1)
    ap = np.where(total > 0, image[..., TP] / np.maximum(total, 1), 0.0)
    united = np.array([tally.united for tally in tallies])
    aji = np.array([tally.shared for tally in tallies]) / np.maximum(united, 1)
    num_defined = np.maximum(times @ (total > 0).astype(float), 1)
    by_overlap = (times @ ap) / num_defined
    at_half = counts[:, 0].reshape(len(tallies), -1)
    summed = (times @ at_half).reshape(len(times), *counts.shape[2:])
    quality = times @ np.stack([tally.quality for tally in tallies])
    half = summed[..., TP] + (summed[..., FP] + summed[..., FN]) / 2
    pq = np.where(half > 0, quality / np.where(half > 0, half, 1), np.nan)
    return {
        "ap50": by_overlap[:, 0],
        "ap75": by_overlap[:, THRESHOLDS.index(0.75)],
        "ap": by_overlap.mean(axis=1),
        "pq": defined_mean(pq, axis=1),
        "aji": (times @ np.where(united > 0, aji, 0.0)) / np.maximum(times @ (united > 0), 1),
    }
