"""Whether promises hold on images that they were not made from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from maskwright.metrics.intervals import add_by_case, mean_interval, proportion_interval
from maskwright.reliability.accept_rule import AcceptRule, aurc
from maskwright.reliability.familiarity import FLAGGED, SHIFTED, Familiarity, shift_p_value
from maskwright.reliability.nested_masks import CaseCurves, case_curves
from maskwright.reliability.observations import Observations, cases_of
from maskwright.reliability.promises import Promise, PromiseRequest, realized_loss
from maskwright.reliability.record import TrustRecord
from maskwright.reliability.risk_control import ROUNDING, failures_p_value, widened

Verdict = Literal["kept", "by chance", "not kept", "too few cases", "no case"]
"""`"by chance"` is above what was asked, but no further than the choice of these cases, and of the
calibration cases, leaves open; of `"too few cases"` for an interval, nothing is said.
"""

_UNLIKELY = 0.025
"""Probability of as many failures of a promise that holds, up to which it is not kept."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PromiseCheck:
    """A promise and what came of it.

    Args:
        n: Cases that hold the class.
        realized: Mean over these of what the level of the promise bounds, see `realized_loss`; nan
            without any.
        ends: Its 95 % interval, `(2,)`.
    """

    promise: Promise
    n: int
    realized: float
    ends: np.ndarray

    @property
    def verdict(self) -> Verdict:
        """Whether the promise was kept by these cases."""
        return verdict_of(self.promise, self.n, self.realized, self.ends)


class MadePromise(Protocol):
    """A promise, of masks or of objects."""

    @property
    def request(self) -> PromiseRequest:
        """What is promised."""

    @property
    def n(self) -> int:
        """Calibration cases that it was made from."""


def verdict_of(promise: MadePromise, n: int, realized: float, ends: np.ndarray) -> Verdict:
    """Whether a promise was kept by `n` cases, from the mean of what it bounds and its interval.

    A plain promise holds on average over calibration sets too, so that its own may be unlucky: on
    each case, the number of failures is compared with its distribution, `failures_p_value`; on the
    average, the interval is widened by the error of the mean over so many calibration cases. One
    with confidence allows for that itself.
    """
    request = promise.request
    if not n:
        return "no case"
    if realized <= request.level + ROUNDING:
        return "kept"
    if request.delta is None and request.tau is not None:
        p_value = failures_p_value(round(realized * n), n, request.level, promise.n)
        return "not kept" if p_value < _UNLIKELY else "by chance"
    if np.isnan(ends[0]):
        return "too few cases"
    low = float(ends[0])
    if request.delta is None:
        low = widened(realized, low, n, promise.n)
    return "not kept" if low > request.level else "by chance"


@dataclass(frozen=True, eq=False, kw_only=True)
class QualityCheck:
    """Expected Dice of the masks of a class, and the true one, `(q,)` each.

    Args:
        bound: Lower bound of each, nan where there is none.
        above: Share of the masks that are not below their bound, and its 95 % interval, `(3,)`.
        accepted: Share of the masks that the rule accepts; `None` without a rule.
        bad: Share of these with a Dice below the need, and its 95 % interval, `(3,)`.
    """

    expected: np.ndarray
    bound: np.ndarray
    dice: np.ndarray
    above: np.ndarray
    rule: AcceptRule | None
    accepted: float | None
    bad: np.ndarray

    @property
    def aurc(self) -> float:
        """Area under the risk-coverage curve."""
        return aurc(self.expected, self.dice)

    @property
    def random_aurc(self) -> float:
        """The same for masks in random order."""
        return float((1 - self.dice).mean())

    @property
    def correlation(self) -> float:
        """Spearman's, of expected and true Dice; nan where one of them does not vary."""
        from scipy.stats import rankdata  # slow to import, and needed here alone

        ranks = [rankdata(values) for values in (self.expected, self.dice)]
        spread = [each.std() for each in ranks]
        if not all(spread):
            return float("nan")
        first, second = (each - each.mean() for each in ranks)
        return float((first * second).mean() / (spread[0] * spread[1]))


@dataclass(frozen=True, eq=False, kw_only=True)
class FamiliarityCheck:
    """P-values of images, by whether they are like the calibration images.

    Args:
        flagged: Share of the images that are flagged, and its 95 % interval, `(3,)`.
        shift: Probability of at least as many, were they like the calibration images.
    """

    p_values: np.ndarray
    flagged: np.ndarray
    shift: float

    @property
    def is_shifted(self) -> bool:
        """Whether promises may not reach these images."""
        return self.shift <= SHIFTED


@dataclass(frozen=True, eq=False, kw_only=True)
class TrustCheck:
    """What other images say of the promises in a record.

    Args:
        quality: Of each class that is in an image or a mask, by name.
        familiarity: `None` where the record does not tell.
    """

    record: TrustRecord
    promises: tuple[PromiseCheck, ...]
    quality: dict[str, QualityCheck]
    familiarity: FamiliarityCheck | None


def verify(record: TrustRecord, seen: Observations, cases: Sequence[str]) -> TrustCheck:
    """Hold a record against what was seen of images of some `cases`, `(images,)`."""
    promises, quality = [], {}
    for name, known in record.classes.items():
        observed = seen.of(name)
        curves = case_curves(observed.counts, cases_of(observed.held_by, cases))
        promises += [check_promise(promise, curves) for promise in known.promises]
        if len(observed.dice):
            expected, bound = record.bounds(name, observed.features)
            of_masks = cases_of(observed.seen_in, cases)
            quality[name] = _check_quality(expected, bound, observed.dice, of_masks, known.accept)
    familiarity = None
    if record.familiarity is not None and seen.channel_means is not None:
        known = ~np.isnan(seen.channel_means).any(axis=1)
        of_known = cases_of(np.flatnonzero(known), cases)
        familiarity = _check_familiarity(record.familiarity, seen.channel_means[known], of_known)
    return TrustCheck(
        record=record, promises=tuple(promises), quality=quality, familiarity=familiarity
    )


def check_promise(promise: Promise, curves: CaseCurves) -> PromiseCheck:
    """What came of a promise in other cases."""
    realized, ends = realized_mean(promise.request, realized_loss(promise, curves), curves.cases)
    return PromiseCheck(promise=promise, n=curves.n, realized=realized, ends=ends)


def realized_mean(
    request: PromiseRequest, losses: np.ndarray, cases: Sequence[str]
) -> tuple[float, np.ndarray]:
    """Mean of what a promise bounds over cases, `(n,)`, and its 95 % interval, `(2,)`."""
    if request.tau is None:
        ends = mean_interval(losses, cases)
    else:
        ends = proportion_interval(losses, np.ones(len(losses)))
    return (float(losses.mean()) if len(losses) else float("nan")), ends


def _check_quality(
    expected: np.ndarray,
    bound: np.ndarray,
    dice: np.ndarray,
    cases: Sequence[str],
    rule: AcceptRule | None,
) -> QualityCheck:
    accepted = np.zeros(len(dice), bool) if rule is None else expected >= rule.threshold
    below_need = dice < (0 if rule is None else rule.need)
    of_accepted = cases_of(np.flatnonzero(accepted), cases)
    return QualityCheck(
        expected=expected,
        bound=bound,
        dice=dice,
        above=_share(dice >= bound, cases) if not np.isnan(bound).any() else np.full(3, np.nan),
        rule=rule,
        accepted=None if rule is None else float(accepted.mean()),
        bad=_share(below_need[accepted], of_accepted),
    )


def _check_familiarity(
    familiarity: Familiarity, channel_means: np.ndarray, cases: Sequence[str]
) -> FamiliarityCheck:
    p_values = familiarity.p_values(channel_means)
    flagged = p_values <= FLAGGED
    # Images of a case are flagged together: of each, the first one counts.
    first = [cases.index(case) for case in dict.fromkeys(cases)]
    num_calibrated = len(set(familiarity.cases.tolist()))
    shift = shift_p_value(int(flagged[first].sum()), len(first), num_calibrated)
    return FamiliarityCheck(p_values=p_values, flagged=_share(flagged, cases), shift=shift)


def _share(successes: np.ndarray, cases: Sequence[str]) -> np.ndarray:
    """Share of true values and ends of its 95 % interval over cases, `(3,)`; nan without any."""
    if not len(successes):
        return np.full(3, np.nan)
    counts = np.stack([successes, np.ones(len(successes))], axis=1).astype(np.float64)
    hits, sizes = add_by_case(counts, cases).T
    return np.concatenate([[successes.mean()], proportion_interval(hits, sizes)])
