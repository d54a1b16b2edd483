"""Strides and channels of every decoder, and what each does, worked out by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from maskwright.errors import ConfigError
from maskwright.models import DECODERS, SUPERVISION
from maskwright.models.blocks import AverageBins, EnlargeLike, Norm
from maskwright.models.decoders import (
    attention_unet,
    deeplab_v3,
    deeplab_v3_plus,
    fpn,
    linknet,
    lraspp,
    pspnet,
    resunet,
    segformer,
    unet,
    unet_3plus,
    unet_plus_plus,
)

CHANNELS = 6
WIDTHS = {"fpn": (8, 5), "deeplab_v3_plus": (5, 3)}
ONE_WIDTH = ("unet_3plus", "linknet", "pspnet", "deeplab_v3", "segformer", "lraspp")
STEPS = ("light", "unet", "attention_unet", "unet_plus_plus", "resunet")
# By the strides of the features: stride, channels and number of auxiliary features of the result.
FOUND = {
    (2, 4, 8, 16, 32): {
        **dict.fromkeys(STEPS, (2, 5, 2)),
        "unet_plus_plus": (2, 5, 3),
        "unet_3plus": (2, 25, 4),
        "linknet": (1, 5, 3),
        "fpn": (4, 5, 0),
        "pspnet": (32, 5, 1),
        "deeplab_v3": (32, 5, 0),
        "deeplab_v3_plus": (4, 5, 0),
        "segformer": (4, 5, 0),
        "lraspp": (8, 5 + CHANNELS, 0),
    },
    (1, 2, 4): {
        **dict.fromkeys(STEPS, (1, 5, 0)),
        "unet_plus_plus": (1, 5, 1),
        "unet_3plus": (1, 15, 2),
        "linknet": (1, 5, 1),
        "fpn": (1, 5, 0),
        "pspnet": (4, 5, 1),
        "deeplab_v3": (4, 5, 0),
        "deeplab_v3_plus": (2, 5, 0),
        "segformer": (1, 5, 0),
        "lraspp": (2, 5 + CHANNELS, 0),
    },
    (4, 16): {
        **dict.fromkeys(STEPS, (4, 5, 0)),
        "unet_3plus": (4, 10, 1),
        "linknet": (2, 5, 0),
        "fpn": (4, 5, 0),
        "pspnet": (16, 5, 1),
        "deeplab_v3": (16, 5, 0),
        "deeplab_v3_plus": (4, 5, 0),
        "segformer": (4, 5, 0),
        "lraspp": (4, 5 + CHANNELS, 0),
    },
}


def drawn(strides, height=32, width=64, channels=CHANNELS, seed=0):
    generator = np.random.default_rng(seed)
    return {
        s: generator.normal(size=(1, height // s, width // s, channels)).astype(np.float32)
        for s in strides
    }


def model_of(decode, strides=(2, 4, 8), channels=CHANNELS, **options):
    """A decoder on features of any size, in the order of their strides, as a model."""
    keras.utils.set_random_seed(0)
    inputs = {s: keras.Input((None, None, channels)) for s in strides}
    return keras.Model(list(inputs.values()), {"found": decode(inputs, **options).features})


def seen(model, features, *names):
    """Outputs of layers."""
    probe = keras.Model(model.inputs, {name: model.get_layer(name).output for name in names})
    found = probe(list(features.values()))
    return [found[name].numpy() for name in names]


def fill(model, *names, value=0.0):
    """Set all weights of layers whose names begin so."""
    for layer in model.layers:
        if layer.name.startswith(names):
            layer.set_weights([np.full_like(w, value) for w in layer.get_weights()])


@pytest.mark.parametrize("strides", FOUND, ids=str)
@pytest.mark.parametrize("name", DECODERS)
def test_every_decoder_takes_the_strides_there_are(name, strides):
    widths = WIDTHS.get(name, (5,) if name in ONE_WIDTH else (5,) * (len(strides) - 1))
    inputs = {s: keras.Input((None, None, CHANNELS)) for s in strides}
    found = DECODERS[name](inputs, widths)
    stride, channels, auxiliary = FOUND[strides][name]
    assert (found.stride, len(found.auxiliary)) == (stride, auxiliary)
    every = [(found.features, found.stride), *found.auxiliary]
    model = keras.Model(list(inputs.values()), {str(n): x for n, (x, _) in enumerate(every)})
    sizes = model.compute_output_shape([(1, 96 // s, 160 // s, CHANNELS) for s in strides])
    assert [sizes[str(n)][1:3] for n, _ in enumerate(every)] == [
        (96 // s, 160 // s) for _, s in every
    ]
    assert sizes["0"][-1] == channels


@pytest.mark.parametrize(("name", "norm"), [("pspnet", "group"), ("deeplab_v3_plus", "instance")])
def test_images_of_two_sizes_go_through_one_graph(name, norm):
    widths = WIDTHS.get(name, (5,) if name in ONE_WIDTH else (5, 5))
    model = model_of(DECODERS[name], (4, 8, 16), widths=widths, norm=Norm(norm))
    shape = tf.TensorSpec((None, None, None, CHANNELS))
    compiled = tf.function(lambda *features: model(list(features)), input_signature=[shape] * 3)
    for height, width in ((32, 48), (16, 112)):
        features = drawn((4, 8, 16), height, width).values()
        expected = model(list(features))["found"]
        assert np.isfinite(expected).all()
        np.testing.assert_allclose(compiled(*features)["found"], expected, atol=1e-4)


def test_papers_with_deep_supervision_have_something_to_supervise():
    for name in SUPERVISION:
        widths = (5,) if name in ONE_WIDTH else (5,) * 2
        assert DECODERS[name](drawn((2, 4, 8)), widths).auxiliary


def test_parts_of_a_grid_share_a_pixel_where_the_division_leaves_a_rest():
    values = np.arange(35, dtype=np.float32).reshape(1, 5, 7, 1)
    # Rows 0 to 2 and 2 to 4; columns 0 to 2, 2 to 4 and 4 to 6.
    found = AverageBins(2)(values)[0, :, :, 0]
    rows, columns = [slice(0, 3), slice(2, 5)], [slice(0, 4), slice(3, 7)]
    np.testing.assert_allclose(
        found, [[values[0, r, c].mean() for c in columns] for r in rows], rtol=1e-5
    )
    columns = [slice(0, 3), slice(2, 5), slice(4, 7)]
    rows = [slice(0, 2), slice(1, 4), slice(3, 5)]
    np.testing.assert_allclose(
        AverageBins(3)(values)[0, :, :, 0],
        [[values[0, r, c].mean() for c in columns] for r in rows],
        rtol=1e-5,
    )
    np.testing.assert_allclose(AverageBins(1)(values)[0, 0, 0], [17])


def test_a_grid_finer_than_the_features_repeats_them():
    values = np.array([[1.0, 5.0]], np.float32).reshape(1, 1, 2, 1)
    # Of two pixels, the second of three parts covers both.
    found = AverageBins(3)(values)[0, :, :, 0]
    np.testing.assert_allclose(found, [[1, 3, 5]] * 3)


def test_enlarging_to_the_size_of_others_keeps_means_of_one_pixel():
    one = np.full((1, 1, 1, 2), 7, np.float32)
    found = EnlargeLike()([one, np.zeros((1, 3, 5, 1), np.float32)])
    np.testing.assert_array_equal(found, np.full((1, 3, 5, 2), 7))


def test_a_gate_without_weights_halves_the_skip():
    model = model_of(attention_unet, widths=(4, 4), norm=Norm("none"))
    fill(model, "gate")
    features = drawn((2, 4, 8))
    gated, joined = seen(model, features, "gate4", "join2")
    np.testing.assert_allclose(gated, features[4] / 2, rtol=1e-5)
    # The finest skip comes as it is.
    np.testing.assert_array_equal(joined[..., 4:], features[2])


def test_a_gate_opens_where_the_coarser_features_say_so():
    model = model_of(attention_unet, widths=(4, 4), gate_width=1)
    model.get_layer("gate4_skip").set_weights([np.zeros((1, 1, CHANNELS, 1))])
    model.get_layer("gate4_coarser").set_weights([np.ones((1, 1, CHANNELS, 1)), np.zeros(1)])
    model.get_layer("gate4_weights").set_weights([np.full((1, 1, 1, 1), 2), np.array([-1])])
    features = drawn((2, 4, 8), 8, 8)
    features[8] = np.full((1, 1, 1, CHANNELS), 0.5, np.float32)
    # The sum of the coarser pixel is 3: weight sigmoid(2 * 3 - 1).
    expected = features[4] / (1 + np.exp(-5))
    np.testing.assert_allclose(*seen(model, features, "gate4"), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("stride", "rates"),
    [(8, [12, 24, 36]), (16, [6, 12, 18]), (32, [3, 6, 9]), (4, [24, 48, 72])],
)
def test_dilation_follows_the_stride(stride, rates):
    for decode, widths in ((deeplab_v3, (4,)), (deeplab_v3_plus, (4, 2))):
        model = model_of(decode, (2, stride), widths=widths)
        branches = [model.get_layer(f"aspp{number}_conv") for number in (2, 3, 4)]
        assert [branch.dilation_rate for branch in branches] == [(rate, rate) for rate in rates]


def test_separable_pyramid_and_refinement():
    model = model_of(deeplab_v3_plus, (4, 16), widths=(4, 2), separable=True)
    kinds = {
        layer.name for layer in model.layers if isinstance(layer, keras.layers.SeparableConv2D)
    }
    assert kinds == {f"{name}_conv" for name in ("aspp2", "aspp3", "aspp4", "refinea", "refineb")}


def test_nested_skips_are_dense():
    model = model_of(unet_plus_plus, (1, 2, 4, 8, 16), widths=(2,) * 4)
    joined = {
        layer.name: layer.output.shape[-1] for layer in model.layers if layer.name.endswith("_join")
    }
    # Ten nodes; node j joins the encoder's 6 channels, j - 1 nodes of 2 and an enlarged one.
    assert joined == {
        f"node{2**level}_{j}_join": CHANNELS + 2 * (j - 1) + 2
        for level in range(4)
        for j in range(1, 5 - level)
    }


def test_full_scale_skips_take_maxima_of_finer_features():
    model = model_of(unet_3plus, widths=(2,))
    features = drawn((2, 4, 8), 8, 8)
    (pooled,) = seen(model, features, "node4_from2_pool")
    blocks = features[2].reshape(1, 2, 2, 2, 2, CHANNELS)
    np.testing.assert_array_equal(pooled, blocks.max((2, 4)))
    # The finest node looks at what was made at stride 4, not at the encoder's features there.
    assert model.get_layer("node2_from4_up").output.shape[-1] == 3 * 2
    assert model.get_layer("node2_from8_up").output.shape[-1] == CHANNELS


def test_a_residual_unit_without_weights_hands_on_what_it_was_given():
    model = model_of(resunet, (2, 4), channels=3, widths=(6,))
    fill(model, "decode2a_conv", "decode2b_conv")
    features = drawn((2, 4), channels=3)
    found, joined = seen(model, features, "decode2_sum", "join2")
    np.testing.assert_array_equal(found, joined)  # 3 + 3 channels are 6, so nothing is fitted


def test_skips_are_added_to_blocks_of_a_quarter_of_the_channels():
    model = model_of(linknet, (4, 8), channels=8, widths=(3,))
    assert model.get_layer("decode4_narrow_conv").output.shape[-1] == 2
    fill(model, "decode4_widen_norm")  # the block gives zero
    features = drawn((4, 8), channels=8)
    np.testing.assert_array_equal(*seen(model, features, "add4"), features[4])


def test_pyramid_levels_climb_once_for_each_doubling():
    model = model_of(fpn, (2, 4, 8, 16, 32), widths=(4, 3))
    convolutions = [
        layer.name
        for layer in model.layers
        if layer.name.startswith("head") and "conv" in layer.name
    ]
    assert sorted(convolutions) == sorted(
        f"head{s}_conv" for s in ("4_4", "8_8", "16_16", "16_8", "32_32", "32_16", "32_8")
    )


def test_the_all_mlp_head_takes_the_coarsest_first():
    model = model_of(segformer, (4, 8), widths=(2,))
    join = model.get_layer("project_join")
    assert join.input[0] is model.get_layer("project8_up").output
    assert join.input[1] is model.get_layer("project4").output


def test_weights_of_the_whole_image_start_between_none_and_all():
    model = model_of(lraspp, (8, 16), widths=(4,))
    fill(model, "mean_weights")
    features = drawn((8, 16))
    before, after, joined = seen(model, features, "coarse_relu", "coarse_weighed", "fine_join")
    np.testing.assert_allclose(after, before / 2)
    np.testing.assert_array_equal(joined[..., 4:], features[8])


def test_what_does_not_fit_is_said():
    features = drawn((2, 4, 8))
    with pytest.raises(ConfigError, match=r"needs 2 widths.*strides \[4, 2\]; received \[5\]"):
        unet(features, (5,))
    for decode, widths, words in (
        (unet_3plus, (64, 64), "what each stride gives"),
        (fpn, (256,), r"such as \[256, 128\]; received \[256\]"),
        (deeplab_v3_plus, (256,), r"such as \[256, 48\]"),
    ):
        with pytest.raises(ConfigError, match=words):
            decode(features, widths)
    with pytest.raises(ConfigError, match="one part or more a side"):
        pspnet(features, bins=(0, 1))
    for decode in (deeplab_v3_plus, lraspp):
        with pytest.raises(ConfigError, match="stride 8 only"):
            decode(drawn((8,)))
