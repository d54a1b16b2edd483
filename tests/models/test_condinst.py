import keras
import numpy as np
import pytest
import tensorflow as tf

from maskwright.errors import ConfigError
from maskwright.models import PixelFormat, encoder
from maskwright.models.condinst import CondInst, condinst, condinst_losses
from maskwright.models.condinst.layers import Candidates, conditional_masks
from maskwright.models.condinst.targets import assign, cells, true_masks

SMALL = CondInst(
    strides=(8, 16),
    pyramid_width=16,
    tower_layers=1,
    mask_width=16,
    detections=20,
    masks_per_step=6,
)


def test_objects_go_to_the_level_of_their_size_and_to_the_cells_at_their_center():
    settings = CondInst(strides=(8, 16), least_cells=2, most_cells=4)
    centers, strides, _ = cells(settings, [(8, 8), (4, 4)])
    small, large = [24.0, 24, 40, 40], [0.0, 0, 64, 64]
    boxes = np.array([[small, large]], np.float32)
    which = assign(settings, centers, strides, boxes, np.array([[True, True]]))
    fine, coarse = np.split(np.asarray(which)[0], [64])
    # 16 px are two cells of stride 8: the four around the center at 32, 32.
    expected = np.full((8, 8), -1)
    expected[3:5, 3:5] = 0
    np.testing.assert_array_equal(fine.reshape(8, 8), expected)
    assert set(coarse.reshape(4, 4)[1:3, 1:3].ravel()) == {1}
    # 16 px are one cell of stride 16, fewer than two; a row that only pads has none.
    assert 0 not in coarse
    nothing = assign(settings, centers, strides, boxes, np.array([[False, False]]))
    assert (np.asarray(nothing) == -1).all()


def test_a_mask_head_is_a_network_on_features_and_relative_coordinates():
    settings = CondInst(mask_channels=2, mask_layers=2)
    rng = np.random.default_rng(0)
    features = rng.standard_normal((1, 3, 4, 3)).astype(np.float32)
    heads = rng.standard_normal((1, 5, settings.head_parameters)).astype(np.float32)
    places = rng.uniform(0, 16, (1, 5, 2)).astype(np.float32)
    scales = rng.uniform(8, 64, (1, 5)).astype(np.float32)
    masks = np.asarray(conditional_masks(features, heads, places, scales, settings.layer_sizes))
    for number in range(5):
        first, bias, second, last = np.split(heads[0, number], [10, 12, 14])
        for row in range(3):
            for column in range(4):
                there = (np.array([row, column]) + 0.5) * 4 - places[0, number]
                x = np.append(features[0, row, column], there / scales[0, number])
                hidden = np.maximum(x @ first.reshape(5, 2) + bias, 0)
                expected = hidden @ second + last + features[0, row, column, 2]
                assert masks[0, number, row, column] == pytest.approx(expected[0], abs=1e-4)


def test_true_masks_are_shares_of_cells_and_objects_may_overlap():
    ids = np.zeros((1, 8, 8, 2), np.int32)
    ids[0, :4, :4, 0] = 1
    ids[0, :, :2, 1] = 2
    masks = np.asarray(true_masks(ids, np.array([[1, 2, -1]])))
    np.testing.assert_allclose(masks[0, 0], [[1, 0], [0, 0]])
    np.testing.assert_allclose(masks[0, 1], [[0.5, 0], [0.5, 0]])
    assert not masks[0, 2].any()


def test_candidates_are_peaks_best_first():
    logits = np.full((1, 4, 4, 1), -9.0, np.float32)
    logits[0, 1, 1], logits[0, 1, 2], logits[0, 3, 3] = 2, 1, 0
    heads = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    layer = Candidates((8,), (64,), 3)
    scores, labels, head, places, scales = map(np.asarray, layer([[logits], [heads]]))
    np.testing.assert_allclose(scores[0, :2], 1 / (1 + np.exp([-2.0, 0])), rtol=1e-5)
    assert scores[0, 2] < 0.01  # the neighbor of the best is none
    assert head[0, :2, 0].tolist() == [5, 15]
    assert places[0, 0].tolist() == [12, 12]
    assert set(scales[0]) == {64}
    assert set(labels[0]) == {1}
    padded = Candidates((8,), (64,), 30)([[logits], [heads]])
    assert not np.asarray(padded[0])[0, 16:].any()


def test_a_network_learns_an_image_by_heart_and_gives_its_objects():
    keras.utils.set_random_seed(0)
    encode = encoder("plain", PixelFormat(1), widths=(8, 16, 24, 32, 32))
    model = condinst(encode, 2, SMALL, channels=1)
    ids = np.zeros((1, 61, 64, 1), np.int32)
    ids[0, 8:32, 8:32, 0], ids[0, 36:60, 20:60, 0] = 1, 2  # whole cells
    images = tf.constant((ids > 0) * 200.0 + (ids == 2) * 50.0)
    true = {
        "boxes": tf.constant([[[8, 8, 32, 32], [36, 20, 60, 60], [0, 0, 0, 0]]], tf.float32),
        "labels": tf.constant([[1, 2, 0]]),
        "ids": tf.constant(ids),
        "counted": tf.ones((1, 61, 64)),
    }
    optimizer = keras.optimizers.Adam(3e-3)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            losses, _ = condinst_losses(model, SMALL, images, true, True)
            loss = tf.add_n(list(losses.values()))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    for _ in range(200):
        step()
    outputs = {name: np.asarray(value) for name, value in model(images).items()}
    assert outputs["labels"][0, :2].tolist() in ([1, 2], [2, 1])
    assert (outputs["scores"][0, :2] > 0.5).all()
    for label, mask in zip(outputs["labels"][0, :2], outputs["masks"][0, :2], strict=True):
        true_mask = np.pad(ids[0, ..., 0] == label, ((0, 3), (0, 0)))[2::4, 2::4]
        inside = mask > 0.5
        assert (inside & true_mask).sum() / (inside | true_mask).sum() > 0.8


@pytest.mark.parametrize(
    "wrong",
    [{"strides": ()}, {"mask_layers": 1}, {"score": 2}, {"radius": 0}, {"least_cells": 12}],
)
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ConfigError, match="Expected"):
        CondInst(**wrong)
    with pytest.raises(ConfigError, match="no parameter colour"):
        CondInst.named(colour=1)
