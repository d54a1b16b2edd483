"""Pixel scaling, adapted first convolutions, dilation, weights and freezing."""

import sys

import keras
import numpy as np
import pytest

from maskwright.architectures import SCRATCH
from maskwright.errors import ConfigError, ModelError
from maskwright.models import Norm, SegmenterSpec, encoder, freeze
from maskwright.models.encoders import (
    ENCODERS,
    FAMILIES,
    AtrousPooling,
    EfficientAttention,
    PixelFormat,
    StochasticDepth,
)
from maskwright.models.encoders.registry import SCRATCH_BUILDERS
from short_encoders import shorten_convnext, shorten_resnet


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


@pytest.fixture(scope="module")
def narrow(weights):
    """Encoder with those weights."""
    return encoder("mobilenet_v2", weights=weights, alpha=0.35)


def test_features_have_the_strides_they_are_named_by(narrow):
    features = narrow(np.zeros((1, 64, 96, 3), np.float32))
    # A width of 0.35 leaves 8, 8, 16 and 32 channels, six times that in a block, and 112.
    assert {stride: tuple(f.shape[1:]) for stride, f in features.items()} == {
        2: (32, 48, 48),
        4: (16, 24, 48),
        8: (8, 12, 96),
        16: (4, 6, 192),
        32: (2, 3, 112),
    }


def test_weights_from_a_file_give_what_keras_gives_on_scaled_pixels(weights, narrow):
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype(np.float32)
    network = keras.applications.MobileNetV2(
        input_shape=(64, 64, 3), include_top=False, weights=str(weights), alpha=0.35
    )
    layer = network.get_layer("block_6_expand_relu")
    expected = keras.Model(network.input, layer.output)(pixels / 127.5 - 1)
    np.testing.assert_allclose(narrow(pixels)[8], expected, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 5])
def test_gray_pixels_mean_the_same_in_any_number_of_channels(weights, narrow, channels):
    gray = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 1)).astype(np.float32)
    three = narrow(np.repeat(gray, 3, -1))
    other = encoder("mobilenet_v2", PixelFormat(channels), weights=weights, alpha=0.35)(
        np.repeat(gray, channels, -1)
    )
    np.testing.assert_allclose(other[32], three[32], atol=1e-4)


def test_a_mask_channel_starts_without_effect_on_pretrained_features(weights, narrow):
    images = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 4)).astype(np.float32)
    masked = encoder("mobilenet_v2", PixelFormat(extra=1), weights=weights, alpha=0.35)(images)
    np.testing.assert_allclose(masked[32], narrow(images[..., :3])[32], atol=1e-4)


def test_sixteen_bit_pixels_mean_the_same_as_eight():
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).astype(np.float32)
    found = []
    for high in (255.0, 65535.0):
        keras.utils.set_random_seed(0)
        encode = encoder("plain", PixelFormat(high=high), widths=(4,))
        found.append(encode(pixels * (high / 255))[1])
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)


def test_resnet_weights_expect_blue_first(tmp_path, monkeypatch):
    short = shorten_resnet(monkeypatch)
    path = tmp_path / "resnet.weights.h5"
    network = short(input_shape=(None, None, 3), include_top=False, weights=None)
    network.save_weights(path)
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype(np.float32)
    as_published = keras.applications.resnet.preprocess_input(pixels.copy())
    expected = network(as_published)
    np.testing.assert_allclose(
        encoder("resnet50", weights=path)(pixels)[4], expected, rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("name", ["resnet18", "mit_b0"])  # the second has no stride 2
def test_a_frozen_stem_reaches_down_to_stride_4(name):
    encode = encoder(name)
    images = keras.Input((None, None, 3))
    model = keras.Model(images, encode.model(images))
    freeze(model, frozen=False, stem=True)
    learn = {
        stride: bool(keras.Model(encode.model.inputs, output).trainable_variables)
        for stride, output in zip(encode.strides, encode.model.outputs, strict=True)
    }
    assert learn == {stride: stride > 4 for stride in encode.strides}


def test_frozen_nothing_learns_and_fixed_statistics_stay():
    model = SegmenterSpec(2, decoder_name="light", encoder_widths=(4, 8)).build()
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
    with pytest.raises(ModelError, match=r"do not match mobilenet_v2.*alpha"):
        encoder("mobilenet_v2", weights=weights, alpha=1.0)


@pytest.mark.parametrize(
    "name", ["plain", "residual", "mobilenet_v2", "vgg16", "efficientnet_lite0"]
)
def test_dilated_features_are_the_strided_ones_and_those_in_between(name, narrow):
    options = {"widths": (4, 8, 8, 8, 8, 8)} if name in ("plain", "residual") else {}
    options |= {"alpha": 0.35} if name == "mobilenet_v2" else {}
    strided = narrow if name == "mobilenet_v2" else encoder(name, **options)
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 64, 96, 3)).astype(np.float32)
    expected = strided(pixels)
    for output_stride in (16, 8):
        dilated = encoder(name, **options, output_stride=output_stride)
        dilated.model.set_weights(strided.model.get_weights())
        found = dilated(pixels)
        assert dilated.strides == tuple(s for s in strided.strides if s <= output_stride)
        step = 32 // output_stride
        coarse = np.asarray(found[output_stride])[:, ::step, ::step]
        # Equal at the border too: nothing is padded anew.
        np.testing.assert_allclose(coarse, expected[32], atol=1e-5 * np.abs(expected[32]).max())
        for stride in dilated.strides[:-1]:
            np.testing.assert_array_equal(found[stride], expected[stride])


@pytest.mark.parametrize("kind", ["max", "average"])
def test_atrous_pooling_holds_what_pooling_with_strides_gives(kind):
    pool = {"max": keras.layers.MaxPooling2D, "average": keras.layers.AveragePooling2D}[kind]
    # Below zero, so that a zero outside the image would win.
    image = np.random.default_rng(0).uniform(-9, -1, (1, 8, 8, 2)).astype(np.float32)
    strided = pool(3, 2, padding="same")
    # TensorFlow pads one row, behind, for a stride of 2: as many as leave the size as it is do.
    np.testing.assert_allclose(
        AtrousPooling(kind, 3, 1, (0, 2))(image)[:, ::2, ::2], strided(image), rtol=1e-6
    )
    # A second one sees the pixels of the first two apart.
    spread = AtrousPooling(kind, 3, 2, (0, 4))(AtrousPooling(kind, 3, 1, (0, 2))(image))
    np.testing.assert_allclose(spread[:, ::4, ::4], strided(strided(image)), rtol=1e-6)


def test_published_scalings_are_those_of_keras():
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 4, 4, 3)).astype(np.float32)
    for name, family in FAMILIES.items():
        if family.load is not None:
            continue  # not of Keras
        expected = sys.modules[family.build.__module__].preprocess_input(pixels.copy())
        if np.array_equal(expected, pixels):
            continue  # these scale inside the network
        scaling = keras.Model(*PixelFormat().scaled_input(family.mean, family.std))
        found = np.asarray(scaling(pixels))
        found = found[..., ::-1] if family.bgr else found
        np.testing.assert_allclose(found, expected, atol=1e-3, err_msg=name)


def test_convnext_gives_what_keras_gives_and_sums_as_the_next_stage_takes_them(
    tmp_path, monkeypatch
):
    family, short = FAMILIES["convnext_tiny"], shorten_convnext(monkeypatch)
    network = short(include_top=False, include_preprocessing=False)
    network.save_weights(tmp_path / "small.weights.h5")
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype(np.float32)
    scaled = (pixels - family.mean) / np.array(family.std)
    # Depthwise for grouped convolutions, and GELU by a hyperbolic tangent.
    encode = encoder("convnext_tiny", weights=tmp_path / "small.weights.h5")
    np.testing.assert_allclose(encode(pixels)[32], network(scaled), atol=5e-3)
    taps = [type(o._keras_history.operation).__name__ for o in encode.model.outputs]
    assert taps == ["Add", "Add", "Add", "LayerNormalization"]


def test_attention_is_the_softmax_of_products(tmp_path):
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(1, 2, 3, 4)).astype(np.float32)
    layer = EfficientAttention(heads=2)
    found = layer(x)
    tokens = x.reshape(6, 4)
    queries = tokens @ layer.query.kernel
    keys, values = np.split(tokens @ layer.key_value.kernel, 2, axis=1)
    heads = []
    for head in (slice(0, 2), slice(2, 4)):
        weights = np.exp(queries[:, head] @ keys[:, head].T / np.sqrt(2))
        heads.append(weights / weights.sum(1, keepdims=True) @ values[:, head])
    expected = np.concatenate(heads, 1) @ layer.project.kernel
    np.testing.assert_allclose(found, expected.reshape(x.shape), rtol=1e-4, atol=1e-5)


def test_stochastic_depth_leaves_out_whole_images_and_keeps_the_mean():
    layer = StochasticDepth(0.25, seed=0)
    branch = np.ones((400, 2, 2, 1), np.float32)
    drawn = np.asarray(layer(branch, training=True))
    values = drawn[:, 0, 0, 0]
    assert (drawn == values[:, None, None, None]).all()
    np.testing.assert_allclose(np.unique(values), [0, 4 / 3], rtol=1e-6)
    assert values.mean() == pytest.approx(1, abs=0.1)
    np.testing.assert_array_equal(layer(branch), branch)


def test_weights_of_encoders_from_scratch_come_from_their_own_files(tmp_path):
    options = {"widths": (4, 8), "norm": Norm("instance")}
    path = tmp_path / "residual.weights.h5"
    three = encoder("residual", **options)
    three.model.save_weights(path)
    gray = np.random.default_rng(0).uniform(0, 255, (1, 8, 8, 1)).astype(np.float32)
    one = encoder("residual", PixelFormat(1, extra=1), **options, weights=path)
    expected = three(np.repeat(gray, 3, -1))[2]
    found = one(np.concatenate([gray, 255 - gray], -1))[2]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    with pytest.raises(ModelError, match=r"do not match residual .*widths"):
        encoder("residual", widths=(4, 6), weights=path)


def test_config_knows_which_encoders_have_published_weights():
    assert set(SCRATCH_BUILDERS) == set(SCRATCH)
    assert set(ENCODERS) == {*SCRATCH, *FAMILIES}


def test_fixed_statistics_are_found_however_deep():
    inner = keras.Sequential([keras.layers.BatchNormalization(), keras.layers.Dense(2)])
    images = keras.Input((None, None, 3))
    encoder_model = keras.Model(images, inner(images), name="encoder")
    model = keras.Model(images, encoder_model(images))
    freeze(model, frozen=False, fix_statistics=True)
    assert [v.name for v in encoder_model.trainable_variables] == ["kernel", "bias"]


def test_what_an_encoder_lacks_is_said():
    with pytest.raises(ConfigError, match="mit_b0 has no published weights"):
        encoder("mit_b0", weights="imagenet")
    with pytest.raises(ConfigError, match="Mix Transformers do not support dilation"):
        encoder("mit_b0", output_stride=16)
    with pytest.raises(ConfigError, match="output stride of 8, 16 or 32; received 4"):
        encoder("plain", output_stride=4)
    with pytest.raises(ConfigError, match=r"received 0\.5 for resnet18"):
        encoder("resnet18", alpha=0.5)
    with pytest.raises(ConfigError, match="plain does not support `taps`"):
        encoder("plain", taps={2: "stride2a_conv"})
    with pytest.raises(ConfigError, match=r"block_3_expand_relu of .* has stride 4; .* states 2"):
        encoder("mobilenet_v2", taps={2: "block_3_expand_relu"}, alpha=0.35)
