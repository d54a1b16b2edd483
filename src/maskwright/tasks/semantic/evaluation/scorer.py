"""`SemanticScorer`: counts the pixels of each image by true and predicted class."""

from collections.abc import Collection
from functools import partial
from typing import Any, get_args

import numpy as np

from maskwright.data import DataSet, Sample
from maskwright.data.geometry import resize_image, resize_labels
from maskwright.data.to_rgb import as_picture
from maskwright.errors import ConfigError
from maskwright.evaluation.loop import evaluate, pack, unpack
from maskwright.evaluation.reports.formatting import number
from maskwright.evaluation.result import (
    EvaluateOptions,
    Evaluation,
    Example,
    Size,
    class_cautions,
    example_size,
    rank_examples,
)
from maskwright.inference.predictor import Prediction, Segmenter
from maskwright.metrics import confusion, tally, tally_scores
from maskwright.tasks.semantic.evaluation.drawing import draw_errors
from maskwright.tasks.semantic.evaluation.scores import SemanticEvaluation


class SemanticScorer:
    """Confusion matrices of the images of a split.

    With `options.size="working"` image and true mask are resized to the size on the card first.
    `learned` are ids of samples that the model is known to have been trained on.

    Raises:
        ConfigError: If `options.size` is unknown.
        DataError: If model and data have different numbers of classes.
    """

    def __init__(
        self,
        source: DataSet,
        card: Any,
        options: EvaluateOptions,
        learned: Collection[str] = (),
    ) -> None:
        if options.size not in get_args(Size):
            raise ConfigError(f"`size` must be 'original' or 'working'; received {options.size!r}.")
        self.source, self.card, self.options = source, card, options
        self.learned = learned
        self.warnings = class_cautions(card.labels, source.labels)
        self.workers = None if card.size else 1
        self._counts = np.zeros((source.labels.num_classes,) * 2, np.int64)
        self._tallies: list[np.ndarray] = []
        self._predicted: list[bytes] = []

    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        """Image and labels in the size to be scored in."""
        image, truth = self.source.read(sample)
        if self.options.size == "original" or self.card.size is None:
            return image, truth
        return resize_image(image, self.card.size), resize_labels(truth, self.card.size)

    def update(
        self, sample: Sample, image: np.ndarray, truth: np.ndarray, prediction: Prediction
    ) -> None:
        """Count the pixels of one image, as `Scorer.update`."""
        counts = confusion(truth, prediction.labels, self.source.labels.num_classes)
        self._counts += counts
        self._tallies.append(tally(counts))
        if self.options.examples:
            shown = resize_labels(prediction.labels, example_size(truth.shape))
            self._predicted.append(pack(shown.astype(np.uint8)))

    @property
    def tallies(self) -> np.ndarray:
        """Of each image so far, int64 `(n, 3, classes)`."""
        return np.stack(self._tallies)

    def result(self, base: Evaluation) -> SemanticEvaluation:
        """Scores of all images, as `Scorer.result`."""
        ranked = rank_examples(tally_scores(self.tallies).mean_dice, self.options.examples)
        warnings = [*self.warnings, *base.split_cautions(self.learned), *base.case_cautions()]
        examples = [self._example(rank, base.samples[i], i) for rank, i in ranked]
        return SemanticEvaluation(
            **{
                **vars(base),
                "warnings": tuple(warnings),
                "examples": tuple(examples),
                "labels": self.source.labels,
                "counts": self._counts,
                "tallies": self.tallies,
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
        scores, labels = tally_scores(self._tallies[index]), self.source.labels
        case = f" · case {sample.case}" if sample.case != sample.id else ""
        text = (
            f"Dice {number(scores.mean_dice)} · IoU {number(scores.mean_iou)} · pixel accuracy "
            f"{number(scores.pixel_accuracy)}{case}"
        )
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
    learned: Collection[str] = (),
) -> SemanticEvaluation:
    """Score a model of masks on a split; see `evaluation.evaluate` and `SemanticScorer`."""
    options = options or EvaluateOptions()
    scorer = SemanticScorer(source, model.card, options, learned)
    return evaluate(partial(model, flips=options.flips), scorer)
