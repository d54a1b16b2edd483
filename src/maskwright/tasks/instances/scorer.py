"""Score single objects that a model finds against those that are there."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from maskwright.data.parallel import in_threads
from maskwright.data.samples import Sample
from maskwright.data.to_rgb import as_picture
from maskwright.errors import DataError
from maskwright.evaluation.evaluate import Skipped, cautions, check_classes, ranked
from maskwright.instances import Instances
from maskwright.labels import Labels
from maskwright.metrics import defined_mean, interval
from maskwright.metrics.bootstrap import draw_cases
from maskwright.metrics.coco import CocoScores, Pairs, coco_scores, pair_boxes, pair_masks
from maskwright.metrics.instances import (
    FN,
    FP,
    THRESHOLDS,
    TP,
    ObjectScores,
    ObjectTally,
    object_scores,
    tally_objects,
)
from maskwright.model_card import InstanceCard

_COCO_MOST = 100  # detections of an image, where no image holds more objects

MEANS = ("ap50", "ap75", "ap", "pq", "aji")
"""What a data set is scored by; see `ObjectEvaluation.scores`."""


class Source(Protocol):
    """What scoring needs of a data set."""

    @property
    def root(self) -> Path:
        """Where the data lies."""

    @property
    def labels(self) -> Labels:
        """Names and colors of the classes."""

    def of(self, split: str) -> list[Sample]:
        """Samples of a split; `DataError` where there is no such split."""

    def read_image(self, sample: Sample) -> np.ndarray:
        """Image `(h, w, c)`; `DataError` where it cannot be read."""

    def read_objects(self, sample: Sample) -> Instances:
        """True objects; `DataError` where they cannot be told apart."""


class Finder(Protocol):
    """What scoring needs of a model."""

    @property
    def card(self) -> InstanceCard:
        """Classes and thresholds."""

    def every(self, image: np.ndarray) -> Instances:
        """Objects of an image `(h, w, c)`, with scores down to the least."""

    def kept(self, objects: Instances) -> Instances:
        """Those that the card asks for."""


@dataclass(frozen=True, eq=False)
class ObjectExample:
    """An image to look at.

    Args:
        rank: `"best"`, `"median"` or `"worst"` by AP at 0.5 to 0.95.
        index: Place in `ObjectEvaluation.samples`.
        picture: uint8 RGB `(h, w, 3)`.
        true: Objects that are there.
        found: Objects that were found.
    """

    rank: str
    index: int
    picture: np.ndarray
    true: Instances
    found: Instances


@dataclass(frozen=True, eq=False, kw_only=True)
class ObjectEvaluation:
    """Counts of every image of a split and the scores that follow from them.

    Args:
        card: Of the model.
        labels: Of the data.
        data: Where the data lies.
        split: Name of the split.
        samples: Those that were scored.
        tallies: Of each image.
        masks: Scores of masks as COCO has them, of the surest 100 in an image or as many as the
            fullest image holds; so `boxes`, of boxes.
        boxes: See `masks`.
        skipped: Samples that could not be read.
        examples: Best, median and worst images.
        warnings: Sentences on what limits the use of the scores.
        draws: Data sets drawn for the intervals.
        seed: Of the drawing.
        date: Of the evaluation, ISO 8601, UTC.
    """

    card: InstanceCard
    labels: Labels
    data: Path
    split: str
    samples: tuple[Sample, ...]
    tallies: tuple[ObjectTally, ...]
    masks: CocoScores
    boxes: CocoScores
    skipped: tuple[Skipped, ...]
    examples: tuple[ObjectExample, ...]
    warnings: tuple[str, ...]
    draws: int
    seed: int
    date: str

    @cached_property
    def total(self) -> ObjectScores:
        """Scores of all images."""
        return object_scores(self.tallies)

    @cached_property
    def scores(self) -> Mapping[str, float]:
        """The `MEANS`: AP of the Data Science Bowl at 0.5, at 0.75 and averaged from 0.5 to 0.95,
        panoptic quality averaged over classes, aggregated Jaccard index.
        """
        total = self.total
        ap = {"ap50": total.ap[0], "ap75": total.ap[THRESHOLDS.index(0.75)], "ap": total.ap.mean()}
        return {**{n: float(v) for n, v in ap.items()}, "pq": total.mean_pq, "aji": total.aji}

    @cached_property
    def counts(self) -> np.ndarray:
        """Found, false and missed objects of each class at 0.5, int64 `(classes, 3)`."""
        return np.sum([tally.counts[0] for tally in self.tallies], axis=0)

    @cached_property
    def image_ap(self) -> np.ndarray:
        """AP of each image, averaged from 0.5 to 0.95, `(n,)`; nan where there is nothing."""
        return np.array([object_scores([tally]).ap.mean() for tally in self.tallies])

    @cached_property
    def intervals(self) -> Mapping[str, np.ndarray]:
        """Ends of the 95 % intervals of `scores`, `(2,)` each, cases resampled; nan where there is
        a single case or nothing was to be drawn.
        """
        cases = list(dict.fromkeys(sample.together for sample in self.samples))
        if len(cases) < 2 or not self.draws:
            return {name: np.full(2, np.nan) for name in MEANS}
        rows = np.array([cases.index(sample.together) for sample in self.samples])
        drawn: dict[str, list[np.ndarray]] = {name: [] for name in MEANS}
        for times in draw_cases(len(cases), self.draws, self.seed):
            for name, values in _drawn(self.tallies, times[:, rows]).items():
                drawn[name].append(values)
        return {name: interval(np.concatenate(values)) for name, values in drawn.items()}


def evaluate_objects(
    finder: Finder,
    dataset: Source,
    split: str = "test",
    *,
    bootstrap: int = 1000,
    seed: int = 0,
    examples: int = 2,
    learned: Collection[str] = (),
) -> ObjectEvaluation:
    """Find the objects of every image of a split, and count what is right.

    Args:
        finder: Its objects down to the least score are ranked for COCO's average precision; those
            that are kept make all other scores.
        dataset: Where images and true objects come from.
        split: Name of the split.
        bootstrap: Data sets drawn for the intervals; 0 for none.
        seed: Of that drawing.
        examples: Best, median and worst images to keep a picture of, of each so many.
        learned: Ids of samples that the model is known to have learned from, to warn of them.

    Raises:
        DataError: If model and data have not the same number of classes, or no sample of the split
            can be scored. A single one that cannot is told in `skipped`.
    """
    card = finder.card
    warnings = check_classes(card.labels, dataset.labels)
    samples = dataset.of(split)
    num_classes = dataset.labels.num_classes
    scored: list[Sample] = []
    skipped: list[Skipped] = []
    tallies: list[ObjectTally] = []
    masks: list[Pairs] = []
    boxes: list[Pairs] = []

    def read(sample: Sample) -> tuple[np.ndarray, Instances] | DataError:
        try:
            return dataset.read_image(sample), dataset.read_objects(sample)
        except DataError as error:
            return error

    reading = in_threads(read, samples, f"Scoring {split}", workers=1, ahead=1)
    for sample, entry in zip(samples, reading, strict=True):
        try:
            if isinstance(entry, DataError):
                raise entry
            image, true = entry
            every = finder.every(image)
            found = finder.kept(every)
            if true.size != found.size:
                raise DataError(f"{sample.image} and its masks differ in size.")
        except DataError as error:
            skipped.append(Skipped(sample, str(error)))
            continue
        scored.append(sample)
        tallies.append(tally_objects(found, true, num_classes))
        masks.append(pair_masks(every, true))
        boxes.append(pair_boxes(every, true))
    if not scored:
        first = f" The first: {skipped[0].reason}" if skipped else ""
        raise DataError(
            f"Expected images with objects in the split {split!r}; none of its {len(samples)} "
            f"could be scored.{first}"
        )
    warnings += cautions(
        split,
        len({sample.together for sample in scored}),
        bootstrap,
        seen=sum(sample.id in learned for sample in scored),
    )
    each = np.array([object_scores([tally]).ap.mean() for tally in tallies])
    most = max(_COCO_MOST, *(len(pairs.true_labels) for pairs in masks))

    def example(rank: str, index: int) -> ObjectExample:
        image = dataset.read_image(scored[index])
        true = dataset.read_objects(scored[index])
        return ObjectExample(rank, index, as_picture(image), true, finder.kept(finder.every(image)))

    return ObjectEvaluation(
        card=card,
        labels=dataset.labels,
        data=dataset.root,
        split=split,
        samples=tuple(scored),
        tallies=tuple(tallies),
        masks=coco_scores(masks, num_classes, most),
        boxes=coco_scores(boxes, num_classes, most),
        skipped=tuple(skipped),
        examples=tuple(example(rank, index) for rank, index in ranked(each, examples)),
        warnings=tuple(warnings),
        draws=bootstrap,
        seed=seed,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _drawn(tallies: tuple[ObjectTally, ...], times: np.ndarray) -> dict[str, np.ndarray]:
    """The `MEANS` of drawn data sets, `(draws,)` each; `times` `(draws, n)` counts each image."""
    counts = np.stack([tally.counts for tally in tallies])
    image = counts.sum(axis=2)
    total = image.sum(axis=-1)
    ap = np.where(total > 0, image[..., TP] / np.maximum(total, 1), 0.0)
    united = np.array([tally.united for tally in tallies])
    aji = np.array([tally.shared for tally in tallies]) / np.maximum(united, 1)
    some = np.maximum(times @ (total > 0).astype(float), 1)
    by_overlap = (times @ ap) / some
    here = counts[:, 0].reshape(len(tallies), -1)
    summed = (times @ here).reshape(len(times), *counts.shape[2:])
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
