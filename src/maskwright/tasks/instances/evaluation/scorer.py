"""Objects of every image of a split, matched with the true ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from maskwright.data import DataSet, Sample, open_dataset
from maskwright.data.to_rgb import as_picture
from maskwright.display.objects import draw_objects
from maskwright.errors import DataError
from maskwright.evaluation import EvaluateOptions, Evaluation, Example, evaluate
from maskwright.evaluation.loop import pack, unpack
from maskwright.evaluation.reports.formatting import number
from maskwright.evaluation.result import class_cautions, rank_examples, shown
from maskwright.export.engines import Threads
from maskwright.instances import Instances
from maskwright.metrics.coco import Pairs, coco_scores, pair_boxes, pair_masks
from maskwright.metrics.instances import ObjectTally, tally_objects
from maskwright.model_card import InstanceCard
from maskwright.tasks.instances.evaluation.outcomes import draw_outcomes, object_outcomes
from maskwright.tasks.instances.evaluation.scores import InstanceEvaluation
from maskwright.tasks.instances.ground_truth import read_truth
from maskwright.tasks.instances.predictor import InstancePredictor
from maskwright.tasks.instances.trust.verify import verify_objects
from maskwright.tasks.provenance import division_of, without_learned
from maskwright.tasks.settings import refuse_evaluate_options

_COCO_MAX = 100  # detections of an image, where no image holds more objects


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
        """Image and true objects, as `read_truth`."""
        return read_truth(self.source, sample)

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

    def scored(self, base: Evaluation) -> InstanceEvaluation:
        """Scores of all images, without examples and warnings."""
        num_classes = self.source.labels.num_classes
        most = max(_COCO_MAX, *(len(pairs.true_labels) for pairs in self._masks))
        return InstanceEvaluation(
            **{
                **vars(base),
                "labels": self.source.labels,
                "tallies": tuple(self._tallies),
                "masks": coco_scores(self._masks, num_classes, most),
                "boxes": coco_scores(self._boxes, num_classes, most),
                "pairs": tuple(self._masks),
            }
        )

    def result(self, base: Evaluation) -> InstanceEvaluation:
        """Scores of all images, as `Scorer.result`."""
        evaluation = self.scored(base)
        examples = [
            self._example(rank, base.samples[index], index, evaluation.image_ap[index])
            for rank, index in rank_examples(evaluation.image_ap, self.options.examples)
        ]
        warnings = (*self.warnings, *base.split_cautions(), *base.case_cautions())
        return replace(evaluation, warnings=warnings, examples=tuple(examples))

    def show(self, sample: Sample, index: int) -> tuple[np.ndarray, Instances, Instances]:
        """Picture, true and predicted objects of a scored sample; the image is read again."""
        image, truth = self.read(sample)
        return as_picture(image), truth, unpack(self._predicted[index])

    def _example(self, rank: str, sample: Sample, index: int, score: float) -> Example:
        picture, truth, predicted = self.show(sample, index)
        tally = self._tallies[index]
        matched, false, missed = tally.counts[0].sum(axis=0).tolist()
        text = (
            f"AP {number(score)} · {matched} matched, {missed} missed, {false} false, "
            f"{tally.duplicates} of them duplicates, at IoU 0.5"
        )
        panels = (
            ("Image", shown(picture)),
            ("Ground truth", shown(draw_objects(picture, truth.take(~truth.crowd)))),
            ("Prediction", shown(draw_objects(picture, predicted))),
            ("Errors", shown(draw_outcomes(picture, object_outcomes(predicted, truth)))),
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
    trust, cautions = verify_objects(run, predictor.card, dataset, evaluation, evaluation.pairs)
    return replace(evaluation, trust=trust, warnings=(*seen, *cautions, *evaluation.warnings))
