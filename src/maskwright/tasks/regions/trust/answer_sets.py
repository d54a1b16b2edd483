"""Answers to a decision that hold the true class in a promised share of new cases, or refer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from maskwright.data.samples import counted
from maskwright.metrics.intervals import add_by_case
from maskwright.reliability.promises import (
    APPROXIMATE,
    REACH,
    PromiseRequest,
    percent,
    share_of_cases,
)
from maskwright.reliability.risk_control import allowed_on_average
from maskwright.types import Unit

REFER = "refer"
"""Answer where both classes are possible: someone has to look."""

_DIGITS = 6  # of a threshold, which is rounded down, to the safe side


@dataclass(frozen=True, kw_only=True)
class AnswerPromise:
    """What is promised of the cases of one class.

    Args:
        name: The class.
        level: Share of its cases whose answer may be the other class alone; `None` where nothing
            can be promised.
        n: Calibration cases of the class.
        threshold: The class is possible from this probability of it on; 0 for always.
        is_shared: Whether single cases have several decisions, of which the promise is a mean.
        referred: Share of the calibration cases whose answer is `REFER`: what the promise costs.
    """

    name: str
    level: float | None
    n: int
    threshold: float
    is_shared: bool
    referred: float


@dataclass(frozen=True, kw_only=True)
class AnswerSets:
    """Which answers are given by probability, and what is promised of them.

    Args:
        unit: What one decision is made on.
        promises: Of the negative and of the positive class.
        is_approximate: Whether the calibration images also served to select weights or threshold.
    """

    unit: Unit
    promises: tuple[AnswerPromise, AnswerPromise]
    is_approximate: bool = False

    def answer(self, probability: float | None) -> str:
        """Name of the only possible class, or `REFER`, from the probability of the positive one.

        Where neither class is possible, it is the more probable one. That holds the true class at
        least as often as an empty answer, which never does, so that coverage can only rise. Without
        a probability, as no region was found, it is `REFER`.
        """
        if probability is None or math.isnan(probability):
            return REFER
        negative, positive = self.promises
        possible = 1 - probability >= negative.threshold, probability >= positive.threshold
        if all(possible):
            return REFER
        is_positive = possible[1] if any(possible) else probability >= 0.5
        return self.promises[is_positive].name

    def possible(self, answer: str) -> list[str]:
        """Names of the classes that an answer leaves possible."""
        names = [promise.name for promise in self.promises]
        return names if answer == REFER else [answer]

    @property
    def coverage(self) -> str:
        """In how many new cases of either class the true one is possible, in words."""
        levels = [promise.level for promise in self.promises if promise.level is not None]
        if not levels:
            return "too few calibration cases to rule a class out"
        share = share_of_cases(1 - max(levels))
        claim = f"in {share} new cases the right answer is in this set"
        if any(promise.is_shared for promise in self.promises):
            claim = f"for {share} {self.unit}s of a new case, on average, the right answer is in it"
        return f"{claim}; {APPROXIMATE}" if self.is_approximate else claim

    def safer(self, tolerance: float) -> "AnswerSets":
        """The same for probabilities that may be off by `tolerance`, as another engine's are.

        Each class is possible from a lower probability on, so that what was possible stays so.
        """
        negative, positive = (
            replace(promise, threshold=max(_rounded_down(promise.threshold - tolerance), 0.0))
            for promise in self.promises
        )
        return replace(self, promises=(negative, positive))

    def sentences(self) -> list[str]:
        """The promises in words, or why there is none."""
        return [self._sentence(promise) for promise in self.promises]

    def _sentence(self, promise: AnswerPromise) -> str:
        name, units = promise.name, f"{self.unit}s"
        cases = counted(promise.n, "case")
        if promise.level is None:
            return (
                f"Nothing is promised for new cases that are {name}, and no answer rules it out; "
                f"from {cases}."
            )
        share = share_of_cases(1 - promise.level)
        claim = f"In at least {share} new cases that are {name}, the answer is {name} or {REFER}"
        if promise.is_shared:
            claim = (
                f"For at least {share} {name} {units} of a new case, on average over cases, the "
                f"answer is {name} or {REFER}"
            )
        approximate = f"; {APPROXIMATE}" if self.is_approximate else ""
        return f"{claim}{approximate}; from {cases}, {REACH}."


@dataclass(frozen=True, eq=False, kw_only=True)
class Decided:
    """Decisions whose true answers are known.

    Args:
        labels: 1 for the positive class, `(n,)`.
        probabilities: Of the positive class, `(n,)`; nan where no region was found.
        cases: The case of each.
    """

    unit: Unit
    labels: np.ndarray
    probabilities: np.ndarray
    cases: Sequence[str]

    def of(self, label: int) -> tuple[np.ndarray, list[str]]:
        """Probabilities of a class where it is true, `(k,)`, and the cases.

        Where no region was found, an image or a case is referred, which is always right (2); a
        region gets no answer at all, which is always wrong (-1).
        """
        places = np.flatnonzero(self.labels == label)
        values = self.probabilities[places] if label else 1 - self.probabilities[places]
        missing = -1.0 if self.unit == "region" else 2.0
        return np.where(np.isnan(values), missing, values), [self.cases[p] for p in places.tolist()]

    def shares(self, sets: AnswerSets, label: int) -> np.ndarray:
        """Share of the decisions of each case of a class whose answer holds it, and share that is
        referred, `(cases, 2)`.
        """
        values, cases = self.of(label)
        rows = []
        for value in values.tolist():
            probability = (value if label else 1 - value) if 0 <= value <= 1 else None
            answer = None if value < 0 else sets.answer(probability)
            name = sets.promises[label].name
            rows.append((answer in (name, REFER), answer == REFER))
        return _by_case(np.array(rows, np.float64).reshape(-1, 2), cases)


def make_answer_sets(
    decided: Decided, names: tuple[str, str], level: float, is_approximate: bool = False
) -> tuple[AnswerSets, list[str]]:
    """The boldest thresholds whose answers hold the true class, and what cannot be promised.

    For each class alone, from its cases: the highest threshold that leaves it out of the answer in
    at most `level` of new cases. With one decision a case this is split conformal prediction within
    the class, whose threshold is the `floor(level * (n + 1))`-th smallest probability; of several
    decisions in a case, their share counts.

    Source: Vovk, Conditional validity of inductive conformal predictors, 2012, label-conditional;
    Angelopoulos et al., Conformal risk control, 2022, for shares of a case.
    """
    made, notes = zip(
        *(_promise(decided, label, name, level) for label, name in enumerate(names)), strict=True
    )
    sets = AnswerSets(unit=decided.unit, promises=made, is_approximate=is_approximate)
    promises = [
        replace(promise, referred=mean_share(decided.shares(sets, label)[:, 1]))
        for label, promise in enumerate(made)
    ]
    sets = replace(sets, promises=(promises[0], promises[1]))
    return sets, [note for note in notes if note]


def mean_share(shares: np.ndarray) -> float:
    """Mean over cases, `(n,)`; nan without any."""
    return float(shares.mean()) if len(shares) else float("nan")


def _promise(decided: Decided, label: int, name: str, level: float) -> tuple[AnswerPromise, str]:
    """Promise of a class, and a sentence where it is another than was asked for."""
    values, cases = decided.of(label)
    n = len(set(cases))
    promise = AnswerPromise(
        name=name, level=None, n=n, threshold=0.0, is_shared=n < len(cases), referred=0.0
    )
    request = PromiseRequest(class_name=name, side="missed", level=level)
    offered, note = request.offered(n), ""
    if offered is not request:
        instead = "nothing" if offered is None else percent(offered.level)
        note = (
            f"{counted(n, 'case')} {'is' if n == 1 else 'are'} {name}; a promise at "
            f"{percent(level)} needs {request.fewest_cases}. Offered: {instead}."
        )
    if offered is None:
        return promise, note
    thresholds = np.unique([0.0, *values[(values >= 0) & (values <= 1)]])
    losses = _by_case((values[:, None] < thresholds).astype(np.float64), cases)
    allowed = allowed_on_average(losses, offered.level)
    if not allowed:
        lost = percent(round(float(losses[:, 0].mean()), 3))
        return promise, (
            f"No answer holds {name} in {percent(1 - offered.level)} of it: no region is found for "
            f"{lost} of it."
        )
    threshold = _rounded_down(thresholds[allowed - 1])
    return replace(promise, level=offered.level, threshold=threshold), note


def _rounded_down(threshold: float) -> float:
    return math.floor(threshold * 10**_DIGITS) / 10**_DIGITS


def _by_case(shares: np.ndarray, cases: Sequence[str]) -> np.ndarray:
    images = add_by_case(np.ones((len(cases), 1)), cases)
    return add_by_case(shares, cases) / images
