import numpy as np
import pytest
from scipy.stats import binom

from maskwright.metrics import tally, tally_scores
from maskwright.metrics.intervals import (
    add_by_case,
    cases_with_class,
    jackknife_interval,
    mean_interval,
    proportion_interval,
    score_intervals,
    unseen_share,
    without_each,
)


def drawn(rng, num_cases, images=1):
    """Tallies of images of background and cell, cases of unequal difficulty, and their cases."""
    cases = np.repeat(np.arange(num_cases), images)
    share = 1 / (1 + np.exp(-2 - 0.8 * rng.normal(size=num_cases)[cases]))
    right = rng.binomial(400, share)
    counts = np.zeros((len(cases), 2, 2), int)
    counts[:, 0, 0], counts[:, 1, 1], counts[:, 1, 0] = 600, right, 400 - right
    return tally(counts), cases.tolist()


def test_images_of_a_case_are_added_and_left_out_together():
    np.testing.assert_array_equal(add_by_case(np.array([[1], [10], [100]]), "bab"), [[101], [10]])
    np.testing.assert_array_equal(np.concatenate([*without_each("bab")]), [[0, 1, 0], [1, 0, 1]])


def test_a_mean_has_the_interval_of_student():
    # Values spread evenly enough that the variance is as well known as it can be.
    values = np.array([-3.0, 3.0] * 4 + [-3.0, 3.0]) + 5
    low, high = mean_interval(values, range(10), bounded=False)
    reach = 2.262157 * values.std(ddof=1) / np.sqrt(10)
    assert (low, high) == pytest.approx((5 - reach, 5 + reach), abs=1e-5)


def test_where_one_case_decides_the_interval_is_wide():
    even = mean_interval(np.tile([0.8, 0.9], 5), range(10))
    one = mean_interval(np.array([0.9] * 9 + [0.4]), range(10))
    # A single deviating case says nearly nothing of its spread: few degrees of freedom.
    assert np.ptp(one) > 5 * np.ptp(even)
    assert 0 < one[0] < 0.6
    assert one[1] < 1


def test_scores_of_zero_and_one_have_a_width():
    # 0.025 ** (1 / 8): with a lower score, eight of eight come about in fewer than 2.5 %.
    low, high = jackknife_interval(1.0, np.ones(8))
    assert (low, high) == (pytest.approx(0.6306, abs=1e-4), 1)
    low, high = jackknife_interval(0.0, np.zeros(8), support=6)
    assert (low, high) == (0, pytest.approx(1 - 0.025 ** (1 / 6)))
    assert np.isnan(jackknife_interval(0.7, np.full(8, 0.7))).all()


def test_few_cases_with_a_class_give_neither_its_interval_nor_that_of_the_mean():
    common = tally(np.array([[[90 - n, 5, 0], [5, 100 + n, 0], [0, 0, 0]] for n in range(20)]))
    assert not np.isnan(score_intervals(common, range(20)).mean_iou).any()
    rare = common.copy()
    rare[0, :, 2] = 8, 11, 7  # one case holds the third class
    ends = score_intervals(rare, range(20))
    assert cases_with_class(rare, range(20)).tolist() == [20, 20, 1]
    assert np.isnan(ends.iou[:, 2]).all()
    assert np.isnan(ends.mean_iou).all()
    assert not np.isnan(ends.iou[:, :2]).any()
    assert np.isnan(score_intervals(common[:5], range(5)).pixel_accuracy).all()


def test_means_over_images_rest_on_the_cases_that_have_a_value():
    values = np.array([0.2, 0.4, 0.9, np.nan, 0.5, 0.6, 0.7])
    assert np.isnan(mean_interval(values, [*"aabbcde"])).all()  # five cases have values
    low, high = mean_interval(values, range(7))
    assert low < np.nanmean(values) < high
    assert np.isnan(mean_interval(np.full((8, 2), np.nan), range(8))).all()
    # Of ten equal values, as many other cases as go unseen in 97.5 % may have any: 0.025 ** 0.1.
    unseen = 1 - 0.025**0.1
    alike = mean_interval(np.full(10, 0.8), range(10))
    np.testing.assert_allclose(alike, [0.8 * (1 - unseen), 0.8 + 0.2 * unseen])


@pytest.mark.parametrize("number", [10, 25])
def test_proportions_are_exact(number):
    hits = np.array([1] * (number - 2) + [0] * 2)
    low, high = proportion_interval(hits, np.ones(number))
    assert binom.sf(number - 3, number, low) == pytest.approx(0.025)
    assert binom.cdf(number - 2, number, high) == pytest.approx(0.025)
    assert proportion_interval(np.ones(number), np.ones(number))[0] == pytest.approx(
        0.025 ** (1 / number)
    )


def test_trials_of_a_case_count_as_fewer_where_they_are_alike():
    alike = proportion_interval(np.array([5, 5, 5, 5, 5, 5, 0, 0]), np.full(8, 5))
    mixed = proportion_interval(np.array([4, 4, 4, 3, 4, 4, 3, 4]), np.full(8, 5))
    single = proportion_interval(np.array([1] * 6 + [0] * 2), np.ones(8))
    assert np.ptp(alike) == pytest.approx(np.ptp(single), rel=0.1)
    assert np.ptp(mixed) < 0.6 * np.ptp(alike)
    assert np.isnan(proportion_interval(np.zeros(3), np.zeros(3))).all()


def test_the_rule_of_three():
    assert unseen_share(25) == pytest.approx(0.113, abs=0.001)  # 3 / 25 is near


@pytest.mark.parametrize(
    ("number", "images", "least"), [(10, 1, 0.90), (25, 1, 0.92), (10, 4, 0.90)]
)
def test_intervals_hold_the_truth_as_often_as_they_say(number, images, least):
    rng = np.random.default_rng(0)
    truth = tally_scores(drawn(rng, 20_000)[0].sum(axis=0)).dice[1]
    held = 0
    for _ in range(400):
        low, high = score_intervals(*drawn(rng, number, images)).dice[:, 1]
        held += low <= truth <= high
    assert held / 400 >= least - 2 * np.sqrt(least * (1 - least) / 400)
