"""`SemanticEvaluation`: pixel counts of the images of a split, and the scores that follow."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from maskwright.evaluation import Evaluation
from maskwright.evaluation.groups import case_means
from maskwright.evaluation.reports.parts import Score
from maskwright.labels import Labels
from maskwright.metrics import Scores, tally_scores
from maskwright.metrics.confusion import defined_mean, foreground
from maskwright.metrics.false_alarms import FalseAlarms, false_alarms
from maskwright.metrics.intervals import cases_with_class, mean_interval, score_intervals
from maskwright.reliability.verification import TrustCheck
from maskwright.tasks.semantic.evaluation.details.measures import MaskDetails
from maskwright.tasks.semantic.evaluation.details.outlines import DISTANCES

FOREGROUND = (
    Score("foreground_dice", "foreground Dice"),
    Score("foreground_iou", "foreground IoU"),
)
"""Fields of `metrics.Scores` that are means over the classes that are not background."""

MEANS = (
    Score("mean_dice", "mean Dice"),
    Score("mean_iou", "mean IoU"),
    Score("pixel_accuracy", "pixel accuracy"),
)
"""Fields of `metrics.Scores` that are one number over all classes."""

PER_CLASS = (
    Score("dice", "Dice", interval=True),
    Score("iou", "IoU", interval=True),
    Score("precision", "Precision", short="precision"),
    Score("recall", "Recall", short="recall"),
)
"""Fields of `metrics.Scores` that have a value for each class."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SemanticEvaluation(Evaluation):
    """Pixel counts of the images of a split, and the scores that follow from them.

    `counts` are those of all images, true classes in rows, int64 `(classes, classes)`, or, of
    classes that overlap, `(classes, 2, 2)` as `metrics.layer_confusion` counts; `tallies` those of
    each image, int64 `(n, 3, classes)`, see `metrics.tally`; `details` those beyond pixels, if they
    were asked for; `trust` whether promises of the model hold, if it has any. A model of single
    objects is scored by their classes.
    """

    card: Any
    labels: Labels
    counts: np.ndarray
    tallies: np.ndarray
    details: MaskDetails | None = None
    trust: TrustCheck | None = None

    @cached_property
    def total(self) -> Scores:
        """Scores of all pixels taken together."""
        return tally_scores(self.tallies.sum(axis=0), background_of(self.card))

    @property
    def means(self) -> tuple[Score, ...]:
        """The means that have a meaning, the headline first; see `means_of`."""
        return means_of(self.card)

    @property
    def pixels(self) -> int:
        """Number of pixels that were counted."""
        return int(self.counts[0].sum() if self.card.overlapping else self.counts.sum())

    @cached_property
    def images(self) -> Scores:
        """Scores of each image, `(n,)` and `(n, classes)`, of the classes that its truth holds.

        nan where there is none; what is predicted there is in `empty` and `absent`.
        """
        return tally_scores(self.tallies, background_of(self.card), held_only=True)

    @cached_property
    def of_images(self) -> Mapping[str, np.ndarray]:
        """Fields of `images`, and the scores of `details`, by key."""
        return {**vars(self.images), **(self.details.scores if self.details else {})}

    @property
    def weighs_cases(self) -> bool:
        """Whether means over images are means over cases, and differ from those."""
        return self.options.weigh == "cases" and self.num_cases < len(self.samples)

    @cached_property
    def image_wise(self) -> Mapping[str, np.ndarray]:
        """Means over images of each of `of_images`, without images that have no score.

        Where the options weigh cases, the mean over cases of their means.
        """
        return {key: defined_mean(self._weighed(v), axis=0) for key, v in self.of_images.items()}

    @cached_property
    def intervals(self) -> Scores:
        """Ends of the 95 % intervals of `total`, `(2,)` and `(2, classes)`; `score_intervals`."""
        return score_intervals(self.tallies, self.cases, background_of(self.card))

    @cached_property
    def image_wise_intervals(self) -> Mapping[str, np.ndarray]:
        """Ends of the 95 % intervals of `image_wise`, `(2,)` and `(2, classes)`."""
        return {key: self._mean_ends(key, values) for key, values in self.of_images.items()}

    def _mean_ends(self, key: str, values: np.ndarray) -> np.ndarray:
        bounded = key.removeprefix("mean_") not in DISTANCES
        cases = sorted(set(self.cases)) if self.weighs_cases else self.cases
        ends = mean_interval(self._weighed(values), cases, bounded=bounded)
        return ends if bounded else np.maximum(ends, 0)

    def _weighed(self, values: np.ndarray) -> np.ndarray:
        return case_means(values, self.cases) if self.weighs_cases else values

    @cached_property
    def class_cases(self) -> np.ndarray:
        """Number of cases whose truth holds each class, `(classes,)`."""
        return cases_with_class(self.tallies, self.cases)

    @cached_property
    def empty(self) -> FalseAlarms:
        """What is predicted in images without any foreground."""
        front = foreground(self.labels.num_classes, background_of(self.card))
        return false_alarms(self.tallies, self.cases, front)

    @cached_property
    def absent(self) -> tuple[FalseAlarms, ...]:
        """What is predicted of each class in images that do not hold it."""
        return tuple(
            false_alarms(self.tallies, self.cases, [label])
            for label in range(self.labels.num_classes)
        )


def means_of(card: Any) -> tuple[Score, ...]:
    """Means over the classes of a model, that of the headline first.

    Those of the foreground where there is a background, those of all classes, and, where classes do
    not overlap, the pixel accuracy.
    """
    means = MEANS[:-1] if card.overlapping else MEANS
    return means if background_of(card) is None else (*FOREGROUND, *means)


def background_of(card: Any) -> int | None:
    """Class that foreground means leave out: the one that is called background, if any."""
    return None if card.overlapping else card.labels.background


def headline(card: Any) -> Score:
    """The score that stands for a model: its Dice, averaged over the classes of the foreground."""
    return means_of(card)[0]
