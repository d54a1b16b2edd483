"""Pixel scaling, adapted first convolutions, weights and freezing."""

import keras
import numpy as np
import pytest

from maskwright.errors import ConfigError, ModelError
from maskwright.models import build, encoder, freeze


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights as `keras.applications` writes them, of the narrowest MobileNetV2."""
    keras.utils.set_random_seed(1)
    network = keras.applications.MobileNetV2(
        input_shape=(None, None, 3), include_top=False, weights=None, alpha=0.35
    )
    path = tmp_path_factory.mktemp("weights") / "narrow.weights.h5"
    network.save_weights(path)
    return path


def test_features_have_the_strides_they_are_named_by():
    features = encoder("mobilenet_v2")(np.zeros((1, 64, 96, 3), np.float32))
    assert {stride: tuple(f.shape[1:]) for stride, f in features.items()} == {
        2: (32, 48, 96),
        4: (16, 24, 144),
        8: (8, 12, 192),
        16: (4, 6, 576),
        32: (2, 3, 320),
    }


def test_weights_from_a_file_give_what_keras_gives_on_scaled_pixels(weights):
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype(np.float32)
    network = keras.applications.MobileNetV2(
        input_shape=(64, 64, 3), include_top=False, weights=str(weights), alpha=0.35
    )
    layer = network.get_layer("block_6_expand_relu")
    expected = keras.Model(network.input, layer.output)(pixels / 127.5 - 1)
    found = encoder("mobilenet_v2", weights=weights, alpha=0.35)(pixels)[8]
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 5])
def test_grey_pixels_mean_the_same_in_any_number_of_channels(weights, channels):
    grey = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 1)).astype(np.float32)
    three = encoder("mobilenet_v2", weights=weights, alpha=0.35)(np.repeat(grey, 3, -1))
    other = encoder("mobilenet_v2", weights=weights, alpha=0.35, channels=channels)(
        np.repeat(grey, channels, -1)
    )
    np.testing.assert_allclose(other[32], three[32], atol=1e-4)


def test_sixteen_bit_pixels_mean_the_same_as_eight():
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).astype(np.float32)
    found = []
    for high in (255.0, 65535.0):
        keras.utils.set_random_seed(0)
        encode = encoder("plain", widths=(4,), pixel_range=(0.0, high))
        found.append(encode(pixels * (high / 255))[1])
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)


def test_resnet_weights_expect_blue_first(tmp_path):
    path = tmp_path / "resnet.weights.h5"
    network = keras.applications.ResNet50(
        input_shape=(None, None, 3), include_top=False, weights=None
    )
    network.save_weights(path)
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype(np.float32)
    as_published = keras.applications.resnet.preprocess_input(pixels.copy())
    layer = network.get_layer("conv1_relu")
    expected = keras.Model(network.input, layer.output)(as_published)
    np.testing.assert_allclose(
        encoder("resnet50", weights=path)(pixels)[2], expected, rtol=1e-3, atol=1e-3
    )


def test_frozen_nothing_learns_and_fixed_statistics_stay():
    model = build(2, encoder_name="mobilenet_v2", decoder_name="light", alpha=0.35)
    inner = model.get_layer("encoder")
    freeze(model, frozen=True)
    assert not inner.trainable_variables
    freeze(model, frozen=False, fix_statistics=True)
    assert inner.trainable_variables
    assert not any("gamma" in v.path for v in inner.trainable_variables)
    before = [v.numpy() for v in inner.non_trainable_variables]
    model(np.full((2, 32, 32, 3), 9, np.float32), training=True)
    for old, new in zip(before, inner.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(old, new)


def test_what_does_not_exist_is_named(weights, tmp_path):
    with pytest.raises(ConfigError, match=r"Expected an encoder of plain.*received 'resnet'"):
        encoder("resnet")
    with pytest.raises(ConfigError, match="no layer named block_99"):
        encoder("mobilenet_v2", taps={2: "block_99"})
    with pytest.raises(ModelError, match=r"there is no file .*missing\.h5"):
        encoder("mobilenet_v2", weights=tmp_path / "missing.h5")
    with pytest.raises(ModelError, match=r"do not fit mobilenet_v2.*alpha"):
        encoder("mobilenet_v2", weights=weights, alpha=1.0)
