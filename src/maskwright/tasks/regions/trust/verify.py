"""Whether answers hold the true class in cases that they were not calibrated on."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from maskwright.data import DataSet
from maskwright.errors import ModelError
from maskwright.evaluation import Caution
from maskwright.export.artifact import model_folder
from maskwright.metrics.intervals import proportion_interval
from maskwright.model_card import TRUST_FILE
from maskwright.reliability.promises import Promise, PromiseRequest
from maskwright.reliability.verification import Verdict, verdict_of
from maskwright.tasks.independence import dependent_images
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
    def verdict(self) -> Verdict | Literal["nothing promised"]:
        """Whether the promise was kept; see `verification.verdict_of`."""
        level = self.promise.level
        if level is None:
            return "nothing promised"
        is_each = not self.promise.is_shared
        request = PromiseRequest(
            class_name=self.promise.name, side="missed", level=level, tau=0.5 if is_each else None
        )
        made = Promise(request=request, n=self.promise.n, threshold=self.promise.threshold)
        return verdict_of(made, self.n, 1 - self.covered, 1 - self.covered_ends[::-1])


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
    run: Path, pipeline: Pipeline, dataset: DataSet, evaluation: RegionEvaluation
) -> tuple[AnswerTrustCheck | None, tuple[Caution, ...]]:
    """Hold the record beside a model, if there is one that is valid, against an evaluation.

    Decisions on images that the promises rest on do not count, see `dependent_images`.
    """
    folder = model_folder(run)
    path = folder / TRUST_FILE
    if not path.is_file():
        return None, ()
    checks: list[AnswerCheck] = []
    try:
        record = AnswerTrust.read(folder)
        places, cautions = dependent_images(run, dataset, evaluation, record)
        images = {evaluation.samples[place].id for place in places}
        bags = tuple(bag for bag in evaluation.bags if images.isdisjoint(bag.images))
        evaluation = replace(evaluation, bags=bags)
        for masks in record.answers:
            sets = record.answers_for(path, pipeline, masks)
            decided = decided_with(evaluation, masks)
            checks += (check_answers(sets, decided, label, masks) for label in range(2))
    except ModelError as error:
        return None, (Caution("promises", str(error)),)
    if not bags:
        return None, cautions
    return AnswerTrustCheck(record=record, answers=tuple(checks)), cautions


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
