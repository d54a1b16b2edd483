"""`SemanticEvaluation`: pixel counts of every image of a split, and the scores that follow."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from maskwright.evaluation.reports.parts import Score
from maskwright.evaluation.result import Evaluation
from maskwright.labels import Labels
from maskwright.metrics import (
    Scores,
    add_by_case,
    defined_mean,
    interval,
    resample,
    resample_mean,
    tally,
    tally_scores,
)

MEANS = (
    Score("mean_iou", "mean IoU"),
    Score("mean_dice", "mean Dice"),
    Score("pixel_accuracy", "pixel accuracy"),
)
"""Fields of `metrics.Scores` that are one number for an image or a data set."""

PER_CLASS = (
    Score("iou", "IoU", interval=True),
    Score("dice", "Dice", interval=True),
    Score("precision", "Precision", short="precision"),
    Score("recall", "Recall", short="recall"),
)
"""Fields of `metrics.Scores` that have a value for each class."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SemanticEvaluation(Evaluation):
    """Pixel counts of the images of a split, and the scores that follow from them.

    `counts` are those of all images, true classes in rows, int64 `(classes, classes)`; `tallies`
    those of each image, int64 `(n, 3, classes)`, see `metrics.tally`. A model of single objects is
    scored by their classes.
    """

    card: Any
    labels: Labels
    counts: np.ndarray
    tallies: np.ndarray

    @cached_property
    def total(self) -> Scores:
        """Scores of all pixels taken together."""
        return tally_scores(tally(self.counts))

    @cached_property
    def images(self) -> Scores:
        """Scores of each image, `(n,)` and `(n, classes)`; nan where an image has none."""
        return tally_scores(self.tallies)

    @cached_property
    def image_wise(self) -> Mapping[str, np.ndarray]:
        """Means over images of each field of `images`, without images that have no score."""
        return {key: defined_mean(values, axis=0) for key, values in vars(self.images).items()}

    @cached_property
    def intervals(self) -> Scores:
        """Ends of the 95 % intervals of `total`, `(2,)` and `(2, classes)`, cases resampled.

        All nan where there is a single case, or no bootstrap.
        """
        by_case = add_by_case(self.tallies, self.cases)
        resampled = resample(by_case, self.draws, self.options.seed)
        return Scores(**{key: interval(values) for key, values in vars(resampled).items()})

    @cached_property
    def image_wise_intervals(self) -> Mapping[str, np.ndarray]:
        """Ends of the 95 % intervals of the `MEANS` in `image_wise`, `(2,)` each."""
        cases, draws, seed = self.cases, self.draws, self.options.seed
        images = vars(self.images)
        return {
            mean.key: interval(resample_mean(images[mean.key], cases, draws, seed))
            for mean in MEANS
        }
