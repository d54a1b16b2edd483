"""Networks of papers against the layer shapes and parameter counts that were published.

Parameters are those that learn. The ResNet-50 of the publications is counted, not built: that of
`keras.applications` has biases besides, which the normalization behind them makes idle.
"""

from functools import partial

import keras
import numpy as np
import pytest

from maskwright.models import Norm, architecture, decoders

pytestmark = pytest.mark.conformance

RESNET50 = 23_508_032  # He et al. 2016, without its top: 25,557,032 less 2048 * 1000 + 1000
RESNET18 = 11_176_512  # likewise: 11,689,512 less 512 * 1000 + 1000


def learned(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def convolution(size, channels, width, bias=True):
    return size * size * channels * width + width * bias


def normalized(size, channels, width):
    """Convolution without bias, then scale and offset of each channel."""
    return convolution(size, channels, width, bias=False) + 2 * width


def aspp(channels):
    """Chen et al. 2017, section 3.3: 1x1, three 3x3, the image's mean, and 1x1 on them joined."""
    return (
        2 * normalized(1, channels, 256)
        + 3 * normalized(3, channels, 256)
        + normalized(1, 5 * 256, 256)
    )


def shapes(model, inputs, names):
    """Height, width and channels of the outputs of layers, for inputs of such shapes."""
    probe = keras.Model(model.inputs, [model.get_layer(name).output for name in names])
    found = probe.compute_output_shape([(1, *shape) for shape in inputs])
    return [tuple(shape[1:]) for shape in found]


def decoder_alone(decode, channels):
    """A model of a decoder, on features with so many channels by stride."""
    inputs = {stride: keras.Input((None, None, count)) for stride, count in channels.items()}
    return keras.Model(list(inputs.values()), decode(inputs).features)


def test_unet_plus_plus_has_ten_nodes_and_nine_million_parameters():
    """Zhou et al., UNet++, 2018, table 3: 9.04 M; figure 1: widths 32 to 512, ten nodes."""
    widths = [32, 64, 128, 256, 512]
    encoder = sum(
        convolution(3, channels, width) + convolution(3, width, width)
        for channels, width in zip([3, *widths], widths, strict=False)
    )
    # Node (i, j) joins j maps of its level and an enlarged one.
    nodes = sum(
        convolution(2, widths[i + 1], widths[i])
        + convolution(3, (j + 1) * widths[i], widths[i])
        + convolution(3, widths[i], widths[i])
        for i in range(4)
        for j in range(1, 5 - i)
    )
    model = architecture("unet_plus_plus", 1)
    assert learned(model) == encoder + nodes + convolution(1, 32, 1) == 9_042_177
    names = [f"node{2**i}_{j}_join" for i in range(4) for j in range(1, 5 - i)]
    assert len(names) == 10
    assert shapes(model, [(96, 96, 3)], names) == [
        (96 >> i, 96 >> i, (j + 1) * widths[i]) for i in range(4) for j in range(1, 5 - i)
    ]


def test_attention_unet_has_the_papers_weights_in_two_dimensions_and_its_gates():
    """Oktay et al., Attention U-Net, 2018, section 3: the U-Net below the gates has 5.88 M.

    The paper counts 3x3x3 convolutions of one channel; ours are 3x3. What a gate has follows from
    equations 1 and 2 with the widths of the authors' code.
    """
    model = architecture("attention_unet", 2, channels=1)
    squares = [
        int(np.prod(v.shape)) for v in model.trainable_variables if tuple(v.shape[:2]) == (3, 3)
    ]
    assert round(3 * sum(squares) / 1e6, 2) == 5.88
    gates = [layer for layer in model.layers if layer.name.startswith("gate")]
    expected = sum(
        convolution(1, skip, skip, bias=False) + convolution(1, 2 * skip, skip) + skip + 1
        for skip in (32, 64, 128)
    )
    assert sum(layer.count_params() for layer in gates) == expected
    # At the coarser grid, one weight for each of its pixels; the finest skip has no gate.
    names = ["gate8_sum", "gate4_sum", "gate2_sum", "gate8_weights", "gate8", "join1"]
    assert shapes(model, [(160, 96, 1)], names) == [
        *((10, 6, 128), (20, 12, 64), (40, 24, 32)),
        *((10, 6, 1), (20, 12, 128), (160, 96, 32 + 16)),
    ]


def test_resunet_has_the_fifteen_convolutions_of_its_table():
    """Zhang, Liu, Wang, Road extraction by deep residual U-Net, 2018: 7.8 M, table 1."""
    model = architecture("resunet", 1)
    table = [
        *((3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256)),
        *((256, 512), (512, 512)),
        *((512 + 256, 256), (256, 256), (256 + 128, 128), (128, 128), (128 + 64, 64), (64, 64)),
    ]
    kernels = [v for v in model.trainable_variables if len(v.shape) == 4]
    threes = [tuple(v.shape[2:]) for v in kernels if v.shape[0] == 3]
    assert sorted(threes) == sorted(table)
    listed = sum(convolution(3, *one, bias=False) for one in table) + convolution(1, 64, 1)
    assert round(listed / 1e6, 1) == 7.8
    # Beside the units, and for the classes: 1x1.
    ones = sum(int(np.prod(v.shape)) for v in kernels if v.shape[0] == 1)
    assert ones == 64 + sum(channels * width for channels, width in table[::2])
    names = ["decode4_sum", "decode2_sum", "decode1_sum"]
    assert shapes(model, [(224, 224, 3)], names) == [(56, 56, 256), (112, 112, 128), (224, 224, 64)]
    bridge = model.get_layer("encoder").compute_output_shape((1, 224, 224, 3))[-1]
    assert tuple(bridge) == (1, 28, 28, 512)


def test_unet_3plus_joins_five_strides_in_320_channels():
    """Huang et al., UNet 3+, 2020, table 1: 26.97 M; figure 2: 64 channels from each of five."""
    widths = [64, 128, 256, 512, 1024]
    encoder = sum(
        normalized(3, channels, width) + normalized(3, width, width)
        for channels, width in zip([3, *widths], widths, strict=False)
    )
    # A node at level i sees the encoder at its level and finer, nodes in between, and the bottom.
    nodes = sum(
        sum(normalized(3, channels, 64) for channels in [*widths[: i + 1], *[320] * (3 - i), 1024])
        + normalized(3, 320, 320)
        for i in range(4)
    )
    model = architecture("unet_3plus", 1)
    assert learned(model) == encoder + nodes + convolution(3, 320, 1)
    assert round(learned(model) / 1e6, 2) == 26.97
    names = [f"node{stride}_join" for stride in (8, 4, 2, 1)]
    assert shapes(model, [(320, 320, 3)], names) == [(n, n, 320) for n in (40, 80, 160, 320)]


def test_linknet_has_the_feature_maps_of_its_table():
    """Chaurasia and Culurciello, LinkNet, 2017, abstract: 11.5 M; table 1; figures 1 and 3."""
    table = [(512, 256), (256, 128), (128, 64), (64, 64)]
    blocks = sum(
        normalized(1, m, m // 4) + normalized(3, m // 4, m // 4) + normalized(1, m // 4, n)
        for m, n in table
    )
    last = normalized(3, 64, 32) + normalized(3, 32, 32) + convolution(2, 32, 20)
    model = architecture("linknet", 20)
    assert learned(model) == RESNET18 + blocks + last
    assert round(learned(model) / 1e6, 1) == 11.5
    names = ["add16", "add8", "add4", "decode_last_widen_relu", "last_relu", "classes"]
    assert shapes(model, [(384, 640, 3)], names) == [
        *((24, 40, 256), (48, 80, 128), (96, 160, 64), (96, 160, 64)),
        *((192, 320, 32), (384, 640, 20)),
    ]


def test_fpn_has_the_parameters_of_semantic_fpn():
    """Wang et al., Pyramid vision transformer, 2021, table 5: Semantic FPN on ResNet-50, 28.5 M.

    Kirillov et al., Panoptic feature pyramid networks, 2019, figure 3: three, two, one and one
    convolutions at strides 32, 16, 8 and 4, all to 128 channels at a quarter of the image.
    """
    channels = {4: 256, 8: 512, 16: 1024, 32: 2048}
    laterals = sum(convolution(1, count, 256) for count in channels.values())
    pyramid = 4 * convolution(3, 256, 256)
    head = 4 * normalized(3, 256, 128) + 3 * normalized(3, 128, 128)
    model = decoder_alone(partial(decoders.fpn, norm=Norm("group")), channels)
    assert learned(model) == laterals + pyramid + head
    assert round((RESNET50 + learned(model) + convolution(1, 128, 150)) / 1e6, 1) == 28.5
    names = ["head32_32_up", "head32_16_up", "head32_8_up", "head16_8_up", "head_sum"]
    sizes = {stride: 512 // stride for stride in channels}
    assert shapes(model, [(sizes[s], sizes[s], count) for s, count in channels.items()], names) == [
        *((32, 32, 128), (64, 64, 128), (128, 128, 128), (128, 128, 128), (128, 128, 128)),
    ]


def test_pspnet_joins_four_grids_and_has_the_counted_parameters():
    """Zhao et al., Pyramid scene parsing network, 2017, figure 3 and section 3.2.

    The paper has no count. GluonCV's and its ports' with ResNet-50, 21 classes and the auxiliary
    head is 49,081,578, on a stem of three convolutions that widens to 128 channels.
    """
    stem = sum(normalized(3, *one) for one in ((3, 64), (64, 64), (64, 128)))
    wider = 64 * 64 + 64 * 256 + stem - normalized(7, 3, 64)
    # At stride 32 the next finer features are those of the stage before the last.
    inputs = {16: keras.Input((None, None, 1024)), 32: keras.Input((None, None, 2048))}
    features, stride, ((before, _),) = decoders.pspnet(inputs)
    model = keras.Model(inputs[32], features)
    auxiliary = learned(keras.Model(inputs[16], before)) + convolution(1, 256, 21)
    classes = convolution(1, 512, 21)
    assert RESNET50 + wider + learned(model) + classes + auxiliary == 49_081_578
    assert stride == 32
    # Images of 480x480 at the paper's stride of 8.
    names = ["bins1", "bins2", "bins3", "bins6", "bins6_enlarge", "bins_join", "bins_fuse_relu"]
    assert shapes(model, [(60, 60, 2048)], names) == [
        *((n, n, 2048) for n in (1, 2, 3, 6)),
        *((60, 60, 512), (60, 60, 4096), (60, 60, 512)),
    ]


def test_deeplab_v3_has_the_parameters_of_its_authors_and_of_torchvision():
    """Chen et al., Rethinking atrous convolution, 2017, section 3.3.

    Sandler et al., MobileNetV2, 2018, table 7: 4.52 M with MobileNetV2 to its last block.
    torchvision's deeplabv3_resnet50, whose documentation says 42,004,074, has an auxiliary head
    and a 3x3 convolution after joining, which the paper has not.
    """
    model = architecture("deeplab_v3", 21)
    # MobileNetV2 has 3,504,872, less 1280 * 1000 + 1000 of its top and its last convolution.
    mobilenet = 3_504_872 - 1_281_000 - normalized(1, 320, 1280)

    assert learned(model) == mobilenet + aspp(320) + convolution(1, 256, 21)
    assert round(learned(model) / 1e6, 2) == 4.52
    names = ["aspp1_conv", "aspp4_conv", "aspp_mean", "aspp_join", "aspp_mix_conv"]
    assert shapes(model, [(512, 512, 3)], names) == [
        *((32, 32, 256), (32, 32, 256), (1, 1, 320), (32, 32, 1280), (32, 32, 256)),
    ]
    assert [model.get_layer(f"aspp{n}_conv").dilation_rate[0] for n in (2, 3, 4)] == [6, 12, 18]
    head = aspp(2048) + convolution(1, 256, 21)
    theirs = normalized(3, 1024, 256) + convolution(1, 256, 21) + normalized(3, 256, 256)
    assert RESNET50 + head + theirs == 42_004_074


def test_deeplab_v3_plus_narrows_to_48_and_refines_twice_with_256():
    """Chen et al., Encoder-decoder with atrous separable convolution, 2018, tables 1, 2.

    The paper gives the layers and no count: 48 channels of the map at stride 4, joined to 256, then
    [3x3, 256] twice, on output stride 16 with rates 6, 12, 18 or 8 with twice those.
    """
    model = decoder_alone(decoders.deeplab_v3_plus, {4: 256, 16: 2048})
    refine = normalized(3, 256 + 48, 256) + normalized(3, 256, 256)
    assert learned(model) == aspp(2048) + normalized(1, 256, 48) + refine
    names = ["aspp_mix_relu", "low_relu", "low_join", "refineb_relu"]
    assert shapes(model, [(128, 128, 256), (32, 32, 2048)], names) == [
        *((32, 32, 256), (128, 128, 48), (128, 128, 304), (128, 128, 256)),
    ]


def test_segformer_b0_has_the_parameters_of_the_paper_and_of_keras_hub():
    """Xie et al., SegFormer, 2021, table 1: 0.4 M of 3.8 M in the head, for 150 classes.

    KerasHub's segformer_b0_cityscapes_1024, of 19 classes, has 3,719,027.
    """
    model = architecture("segformer_b0", 19)
    assert learned(model) == 3_719_027
    projections = sum(convolution(1, channels, 256) for channels in (32, 64, 160, 256))
    mix = normalized(1, 4 * 256, 256)
    outer = sum(layer.count_params() for layer in model.layers if layer.name.startswith("project"))
    assert outer == projections
    head = projections + mix + convolution(1, 256, 150)
    assert round(head / 1e6, 1) == 0.4
    assert round((learned(model) + 131 * 257) / 1e6, 1) == 3.8
    names = ["project32", "project32_up", "project4", "project_join", "mix_relu"]
    assert shapes(model, [(512, 512, 3)], names) == [
        *((16, 16, 256), (128, 128, 256), (128, 128, 256), (128, 128, 1024), (128, 128, 256)),
    ]
    first = model.get_layer("project_join").input[0]
    assert first is model.get_layer("project32_up").output


def test_lraspp_has_the_parameters_of_torchvision():
    """Howard et al., Searching for MobileNetV3, 2019, figure 10.

    torchvision's lraspp_mobilenet_v3_large, whose documentation says 3,221,538, sums two
    convolutions to 21 classes with a bias each; ours is one on both joined, with one bias.
    """
    model = architecture("lraspp", 21)
    assert learned(model) == 3_221_538 - 21
    coarse, fine = 960, 40
    alone = decoder_alone(decoders.lraspp, {8: fine, 16: coarse})
    assert learned(alone) == normalized(1, coarse, 128) + convolution(1, coarse, 128, bias=False)
    names = ["coarse_relu", "mean_weights", "coarse_up", "fine_join", "classes"]
    assert shapes(model, [(512, 512, 3)], names) == [
        *((32, 32, 128), (1, 1, 128), (64, 64, 128), (64, 64, 168), (64, 64, 21)),
    ]


@pytest.mark.parametrize(
    ("name", "decode", "channels", "last"),
    [
        ("deeplab_v3_plus", decoders.deeplab_v3_plus, {4: 64, 16: 512}, 256),
        ("pspnet", decoders.pspnet, {8: 512}, 512),
        ("fpn", decoders.fpn, {4: 64, 8: 128, 16: 256, 32: 512}, 128),
    ],
)
def test_whole_networks_are_the_parts_that_were_counted(name, decode, channels, last):
    """On ResNet-18, which is quick to build; the papers' have 50 and 101 layers."""
    head = decoder_alone(decode, channels)
    found = learned(architecture(name, 21, encoder_name="resnet18"))
    assert found == RESNET18 + learned(head) + convolution(1, last, 21)
