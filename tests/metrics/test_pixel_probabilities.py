import numpy as np
import pytest

from maskwright.labels import IGNORE_LABEL
from maskwright.metrics.intervals import sum_interval
from maskwright.metrics.pixel_probabilities import (
    CONFIDENCE_BINS,
    THRESHOLD_BINS,
    count_confidence,
    count_probabilities,
    mean_squared_error,
    outline_band,
    reliability,
    threshold_curve,
    top_label_error,
)


def two_classes(foreground):
    values = np.array(foreground, np.float32)
    return np.stack([1 - values, values], axis=-1)


def test_scores_by_threshold_are_those_of_all_pixels():
    truth = np.array([[1, 1, 0, 0, IGNORE_LABEL]])
    counts = count_probabilities(truth, two_classes([[0.9, 0.4, 0.6, 0.1, 0.5]]))
    assert counts[1].sum(axis=1).tolist() == [2, 2]
    curve = threshold_curve(counts[1])
    at = {t: round(t * THRESHOLD_BINS) for t in (0, 0.3, 0.4, 0.401, 0.7, 0.95)}
    # From 0.3 up: three of the four pixels, with both positives.
    assert curve.precision[at[0.3]] == pytest.approx(2 / 3)
    assert (curve.recall[at[0.4]], curve.recall[at[0.401]]) == (1, 0.5)
    assert (curve.dice[at[0]], curve.dice[at[0.3]]) == pytest.approx((4 / 6, 4 / 5))
    assert (curve.iou[at[0.3]], curve.dice[at[0.7]]) == pytest.approx((2 / 3, 2 / 3))
    assert np.isnan(curve.precision[at[0.95]])
    # Dice is 4 / 5 from above 0.1 to 0.4.
    assert curve.thresholds[curve.best] == pytest.approx(0.4)
    # Half of the positives at precision 1, half at 2 / 3.
    assert curve.average_precision == pytest.approx((1 + 2 / 3) / 2)
    nothing = threshold_curve(np.zeros((2, THRESHOLD_BINS), np.int64))
    assert np.isnan(nothing.dice).all()
    assert nothing.best == 0


def test_a_probability_equal_to_a_threshold_reaches_it():
    edges = (np.arange(THRESHOLD_BINS) / THRESHOLD_BINS).astype(np.float32)
    layers = np.ones((1, THRESHOLD_BINS, 1), np.uint8)
    counts = count_probabilities(layers, edges[None, :, None])
    assert counts[0, 1].tolist() == [1] * THRESHOLD_BINS


def test_the_most_probable_class_is_as_often_right_as_it_is_probable():
    # Five pixels of probability 0.8, four of them right.
    truth = np.array([[1, 1, 1, 1, 0]])
    counts = count_confidence(truth, two_classes([[0.8] * 5]), np.ones((1, 5), np.uint8))
    assert top_label_error(counts)[0] == pytest.approx(0, abs=1e-6)
    # Each class of a right pixel is off by 0.2, of the wrong one by 0.8.
    assert mean_squared_error(counts)[0] == pytest.approx((4 * 2 * 0.04 + 2 * 0.64) / 5)
    mean, share, number = reliability(counts[0])
    part = int(0.8 * CONFIDENCE_BINS)
    assert (mean[part], share[part], number[part]) == pytest.approx((0.8, 0.8, 5))
    assert number.sum() == 5
    # No outline was predicted.
    assert np.isnan(top_label_error(counts)[1])


def test_layers_are_two_classes_each():
    truth = np.array([[[1, 0], [1, IGNORE_LABEL]]], np.uint8)
    counts = count_confidence(
        truth, np.array([[[0.9, 0.9], [0.2, 0.7]]], np.float32), (truth == 1).astype(np.uint8)
    )
    # 0.9 right, 0.9 wrong, and 0.8 wrong.
    assert top_label_error(counts)[0] == pytest.approx((abs(1.8 - 1) + 0.8) / 3)
    assert mean_squared_error(counts)[0] == pytest.approx((0.01 + 0.81 + 0.64) / 3)


def test_the_band_lies_on_both_sides_of_the_predicted_outline():
    labels = np.zeros((3, 12), np.int32)
    labels[:, 6:] = 2
    assert outline_band(labels).tolist() == [[False] * 3 + [True] * 6 + [False] * 3] * 3
    layers = np.stack([labels == 2, labels == 1], axis=-1).astype(np.uint8)
    assert outline_band(layers, 1).sum(axis=(0, 1)).tolist() == [6, 0]
    assert outline_band(layers[..., :1], 1).shape == (3, 12, 1)


def test_calibration_has_an_interval_over_cases():
    # Ten cases of 100 pixels at a probability of 0.9, of which 70 to 79 are right.
    counts = np.zeros((10, 4, CONFIDENCE_BINS))
    counts[:, 0, -2], counts[:, 2, -2] = 100, 90
    counts[:, 1, -2] = np.arange(70, 80)
    value = top_label_error(counts.sum(axis=0))
    assert value == pytest.approx(0.155)
    low, high = sum_interval(top_label_error, counts, list(range(10)))
    # The mean of ten shares whose standard deviation is 0.0303: 0.155 +- 2.26 * 0.0303 / sqrt(10).
    assert (low, high) == (pytest.approx(0.133, abs=0.005), pytest.approx(0.177, abs=0.005))
