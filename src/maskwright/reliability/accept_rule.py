"""Which masks may be used unseen: risk and coverage, and a rule whose risk is known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.data.samples import counted
from maskwright.errors import DataError
from maskwright.metrics.intervals import add_by_case
from maskwright.reliability.promises import REACH, percent
from maskwright.reliability.risk_control import betting_p_values, binomial_p_values, fewest_cases

_STEPS = 20


def risk_coverage(expected: np.ndarray, dice: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of the masks that are accepted, and mean of one minus their Dice, `(n,)` each.

    The masks of the highest expected Dice are accepted first; equal ones count as their mean.

    Source: Geifman and El-Yaniv, Selective classification for deep neural networks, 2017.
    """
    order = np.argsort(-expected, kind="stable")
    _, place, count = np.unique(-expected[order], return_inverse=True, return_counts=True)
    risk = np.bincount(place, 1 - dice[order])[place] / count[place]
    accepted = np.arange(1, len(dice) + 1)
    return accepted / len(dice), risk.cumsum() / accepted


def aurc(expected: np.ndarray, dice: np.ndarray) -> float:
    """Area under the `risk_coverage` curve; in expectation that of masks in random order is their
    mean risk.
    """
    return float(risk_coverage(expected, dice)[1].mean())


@dataclass(frozen=True, kw_only=True)
class AcceptRule:
    """Masks with an expected Dice of at least `threshold` are accepted, the others referred.

    Args:
        threshold: 0 where all are accepted.
        need: Dice that a mask must have.
        level: Share of the accepted masks that may be below it.
        delta: Probability that the calibration cases mislead.
        n: Calibration cases with an accepted mask.
        coverage: Share of the calibration masks that are accepted.
    """

    threshold: float
    need: float
    level: float
    delta: float
    n: int
    coverage: float

    @property
    def sentence(self) -> str:
        """The promise in words."""
        return (
            f"With {percent(1 - self.delta)} confidence, at most {percent(self.level)} of the "
            f"accepted masks have a Dice below {self.need:g}; {percent(round(self.coverage, 2))} "
            f"are accepted; from {counted(self.n, 'case')}, {REACH}."
        )


def fit_accept_rule(
    expected: np.ndarray,
    dice: np.ndarray,
    cases: Sequence[str],
    need: float,
    level: float = 0.1,
    delta: float = 0.05,
) -> AcceptRule | None:
    """The rule that accepts most masks, or `None` where none can be promised.

    Thresholds are tried from the strictest on that leaves cases enough, further by a twentieth of
    the masks each time, up to the first at which the upper bound of Clopper and Pearson on the
    share of bad masks is above `level`. A threshold is the expected Dice of a mask that is not
    accepted itself: those above it are then a sample of all masks to be accepted. Where a case has
    several masks, its share of bad ones is what is bounded, by betting in place of Clopper and
    Pearson, for masks of one case are good or bad together.

    Args:
        expected: Expected Dice, `(n,)`, by a model that was not fitted to these cases.
        dice: Dice with the truth, `(n,)`.
        cases: The case of each mask.
        need: Dice that a mask must have.
        level: Share of the accepted masks that may be below it.
        delta: Probability that this fails, over the choice of the cases.

    Raises:
        DataError: If the numbers of masks differ.

    Source: Angelopoulos et al., Learn then test, 2021, fixed sequence testing; Clopper and Pearson,
    The use of confidence or fiducial limits illustrated in the case of the binomial, 1934.
    """
    if not len(expected) == len(dice) == len(cases):
        raise DataError(
            "Expected an expected Dice, a Dice and a case of each mask; received "
            f"{len(expected)}, {len(dice)} and {len(cases)}."
        )
    ranked, fewest = np.sort(expected)[::-1], fewest_cases(level, delta)
    one_each = len(set(cases)) == len(cases)
    rule = None
    for rank in dict.fromkeys(np.ceil(np.arange(1, _STEPS + 1) / _STEPS * len(ranked)).astype(int)):
        is_all = rank == len(ranked)
        threshold = 0.0 if is_all else float(np.nextafter(ranked[rank], np.inf))
        accepted = np.flatnonzero(expected >= threshold)
        bad = _bad_by_case(dice[accepted] < need, [cases[i] for i in accepted.tolist()])
        if len(bad) < fewest:
            continue
        if one_each:
            p_value = binomial_p_values(bad.sum(), len(bad), level)
        else:
            p_value = betting_p_values(bad[:, None], level, delta)[0]
        if p_value > delta:
            break
        rule = AcceptRule(
            threshold=threshold,
            need=need,
            level=level,
            delta=delta,
            n=len(bad),
            coverage=len(accepted) / len(ranked),
        )
    return rule


def _bad_by_case(bad: np.ndarray, cases: Sequence[str]) -> np.ndarray:
    """Share of bad masks of each case, `(cases,)`."""
    bad, images = add_by_case(np.stack([bad, np.ones(len(bad))], axis=1), cases).T
    return bad / images
