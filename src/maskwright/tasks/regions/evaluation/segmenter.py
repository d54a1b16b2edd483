"""`SegmenterScorer`: scores of the masks that decisions were made on, in the same pass."""

from dataclasses import replace

import numpy as np

from maskwright.data import DataSet, Sample
from maskwright.errors import DataError
from maskwright.evaluation import Caution, EvaluateOptions, Evaluation, Skipped
from maskwright.inference.prediction import Prediction
from maskwright.inference.predictor import Segmenter
from maskwright.tasks.semantic.evaluation.scorer import SemanticScorer
from maskwright.tasks.semantic.evaluation.scores import SemanticEvaluation


class SegmenterScorer:
    """Scores of a segmenter where its classes are those of the data, else a caution."""

    def __init__(
        self, dataset: DataSet, segmenter: Segmenter | None, options: EvaluateOptions
    ) -> None:
        self.warnings: list[Caution] = []
        self._scorer: SemanticScorer | None = None
        self._samples: list[Sample] = []
        self._skipped: list[Skipped] = []
        if segmenter is not None:
            options = replace(options, examples=0, size="original")
            try:
                self._scorer = SemanticScorer(dataset, segmenter.card, options)
            except DataError as error:
                self._warn(str(error))

    @property
    def is_scored(self) -> bool:
        """Whether masks are scored at all."""
        return self._scorer is not None

    def update(
        self,
        sample: Sample,
        image: np.ndarray,
        labels: np.ndarray | DataError,
        prediction: Prediction,
    ) -> None:
        """Score the mask of one image; `labels` is an error where there is no ground truth."""
        if self._scorer is None:
            return
        try:
            if isinstance(labels, DataError):
                raise labels
            if labels.shape != image.shape[:2]:
                raise DataError(f"{sample.image} and its mask differ in size.")
            self._scorer.update(sample, image, labels, prediction)
            self._samples.append(sample)
        except DataError as error:
            self._skipped.append(Skipped(sample, str(error)))

    def result(self, base: Evaluation) -> SemanticEvaluation | None:
        """Scores of all masks, or `None`; `base` is that of the decisions."""
        if self._scorer is None:
            return None
        if not self._samples:
            self._warn(self._skipped[0].reason if self._skipped else "no mask could be read.")
            return None
        base = replace(
            base,
            card=self._scorer.card,
            options=self._scorer.options,
            samples=tuple(self._samples),
            skipped=tuple(self._skipped),
        )
        return self._scorer.result(base)

    def _warn(self, reason: str) -> None:
        text = f"The segmenter's masks have no scores of their own: {reason}"
        self.warnings.append(Caution("segmenter_not_scored", text))
