import keras
import numpy as np
import pytest
import tensorflow as tf

from maskwright.labels import IGNORE_LABEL
from maskwright.metrics import confusion, layer_confusion, layer_tally, scores
from maskwright.metrics.streaming import ConfusionMatrix, MeanDice, MeanIoU, count, count_layers


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


def test_pixels_count_as_much_as_they_weigh():
    labels, logits = np.array([[[0, 1]], [[0, 1]]]), np.zeros((2, 1, 2, 2), "float32")
    metric = ConfusionMatrix(2)
    update = tf.function(metric.update_state, jit_compile=True)  # as Keras does on a GPU
    update(labels, logits, np.array([[[1.0, 0.5]], [[1.0, 0.0]]]))
    update(labels, logits, np.array([0.25, 0]))
    np.testing.assert_array_equal(metric.counts, [[2.25, 0], [0.75, 0]])


def test_comes_back_from_its_config():
    for metric in (ConfusionMatrix(3, ignore_label=None), MeanIoU(3, [1, 2], from_logits=False)):
        again = keras.metrics.deserialize(keras.metrics.serialize(metric))
        assert again.get_config() == metric.get_config()


def test_mean_iou_is_right_where_that_of_keras_goes_wrong():
    # Batch 1: class 0 hits 3 of 4, class 1 one of 2. Batch 2: class 0 alone, all right.
    batches = [([[0, 0], [0, 1]], [[0, 1], [0, 1]]), ([[0, 0], [0, 0]], [[0, 0], [0, 0]])]
    ours, theirs = MeanIoU(3, from_logits=False), keras.metrics.MeanIoU(3)
    for truth, guess in batches:
        truth, guess = np.array([truth]), 0.6 * np.eye(3)[np.array([guess])] + 0.4 / 3
        ours.update_state(truth, guess)
        with pytest.raises(Exception):  # noqa: B017  # probabilities are no classes for it
            theirs.update_state(truth, guess)
    # Over both: class 0 hits 6 of 7, class 1 one of 2, class 2 is nowhere.
    assert float(ours.result()) == pytest.approx((6 / 7 + 1 / 2) / 2)
    only = MeanDice(3, target_class_ids=[1])
    only.counts.assign(ours.counts)
    assert float(only.result()) == pytest.approx(2 / 3)


@pytest.mark.parametrize("from_logits", [True, False])
def test_a_single_channel_is_foreground_above_one_half(from_logits):
    probabilities = np.array([[[[0.4], [0.6], [0.9]]]], "float32")
    predictions = np.log(probabilities / (1 - probabilities)) if from_logits else probabilities
    metric = MeanIoU(2, from_logits=from_logits)
    metric.update_state(np.array([[[0, 1, 0]]]), predictions)
    assert float(metric.result()) == pytest.approx((1 / 2 + 1 / 2) / 2)


def test_metrics_say_which_channels_they_expect():
    with pytest.raises(ValueError, match=r"as many channels.* received 4 channels"):
        MeanIoU(3).update_state(np.zeros((1, 2, 2)), np.zeros((1, 2, 2, 4)))
    with pytest.raises(ValueError, match="from 0 to 2"):
        MeanIoU(3, target_class_ids=[3])


def test_overlapping_classes_are_counted_alone():
    layers = np.array([[[[1, 1], [0, 1], [255, 255], [0, 0]]]])
    logits = np.array([[[[1.0, -1.0], [1.0, 2.0], [3.0, 3.0], [-1.0, 0.5]]]], "float32")
    tally = np.asarray(count_layers(layers, logits))
    assert tally.tolist() == [[1, 2], [2, 2], [1, 1]]
    predicted = (logits[0] >= 0).astype(np.uint8)
    assert layer_tally(layer_confusion(layers[0], predicted)).tolist() == tally.tolist()
