"""Objects of every image matched with the true ones, and the scores that follow."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from maskwright.data import DataSet, Sample, open_dataset
from maskwright.data.to_rgb import as_picture
from maskwright.errors import DataError
from maskwright.evaluation import EvaluateOptions, Evaluation, Example, evaluate
from maskwright.evaluation.loop import pack, unpack
from maskwright.evaluation.reports.formatting import number
from maskwright.evaluation.reports.parts import Score
from maskwright.evaluation.result import class_cautions, rank_examples, shown
from maskwright.export.engines import Threads
from maskwright.instances import Instances
from maskwright.labels import Labels
from maskwright.metrics.coco import CocoScores, Pairs, coco_scores, pair_boxes, pair_masks
from maskwright.metrics.instances import (
    FN,
    THRESHOLDS,
    TP,
    ObjectScores,
    ObjectTally,
    object_scores,
    tally_objects,
    weighted_scores,
)
from maskwright.metrics.intervals import (
    FEWEST_CASES,
    add_by_case,
    jackknife_interval,
    without_each,
)
from maskwright.model_card import InstanceCard
from maskwright.tasks.instances.drawing import draw_objects
from maskwright.tasks.instances.predictor import InstancePredictor
from maskwright.tasks.instances.trust.verify import (
    ObjectTrustCheck,
    read_object_trust,
    verify_objects,
)
from maskwright.tasks.provenance import division_of, without_learned
from maskwright.tasks.settings import refuse_evaluate_options

_COCO_MAX = 100  # detections of an image, where no image holds more objects

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


class InstanceScorer:
    """Matched objects of the images of a split; of all predictions, ranked, for COCO scores.

    Raises `DataError` if model and data have different numbers of classes.
    """

    workers: int | None = 1

    def __init__(
        self,
        source: DataSet,
        model: InstancePredictor,
        options: EvaluateOptions,
    ) -> None:
        self.source, self.model, self.options = source, model, options
        self.card = model.card
        self.warnings = class_cautions(self.card.labels, source.labels)
        self._tallies: list[ObjectTally] = []
        self._masks: list[Pairs] = []
        self._boxes: list[Pairs] = []
        self._predicted: list[bytes] = []

    def read(self, sample: Sample) -> tuple[np.ndarray, Instances]:
        """Image and true objects; where the image has no data, predictions do not count."""
        image, _, gap = self.source.read_with_gaps(sample)
        truth = self.source.read_objects(sample)
        if gap is None or truth.size != gap.shape:
            return image, truth
        return image, truth.with_crowds(gap, self.source.labels.num_classes)

    def update(
        self, sample: Sample, image: np.ndarray, truth: Instances, prediction: Instances
    ) -> None:
        """Match the objects of one image, as `Scorer.update`."""
        predicted = self.model.confident(prediction)
        if truth.size != predicted.size:
            raise DataError(f"{sample.image} and its masks differ in size.")
        self._tallies.append(tally_objects(predicted, truth, self.source.labels.num_classes))
        self._masks.append(pair_masks(prediction, truth))
        self._boxes.append(pair_boxes(prediction, truth))
        if self.options.examples:
            self._predicted.append(pack(predicted))

    def result(self, base: Evaluation) -> InstanceEvaluation:
        """Scores of all images, as `Scorer.result`."""
        num_classes = self.source.labels.num_classes
        most = max(_COCO_MAX, *(len(pairs.true_labels) for pairs in self._masks))
        warnings = [*self.warnings, *base.split_cautions(), *base.case_cautions()]
        scores = image_ap(tuple(self._tallies))
        examples = [
            self._example(rank, base.samples[index], index, scores[index])
            for rank, index in rank_examples(scores, self.options.examples)
        ]
        return InstanceEvaluation(
            **{
                **vars(base),
                "warnings": tuple(warnings),
                "examples": tuple(examples),
                "labels": self.source.labels,
                "tallies": tuple(self._tallies),
                "masks": coco_scores(self._masks, num_classes, most),
                "boxes": coco_scores(self._boxes, num_classes, most),
                "pairs": tuple(self._masks),
            }
        )

    def _example(self, rank: str, sample: Sample, index: int, score: float) -> Example:
        """Image and objects; the image is read again, the prediction unpacked."""
        image, truth = self.read(sample)
        picture = as_picture(image)
        matched, false, missed = self._tallies[index].counts[0].sum(axis=0).tolist()
        text = f"AP {number(score)} · {matched} matched, {false} false, {missed} missed at IoU 0.5"
        panels = (
            ("Image", shown(picture)),
            ("Ground truth", shown(draw_objects(picture, truth.take(~truth.crowd)))),
            ("Prediction", shown(draw_objects(picture, unpack(self._predicted[index])))),
        )
        return Example(rank, sample.id, text, panels)


def evaluate_instances(
    model: InstancePredictor,
    source: DataSet,
    options: EvaluateOptions | None = None,
) -> InstanceEvaluation:
    """Score a model of single objects on a split; see `evaluation.evaluate`."""
    scorer = InstanceScorer(source, model, options or EvaluateOptions())
    return evaluate(model.predict_all, scorer)


def evaluate_run(run: Path, data: str | Path, options: EvaluateOptions) -> InstanceEvaluation:
    """Score a run on a split of its own division of the data, as `Task.evaluate`."""
    refuse_evaluate_options(InstanceCard.task, options)
    dataset = open_dataset(data, **division_of(run))
    dataset, seen = without_learned(dataset, options.split, run)
    predictor = InstancePredictor.load(run, Threads(allow_code=options.allow_code))
    predictor = predictor.adjusted(pixel_range=options.pixel_range)
    evaluation = evaluate_instances(predictor, dataset, options)
    record, cautions = read_object_trust(run, predictor.card, options.split)
    trust = None
    if record is not None:
        trust = verify_objects(record, evaluation.pairs, evaluation.cases, predictor.card)
    return replace(evaluation, trust=trust, warnings=(*seen, *cautions, *evaluation.warnings))
