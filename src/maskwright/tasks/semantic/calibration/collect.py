"""One pass of the evaluation loop over a split in which nothing is scored, only collected."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from maskwright.data import DataSet, Sample
from maskwright.data.layers import layer_labels, read_layers, require_one_class
from maskwright.evaluation import EvaluateOptions, Evaluation, evaluate
from maskwright.evaluation.result import class_cautions
from maskwright.inference.predictor import check_flips
from maskwright.reliability.observations import ObservedPrediction
from maskwright.tasks.semantic.calibration.observe import ObservingPredictor

Collect = Callable[[np.ndarray, ObservedPrediction], object]
"""Called with ground truth and prediction of an image."""


class CollectingScorer:
    """A `Scorer` that hands ground truth and predictions on; both in the size of the images."""

    def __init__(
        self, source: DataSet, card: Any, options: EvaluateOptions, collect: Collect
    ) -> None:
        self.source, self.card, self.options, self._collect = source, card, options, collect
        labels = source.labels
        if card.overlapping:
            labels = layer_labels(labels)
        else:
            require_one_class(source, "this model")
        self.warnings = tuple(class_cautions(card.labels, labels))
        self.workers = None if card.size else 1

    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        """Image and labels or layers, as `Scorer.read`."""
        read = partial(read_layers, self.source) if self.card.overlapping else self.source.read
        return read(sample)

    def update(
        self, sample: Sample, image: np.ndarray, truth: np.ndarray, prediction: ObservedPrediction
    ) -> None:
        """Hand one image on, as `Scorer.update`."""
        self._collect(truth, prediction)

    def result(self, base: Evaluation) -> Evaluation:
        """What the loop knows of the split, as `Scorer.result`."""
        return base


def collect(
    predictor: ObservingPredictor, source: DataSet, options: EvaluateOptions, collect_image: Collect
) -> Evaluation:
    """Predict every image of a split once; what the evaluation loop knows of the split.

    Raises:
        DataError: If there is no image with ground truth, or model and data do not match.
        ConfigError: For flips that the model was not trained with.
    """
    check_flips(predictor.card, options.flips)
    scorer = CollectingScorer(source, predictor.card, options, collect_image)
    evaluation = evaluate(partial(predictor, flips=options.flips), scorer)
    return replace(evaluation, warnings=(*scorer.warnings, *evaluation.warnings))
