"""Regions pooled by hand, and what holds for every classifier."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from maskwright.errors import ConfigError, DataError, ModelError
from maskwright.models import (
    ClassifierSpec,
    PoolInside,
    adapt_measures,
    freeze,
    reference_cnn,
    start_from_measures,
    with_weights,
)
from maskwright.models.pooling import POOLINGS, AttentionPooling, MaxPooling, MeanPooling

MEASURES = 3
EMBEDDINGS = np.array([[1, 0], [5, 5], [3, -2]], np.float32)
REGION_LOGITS = np.array([[2], [0], [1]], np.float32)
BAGS = np.array([[1, 0, 1], [0, 1, 0]], np.float32)  # regions 1 and 3, and region 2


def drawn(channels=3, height=37, width=45, seed=0):
    """Three regions, of two bags, on images of an odd size; the second mask is empty."""
    generator = np.random.default_rng(seed)
    masks = np.zeros((3, height, width), np.float32)
    masks[0, 5:20, 8:30] = 1
    masks[2, height - 1, width - 1] = 1
    return {
        "images": generator.uniform(0, 255, (3, height, width, channels)).astype(np.float32),
        "masks": masks,
        "measures": generator.normal(size=(3, MEASURES)).astype(np.float32),
        "bags": BAGS,
    }


def narrow(pooling="attention", **settings):
    """A small classifier whose decision hangs on everything."""
    keras.utils.set_random_seed(0)
    options = {"encoder_widths": (4, 8), "num_measures": MEASURES, "embedding": 8, "attention": 4}
    model = ClassifierSpec(pooling=pooling, **{**options, **settings}).build()
    decide = model.get_layer("decision")
    decide.kernel.assign(np.random.default_rng(1).normal(size=decide.kernel.shape))
    return model


def test_mean_counts_every_region_of_a_bag_the_same():
    pooled, weights = MeanPooling()(EMBEDDINGS, REGION_LOGITS, BAGS)
    np.testing.assert_allclose(pooled, [[2, -1], [5, 5]])
    np.testing.assert_allclose(weights, [[0.5, 0, 0.5], [0, 1, 0]])


def test_max_takes_the_region_of_the_highest_logit_and_equal_ones_alike():
    pooled, weights = MaxPooling()(EMBEDDINGS, REGION_LOGITS, BAGS)
    np.testing.assert_allclose(pooled, [[1, 0], [5, 5]])
    np.testing.assert_allclose(weights, [[1, 0, 0], [0, 1, 0]])
    pooled, weights = MaxPooling()(EMBEDDINGS, np.zeros((3, 1), np.float32), BAGS)
    np.testing.assert_allclose(pooled, [[2, -1], [5, 5]])
    np.testing.assert_allclose(weights, [[0.5, 0, 0.5], [0, 1, 0]])


def test_attention_is_a_softmax_of_gated_scores_within_the_bag():
    pool = AttentionPooling(units=1)
    pool(EMBEDDINGS, REGION_LOGITS, BAGS)
    pool.content.set_weights([np.array([[1], [0]]), np.array([0])])  # tanh of the first feature
    pool.gate.set_weights([np.zeros((2, 1)), np.array([0])])  # half open
    pool.score.set_weights([np.array([[2]])])
    pooled, weights = pool(EMBEDDINGS, REGION_LOGITS, BAGS)
    first, third = np.exp(np.tanh(1)), np.exp(np.tanh(3))
    shares = np.array([first, third]) / (first + third)
    np.testing.assert_allclose(weights, [[shares[0], 0, shares[1]], [0, 1, 0]], rtol=1e-5)
    np.testing.assert_allclose(pooled[0], shares @ EMBEDDINGS[[0, 2]], rtol=1e-5)
    far = AttentionPooling(units=1)
    far(EMBEDDINGS, REGION_LOGITS, BAGS)
    far.score.set_weights([np.array([[1e6]])])
    assert np.isfinite(far(EMBEDDINGS, REGION_LOGITS, BAGS)[0]).all()


def test_pooling_inside_counts_the_pixels_of_a_cell():
    features = np.array([[1, 2], [3, 4]], np.float32)[None, :, :, None]
    mask = np.zeros((1, 4, 3), np.float32)  # of the right cells, only one column is there
    mask[0, :2, :2] = 1
    mask[0, 2:, 2] = 1
    # Four pixels lie in the cell of value 1, two in that of value 4.
    pool = PoolInside(2)
    np.testing.assert_allclose(pool(features, mask), [[(4 * 1 + 2 * 4) / 6]], rtol=1e-5)
    np.testing.assert_allclose(pool(features, mask * 0), [[2.5]], rtol=1e-5)


def test_pixels_far_outside_the_mask_change_nothing():
    model = narrow()
    seen = keras.Model(model.inputs, model.get_layer("embedding").output)
    batch = drawn(height=64, width=64)
    batch["masks"][:] = 0
    batch["masks"][:, :8, :8] = 1
    far, near = dict(batch), dict(batch)
    far["images"], near["images"] = batch["images"].copy(), batch["images"].copy()
    far["images"][:, 32:, 32:] = 0
    near["images"][:, :8, :8] = 0
    np.testing.assert_allclose(seen(far), seen(batch), atol=1e-3)
    assert np.abs(seen(near) - seen(batch)).max() > 0.1


@pytest.mark.parametrize("pooling", POOLINGS)
def test_regions_in_another_order_have_their_weights_in_that_order(pooling):
    model = with_weights(narrow(pooling))
    batch, order = drawn(), [2, 0, 1]
    other = {name: values[order] for name, values in batch.items() if name != "bags"}
    other["bags"] = BAGS[:, order]
    first, second = model(batch), model(other)
    np.testing.assert_allclose(second["logits"], first["logits"], atol=1e-4)
    np.testing.assert_allclose(second["weights"], first["weights"].numpy()[:, order], atol=1e-5)
    np.testing.assert_allclose(first["weights"].numpy().sum(1), [1, 1], atol=1e-6)
    # The second bag has one region, whose own decision is that of the bag.
    np.testing.assert_allclose(first["region_logits"][1], first["logits"][1], atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        *({"pooling": pooling} for pooling in POOLINGS),
        {"channels": 1, "num_measures": 0},
        {"channels": 5, "outside": "channel"},
        {"pixels": False},
        {"encoder_name": "mobilenet_v2", "alpha": 0.35, "outside": "channel"},
        {"encoder_name": "mobilenet_v3_small", "channels": 1},
    ],
    ids=str,
)
def test_classifiers_learn_and_are_the_same_when_read_again(settings, tmp_path):
    model = narrow(**settings)
    batch = drawn(settings.get("channels", 3) + (settings.get("outside") == "channel"))
    with tf.GradientTape() as tape:
        logits = model(batch, training=True)
        loss = tf.reduce_sum(tf.square(logits - 1))
    assert logits.shape == (2, 1)
    assert logits.dtype == "float32"
    gradients = tape.gradient(loss, model.trainable_variables)
    assert all(g is not None and np.isfinite(g).all() for g in gradients)
    keras.optimizers.SGD(0.01).apply_gradients(
        zip(gradients, model.trainable_variables, strict=True)
    )
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_allclose(again(batch), model(batch), atol=1e-5)
    told, told_again = with_weights(model)(batch), with_weights(again)(batch)
    for name, values in told.items():
        assert np.isfinite(values).all()
        np.testing.assert_allclose(told_again[name], values, atol=1e-5)


def test_a_saved_classifier_needs_only_the_models_to_be_imported(tmp_path):
    batch = drawn()
    model = narrow()
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "batch.npz", **batch)
    code = (
        "import json, sys, keras, numpy, maskwright.models\n"
        f"model = keras.saving.load_model({str(tmp_path / 'model.keras')!r}, compile=False)\n"
        f"batch = dict(numpy.load({str(tmp_path / 'batch.npz')!r}))\n"
        "print(json.dumps(model(batch).numpy().tolist()))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    np.testing.assert_allclose(json.loads(answer.stdout), model(batch), atol=1e-5)


def test_the_start_is_the_regression_on_measures():
    keras.utils.set_random_seed(0)
    model = ClassifierSpec(encoder_widths=(4,), num_measures=MEASURES, pooling="mean").build()
    vectors = np.array([[1, 7, 0], [3, 7, 0], [2, 7, 60]], np.float32)
    # Mean 2 and deviation sqrt(2/3); constant; mean 20 and deviation sqrt(800).
    seen = adapt_measures(model, vectors)
    one = 1 / np.sqrt(2 / 3)
    np.testing.assert_allclose(
        seen, [[-one, 0, -(0.5**0.5)], [one, 0, -(0.5**0.5)], [0, 0, 2**0.5]], rtol=1e-5
    )
    start_from_measures(model, np.array([2.0, 9.0, 0.0]), bias=0.5)
    batch = {**drawn(), "measures": vectors}
    # Regions 1 and 3, -2 * one and 0, are one bag.
    np.testing.assert_allclose(model(batch), [[0.5 - one], [0.5 + 2 * one]], rtol=1e-5)
    batch["measures"] = np.full((3, MEASURES), 1e30, np.float32)  # never beyond 5 deviations
    np.testing.assert_allclose(model(batch), [[10.5], [10.5]], rtol=1e-5)


def test_the_encoder_of_a_classifier_can_be_frozen():
    model = narrow()
    freeze(model, frozen=True)
    assert not model.get_layer("encoder").trainable_variables
    assert model.trainable_variables


@pytest.mark.conformance
def test_reference_has_the_layers_and_parameters_it_is_known_by():
    # Conv 3x3x3 to 32, 3x3x32 to 64, 62 * 62 * 64 to 128, 128 to 1, each with biases.
    model = reference_cnn()
    inner = model.get_layer("encoder")
    shapes = [tuple(layer.output.shape[1:]) for layer in inner.layers[2:]]
    assert shapes == [(254, 254, 32), (127, 127, 32), (125, 125, 64), (62, 62, 64)]
    counts = [
        layer.count_params()
        for layer in (*inner.layers, *model.layers)
        if layer.count_params() and layer is not inner
    ]
    assert counts == [896, 18_496, 31_490_176, 129]
    assert model.count_params() == sum(counts) == 31_509_697


def test_reference_decides_on_a_bag_by_the_mean_of_its_regions():
    batch = drawn(height=20, width=20)
    told = with_weights(reference_cnn(size=20))(batch)
    alone = told["region_logits"].numpy()[:, 0]
    np.testing.assert_allclose(told["logits"], [[(alone[0] + alone[2]) / 2], [alone[1]]], atol=1e-5)


def test_what_does_not_go_together_is_said():
    with pytest.raises(ConfigError, match="classifier of region, reference; received 'cnn'"):
        ClassifierSpec("cnn").build()
    with pytest.raises(ConfigError, match="pooling of mean, max, attention; received 'sum'"):
        ClassifierSpec(pooling="sum").build()
    with pytest.raises(ConfigError, match=r"outside to be kept.*received 'black'"):
        ClassifierSpec(outside="black").build()
    with pytest.raises(ConfigError, match="no mask channel"):
        ClassifierSpec("reference", outside="channel").build()
    with pytest.raises(ConfigError, match="pixels, measures, or both"):
        ClassifierSpec(pixels=False).build()
    model = narrow()
    with pytest.raises(ModelError, match=r"takes 3 measures; received \(2, 4\)"):
        adapt_measures(model, np.zeros((2, 4)))
    with pytest.raises(DataError, match="finite measures"):
        adapt_measures(model, np.full((2, 3), np.nan))
    with pytest.raises(ModelError, match="this one takes none"):
        start_from_measures(narrow(num_measures=0), np.zeros(3), 0.0)
