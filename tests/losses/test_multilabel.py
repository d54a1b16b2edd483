import keras
import numpy as np
import pytest

from maskwright.losses import LOSSES, Multilabel, loss

# Two pixels of which the first is of both classes, the second of the second alone.
LAYERS = np.array([[[[1, 1], [0, 1]]]])
LOGITS = np.array([[[[2.0, 1.0], [-1.0, -3.0]]]], "float32")
COMBINATIONS = [[0, 0], [0, 1], [1, 1]]
NUMBERS = np.array([[[2, 1]]])


def test_cross_entropy_is_that_of_each_class_alone():
    signs = 2 * LAYERS - 1
    expected = np.log1p(np.exp(-signs * LOGITS)).mean()
    assert float(Multilabel(loss("ce"))(LAYERS, LOGITS)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_takes_layers_and_numbers_of_combinations(name):
    by_layer = float(Multilabel(loss(name))(LAYERS, LOGITS))
    by_number = float(Multilabel(loss(name), COMBINATIONS)(NUMBERS, LOGITS))
    alone = [loss(name)(LAYERS[..., k], LOGITS[..., k : k + 1]) for k in range(2)]
    assert by_layer == by_number == pytest.approx(np.mean(alone), rel=1e-5)
    sure = float(Multilabel(loss(name))(LAYERS, (LAYERS * 2.0 - 1) * 30))
    assert sure < by_layer


def test_what_is_ignored_does_not_count():
    ignored = np.concatenate([LAYERS, np.full_like(LAYERS, 255)], axis=2)
    numbers = np.concatenate([NUMBERS, [[[255, 255]]]], axis=2)
    logits = np.concatenate([LOGITS, LOGITS + 5], axis=2)
    expected = float(Multilabel(loss("ce"))(LAYERS, LOGITS))
    assert float(Multilabel(loss("ce"))(ignored, logits)) == pytest.approx(expected)
    numbered = Multilabel(loss("ce+dice"), COMBINATIONS)
    assert float(numbered(numbers, logits)) == pytest.approx(
        float(Multilabel(loss("ce+dice"))(LAYERS, LOGITS))
    )


def test_it_is_rebuilt_from_its_description():
    first = Multilabel(loss("ce+dice"), np.array(COMBINATIONS))
    described = keras.saving.serialize_keras_object(first)
    second = keras.saving.deserialize_keras_object(described)
    assert float(second(NUMBERS, LOGITS)) == float(first(NUMBERS, LOGITS))
