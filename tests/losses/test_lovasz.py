import numpy as np
import pytest

from maskwright.losses import Lovasz


def as_logits(foreground) -> np.ndarray:
    """Logits of two classes for one row of pixels from the probability of class 1."""
    share = np.array(foreground, "float32")[None, None]
    return np.log(np.stack([1 - share, share], axis=-1))


def test_a_sure_guess_costs_one_minus_the_jaccard_index():
    labels, guess = np.array([[[0, 0, 1, 1]]]), np.array([[[0, 1, 1, 1]]])
    logits = np.where(guess[..., None] == [0, 1], 30, -30).astype("float32")
    # Class 0 hits 1 of 2, class 1 hits 2 of 3.
    assert float(Lovasz()(labels, logits)) == pytest.approx((1 / 2 + 1 / 3) / 2)


def test_errors_are_weighed_by_what_they_cost_from_the_largest_down():
    # Class 1: the error 0.4 on its only pixel costs all, the other nothing more.
    first = 0.4
    # Class 0: the error 0.4 on the other pixel makes a union of 2, the error 0.3 loses the hit.
    second = 0.4 / 2 + 0.3 / 2
    value = float(Lovasz()(np.array([[[1, 0]]]), as_logits([0.6, 0.3])))
    assert value == pytest.approx((first + second) / 2)


def test_classes_that_an_image_lacks_are_left_out():
    labels = np.zeros((1, 1, 2), int)
    logits = np.log(np.array([[[[0.7, 0.2, 0.1], [0.4, 0.1, 0.5]]]], "float32"))
    assert float(Lovasz()(labels, logits)) == pytest.approx((0.3 + 0.6) / 2)


def test_two_classes_are_as_three_of_which_one_never_comes():
    labels, logits = np.array([[[0, 1, 1, 0]]]), as_logits([0.2, 0.7, 0.4, 0.6])
    three = np.concatenate([logits, np.full((1, 1, 4, 1), -1e9, "float32")], axis=-1)
    value = float(Lovasz()(labels, logits))
    assert float(Lovasz()(labels, three)) == pytest.approx(value)


def test_a_pixel_of_weight_two_counts_twice():
    twice = float(Lovasz()(np.array([[[0, 1, 1]]]), as_logits([0.2, 0.7, 0.7])))
    weights = np.array([[[1.0, 2.0]]])
    value = float(Lovasz()(np.array([[[0, 1]]]), as_logits([0.2, 0.7]), weights))
    assert value == pytest.approx(twice)
