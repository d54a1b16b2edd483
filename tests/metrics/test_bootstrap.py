import numpy as np
import pytest

from maskwright.metrics import tally, tally_scores
from maskwright.metrics.bootstrap import add_by_case, interval, resample, resample_mean


def test_images_of_a_case_are_added():
    sums = add_by_case(np.array([[1], [10], [100]]), ["b", "a", "b"])
    np.testing.assert_array_equal(sums, [[101], [10]])


def test_equal_cases_leave_no_doubt_and_seeds_repeat():
    equal = np.stack([tally(np.array([[3, 1], [1, 5]]))] * 4)
    result = resample(equal, draws=20)
    np.testing.assert_allclose(interval(result.mean_iou), [tally_scores(equal[0]).mean_iou] * 2)
    different = np.random.default_rng(0).integers(1, 9, size=(6, 2, 2))
    tallies = tally(different)
    first, again, other = (resample(tallies, 50, seed).mean_dice for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_width_is_that_of_the_mean():
    # Every case is one pixel, right with probability 0.8: accuracy is a mean of 400 such draws.
    rng = np.random.default_rng(0)
    right = rng.random(400) < 0.8
    counts = np.zeros((400, 2, 2), int)
    counts[right, 0, 0] = 1
    counts[~right, 0, 1] = 1
    low, high = interval(resample(tally(counts), 2000).pixel_accuracy)
    share = right.mean()
    spread = 1.96 * np.sqrt(share * (1 - share) / 400)
    assert (low, high) == pytest.approx((share - spread, share + spread), abs=0.01)


def test_draws_without_a_score_are_left_out():
    values = np.array([[np.nan, np.nan], [1.0, np.nan]])
    np.testing.assert_array_equal(interval(values), [[1, np.nan], [1, np.nan]])
    assert np.isnan(interval(np.zeros((0, 3)))).all()


def test_means_over_images_move_with_their_cases():
    # One case of two images, one of a single one, and an image without a score.
    values = np.array([0.2, 0.4, 0.9, np.nan])
    drawn = resample_mean(values, ["a", "a", "b", "b"], draws=200)
    possible = {round(mean, 6) for mean in (0.3, 0.9, (0.2 + 0.4 + 0.9) / 3)}
    assert set(drawn.round(6)) == possible
