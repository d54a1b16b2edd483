"""Whether answers hold the true class in cases that they were not calibrated on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maskwright.errors import ModelError
from maskwright.evaluation import Caution
from maskwright.metrics.intervals import proportion_interval
from maskwright.model_card import TRUST_FILE
from maskwright.tasks.regions.evaluation.scores import RegionEvaluation
from maskwright.tasks.regions.pipeline import Pipeline
from maskwright.tasks.regions.trust.answer_sets import (
    AnswerPromise,
    AnswerSets,
    Decided,
    mean_share,
)
from maskwright.tasks.regions.trust.record import AnswerTrust, Masks


@dataclass(frozen=True, eq=False, kw_only=True)
class AnswerCheck:
    """What came of the promise of a class in other cases.

    Args:
        n: Cases of the class.
        covered: Share of them whose answer is the class or refer, mean over cases; nan without any.
        covered_ends: Its 95 % interval, exact where a case is one decision, `(2,)`.
        referred: Share of them that is referred, and its interval.
    """

    masks: Masks
    promise: AnswerPromise
    n: int
    covered: float
    covered_ends: np.ndarray
    referred: float
    referred_ends: np.ndarray

    @property
    def verdict(self) -> str:
        """Whether the promise was kept; `by chance` is worse than promised, but no more than so
        many cases leave open.
        """
        if self.promise.level is None or not self.n:
            return "nothing promised" if self.promise.level is None else "no case"
        asked = 1 - self.promise.level
        if self.covered >= asked:
            return "kept"
        return "not kept" if self.covered_ends[1] < asked else "by chance"


@dataclass(frozen=True, eq=False, kw_only=True)
class AnswerTrustCheck:
    """What the cases of a split say of the answers in a record."""

    record: AnswerTrust
    answers: tuple[AnswerCheck, ...]


def decided_with(evaluation: RegionEvaluation, masks: Masks) -> Decided:
    """Decisions of an evaluation with masks of one kind."""
    probabilities = evaluation.probabilities
    if masks == "predicted":
        missing = np.array([bag.predicted_logit is None for bag in evaluation.bags])
        probabilities = np.where(missing, np.nan, evaluation.predicted_probabilities)
    return Decided(
        unit=evaluation.card.unit,
        labels=evaluation.labels,
        probabilities=probabilities,
        cases=evaluation.cases,
    )


def verify_answers(
    run: Path, pipeline: Pipeline, evaluation: RegionEvaluation
) -> tuple[AnswerTrustCheck | None, tuple[Caution, ...]]:
    """Hold the record beside a model, if there is one that is valid, against an evaluation."""
    path = run / TRUST_FILE
    if not path.is_file():
        return None, ()
    checks: list[AnswerCheck] = []
    try:
        record = AnswerTrust.read(run)
        for masks in record.answers:
            sets = record.answers_for(path, pipeline, masks)
            decided = decided_with(evaluation, masks)
            checks += (check_answers(sets, decided, label, masks) for label in range(2))
    except ModelError as error:
        return None, (Caution("promises", str(error)),)
    check = AnswerTrustCheck(record=record, answers=tuple(checks))
    if evaluation.options.split != record.split:
        return check, ()
    text = (
        f"The promises were made from the split {record.split}, which cannot tell whether they "
        f"hold: evaluate on another one."
    )
    return check, (Caution("promises", text),)


def check_answers(sets: AnswerSets, decided: Decided, label: int, masks: Masks) -> AnswerCheck:
    """What came of the promise of a class in other cases."""
    shares = decided.shares(sets, label)
    ends = [proportion_interval(column, np.ones(len(column))) for column in shares.T]
    return AnswerCheck(
        masks=masks,
        promise=sets.promises[label],
        n=len(shares),
        covered=mean_share(shares[:, 0]),
        covered_ends=ends[0],
        referred=mean_share(shares[:, 1]),
        referred_ends=ends[1],
    )
