import numpy as np
import pytest
import tensorflow as tf

from maskwright.labels import IGNORE_LABEL
from maskwright.metrics import confusion
from maskwright.metrics.streaming import count


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
