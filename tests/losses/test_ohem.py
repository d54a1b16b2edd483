from math import log

import numpy as np
import pytest

from maskwright.losses import CrossEntropy, HardPixels

# One image; probabilities 1/2, 1/4, 9/10 and 4/5 of the true class.
LABELS = np.zeros((1, 2, 2), int)
_TRUE = np.array([[[0.5, 0.25], [0.9, 0.8]]], "float32")
LOGITS = np.log(np.stack([_TRUE, 1 - _TRUE], axis=-1))


def test_the_mean_is_over_the_hardest():
    assert float(HardPixels(share=0.5)(LABELS, LOGITS)) == pytest.approx((log(2) + log(4)) / 2)
    assert float(HardPixels(share=0.01)(LABELS, LOGITS)) == pytest.approx(log(4))
    plain = float(CrossEntropy()(LABELS, LOGITS))
    assert float(HardPixels(share=1.0)(LABELS, LOGITS)) == pytest.approx(plain)


def test_ignored_pixels_are_not_in_the_share():
    labels = np.array([[[255, 0], [0, 0]]])
    # Half of three pixels, rounded up, is two.
    expected = (log(4) + log(5 / 4)) / 2
    assert float(HardPixels(share=0.5)(labels, LOGITS)) == pytest.approx(expected)


def test_weights_make_pixels_hard():
    weights = np.array([[[1.0, 1.0], [1.0, 20.0]]])
    expected = (log(4) + 20 * log(5 / 4)) / 2
    assert float(HardPixels(share=0.5)(LABELS, LOGITS, weights)) == pytest.approx(expected)


def test_each_image_has_its_own_share():
    labels = np.concatenate([LABELS, LABELS])
    logits = np.concatenate([LOGITS, np.zeros_like(LOGITS)])
    values = HardPixels(share=0.25).per_image(labels, logits).numpy()
    assert values == pytest.approx([log(4), log(2)])


def test_a_share_of_nothing_is_refused():
    with pytest.raises(ValueError, match="share"):
        HardPixels(share=0)
