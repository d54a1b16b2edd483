"""What users of `compile` and `fit` pass to losses: forms that mean the same, and clear errors."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from maskwright.losses import CrossEntropy, Dice, Multilabel, Sum, loss
from maskwright.metrics import MeanIoU

LABELS = np.random.default_rng(0).integers(3, size=(2, 4, 5))
LOGITS = np.random.default_rng(1).normal(size=(2, 4, 5, 3)).astype("float32")
ONE_HOT = np.eye(3, dtype="float32")[LABELS]


@pytest.mark.parametrize("value", [CrossEntropy(), Dice(), loss("ce+dice+lovasz")])
def test_labels_are_indices_or_one_hot(value):
    expected = float(value(LABELS, LOGITS))
    assert float(value(LABELS[..., None], LOGITS)) == pytest.approx(expected)
    assert float(value(ONE_HOT, LOGITS)) == pytest.approx(expected)


def test_pixels_of_no_class_are_ignored_in_one_hot_labels():
    labels, one_hot = LABELS.copy(), ONE_HOT.copy()
    labels[0, 0], one_hot[0, 0] = 255, 0
    assert float(Dice()(one_hot, LOGITS)) == pytest.approx(float(Dice()(labels, LOGITS)))


def test_probabilities_give_what_their_logits_give():
    softmax, sigmoid = keras.ops.softmax(LOGITS), keras.ops.sigmoid(LOGITS)
    for name in ("ce", "0.5*focal+dice"):
        value, same = loss(name), loss(name, from_logits=False)
        assert float(same(LABELS, softmax)) == pytest.approx(float(value(LABELS, LOGITS)), rel=1e-4)
        one, logit = LABELS == 1, LOGITS[..., 1:2]
        assert float(same(one, sigmoid[..., 1:2])) == pytest.approx(
            float(value(one, logit)), rel=1e-4
        )
        assert float(Multilabel(same)(ONE_HOT, sigmoid)) == pytest.approx(
            float(Multilabel(value)(ONE_HOT, LOGITS)), rel=1e-4
        )


def test_weights_of_images_may_have_an_axis_of_one():
    weights = np.array([1.0, 3.0])
    expected = float(Dice()(LABELS, LOGITS, weights))
    assert float(Dice()(LABELS, LOGITS, weights[:, None])) == pytest.approx(expected)
    pixels = np.ones((2, 4, 5, 1))
    assert float(Dice()(LABELS, LOGITS, pixels)) == pytest.approx(float(Dice()(LABELS, LOGITS)))


@pytest.mark.parametrize(
    ("labels", "logits", "weights", "message"),
    [
        (LABELS[:, :3], LOGITS, None, r"labels \(batch, .* \(2, 4, 5, 3\); .* \(2, 3, 5\)"),
        (
            np.eye(4)[LABELS],
            LOGITS,
            None,
            r"labels .* one-hot with 3 channels.* received .* \(2, 4, 5, 4\)",
        ),
        (LABELS, LOGITS[0], None, r"predictions \(batch, height, width, classes\)"),
        (LABELS, LOGITS, np.ones((2, 3, 5)), r"`sample_weight` of images.* \(2, 3, 5\)"),
    ],
)
def test_an_error_says_which_shape_came(labels, logits, weights, message):
    with pytest.raises(ValueError, match=f"`Dice` expects {message}"):
        Dice()(labels, logits, weights)


def test_labels_of_no_class_are_an_error_in_fit():
    model = keras.Sequential([keras.Input((4, 5, 3)), keras.layers.Conv2D(3, 1)])
    model.compile("sgd", loss=loss("ce+dice"))
    with pytest.raises(tf.errors.InvalidArgumentError, match="subtract 1 from labels that begin"):
        model.fit(LOGITS, LABELS + 1, verbose=0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="labels from 0 to 1 for 2 classes"):
        Dice(ignore_label=None)(np.full((2, 4, 5), 255), LOGITS[..., :1])


def test_layers_of_overlapping_classes_have_the_shape_of_the_predictions():
    with pytest.raises(ValueError, match=r"`Multilabel` expects a layer .* \(2, 4, 5\)"):
        Multilabel(Dice())(LABELS, LOGITS)


def test_unknown_shapes_of_a_data_set_are_told():
    @tf.function
    def value(labels, logits):
        return Dice()(tf.numpy_function(np.copy, [labels], tf.int64), logits)

    with pytest.raises(ValueError, match=r"known number of axes.*ensure_shape"):
        value(LABELS, LOGITS)


def fitted(activation, value, classes=1, metric=None):
    model = keras.Sequential(
        [keras.Input((4, 5, 3)), keras.layers.Conv2D(classes, 1, activation=activation)]
    )
    model.compile("sgd", loss=value, weighted_metrics=[metric] if metric else None)
    weights = np.ones((2, 4, 5), "float32")
    return model, model.fit(LOGITS, LABELS > 0, sample_weight=weights, verbose=0).history


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_a_model_of_probabilities_is_refused_by_a_loss_of_logits(activation):
    classes = 1 if activation == "sigmoid" else 2
    with pytest.raises(ValueError, match=r"pass `from_logits=False`"):
        fitted(activation, Dice(), classes)
    assert "loss" in fitted(activation, Dice(from_logits=False), classes)[1]


def test_logits_are_refused_by_a_loss_of_probabilities():
    with pytest.raises(ValueError, match=r"pass `from_logits=True`"):
        fitted(None, Dice(from_logits=False))
    with pytest.raises(ValueError, match="same `from_logits`"):
        Sum([Dice(), Dice(from_logits=False)])


def test_a_saved_model_comes_back_with_loss_and_metrics(tmp_path):
    value, metric = loss("ce+dice", from_logits=False), MeanIoU(2, from_logits=False)
    model, history = fitted("sigmoid", value, metric=metric)
    assert history.keys() == {"loss", "mean_iou"}
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    expected = model.evaluate(LOGITS, LABELS > 0, verbose=0)
    assert again.evaluate(LOGITS, LABELS > 0, verbose=0) == pytest.approx(expected)
