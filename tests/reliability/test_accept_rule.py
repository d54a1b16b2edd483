import numpy as np
import pytest
from scipy.special import ndtr

from maskwright.errors import DataError
from maskwright.reliability.accept_rule import aurc, fit_accept_rule, risk_coverage
from maskwright.reliability.promises import REACH


def names(n, images=1):
    return [str(case) for case in np.repeat(np.arange(n), images)]


def drawn(rng, n, images=1):
    """Expected Dice, and a Dice that is 1 or 0, the latter in 16 % of the cases.

    Images of a case share their fate.
    """
    expected = rng.normal(size=(n, images))
    luck = np.repeat(rng.random((n, 1)), images, axis=1)
    dice = luck >= ndtr(-1.55 - 1.2 * expected)
    return ndtr(expected).ravel(), dice.ravel().astype(float)


def test_risk_and_coverage_of_three_masks():
    coverage, risk = risk_coverage(np.array([0.7, 0.9, 0.8]), np.array([0.5, 0.9, 0.8]))
    np.testing.assert_allclose(coverage, [1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(risk, [0.1, 0.15, 0.8 / 3])
    assert aurc(np.array([0.7, 0.9]), np.array([0.5, 0.9])) == pytest.approx((0.1 + 0.3) / 2)
    # Nothing can be told from equal expectations: the risk is that of all.
    np.testing.assert_allclose(risk_coverage(np.ones(2), np.array([0.5, 0.9]))[1], 0.3)


def test_all_are_accepted_where_all_are_good():
    rule = fit_accept_rule(np.linspace(0.5, 1, 40), np.full(40, 0.9), names(40), need=0.8)
    assert (rule.threshold, rule.n, rule.coverage) == (0, 40, 1)
    assert rule.sentence == (
        "With 95 % confidence, at most 10 % of the accepted masks have a Dice below 0.8; 100 % are "
        f"accepted; from 40 cases, {REACH}."
    )


def test_none_is_accepted_where_cases_are_too_few_or_masks_bad():
    assert fit_accept_rule(np.ones(28), np.ones(28), names(28), need=0.8) is None
    assert fit_accept_rule(np.ones(99), np.zeros(99), names(99), need=0.8) is None


def test_good_masks_are_told_from_bad_ones():
    # The worse half is bad. Of 100 good ones and 3 bad ones, few enough are bad, of 4 more too
    # many, for P(Bin(110, 0.1) <= 10) is above 5 %.
    expected = np.linspace(1, 0, 200)
    dice = np.where(np.arange(200) < 100, 0.9, 0.1)
    rule = fit_accept_rule(expected, dice, names(200), need=0.8)
    assert rule.n == 100
    assert expected[99] >= rule.threshold > expected[100]


@pytest.mark.parametrize(("n", "images"), [(60, 1), (200, 1), (40, 5)])
def test_rules_are_broken_in_at_most_one_of_twenty_draws(n, images):
    rng = np.random.default_rng(n)
    expected, dice = drawn(rng, 200_000)
    order = np.argsort(-expected)
    risk = (1 - dice[order]).cumsum() / np.arange(1, len(dice) + 1)
    broken = coverage = 0
    for _ in range(400):
        rule = fit_accept_rule(*drawn(rng, n, images), names(n, images), need=0.5)
        if rule is not None:
            accepted = int((expected >= rule.threshold).sum())
            broken += risk[accepted - 1] > 0.1
            coverage += accepted / len(dice) / 400
    assert broken / 400 <= 0.05
    assert coverage > {(60, 1): 0.3, (200, 1): 0.6, (40, 5): 0.05}[n, images]


def test_numbers_of_masks_that_differ_are_told():
    with pytest.raises(DataError, match="received 2, 1 and 1"):
        fit_accept_rule(np.zeros(2), np.zeros(1), ["a"], need=0.8)
