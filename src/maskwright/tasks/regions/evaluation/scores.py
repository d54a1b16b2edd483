"""`RegionEvaluation`: a decision on every bag of regions of a split, and the scores that follow."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import expit, logit

from maskwright.data.samples import counted
from maskwright.evaluation import Caution, Evaluation
from maskwright.evaluation.reports.parts import Score
from maskwright.metrics import Decisions, decision_intervals, decision_scores
from maskwright.metrics.decisions import difference_intervals
from maskwright.model_card import RegionCard
from maskwright.tasks.semantic.evaluation.scores import SemanticEvaluation

AT_SPECIFICITY = "sensitivity_at_specificity"

SCORES = (
    Score("roc_auc", "ROC AUC", card=True),
    Score("average_precision", "average precision", card=True),
    Score("binary_accuracy", "accuracy", card=True),
    Score("sensitivity", "sensitivity"),
    Score("specificity", "specificity"),
    Score(AT_SPECIFICITY, "sensitivity at {:g} % specificity", "sens. at {:g}% spec", card=True),
    Score("brier", "Brier score", card=True),
    Score("expected_calibration_error", "calibration error", card=True),
)
"""Fields of `metrics.Decisions` that are scores; all have intervals."""


@dataclass(frozen=True, eq=False, kw_only=True)
class BagDecision:
    """The decision on one bag of regions: a region, an image or a case.

    `case` is what is resampled together for the intervals; `label` is 1 for the positive answer.
    `weights` are the shares of the regions in the decision, `(regions,)`, which sum to 1; `logit`
    is that of the positive answer before the temperature. What is predicted is with masks of a
    segmenter and `None` where those have no region, or where there is no segmenter.
    """

    id: str
    case: str
    label: int
    images: tuple[str, ...]
    regions: tuple[str, ...]
    weights: np.ndarray
    logit: float
    predicted_logit: float | None = None
    predicted_regions: tuple[str, ...] = ()
    predicted_weights: np.ndarray | None = None

    @property
    def deciding(self) -> tuple[str, float] | None:
        """Region that weighs most and its share."""
        return _heaviest(self.regions, self.weights)

    @property
    def predicted_deciding(self) -> tuple[str, float] | None:
        """The same of the regions of predicted masks."""
        return _heaviest(self.predicted_regions, self.predicted_weights)


@dataclass(frozen=True, eq=False, kw_only=True)
class RegionEvaluation(Evaluation):
    """Decisions on every bag of a split, and the scores that follow from them.

    A bag in which predicted masks have no region has the predicted probability 0. `has_predicted`
    is whether decisions were made with the masks of a segmenter too, `segmentation` are its scores
    on the same split, or `None`; sensitivity is computed at `specificity`. `trust` is whether the
    promises of the model hold, an `AnswerTrustCheck`, if it has any.
    """

    card: RegionCard
    bags: tuple[BagDecision, ...]
    specificity: float = 0.9
    has_predicted: bool = False
    segmentation: SemanticEvaluation | None = None
    trust: Any = None

    @cached_property
    def labels(self) -> np.ndarray:
        """True answer of each bag, 0 or 1, `(n,)`."""
        return np.array([bag.label for bag in self.bags], np.int64)

    @property
    def cases(self) -> list[str]:
        """Case of each bag."""
        return [bag.case for bag in self.bags]

    @cached_property
    def probabilities(self) -> np.ndarray:
        """Of the positive answer with ground truth masks, `(n,)`."""
        return expit(np.array([bag.logit for bag in self.bags]) / self.card.temperature)

    @cached_property
    def predicted_probabilities(self) -> np.ndarray:
        """Of the positive answer with predicted masks, `(n,)`; 0 where there is no region."""
        logits = [
            -np.inf if bag.predicted_logit is None else bag.predicted_logit for bag in self.bags
        ]
        return expit(np.array(logits) / self.card.temperature)

    @cached_property
    def correctness(self) -> np.ndarray:
        """Probability of the true answer with ground truth masks, `(n,)`; ranks examples."""
        return np.where(self.labels == 1, self.probabilities, 1 - self.probabilities)

    @cached_property
    def by_doubt(self) -> np.ndarray:
        """Indices of the bags, that whose logit is nearest to the threshold first, `(n,)`."""
        logits = np.array([bag.logit for bag in self.bags]) / self.card.temperature
        return np.argsort(np.abs(logits - logit(self.card.threshold)), kind="stable")

    @cached_property
    def true(self) -> Decisions:
        """Scores with ground truth masks."""
        return decision_scores(self.labels, self.probabilities, **self._thresholds)

    @cached_property
    def intervals(self) -> Mapping[str, np.ndarray]:
        """Ends of the 95 % intervals of `true`, `(2,)` by score; see `decision_intervals`."""
        return decision_intervals(self.labels, self.probabilities, self.cases, **self._thresholds)

    @cached_property
    def predicted(self) -> Decisions | None:
        """Scores with predicted masks, or `None`."""
        if not self.has_predicted:
            return None
        return decision_scores(self.labels, self.predicted_probabilities, **self._thresholds)

    @cached_property
    def predicted_intervals(self) -> Mapping[str, np.ndarray]:
        """As `intervals`, of `predicted`; empty without it."""
        if not self.has_predicted:
            return {}
        values = self.predicted_probabilities
        return decision_intervals(self.labels, values, self.cases, **self._thresholds)

    @cached_property
    def difference(self) -> Mapping[str, float]:
        """Scores with predicted masks minus those with true ones; empty without predicted ones."""
        if self.predicted is None:
            return {}
        return {
            score.key: getattr(self.predicted, score.key) - getattr(self.true, score.key)
            for score in SCORES
        }

    @cached_property
    def difference_intervals(self) -> Mapping[str, np.ndarray]:
        """As `intervals`, of `difference`: the same cases are left out of both."""
        if not self.has_predicted:
            return {}
        first, second = self.predicted_probabilities, self.probabilities
        return difference_intervals(self.labels, first, second, self.cases, **self._thresholds)

    @property
    def num_missed(self) -> int:
        """Number of bags in which predicted masks have no region."""
        return sum(bag.predicted_logit is None for bag in self.bags) if self.has_predicted else 0

    @property
    def _thresholds(self) -> dict[str, float]:
        return {"threshold": self.card.threshold, "specificity": self.specificity}


def region_cautions(evaluation: RegionEvaluation) -> list[Caution]:
    """What limits the use of decisions: split, number of cases, a single class, missed regions."""
    cautions = [*evaluation.split_cautions(), *evaluation.case_cautions()]
    names, unit = evaluation.card.names, evaluation.card.unit
    if len(present := set(evaluation.labels.tolist())) == 1:
        text = (
            f"Every {unit} is {names[present.pop()]}, so that scores that compare the two answers "
            f"are not defined."
        )
        cautions.append(Caution("single_class", text))
    if evaluation.num_missed:
        text = (
            f"The segmenter found no region in {evaluation.num_missed} of "
            f"{counted(len(evaluation.bags), unit)}; with predicted masks they are decided "
            f"{names[0]}, with probability 0."
        )
        cautions.append(Caution("no_predicted_region", text))
    return cautions


def _heaviest(names: tuple[str, ...], weights: np.ndarray | None) -> tuple[str, float] | None:
    if weights is None or not names:
        return None
    place = int(np.argmax(weights))
    return names[place], float(weights[place])
