"""`InstanceScorer`: matches the predicted objects of each image with the true ones."""

from collections.abc import Collection
from pathlib import Path

import numpy as np

from maskwright.data import DataSet, Sample, open_dataset
from maskwright.data.to_rgb import as_picture
from maskwright.errors import DataError
from maskwright.evaluation.loop import evaluate, pack, unpack
from maskwright.evaluation.reports.formatting import number
from maskwright.evaluation.result import (
    EvaluateOptions,
    Evaluation,
    Example,
    class_cautions,
    rank_examples,
    shown,
)
from maskwright.instances import Instances
from maskwright.metrics.coco import Pairs, coco_scores, pair_boxes, pair_masks
from maskwright.metrics.instances import ObjectTally, tally_objects
from maskwright.model_card import InstanceCard
from maskwright.tasks.instances.drawing import draw_objects
from maskwright.tasks.instances.evaluation.scores import InstanceEvaluation, image_ap
from maskwright.tasks.instances.predictor import InstancePredictor
from maskwright.tasks.provenance import division_of
from maskwright.tasks.settings import refuse_evaluate_options

_COCO_MAX = 100  # detections of an image, where no image holds more objects


class InstanceScorer:
    """Matched objects of the images of a split; of all predictions, ranked, for COCO scores.

    `learned` are ids of samples that the model is known to have been trained on.

    Raises:
        DataError: If model and data have different numbers of classes.
    """

    workers: int | None = 1

    def __init__(
        self,
        source: DataSet,
        model: InstancePredictor,
        options: EvaluateOptions,
        learned: Collection[str] = (),
    ) -> None:
        self.source, self.model, self.options = source, model, options
        self.card = model.card
        self.learned = learned
        self.warnings = class_cautions(self.card.labels, source.labels)
        self._tallies: list[ObjectTally] = []
        self._masks: list[Pairs] = []
        self._boxes: list[Pairs] = []
        self._predicted: list[bytes] = []

    def read(self, sample: Sample) -> tuple[np.ndarray, Instances]:
        """Image and true objects."""
        return self.source.read_image(sample), self.source.read_objects(sample)

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
        warnings = [*self.warnings, *base.split_cautions(self.learned), *base.case_cautions()]
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
            ("Ground truth", shown(draw_objects(picture, truth))),
            ("Prediction", shown(draw_objects(picture, unpack(self._predicted[index])))),
        )
        return Example(rank, sample.id, text, panels)


def evaluate_instances(
    model: InstancePredictor,
    source: DataSet,
    options: EvaluateOptions | None = None,
    learned: Collection[str] = (),
) -> InstanceEvaluation:
    """Score a model of single objects on a split; see `evaluation.evaluate`."""
    scorer = InstanceScorer(source, model, options or EvaluateOptions(), learned)
    return evaluate(model.predict_all, scorer)


def evaluate_run(run: Path, data: str | Path, options: EvaluateOptions) -> InstanceEvaluation:
    """Score a run on a split of its own division of the data, as `Task.evaluate`."""
    refuse_evaluate_options(InstanceCard.task, options)
    dataset = open_dataset(data, **division_of(run))
    return evaluate_instances(InstancePredictor.load(run), dataset, options)
