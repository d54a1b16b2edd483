import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score, jaccard_score

from maskwright.errors import DataError
from maskwright.labels import IGNORE_LABEL
from maskwright.metrics import confusion, scores, tally, tally_scores
from maskwright.metrics.confusion import defined_mean

# Rows are true classes: of class 0 two pixels are right and one is taken for class 1; of class 1
# all four are right; class 2 occurs nowhere.
COUNTS = np.array([[2, 1, 0], [0, 4, 0], [0, 0, 0]])


def test_counts_leave_ignored_pixels_out():
    truth = np.array([[0, 0, 0, IGNORE_LABEL], [1, 1, 1, 1]], np.uint8)
    guess = np.array([[0, 0, 1, 2], [1, 1, 1, 1]], np.int32)
    counts = confusion(truth, guess, 3)
    assert counts.dtype == np.int64
    np.testing.assert_array_equal(counts, COUNTS)


def test_scores_worked_by_hand():
    result = scores(COUNTS)
    np.testing.assert_allclose(result.iou, [2 / 3, 4 / 5, np.nan])
    np.testing.assert_allclose(result.dice, [4 / 5, 8 / 9, np.nan])
    np.testing.assert_allclose(result.precision, [1, 4 / 5, np.nan])
    np.testing.assert_allclose(result.recall, [2 / 3, 1, np.nan])
    assert result.mean_iou == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert result.mean_dice == pytest.approx((4 / 5 + 8 / 9) / 2)
    assert result.pixel_accuracy == pytest.approx(6 / 7)


def test_a_class_in_only_one_mask_scores_zero():
    result = scores(np.array([[3, 1], [0, 0]]))
    np.testing.assert_allclose(result.iou, [3 / 4, 0])
    assert np.isnan(result.recall[1])
    assert result.precision[1] == 0


def test_leading_axes_are_images_and_empty_ones_have_no_score():
    result = scores(np.stack([COUNTS, np.zeros_like(COUNTS)]))
    assert result.iou.shape == (2, 3)
    assert np.isnan(result.iou[1]).all()
    assert np.isnan(result.mean_iou[1])
    assert np.isnan(result.pixel_accuracy[1])
    assert defined_mean(result.mean_iou, 0) == pytest.approx(scores(COUNTS).mean_iou)


def test_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    truth, guess = rng.integers(5, size=(2, 40, 50))
    flat = truth.ravel(), guess.ravel()
    counts = confusion(truth, guess, 5)
    np.testing.assert_array_equal(counts, confusion_matrix(*flat))
    np.testing.assert_allclose(scores(counts).iou, jaccard_score(*flat, average=None))
    np.testing.assert_allclose(scores(counts).dice, f1_score(*flat, average=None))


def test_tallies_add_up_to_the_scores_of_all():
    tallies = np.stack([tally(COUNTS), tally(COUNTS.T)])
    both = tally_scores(tallies.sum(0))
    np.testing.assert_allclose(both.iou, scores(COUNTS + COUNTS.T).iou)


def test_counts_stay_exact_beyond_float32():
    counts = np.array([[2**24 + 1, 0], [1, 0]])
    assert tally(counts)[1, 0] == 2**24 + 2


@pytest.mark.parametrize(
    ("truth", "guess", "expected"),
    [
        (np.zeros((2, 3), int), np.zeros((3, 2), int), "equal size"),
        (np.full((2, 2), 3), np.zeros((2, 2), int), "ground truth mask with labels from 3 to 3"),
        (np.zeros((2, 2), int), np.full((2, 2), -1), "predicted mask with labels from -1"),
    ],
)
def test_masks_that_do_not_fit_are_refused(truth, guess, expected):
    with pytest.raises(DataError, match=expected):
        confusion(truth, guess, 3)
