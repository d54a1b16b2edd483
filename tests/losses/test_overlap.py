import numpy as np
import pytest

from maskwright.losses import Dice, FocalTversky, Lovasz, Tversky

# Two images of two pixels; probabilities of class 0.
LABELS = np.array([[[0, 1]], [[0, 0]]])
_FIRST = np.array([[[0.75, 0.25]], [[0.5, 1.0]]], "float32")
LOGITS = np.log(np.maximum(np.stack([_FIRST, 1 - _FIRST], axis=-1), 1e-12))


def test_dice_of_each_image():
    # Image 0: both classes hit 0.75 of 1 + 1. Image 1: class 0 hits 1.5 of 1.5 + 2; class 1 is
    # not there, guessed at 0.5 pixels.
    first = 1 - (2 * 0.75 + 1) / (2 + 1)
    second = 1 - ((2 * 1.5 + 1) / (3.5 + 1) + 1 / (0.5 + 1)) / 2
    assert Dice().per_image(LABELS, LOGITS).numpy() == pytest.approx([first, second])


def test_dice_of_the_batch_counts_before_it_divides():
    # Class 0: hits 0.75 + 1.5 of 2.5 + 3. Class 1: hits 0.75 of 1.5 + 1.
    dice = ((2 * 2.25 + 1) / (5.5 + 1) + (2 * 0.75 + 1) / (2.5 + 1)) / 2
    values = Dice(batch=True).per_image(LABELS, LOGITS).numpy()
    assert values == pytest.approx([1 - dice, 1 - dice])


def test_dice_with_weights():
    # The wrong half pixel of image 1 weighs twice: class 0 hits 2 * 0.5 + 1 of 2 + 3; class 1 is
    # guessed at 2 * 0.5 pixels.
    weights = np.array([[[1.0, 1.0]], [[2.0, 1.0]]])
    expected = 1 - ((2 * 2 + 1) / (5 + 1) + 1 / (1 + 1)) / 2
    assert Dice().per_image(LABELS, LOGITS, weights).numpy()[1] == pytest.approx(expected)


def test_tversky_weighs_false_positives_and_negatives():
    # Image 1, class 0: hit 1.5, no false, 0.5 missed. Class 1: nothing hit, 0.5 false.
    first = (1.5 + 1) / (1.5 + 0.7 * 0.5 + 1)
    second = 1 / (0.3 * 0.5 + 1)
    value = Tversky(alpha=0.3, beta=0.7).per_image(LABELS, LOGITS).numpy()[1]
    assert value == pytest.approx(1 - (first + second) / 2)


def test_tversky_of_halves_is_dice():
    dice = Dice(smooth=2).per_image(LABELS, LOGITS).numpy()
    assert Tversky(0.5, 0.5, smooth=1).per_image(LABELS, LOGITS).numpy() == pytest.approx(dice)


def test_focal_tversky_takes_a_root_of_each_class():
    # The classes of the test above, with a weight of 0.7 on what is missed.
    first = 1 - (1.5 + 1) / (1.5 + 0.7 * 0.5 + 1)
    second = 1 - 1 / (0.3 * 0.5 + 1)
    value = FocalTversky(gamma=4 / 3).per_image(LABELS, LOGITS).numpy()[1]
    assert value == pytest.approx((first**0.75 + second**0.75) / 2, rel=1e-4)
    plain = Tversky().per_image(LABELS, LOGITS).numpy()
    assert FocalTversky(gamma=1).per_image(LABELS, LOGITS).numpy() == pytest.approx(plain)


def test_a_class_in_neither_mask_matches_without_smoothing():
    labels = np.zeros((1, 2, 2), int)
    logits = np.zeros((1, 2, 2, 3), "float32")
    logits[..., 0] = 1e4
    assert float(Dice(smooth=0)(labels, logits)) == 0


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
