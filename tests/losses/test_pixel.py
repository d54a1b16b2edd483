from math import log

import keras
import numpy as np
import pytest

from maskwright.losses import CrossEntropy, Focal, HardPixels

# One image of two pixels; probabilities 3/4 and 1/4 of class 0.
LABELS = np.array([[[0, 0]]])
LOGITS = np.log(np.array([[[[0.75, 0.25], [0.25, 0.75]]]], "float32"))
# One image; probabilities 1/2, 1/4, 9/10 and 4/5 of the true class.
FOUR_LABELS = np.zeros((1, 2, 2), int)
_FOUR = np.array([[[0.5, 0.25], [0.9, 0.8]]], "float32")
FOUR_LOGITS = np.log(np.stack([_FOUR, 1 - _FOUR], axis=-1))


def test_cross_entropy_is_the_mean_over_pixels():
    assert float(CrossEntropy()(LABELS, LOGITS)) == pytest.approx((log(4 / 3) + log(4)) / 2)


def test_cross_entropy_divides_weights_by_the_count_of_pixels():
    weights = np.array([[[0.5, 1.5]]])
    expected = (0.5 * log(4 / 3) + 1.5 * log(4)) / 2
    assert float(CrossEntropy()(LABELS, LOGITS, weights)) == pytest.approx(expected)


def test_ignored_pixels_are_not_in_the_count():
    labels = np.array([[[0, 255]]])
    assert float(CrossEntropy()(labels, LOGITS)) == pytest.approx(log(4 / 3))
    assert float(CrossEntropy(ignore_label=0)(LABELS, LOGITS)) == 0


def test_smoothing_spreads_the_truth():
    # 0.2 spread over two classes: 0.9 of the true one and 0.1 of the other.
    first = 0.9 * log(4 / 3) + 0.1 * log(4)
    second = 0.9 * log(4) + 0.1 * log(4 / 3)
    value = float(CrossEntropy(smoothing=0.2)(LABELS, LOGITS))
    assert value == pytest.approx((first + second) / 2)


def test_focal_multiplies_by_the_power_of_what_is_missed():
    expected = (log(4 / 3) * 0.25**2 + log(4) * 0.75**2) / 2
    assert float(Focal(gamma=2)(LABELS, LOGITS)) == pytest.approx(expected)
    plain = float(CrossEntropy()(LABELS, LOGITS))
    assert float(Focal(gamma=0)(LABELS, LOGITS)) == pytest.approx(plain)


def test_weights_of_images_and_reductions_are_those_of_keras():
    labels = np.concatenate([LABELS, LABELS])
    logits = np.concatenate([LOGITS, LOGITS])
    one = float(CrossEntropy()(LABELS, LOGITS))
    weights = np.array([1.0, 3.0])
    assert float(CrossEntropy()(labels, logits, weights)) == pytest.approx(2 * one)
    assert float(CrossEntropy(reduction="sum")(labels, logits)) == pytest.approx(2 * one)
    assert CrossEntropy(reduction=None)(labels, logits).shape == (2,)


def test_a_keras_model_trains_with_it():
    model = keras.Sequential([keras.Input((None, None, 1)), keras.layers.Conv2D(2, 1)])
    model.compile(optimizer="sgd", loss=CrossEntropy())
    images, labels = np.ones((4, 2, 3, 1)), np.zeros((4, 2, 3), int)
    weights = np.full((4, 2, 3), 2.0)
    logits = model.predict(images, verbose=0)
    history = model.fit(images, labels, sample_weight=weights, batch_size=4, verbose=0).history
    assert history["loss"] == pytest.approx([2 * float(CrossEntropy()(labels, logits))], rel=1e-5)


def test_hard_pixels_are_the_hardest_share():
    assert float(HardPixels(share=0.5)(FOUR_LABELS, FOUR_LOGITS)) == pytest.approx(
        (log(2) + log(4)) / 2
    )
    assert float(HardPixels(share=0.01)(FOUR_LABELS, FOUR_LOGITS)) == pytest.approx(log(4))
    plain = float(CrossEntropy()(FOUR_LABELS, FOUR_LOGITS))
    assert float(HardPixels(share=1.0)(FOUR_LABELS, FOUR_LOGITS)) == pytest.approx(plain)


def test_ignored_pixels_are_not_in_the_share():
    labels = np.array([[[255, 0], [0, 0]]])
    # Half of three pixels, rounded up, is two.
    expected = (log(4) + log(5 / 4)) / 2
    assert float(HardPixels(share=0.5)(labels, FOUR_LOGITS)) == pytest.approx(expected)


def test_weights_make_pixels_hard():
    weights = np.array([[[1.0, 1.0], [1.0, 20.0]]])
    expected = (log(4) + 20 * log(5 / 4)) / 2
    assert float(HardPixels(share=0.5)(FOUR_LABELS, FOUR_LOGITS, weights)) == pytest.approx(
        expected
    )


def test_each_image_has_its_own_share():
    labels = np.concatenate([FOUR_LABELS, FOUR_LABELS])
    logits = np.concatenate([FOUR_LOGITS, np.zeros_like(FOUR_LOGITS)])
    values = HardPixels(share=0.25).per_image(labels, logits).numpy()
    assert values == pytest.approx([log(4), log(2)])


def test_a_share_of_nothing_is_refused():
    with pytest.raises(ValueError, match="share"):
        HardPixels(share=0)
