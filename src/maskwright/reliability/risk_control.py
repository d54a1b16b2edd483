"""How bold a threshold may be so that a risk stays below a level for new cases.

All functions take losses in [0, 1] of `n` cases at `m` thresholds, `(n, m)`, ordered from the
safest threshold to the boldest, and give the number of thresholds, from the safest on, that are
allowed; the last of these is the one to use. Cases are the unit: images of one case resemble each
other, and counted as independent they feign certainty.

A promise on the average of a share takes the share as the loss; a promise on each case takes
`exceeds`, whose average is the share of the cases that break it. That makes the thresholds of both
come from the same two functions.
"""

import math

import numpy as np

ROUNDING = 1e-9
"""Tolerance of sums: ten losses of 0.1 are one, whatever floats make of it."""

_BETS = 4


def exceeds(losses: np.ndarray, tau: float) -> np.ndarray:
    """1 where a loss is above `tau`, else 0, float64 of the same shape."""
    return (losses > tau + ROUNDING).astype(np.float64)


def allowed_on_average(losses: np.ndarray, level: float) -> int:
    """Thresholds at which the expected loss of a new case is at most `level`.

    Those with `n / (n + 1) * R + 1 / (n + 1) <= level`, where `R` is the mean loss; the expectation
    is over new case and calibration cases alike. With `exceeds` as losses this is split conformal
    prediction: the threshold is the `ceil((n + 1) * (1 - level))`-th best of those up to which the
    single cases stay below `tau`.

    Losses that fall again where thresholds are bolder, as false shares may, are replaced by their
    maximum so far, which bounds them and makes the guarantee exact.

    Source: Angelopoulos et al., Conformal risk control, 2022 (ICLR 2024), equation 4, with losses
    made monotone as there; Vovk et al., Algorithmic learning in a random world, 2005.
    """
    monotone = np.maximum.accumulate(losses, axis=1)
    within = monotone.sum(axis=0) + 1 <= level * (len(losses) + 1) + ROUNDING
    return _leading(within)


def allowed_surely(
    losses: np.ndarray, level: float, delta: float, *, are_binary: bool = False
) -> int:
    """Thresholds at which the mean loss of all new cases is at most `level`, with certainty.

    With a probability of `1 - delta` over the choice of the calibration cases, all of them keep it.
    The thresholds are tested in their order, each at `delta`, up to the first that fails, which
    needs no losses that rise. With `exceeds` as losses that do, the threshold is the r-th worst of
    those up to which the single cases stay below `tau`, `r` the largest with
    `P(Bin(n, level) <= r - 1) <= delta`.

    `are_binary` says that losses are 0 or 1 by their meaning, not only those that came, and makes
    the test exact.

    Source: Angelopoulos et al., Learn then test, 2021, fixed sequence testing; Bates et al.,
    Distribution-free, risk-controlling prediction sets, 2021, for losses that rise.
    """
    if are_binary:
        p_values = binomial_p_values(losses.sum(axis=0), len(losses), level)
    else:
        p_values = betting_p_values(losses, level, delta)
    return _leading(p_values <= delta)


def binomial_p_values(bad: np.ndarray, n: int | np.ndarray, level: float) -> np.ndarray:
    """Probability of at most `bad` of `n` cases where each is bad with probability `level`.

    It is at most `delta` where the upper bound of Clopper and Pearson at `1 - delta` is at most
    `level`.
    """
    from scipy.special import bdtr  # slow to import, and needed here alone

    return np.asarray(bdtr(np.asarray(bad, np.float64), n, level))


def betting_p_values(losses: np.ndarray, level: float, delta: float) -> np.ndarray:
    """Evidence against a mean above `level` of losses in [0, 1], `(m,)`, smaller is stronger.

    Whoever bets a part of his wealth on a loss below `level`, case after case, multiplies it by
    `1 + bet * (level - loss)`, and cannot expect to gain while the mean is above `level`: wealth
    reaches `1 / p` with a probability of at most `p` (Markov's inequality). The wealth here is the
    mean over a few bets that are fixed in advance, from the best one for `n` losses of 0 and 1,
    `sqrt(2 * log(1 / delta) / (n * level * (1 - level)))`, to that which a single loss of 1 ruins.
    It does not depend on the order of the cases, as bets learned from earlier cases do.

    No bound of another kind is mixed in: the smaller of two p-values is none. On shares missed of
    real masks this one is far stronger than that of Hoeffding and Bentkus, and as strong as bets
    that learn.

    Source: Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting, 2024,
    sections 4 and 5, with a mixture of constant bets.
    """
    highest = 1 / (1 - level)
    n = max(len(losses), 1)
    lowest = min(math.sqrt(2 * math.log(1 / delta) / (n * level * (1 - level))), highest)
    wealth = np.zeros(losses.shape[1])
    for bet in np.geomspace(lowest, highest, _BETS):
        with np.errstate(divide="ignore"):  # the logarithm of a wealth of nothing
            wealth += np.exp(np.log(np.maximum(1 + bet * (level - losses), 0)).sum(axis=0)) / _BETS
    return 1 / np.maximum(wealth, 1)


def failures_p_value(bad: int, n: int, level: float, calibrated: int) -> float:
    """Probability of at least `bad` of `n` new cases beyond a plain promise on each case.

    Its threshold is that of the l-th worst of the calibration cases, `l` the whole part of
    `level * (calibrated + 1)`: over their choice, the share of new cases beyond it follows a beta
    distribution with a mean of at most `level`, and their number a beta-binomial one.

    Args:
        calibrated: Calibration cases.

    Source: Vovk, Conditional validity of inductive conformal predictors, 2012.
    """
    from scipy.stats import betabinom  # slow to import, and needed here alone

    rank = max(math.floor(level * (calibrated + 1) + ROUNDING), 1)
    return float(betabinom.sf(bad - 1, n, rank, max(calibrated + 1 - rank, 1)))


def widened(realized: float, low: float, n: int, calibrated: int) -> float:
    """Lower end of the interval of a mean over `n` cases, less that over the calibration cases.

    Variances of both add up: those of means over `n` and over `calibrated` cases that vary alike.
    The reach grows on the logit scale, as the interval is made.
    """
    if not 0 < low < 1 or realized >= 1:
        return low
    middle, factor = math.log(realized / (1 - realized)), math.sqrt(1 + n / calibrated)
    reach = factor * (middle - math.log(low / (1 - low)))
    return 1 / (1 + math.exp(reach - middle))


def fewest_cases(level: float, delta: float | None = None) -> int:
    """Cases from which on a promise at `level` is possible at all; `delta` of sure ones.

    Without any loss, `1 / (n + 1) <= level`, or `(1 - level) ** n <= delta`.
    """
    if delta is None:
        return math.ceil(1 / level - 1 - ROUNDING)
    return math.ceil(math.log(delta) / math.log1p(-level) - ROUNDING)


def lowest_level(n: int, delta: float | None = None) -> float:
    """Level from which on a promise is possible with `n` cases; 1 where there are none."""
    if n == 0:
        return 1.0
    return 1 / (n + 1) if delta is None else 1 - delta ** (1 / n)


def _leading(within: np.ndarray) -> int:
    """Number of true values before the first false one."""
    return int(within.size if within.all() else np.argmin(within))
