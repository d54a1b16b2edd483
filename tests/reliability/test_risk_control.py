import math

import numpy as np
import pytest
from scipy import stats

from maskwright.reliability.risk_control import (
    allowed_on_average,
    allowed_surely,
    betting_p_values,
    binomial_p_values,
    exceeds,
    fewest_cases,
    lowest_level,
)


def rising(rng, n, m=60):
    """Losses that rise with the threshold, from 0, with cases of unequal difficulty."""
    start = rng.integers(1, m, n)
    return np.clip((np.arange(m) - start[:, None]) / rng.uniform(3, 40, n)[:, None], 0, 1)


def test_average_of_two_cases():
    losses = np.array([[0.0, 0.1, 0.2, 0.4], [0.0, 0.1, 0.3, 0.4]])
    # (sum + 1) / 3 is 1/3, 0.4, 0.5 and 0.6.
    assert [allowed_on_average(losses, level) for level in (0.3, 0.34, 0.5, 0.6)] == [0, 1, 3, 4]


def test_losses_that_fall_again_are_bounded_by_their_maximum():
    losses = np.array([[0.0, 0.6, 0.1]] * 9)
    assert allowed_on_average(losses, 0.2) == 1
    # Tested one after another, the second fails, and the third is never reached.
    assert allowed_surely(np.repeat(losses, 9, axis=0), 0.2, 0.05) == 1


@pytest.mark.parametrize("level", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("n", [29, 30, 60, 99])
def test_each_is_the_order_statistic_of_split_conformal_prediction(n, level):
    losses = rising(np.random.default_rng(n), n)
    last = (losses <= 0.1).sum(axis=1)  # thresholds that each case allows
    best_first = np.sort(last)[::-1]
    rank = math.ceil((n + 1) * (1 - level) - 1e-9)
    assert allowed_on_average(exceeds(losses, 0.1), level) == best_first[rank - 1]
    if n >= fewest_cases(level, 0.05):
        # Largest r with P(Bin(n, level) <= r - 1) <= delta, and the r-th worst.
        r = max(r for r in range(1, n) if stats.binom.cdf(r - 1, n, level) <= 0.05)
        allowed = allowed_surely(exceeds(losses, 0.1), level, 0.05, are_binary=True)
        assert allowed == np.sort(last)[r - 1]


def test_fewest_cases_are_those_from_which_on_something_is_allowed():
    assert [fewest_cases(level) for level in (0.01, 0.05, 0.1)] == [99, 19, 9]
    assert fewest_cases(0.1, 0.05) == 29  # 0.9**29 = 0.047
    for level in (0.01, 0.03, 0.1, 0.25, 0.5):
        for n in (fewest_cases(level), fewest_cases(level, 0.05)):
            for number in (n - 1, n):
                losses = np.zeros((number, 1))
                sure = [allowed_surely(losses, level, 0.05, are_binary=b) for b in (False, True)]
                assert allowed_on_average(losses, level) == (number >= fewest_cases(level))
                assert sure == [number >= fewest_cases(level, 0.05)] * 2
        assert lowest_level(fewest_cases(level)) <= level + 1e-9
        assert lowest_level(fewest_cases(level, 0.05), 0.05) <= level + 1e-9
    assert lowest_level(0) == 1


def test_binomial_p_values_are_sums_of_probabilities():
    probabilities = [math.comb(40, k) * 0.1**k * 0.9 ** (40 - k) for k in range(41)]
    expected = [sum(probabilities[: k + 1]) for k in (0, 1, 5, 40)]
    np.testing.assert_allclose(binomial_p_values([0, 1, 5, 40], 40, 0.1), expected)


def test_wealth_of_bets_by_hand():
    # So few losses that all bets are the one that a loss of 1 ruins: (1 - loss) / 0.9 each.
    losses = np.array([[0.0, 1.0, 0.1], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(betting_p_values(losses, 0.1, 0.05), [0.81, 1, 1 / (1 / 0.9)])


TOO_HIGH = {
    "0 or 1": lambda rng, s: rng.random(s) < 0.1,
    "near 0 and 1": lambda rng, s: np.abs((rng.random(s) < 0.0955) - 0.012 * rng.random(s)),
    "a rare 1 on 0.05": lambda rng, s: np.where(rng.random(s) < 0.053, 1, 0.05),
    "skew": lambda rng, s: rng.beta(0.05, 0.45, s),
    "smooth": lambda rng, s: rng.beta(2, 18, s),
    "equal": lambda rng, s: np.full(s, 0.1),
}


@pytest.mark.parametrize("name", TOO_HIGH)
@pytest.mark.parametrize(("n", "delta"), [(30, 0.1), (60, 0.05), (300, 0.1)])
def test_betting_rejects_what_is_too_high_at_most_as_often_as_said(name, n, delta):
    # 20,000 sets of losses with a mean of at least 0.1; each column is a set.
    losses = TOO_HIGH[name](np.random.default_rng(n), (n, 20_000)).astype(float)
    wrong = (betting_p_values(losses, 0.1, delta) <= delta).mean()
    assert wrong <= delta + 3 * math.sqrt(delta / 20_000)


def test_betting_is_stronger_than_hoeffding_and_bentkus_on_shares_of_masks():
    rng = np.random.default_rng(0)
    losses = rng.beta(0.7, 13, (60, 400))  # mean 0.05
    mean = losses.mean(axis=0)
    entropy = mean * np.log(mean / 0.1) + (1 - mean) * np.log((1 - mean) / 0.9)
    hoeffding = np.where(mean < 0.1, np.exp(-60 * entropy), 1)
    bentkus = math.e * stats.binom.cdf(np.ceil(60 * mean), 60, 0.1)
    shown = betting_p_values(losses, 0.1, 0.05) <= 0.05
    assert shown.mean() > 2 * (np.minimum(hoeffding, bentkus) <= 0.05).mean()


@pytest.mark.parametrize("are_binary", [False, True])
def test_promises_are_kept_in_a_pool_whose_risk_is_known(are_binary):
    rng = np.random.default_rng(0)
    pool = rising(rng, 4000)
    pool = exceeds(pool, 0.1) if are_binary else pool
    risk = np.append(0, pool.mean(axis=0))  # after 0, 1, 2 … thresholds
    draws = [pool[rng.integers(0, len(pool), 60)] for _ in range(1000)]
    sure = [risk[allowed_surely(d, 0.1, 0.05, are_binary=are_binary)] for d in draws]
    assert np.mean(np.array(sure) > 0.1) <= 0.05 + 2 * math.sqrt(0.05 / 1000)
    on_average = np.array([risk[allowed_on_average(d, 0.1)] for d in draws])
    assert on_average.mean() <= 0.1 + 2 * on_average.std() / math.sqrt(1000)
    assert on_average.mean() > 0.07  # not by saying nothing
