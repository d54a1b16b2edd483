import numpy as np
import pytest

from maskwright.errors import DataError
from maskwright.reliability.nested_masks import (
    THRESHOLDS,
    case_curves,
    count_by_threshold,
    nested_shares,
)


def at(curve, threshold):
    """The curve at the first of the thresholds that is not below this one."""
    return curve[np.searchsorted(THRESHOLDS, np.float32(threshold))]


def test_thresholds_reach_from_everything_to_nothing():
    assert THRESHOLDS[0] == 0
    assert THRESHOLDS[-1] > 1
    assert (np.diff(THRESHOLDS) > 0).all()
    assert np.float32(0.5) in THRESHOLDS
    assert min((THRESHOLDS < 0.01).sum(), (THRESHOLDS > 0.99).sum()) > 300


def test_shares_of_four_pixels():
    probabilities = np.array([[0.9, 0.6], [0.3, 0.7]], np.float32)
    truth = np.array([[True, True], [True, False]])
    missed, false = nested_shares(count_by_threshold(probabilities, truth))
    # {p >= 0.5} holds 0.9, 0.6 and 0.7: one of three of the class is outside, one of three false.
    assert at(missed, 0.5) == pytest.approx(1 / 3)
    assert at(false, 0.5) == pytest.approx(1 / 3)
    assert at(missed, 0.65) == pytest.approx(2 / 3)
    assert at(false, 0.65) == pytest.approx(1 / 2)
    assert (missed[0], false[0]) == (0, 1 / 4)
    assert (missed[-1], false[-1]) == (1, 0)


def test_equal_to_masks_made_one_by_one():
    rng = np.random.default_rng(0)
    probabilities = rng.beta(0.3, 0.3, (40, 30)).astype(np.float32)
    probabilities[:2] = [[0], [1]]
    probabilities[2] = THRESHOLDS[100:130]  # just at the thresholds
    truth, ignored = rng.random((2, 40, 30)) < [[[0.4]], [[0.2]]]
    top, bottom = (
        count_by_threshold(probabilities[rows], truth[rows], ignored[rows])
        for rows in (slice(0, 15), slice(15, None))
    )
    missed, false = nested_shares(top + bottom)
    truth &= ~ignored
    for place in range(0, THRESHOLDS.size, 7):
        mask = (probabilities >= THRESHOLDS[place]) & ~ignored
        assert missed[place] == pytest.approx((truth & ~mask).sum() / truth.sum())
        assert false[place] == pytest.approx((mask & ~truth).sum() / max(mask.sum(), 1))
    assert (np.diff(missed) >= 0).all()


def test_cases_are_means_of_their_images_that_hold_the_class():
    one = np.ones((1, 1), bool)
    held = [count_by_threshold(np.full((1, 1), p, np.float32), one) for p in (0.2, 0.8, 0.9)]
    empty = count_by_threshold(np.full((1, 1), 0.9, np.float32), ~one)
    counts = np.stack([held[0], empty, held[1], held[2], empty])
    curves = case_curves(counts, ["a", "a", "a", "b", "c"])
    assert curves.cases == ("a", "b")
    assert curves.n == 2
    # At 0.5, one of the two images of a that hold the class misses all of it.
    np.testing.assert_allclose([at(case, 0.5) for case in curves.missed], [0.5, 0])
    np.testing.assert_array_equal(curves.false, 0)
    assert case_curves(counts[[1]], ["a"]).n == 0


def test_wrong_input_is_told():
    mask = np.zeros((2, 2), bool)
    with pytest.raises(DataError, match=r"one shape; received \(2, 3\), \(2, 2\)"):
        count_by_threshold(np.zeros((2, 3), np.float32), mask)
    for value in (1.5, -0.1, np.nan):
        with pytest.raises(DataError, match="from 0 to 1"):
            count_by_threshold(np.full((2, 2), value, np.float32), mask)
    with pytest.raises(DataError, match="2 for 1 images"):
        case_curves(count_by_threshold(np.zeros((2, 2)), mask)[None], ["a", "b"])
