"""Pixels of every image counted by true and predicted class, and the scores that follow."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np

from maskwright.data import DataSet, Sample, open_dataset
from maskwright.data.geometry import resize_image, resize_labels
from maskwright.data.layers import layer_labels, read_layers, require_one_class
from maskwright.data.to_rgb import as_picture
from maskwright.errors import ConfigError
from maskwright.evaluation import EvaluateOptions, Evaluation, Example, evaluate
from maskwright.evaluation.groups import column_groups
from maskwright.evaluation.loop import Consumer, pack, unpack
from maskwright.evaluation.reports.formatting import number
from maskwright.evaluation.result import (
    Size,
    Weigh,
    class_cautions,
    example_size,
    rank_examples,
    rare_cautions,
)
from maskwright.export.engines import Threads
from maskwright.inference.prediction import Prediction
from maskwright.inference.predictor import Predictor, Segmenter, check_flips
from maskwright.metrics import confusion, layer_confusion, tally, tally_scores
from maskwright.metrics.confusion import PREDICTED, foreground, layer_tally
from maskwright.metrics.false_alarms import false_areas
from maskwright.metrics.intervals import cases_with_class
from maskwright.model_card import SemanticCard
from maskwright.tasks.provenance import division_of, without_learned
from maskwright.tasks.semantic.calibration.watch import open_watch
from maskwright.tasks.semantic.evaluation.details.measures import DetailScorer, MaskDetails
from maskwright.tasks.semantic.evaluation.drawing import draw_errors
from maskwright.tasks.semantic.evaluation.scores import SemanticEvaluation, background_of

_MOST_VALUES = 2**27  # probabilities of an image that are kept, half a gigabyte


class SemanticScorer:
    """Confusion matrices of the images of a split.

    With `options.size="working"` image and ground truth are resized to that of the card first.
    `detailed` also measures what `MaskDetails` holds. Raises `ConfigError` for options that do not
    fit the data, `DataError` if model and data have different numbers of classes, or only in the
    data they overlap.
    """

    def __init__(
        self, source: DataSet, card: Any, options: EvaluateOptions, *, detailed: bool = False
    ) -> None:
        for name, known in (("size", get_args(Size)), ("weigh", get_args(Weigh))):
            if (value := getattr(options, name)) not in known:
                names = " or ".join(map(repr, known))
                raise ConfigError(f"`{name}` must be {names}; received {value!r}.")
        self.source, self.card, self.options = source, card, options
        if not card.overlapping:
            require_one_class(source, "this model")
        self.labels = layer_labels(source.labels) if card.overlapping else source.labels
        self.warnings = class_cautions(card.labels, self.labels)
        self.workers = None if card.size else 1
        self._counts: np.ndarray | int = 0
        self._tallies: list[np.ndarray] = []
        self._predicted: list[bytes] = []
        self._details: DetailScorer | None = None
        if detailed:
            samples = source.of(options.split)
            if options.by is not None:
                column_groups(samples, options.by)
            scaled = options.size == "working" and card.size is not None
            front = foreground(self.labels.num_classes, background_of(card))
            self._details = DetailScorer(samples, front, self.labels.num_classes, options, scaled)

    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        """Image and labels in the size to be scored in."""
        read = partial(read_layers, self.source) if self.card.overlapping else self.source.read
        image, truth = read(sample)
        if self.options.size == "original" or self.card.size is None:
            return image, truth
        return resize_image(image, self.card.size), resize_labels(truth, self.card.size)

    def update(
        self, sample: Sample, image: np.ndarray, truth: np.ndarray, prediction: Prediction
    ) -> None:
        """Count the pixels of one image, as `Scorer.update`."""
        if self.card.overlapping:
            counts = layer_confusion(truth, prediction.labels)
        else:
            counts = confusion(truth, prediction.labels, self.labels.num_classes)
        self._counts = self._counts + counts
        self._tallies.append(layer_tally(counts) if self.card.overlapping else tally(counts))
        if self.options.examples:
            shown = resize_labels(prediction.labels, example_size(truth.shape))
            self._predicted.append(pack(shown.astype(np.uint8)))
        if self._details is not None:
            self._details.update(sample, truth, prediction)

    @property
    def details(self) -> MaskDetails | None:
        """What was measured beside the pixels so far; `None` if that is not asked for."""
        return None if self._details is None else self._details.result()

    @property
    def tallies(self) -> np.ndarray:
        """Of each image so far, int64 `(n, 3, classes)`."""
        return np.stack(self._tallies)

    def result(self, base: Evaluation) -> SemanticEvaluation:
        """Scores of all images, as `Scorer.result`."""
        dice = tally_scores(self.tallies, background_of(self.card), held_only=True).foreground_dice
        held = cases_with_class(self.tallies, base.cases)
        scored = ~np.isnan(tally_scores(self.tallies.sum(axis=0)).iou)
        rare = rare_cautions(self.labels, held, scored, base.num_cases)
        warnings = [*self.warnings, *base.split_cautions(), *base.case_cautions(), *rare]
        front = foreground(self.labels.num_classes, background_of(self.card))
        areas = np.nan_to_num(false_areas(self.tallies, front))
        alarms = np.argsort(-areas, kind="stable")[: min(self.options.examples, (areas > 0).sum())]
        examples = [
            self._example(rank, base.samples[index], index)
            for rank, index in [
                *rank_examples(dice, self.options.examples),
                *(("false alarm", index) for index in alarms),
            ]
        ]
        return SemanticEvaluation(
            **{
                **vars(base),
                "warnings": tuple(warnings),
                "examples": tuple(examples),
                "labels": self.labels,
                "counts": self._counts,
                "tallies": self.tallies,
                "details": self.details,
            }
        )

    def show(self, sample: Sample, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Picture, true and predicted labels of a scored sample, in the size of an example."""
        image, truth = self.read(sample)
        size = example_size(truth.shape)
        picture = resize_image(as_picture(image), size)
        return picture, resize_labels(truth, size), unpack(self._predicted[index])

    def _example(self, rank: str, sample: Sample, index: int) -> Example:
        picture, truth, predicted = self.show(sample, index)
        background, labels = background_of(self.card), self.labels
        scores = tally_scores(self._tallies[index], background, held_only=True)
        case = f" · case {sample.case}" if sample.case != sample.id else ""
        parts = [f"Dice {number(scores.foreground_dice)}", f"IoU {number(scores.foreground_iou)}"]
        if np.isnan(scores.foreground_dice):
            front = foreground(labels.num_classes, background)
            parts = [f"{self._tallies[index][PREDICTED, front].sum():,} px where nothing is"]
        if not self.card.overlapping:
            parts.append(f"pixel accuracy {number(scores.pixel_accuracy)}")
        text = " · ".join(parts) + case
        panels = (
            ("Image", picture),
            ("Ground truth", labels.overlay(picture, truth)),
            ("Prediction", labels.overlay(picture, predicted)),
            ("Errors", draw_errors(picture, truth, predicted, self.card.background)),
        )
        return Example(rank, sample.id, text, panels)


def evaluate_masks(
    model: Segmenter,
    source: DataSet,
    options: EvaluateOptions | None = None,
    predict: Callable[[np.ndarray], Prediction] | None = None,
    consumers: Sequence[Consumer[np.ndarray, Prediction]] = (),
) -> SemanticEvaluation:
    """Score a model of masks on a split; see `evaluation.evaluate` and `SemanticScorer`.

    `predict` is called with an image in place of the model, for predictions with probabilities.
    """
    options = options or EvaluateOptions()
    check_flips(model.card, options.flips)
    scorer = SemanticScorer(source, model.card, options, detailed=True)
    return evaluate(predict or partial(model, flips=options.flips), scorer, consumers)


def evaluate_run(
    run: Path,
    data: str | Path,
    options: EvaluateOptions,
    card_type: type[SemanticCard] = SemanticCard,
) -> SemanticEvaluation:
    """Score a run on a split of its own division of the data; its card is of type `card_type`.

    Its promises, if it has any, are held against the same predictions.
    """
    dataset = open_dataset(data, **division_of(run))
    dataset, seen = without_learned(dataset, options.split, run)
    watch, of_promises = open_watch(run, options, card_type)
    if watch is None:
        predictor = Predictor.load(run, Threads(allow_code=options.allow_code), card_type)
        predictor = predictor.adjusted(pixel_range=options.pixel_range)
        predict = partial(_predict, predictor, options)
        evaluation = evaluate_masks(predictor, dataset, options, predict)
    else:
        predict = partial(watch.predict, options)
        evaluation = evaluate_masks(watch.model, dataset, options, predict, [watch.consume])
        check, of_promises = watch.result(run, dataset, evaluation)
        evaluation = replace(evaluation, trust=check)
    return replace(evaluation, warnings=(*seen, *of_promises, *evaluation.warnings))


def _predict(predictor: Predictor, options: EvaluateOptions, image: np.ndarray) -> Prediction:
    """Prediction with probabilities where they are scored, and are not too many."""
    values = image.shape[0] * image.shape[1] * predictor.card.labels.num_classes
    kept = options.calibration and values <= _MOST_VALUES
    return predictor(image, flips=options.flips, probabilities=kept)
