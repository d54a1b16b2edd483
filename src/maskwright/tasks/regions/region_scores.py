"""Score decisions on bags of regions: with true masks, with predicted ones, and the difference."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.special import expit, logit

from maskwright.evaluation.evaluate import Evaluation, Skipped, cautions
from maskwright.metrics import (
    DECISION_SCORES,
    Decisions,
    decision_ends,
    decision_scores,
    resample_decisions,
)
from maskwright.model_card import RegionCard

_PLURAL = {"region": "regions", "image": "images", "case": "cases"}


@dataclass(frozen=True, eq=False, kw_only=True)
class BagDecision:
    """One bag of regions as it was scored: what one decision is made on.

    Args:
        id: Name of the bag.
        case: What is drawn together for the intervals.
        label: 0 for the negative answer, 1 for the positive one.
        images: Names of its images.
        regions: Names of its regions, with true masks.
        weights: Share of each region in the decision, `(regions,)`; sums to 1.
        logit: Of the positive answer with true masks, before the temperature.
        predicted_logit: With the masks of the segmenter; `None` where it found no region, or where
            there is none.
        predicted_regions: Names of the regions that the segmenter found.
        predicted_weights: Their shares, or `None`.
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
        """The same of the regions that the segmenter found."""
        return _heaviest(self.predicted_regions, self.predicted_weights)


@dataclass(frozen=True, eq=False, kw_only=True)
class DecisionExample:
    """A bag to look at.

    Args:
        panels: Pictures uint8 RGB `(h, w, 3)`, each after its caption.
        title: Name of the bag.
        text: What is to be said about it, in a line.
        rank: Heading that neighbors share, such as `"best"`; empty for none.
    """

    panels: tuple[tuple[str, np.ndarray], ...]
    title: str
    text: str = ""
    rank: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class DecisionEvaluation:
    """Decisions on every bag of a split and the scores that follow from them.

    A bag in which the segmenter found no region has, with predicted masks, the probability 0.

    Args:
        names: Of the answers, negative first.
        unit: `"region"`, `"image"` or `"case"`: what a bag is.
        data: Where the data lies.
        split: Name of the split.
        decided: Bags that were scored, one or more.
        skipped: Samples that could not be used.
        temperature: Logits are divided by it before they become probabilities.
        threshold: Probability from which up a bag is decided positive.
        specificity: At which sensitivity is asked for.
        has_predicted: Whether the masks of a segmenter were decided on too.
        segmentation: Of that segmenter on the same split, or `None`.
        examples: Bags to look at.
        warnings: Sentences on what limits the use of the scores; see `cautions` for all of them.
        card: Of the classifier, or `None`.
        draws: Data sets drawn for the intervals.
        seed: Of the drawing.
        date: Of the evaluation, ISO 8601, UTC.
    """

    names: tuple[str, str]
    unit: str
    data: Path
    split: str
    decided: tuple[BagDecision, ...]
    skipped: tuple[Skipped, ...] = ()
    temperature: float = 1.0
    threshold: float = 0.5
    specificity: float = 0.9
    has_predicted: bool = False
    segmentation: Evaluation | None = None
    examples: tuple[DecisionExample, ...] = ()
    warnings: tuple[str, ...] = ()
    card: RegionCard | None = None
    draws: int = 1000
    seed: int = 0
    date: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @cached_property
    def labels(self) -> np.ndarray:
        """0 or 1 of each bag, `(n,)`."""
        return np.array([one.label for one in self.decided], np.int64)

    @property
    def cases(self) -> list[str]:
        """Case of each bag."""
        return [one.case for one in self.decided]

    @cached_property
    def probabilities(self) -> np.ndarray:
        """Of the positive answer with true masks, `(n,)`."""
        return expit(np.array([one.logit for one in self.decided]) / self.temperature)

    @cached_property
    def predicted_probabilities(self) -> np.ndarray:
        """Of the positive answer with predicted masks, `(n,)`; 0 where there is no region."""
        logits = [
            -np.inf if one.predicted_logit is None else one.predicted_logit for one in self.decided
        ]
        return expit(np.array(logits) / self.temperature)

    @cached_property
    def rightness(self) -> np.ndarray:
        """Probability of the true answer with true masks, `(n,)`; `ranked` takes it."""
        return np.where(self.labels == 1, self.probabilities, 1 - self.probabilities)

    @cached_property
    def doubt(self) -> np.ndarray:
        """Places of the bags, that whose logit is nearest to the threshold first, `(n,)`."""
        logits = np.array([one.logit for one in self.decided]) / self.temperature
        return np.argsort(np.abs(logits - logit(self.threshold)), kind="stable")

    @cached_property
    def true(self) -> Decisions:
        """Scores with true masks."""
        return self._scores(self.probabilities)

    @cached_property
    def intervals(self) -> Mapping[str, np.ndarray]:
        """Ends of the 95 % intervals of `true`, `(2,)` by score, cases resampled.

        All nan where there is a single case or nothing was to be drawn; see `decision_ends`.
        """
        return decision_ends(self._drawn)

    @cached_property
    def predicted(self) -> Decisions | None:
        """Scores with predicted masks, or `None`."""
        return self._scores(self.predicted_probabilities) if self.has_predicted else None

    @cached_property
    def predicted_intervals(self) -> Mapping[str, np.ndarray]:
        """As `intervals`, of `predicted`; empty without it."""
        return decision_ends(self._predicted_drawn)

    @cached_property
    def difference(self) -> Mapping[str, float]:
        """What predicted masks change, predicted minus true by score; empty without them."""
        if self.predicted is None:
            return {}
        return {
            name: getattr(self.predicted, name) - getattr(self.true, name)
            for name in DECISION_SCORES
        }

    @cached_property
    def difference_intervals(self) -> Mapping[str, np.ndarray]:
        """As `intervals`, of `difference`: the same cases are drawn for both."""
        drawn = self._predicted_drawn
        return decision_ends({name: values - self._drawn[name] for name, values in drawn.items()})

    @property
    def num_missed(self) -> int:
        """Bags in which the segmenter found no region."""
        return sum(one.predicted_logit is None for one in self.decided) if self.has_predicted else 0

    @property
    def cautions(self) -> tuple[str, ...]:
        """`warnings`, and what the decisions themselves give reason to say; each once."""
        told = [*self.warnings, *cautions(self.split, len(set(self.cases)), self.draws)]
        present = sorted(set(self.labels.tolist()))
        if len(present) == 1:
            told.append(
                f"Every {self.unit} is {self.names[present[0]]}, so that what compares the two "
                "answers is not defined."
            )
        if self.num_missed:
            told.append(
                f"The segmenter found no region in {self.num_missed} of "
                f"{self.counted(len(self.decided))}; with predicted masks they are decided "
                f"{self.names[0]}, with probability 0."
            )
        return tuple(dict.fromkeys(told))

    def counted(self, number: int | None = None) -> str:
        """What a bag is in the plural, after a number of them; `1 case` is said as it should."""
        if number is None:
            return _PLURAL[self.unit]
        return f"{number} {self.unit if number == 1 else _PLURAL[self.unit]}"

    @cached_property
    def _drawn(self) -> Mapping[str, np.ndarray]:
        return self._resampled(self.probabilities)

    @cached_property
    def _predicted_drawn(self) -> Mapping[str, np.ndarray]:
        return self._resampled(self.predicted_probabilities) if self.has_predicted else {}

    def _scores(self, probabilities: np.ndarray) -> Decisions:
        return decision_scores(
            self.labels, probabilities, threshold=self.threshold, specificity=self.specificity
        )

    def _resampled(self, probabilities: np.ndarray) -> Mapping[str, np.ndarray]:
        return resample_decisions(
            self.labels,
            probabilities,
            self.cases,
            threshold=self.threshold,
            specificity=self.specificity,
            draws=self.draws,
            seed=self.seed,
        )


def _heaviest(names: tuple[str, ...], weights: np.ndarray | None) -> tuple[str, float] | None:
    if weights is None or not names:
        return None
    place = int(np.argmax(weights))
    return names[place], float(weights[place])
