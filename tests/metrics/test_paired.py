import numpy as np
import pytest

from maskwright.errors import DataError
from maskwright.metrics import paired_difference, tally
from maskwright.metrics.paired import (
    fewest_cases,
    holm,
    paired_mean,
    shared_level,
    sign_shown,
    verdict,
)

CASES = [f"case {n}" for n in range(8)]


def tallies(right, wrong):
    """Images of background and cell alike; `right` pixels of each are found, `wrong` are not."""
    counts = [[[r, w], [w, r]] for r, w in zip(right, wrong, strict=True)]
    return tally(np.array(counts))


def test_the_same_answers_differ_by_nothing_at_all():
    same = tallies(range(1, 9), [3] * 8)
    found = paired_difference(same, same, CASES)
    assert (float(found.gain.mean_iou), float(found.p.mean_iou)) == (0, 1)
    assert np.isnan(found.ends.mean_dice).all()  # no interval of no width
    assert verdict(found.sign("mean_iou")) == "no difference shown"


def test_a_gain_in_every_case_is_shown_however_hard_the_cases_differ():
    # Accuracies from 0.1 to 0.8, and up to a tenth more: they spread far wider than the gain.
    hard = np.arange(1, 9) * 10
    more = hard + np.array([9, 10] * 4)
    worse, better = tallies(hard, 100 - hard), tallies(more, 100 - more)
    found = paired_difference(better, worse, CASES)
    assert float(found.gain.pixel_accuracy) == pytest.approx(0.095)
    # Of 256 ways to swap eight cases, only none and all give as much.
    assert float(found.p.pixel_accuracy) == pytest.approx(2 / 256)
    low, high = found.ends.pixel_accuracy
    assert 0.08 < low < 0.095 < high < 0.11
    assert verdict(found.sign("mean_iou")) == "A is better"
    again = paired_difference(worse, better, CASES)
    np.testing.assert_allclose(again.ends.iou, -found.ends.iou[::-1])
    assert verdict(again.sign("mean_iou"), "first", "second") == "second is better"


def test_a_gain_in_half_of_the_cases_is_not():
    up, down = [60, 40] * 4, [40, 60] * 4
    found = paired_difference(tallies(up, down), tallies(down, up), CASES)
    low, high = found.ends.pixel_accuracy
    assert low < float(found.gain.pixel_accuracy) == 0 < high
    assert found.sign("pixel_accuracy") == 0


def test_images_of_a_case_are_swapped_together_and_few_cases_show_nothing():
    better, worse = tallies([90] * 16, [10] * 16), tallies([50] * 16, [50] * 16)
    found = paired_difference(better, worse, [*"abcd"] * 4)
    assert found.num_cases == 4
    assert np.isnan([*found.ends.mean_iou, found.p.mean_iou]).all()
    assert found.sign("mean_iou") == 0
    by_image = paired_difference(better, worse, range(16), swaps=999)
    assert float(by_image.p.mean_iou) == pytest.approx(1 / 1000)  # more than twelve: drawn
    # One sign in n cases by chance: 2 / 2**5 is above 0.05, 2 / 2**6 below.
    assert (fewest_cases(0.95), fewest_cases(shared_level(10))) == (6, 9)


def test_a_class_in_one_of_twenty_cases_decides_nothing():
    both = np.stack([tally(np.array([[90, 5, 0], [5, 50, 0], [0, 0, 0]]))] * 20)
    a, b = both.copy(), both.copy()
    a[0, :, 2], b[0, :, 2] = (10, 10, 9), (10, 10, 2)
    found = paired_difference(a, b, range(20))
    assert float(found.gain.iou[2]) > 0.6
    assert np.isnan([found.p.iou[2], found.p.mean_iou]).all()
    assert sign_shown(found.gain.iou[2], float(found.p.iou[2])) == found.sign("mean_iou") == 0


@pytest.mark.parametrize("number", [6, 8, 25])
def test_equal_models_are_seldom_told_apart(number):
    rng = np.random.default_rng(number)
    told = 0
    for _ in range(200):
        right = np.where(rng.random((2, number)) < 0.1, 5, rng.integers(40, 61, (2, number)))
        pair = [tallies(one, 100 - one) for one in right]
        told += paired_difference(*pair, range(number), swaps=500).sign("pixel_accuracy") != 0
    # 10 on average; two standard errors more.
    assert told <= 10 + 2 * np.sqrt(200 * 0.05 * 0.95)


def test_verdicts_of_several_scores_hold_together():
    np.testing.assert_allclose(
        holm(np.array([0.01, 0.04, np.nan, 0.03])), [0.03, 0.06, np.nan, 0.06]
    )
    assert holm(np.array([0.6, 0.7])).tolist() == [1, 1]


def test_counts_of_other_images_are_refused():
    with pytest.raises(DataError, match="same images"):
        paired_difference(tallies([1], [1]), tallies([1, 2], [1, 2]), ["a"])


def test_means_over_cases_are_swapped_by_case():
    # Eight cases, the first of two images, whose mean is 0.5 apart as in the others.
    a = np.array([0.9, 0.5, *[0.8] * 7, np.nan])
    b = np.array([0.2, 0.2, *[0.3] * 7, 0.1])
    cases = ["a", *"abcdefgh", "i"]
    found = paired_mean(a, b, cases)
    assert (found.a, found.gain) == (pytest.approx((0.7 + 7 * 0.8) / 8), pytest.approx(0.5))
    assert found.p == 2 / 2**8
    assert np.isnan(found.ends).all()  # all cases are alike
    few = paired_mean(a[:5], b[:5], cases[:5])
    assert few.gain == pytest.approx(0.5)
    assert np.isnan(few.p)
