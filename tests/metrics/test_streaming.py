import keras
import numpy as np
import pytest
import tensorflow as tf

from maskwright.labels import IGNORE_LABEL
from maskwright.metrics import confusion, layer_confusion, layer_tally, scores
from maskwright.metrics.streaming import ConfusionMatrix, count, count_layers


def draw(num_classes):
    rng = np.random.default_rng(0)
    labels = rng.integers(num_classes, size=(2, 6, 7)).astype("int32")
    labels[0, 0] = IGNORE_LABEL
    return labels, rng.normal(size=(2, 6, 7, num_classes)).astype("float32")


@pytest.mark.parametrize("num_classes", [2, 3])
def test_agrees_with_the_counts_of_numpy(num_classes):
    labels, logits = draw(num_classes)
    counts = tf.function(count)(labels, logits, num_classes)
    np.testing.assert_array_equal(counts, confusion(labels, logits.argmax(-1), num_classes))
    assert counts.dtype == "int64"


def test_a_single_channel_is_the_foreground():
    labels, logits = draw(2)
    counts = count(labels, logits[..., 1:], 2)
    np.testing.assert_array_equal(counts, confusion(labels, logits[..., 1] > 0, 2))


def test_labels_of_no_class_are_not_counted():
    labels, logits = draw(2)
    assert np.sum(count(labels, logits, 2)) == 77
    assert np.sum(count(labels, logits, 2, ignore_label=1)) == np.sum(labels == 0)
    assert np.sum(count(labels, logits, 2, ignore_label=None)) == 77


def test_agrees_with_the_counts_of_numpy_over_batches():
    labels, logits = draw(3)
    metric = ConfusionMatrix(3)
    update = tf.function(metric.update_state)
    for one in range(2):
        update(labels[one : one + 1], logits[one : one + 1])
    expected = confusion(labels, logits.argmax(-1), 3)
    np.testing.assert_array_equal(metric.counts, expected)
    for name, value in metric.result().items():
        assert float(value) == pytest.approx(getattr(scores(expected), name).item())
    metric.reset_state()
    assert {float(value) for value in metric.result().values()} == {0.0}


def test_an_absent_class_is_left_out_of_means():
    metric = ConfusionMatrix(3)
    metric.update_state(np.array([[[0, 1]]]), np.array([[[[1.0, 0, 0], [1, 0, 0]]]]))
    # Class 0 hits one of two, class 1 none of one, class 2 is nowhere.
    assert float(metric.result()["mean_iou"]) == pytest.approx((1 / 2 + 0) / 2)


def test_weights_are_refused_and_the_config_makes_it_again():
    metric = ConfusionMatrix(3, ignore_label=None)
    with pytest.raises(ValueError, match="takes no weights"):
        metric.update_state(*draw(3), sample_weight=np.ones(2))
    again = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert again.get_config() == metric.get_config()


def test_overlapping_classes_are_counted_alone():
    layers = np.array([[[[1, 1], [0, 1], [255, 255], [0, 0]]]])
    logits = np.array([[[[1.0, -1.0], [1.0, 2.0], [3.0, 3.0], [-1.0, 0.5]]]], "float32")
    tally = np.asarray(count_layers(layers, logits))
    assert tally.tolist() == [[1, 2], [2, 2], [1, 1]]
    predicted = (logits[0] >= 0).astype(np.uint8)
    assert layer_tally(layer_confusion(layers[0], predicted)).tolist() == tally.tolist()
