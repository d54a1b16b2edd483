"""`MaskDetails`: outlines, objects by size, and probabilities, counted beside the pixels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.data.samples import Sample
from maskwright.evaluation.result import EvaluateOptions
from maskwright.inference.prediction import Prediction
from maskwright.metrics.components import ComponentOverlaps, component_overlaps
from maskwright.metrics.confusion import defined_mean
from maskwright.metrics.pixel_probabilities import count_confidence, count_probabilities
from maskwright.tasks.semantic.evaluation.details.outlines import (
    OUTLINE_SCORES,
    Tolerance,
    class_masks,
    outline_scores,
    stated_spacing,
    tolerance_of,
)


@dataclass(frozen=True, eq=False)
class Objects:
    """Connected components of all images, in rows: image, class, area in px, covered pixels.

    `true` is int64 `(k, 4)`; `false`, `(m, 3)` without the last, are predicted components that hold
    no pixel of their class.
    """

    true: np.ndarray
    false: np.ndarray


@dataclass(frozen=True, eq=False, kw_only=True)
class MaskDetails:
    """Scores of masks beyond counts of pixels; the background has none.

    Args:
        outlines: By key of `OUTLINE_SCORES`, `(n, classes)`; nan where the truth of an image does
            not hold the class.
        threshold_counts: As `count_probabilities` gives them, of all images.
        confidence_counts: As `count_confidence` gives them, of each image, `(n, …)`; nan where
            it was not counted.
        not_counted: Number of images that were too large for their probabilities to be kept.
    """

    outlines: Mapping[str, np.ndarray]
    tolerance: Tolerance
    objects: Objects
    threshold_counts: np.ndarray | None = None
    confidence_counts: np.ndarray | None = None
    not_counted: int = 0

    @property
    def scores(self) -> Mapping[str, np.ndarray]:
        """`outlines`, and the mean of each over the classes of an image, `(n,)`."""
        means = {f"mean_{key}": defined_mean(v, axis=1) for key, v in self.outlines.items()}
        return {**self.outlines, **means}


def pool_details(parts: Sequence[MaskDetails]) -> MaskDetails:
    """Details of several sets of images, scored alike, as those of one; without probabilities."""
    sizes = [len(part.outlines[OUTLINE_SCORES[0].key]) for part in parts]
    starts = np.cumsum([0, *sizes[:-1]])

    def moved(name: str) -> np.ndarray:
        rows = [getattr(part.objects, name).copy() for part in parts]
        for table, start in zip(rows, starts, strict=True):
            table[:, 0] += start
        return np.concatenate(rows)

    return MaskDetails(
        outlines={
            score.key: np.concatenate([part.outlines[score.key] for part in parts])
            for score in OUTLINE_SCORES
        },
        tolerance=parts[0].tolerance,
        objects=Objects(moved("true"), moved("false")),
    )


class DetailScorer:
    """Measures the masks of one image after the other.

    `classes` are those that are measured, all but the background; `scaled` tells that masks are
    scored in another size than that of the files. Raises `ConfigError` where the options ask for mm
    that are not known.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        classes: np.ndarray,
        num_classes: int,
        options: EvaluateOptions,
        scaled: bool,
    ) -> None:
        self._scaled, self._calibrates = scaled, options.calibration
        self._tolerance = tolerance_of(options, samples, scaled)
        self._classes: list[int] = classes.tolist()
        self._num_classes = num_classes
        self._outlines: list[np.ndarray] = []
        self._true: list[np.ndarray] = []
        self._false: list[np.ndarray] = []
        self._thresholds: np.ndarray | None = None
        self._confidence: list[np.ndarray | None] = []

    def update(self, sample: Sample, truth: np.ndarray, prediction: Prediction) -> None:
        """Measure the masks of one image; truth and predicted labels as `metrics` takes them."""
        spacing = None if self._scaled else stated_spacing(sample)
        values = np.full((len(OUTLINE_SCORES), self._num_classes), np.nan)
        image = len(self._outlines)
        for label in self._classes:
            masks = class_masks(truth, prediction.labels, label)
            if masks[0].any():
                scores = outline_scores(*masks, spacing, self._tolerance)
                values[:, label] = list(scores.values())
            self._add_objects(image, label, component_overlaps(*masks))
        self._outlines.append(values)
        self._count(truth, prediction)

    def result(self) -> MaskDetails:
        """What was measured of all images."""
        outlines = np.stack(self._outlines, axis=1)
        counted = [counts for counts in self._confidence if counts is not None]
        confidence = None
        if counted:
            nothing = np.full_like(counted[0], np.nan)
            confidence = np.stack([nothing if c is None else c for c in self._confidence])
        return MaskDetails(
            outlines={
                score.key: part for score, part in zip(OUTLINE_SCORES, outlines, strict=True)
            },
            tolerance=self._tolerance,
            objects=Objects(
                np.concatenate([np.zeros((0, 4), np.int64), *self._true]),
                np.concatenate([np.zeros((0, 3), np.int64), *self._false]),
            ),
            threshold_counts=self._thresholds,
            confidence_counts=confidence,
            not_counted=len(self._confidence) - len(counted) if counted else 0,
        )

    def _add_objects(self, image: int, label: int, overlaps: ComponentOverlaps) -> None:
        areas, false = overlaps.areas, overlaps.false_areas
        for rows, columns in ((self._true, (areas, overlaps.covered)), (self._false, (false,))):
            place = np.full((len(columns[0]), 2), (image, label), np.int64)
            rows.append(np.column_stack([place, *columns]))

    def _count(self, truth: np.ndarray, prediction: Prediction) -> None:
        values = prediction.probabilities
        if values is None or not self._calibrates:
            self._confidence.append(None)
            return
        counts = count_probabilities(truth, values)
        self._thresholds = counts if self._thresholds is None else self._thresholds + counts
        self._confidence.append(count_confidence(truth, values, prediction.labels))
