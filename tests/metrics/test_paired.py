import numpy as np
import pytest

from maskwright.errors import DataError
from maskwright.metrics import paired_difference, tally
from maskwright.metrics.bootstrap import expanded_level, fewest_cases, shared_level, verdict

CASES = [f"case {n}" for n in range(8)]


def tallies(right, wrong):
    """Images of background and cell alike; `right` pixels of each are found, `wrong` are not."""
    counts = [[[r, w], [w, r]] for r, w in zip(right, wrong, strict=True)]
    return tally(np.array(counts))


def test_the_same_answers_differ_by_nothing_at_all():
    same = tallies(range(1, 9), [3] * 8)
    found = paired_difference(same, same, CASES, draws=200)
    assert float(found.gain.mean_iou) == 0
    np.testing.assert_array_equal(found.ends.mean_dice, [0, 0])
    np.testing.assert_array_equal(found.ends.iou, np.zeros((2, 2)))
    assert verdict(found.ends.mean_iou) == "no difference shown"


def test_a_gain_in_every_case_is_shown_however_hard_the_cases_differ():
    # Accuracies from 0.1 to 0.8, and a tenth more: the scores spread far wider than the gain.
    hard = np.arange(1, 9) * 10
    worse, better = tallies(hard, 100 - hard), tallies(hard + 10, 90 - hard)
    found = paired_difference(better, worse, CASES, draws=200)
    assert float(found.gain.pixel_accuracy) == pytest.approx(0.1)
    np.testing.assert_allclose(found.ends.pixel_accuracy, [0.1, 0.1])
    assert verdict(found.ends.mean_iou) == "A is better"
    again = paired_difference(worse, better, CASES, draws=200)
    np.testing.assert_allclose(again.ends.iou, -found.ends.iou[::-1])
    assert verdict(again.ends.mean_iou, "first", "second") == "second is better"


def test_a_gain_in_half_of_the_cases_is_not():
    up, down = [60, 40] * 4, [40, 60] * 4
    found = paired_difference(tallies(up, down), tallies(down, up), CASES, draws=200)
    assert float(found.gain.pixel_accuracy) == 0
    low, high = found.ends.pixel_accuracy
    assert low < 0 < high
    assert verdict(found.ends.pixel_accuracy) == "no difference shown"


def test_images_of_a_case_are_drawn_together_and_few_cases_show_nothing():
    better, worse = tallies([90] * 8, [10] * 8), tallies([50] * 8, [50] * 8)
    found = paired_difference(better, worse, ["a", "b", "c", "d"] * 2)
    assert found.num_cases == 4
    assert np.isnan(found.ends.mean_iou).all()
    assert verdict(found.ends.mean_iou) == "no difference shown"
    # One sign in n cases by chance: 2 / 2**5 is above 0.05, 2 / 2**6 below.
    assert (fewest_cases(0.95), fewest_cases(shared_level(10))) == (6, 9)


def test_intervals_are_as_wide_as_few_cases_demand():
    # Student's 2.571 of five degrees of freedom, times sqrt(6 / 5), leaves 0.243 % on each side.
    assert expanded_level(0.95, 6) == pytest.approx(1 - 2 * 0.00243, abs=2e-5)
    assert expanded_level(0.95, 100_000) == pytest.approx(0.95, abs=1e-4)


def test_equal_models_are_seldom_told_apart():
    rng = np.random.default_rng(0)
    told = 0
    for seed in range(100):
        right = rng.integers(40, 61, (2, 8))
        pair = [tallies(one, 100 - one) for one in right]
        found = paired_difference(*pair, CASES, draws=300, seed=seed)
        told += verdict(found.ends.pixel_accuracy) != "no difference shown"
    # 5 on average; above 10 in one of a hundred such tests.
    assert told <= 10


def test_counts_of_other_images_are_refused():
    with pytest.raises(DataError, match="same images"):
        paired_difference(tallies([1], [1]), tallies([1, 2], [1, 2]), ["a"])
