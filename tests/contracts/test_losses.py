"""What holds for every loss; a new one joins `CASES`."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from maskwright.labels import IGNORE_LABEL
from maskwright.losses import (
    LOSSES,
    Boundary,
    CenterlineDice,
    CrossEntropy,
    Dice,
    Focal,
    FocalTversky,
    HardPixels,
    Lovasz,
    MaskLoss,
    Sum,
    Tversky,
    loss,
)

CASES = [
    CrossEntropy(),
    CrossEntropy(smoothing=0.1),
    Focal(),
    Focal(gamma=0.5),
    Dice(),
    Dice(batch=True),
    Dice(smooth=0.0),
    Tversky(),
    Tversky(batch=True),
    FocalTversky(),
    FocalTversky(batch=True, smooth=0.0),
    Lovasz(),
    CenterlineDice(),
    CenterlineDice(iterations=1, smooth=0.0),
    Boundary(),
    Boundary(reach=1),
    HardPixels(),
    HardPixels(share=1.0),
    Sum([CrossEntropy(), Dice(batch=True)], [0.5, 2.0]),
    loss("+".join(LOSSES)),
]

every_loss = pytest.mark.parametrize("loss", CASES, ids=lambda loss: loss.name)


def draw_labels(num_classes: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(num_classes, size=(2, 4, 5))


def draw_logits(num_classes: int = 3) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(2, 4, 5, num_classes)).astype("float32")


def sure_logits(labels: np.ndarray, scale: float, num_classes: int = 3) -> np.ndarray:
    return (np.eye(num_classes, dtype="float32")[labels] * 2 - 1) * scale


def value_and_gradient(loss: MaskLoss, labels, logits, weights=None):
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(labels, logits, weights)
    return float(value), tape.gradient(value, logits).numpy()


@every_loss
def test_gives_one_value_for_each_image(loss):
    values = loss.per_image(draw_labels(), draw_logits())
    assert values.shape == (2,)
    assert values.dtype == "float32"
    assert float(loss(draw_labels(), draw_logits())) == pytest.approx(np.mean(values))


@every_loss
@pytest.mark.parametrize("scale", [1e4, -1e4])
def test_stays_finite_where_logits_are_huge(loss, scale):
    value, gradient = value_and_gradient(loss, draw_labels(), sure_logits(draw_labels(), scale))
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@every_loss
def test_a_perfect_prediction_is_best_and_worse_is_larger(loss):
    labels = draw_labels()
    perfect, unsure, wrong = (
        float(loss(labels, sure_logits(labels, scale))) for scale in (20.0, 1.0, -1.0)
    )
    smoothed = getattr(loss, "smoothing", 0) > 0  # cannot reach 0, and is not best where sure
    assert unsure < wrong
    assert smoothed or 0 <= perfect < min(1e-6, unsure)


@every_loss
def test_ignored_pixels_have_no_say(loss):
    labels, logits = draw_labels(), draw_logits()
    labels[:, 1:3, 2:] = IGNORE_LABEL
    ignored = labels == IGNORE_LABEL
    other = np.where(ignored[..., None], -7.0, logits).astype("float32")
    value, gradient = value_and_gradient(loss, labels, logits)
    other_value, other_gradient = value_and_gradient(loss, labels, other)
    assert value == pytest.approx(other_value)
    np.testing.assert_allclose(gradient, other_gradient, atol=1e-7)
    assert not gradient[ignored].any()


@every_loss
def test_nothing_to_learn_from_gives_zero(loss):
    labels = np.full((2, 4, 5), IGNORE_LABEL)
    value, gradient = value_and_gradient(loss, labels, draw_logits())
    assert value == 0
    assert not gradient.any()


@every_loss
def test_weights_of_pixels_are_used(loss):
    labels, logits = draw_labels(), draw_logits()
    weights = np.ones(labels.shape, "float32")
    plain, _ = value_and_gradient(loss, labels, logits)
    assert value_and_gradient(loss, labels, logits, weights)[0] == pytest.approx(plain)
    weights[:, :2] = 0
    value, gradient = value_and_gradient(loss, labels, logits, weights)
    assert value != pytest.approx(plain)
    assert not gradient[:, :2].any()


@every_loss
def test_a_single_channel_is_the_foreground(loss):
    labels, foreground = draw_labels(2), draw_logits(1)
    both = np.concatenate([np.zeros_like(foreground), foreground], axis=-1)
    assert float(loss(labels, foreground)) == pytest.approx(float(loss(labels, both)))


@every_loss
def test_comes_back_from_its_config(loss):
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()
    labels, logits = draw_labels(), draw_logits()
    assert float(again(labels, logits)) == float(loss(labels, logits))


@every_loss
def test_runs_in_a_graph_of_unknown_size(loss):
    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None, None), tf.int32),
            tf.TensorSpec((None, None, None, 3)),
        ]
    )
    def value(labels, logits):
        return loss.per_image(labels, logits)

    labels, logits = draw_labels().astype("int32"), draw_logits()
    np.testing.assert_allclose(value(labels, logits), loss.per_image(labels, logits), rtol=1e-5)


@every_loss
def test_two_workers_see_what_one_sees(loss):
    """Counts of both halves of a batch added up give the value of the whole batch."""
    labels, logits = draw_labels(), draw_logits()
    seen = []

    def remember(counts):
        seen.append(counts)
        return counts

    for one in range(2):
        loss.per_image(labels[one : one + 1], logits[one : one + 1], add_up=remember)
    rounds = [
        sum(pair) for pair in zip(seen[: len(seen) // 2], seen[len(seen) // 2 :], strict=True)
    ]
    answers = iter(rounds)
    first = loss.per_image(labels[:1], logits[:1], add_up=lambda counts: next(answers))
    np.testing.assert_allclose(first[0], loss.per_image(labels, logits)[0], rtol=1e-5)
