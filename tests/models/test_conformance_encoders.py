"""Encoders against the parameter counts and feature channels that were published."""

import numpy as np
import pytest

from maskwright.models import encoder

pytestmark = pytest.mark.conformance

# Parameters of the whole network as keras.io/api/applications lists them (in millions there, in
# full in the networks' summaries), those of the parts that are left out here, channels by stride.
DENSE_1280, DENSE_2048, WIDENING = 1_281_000, 2_049_000, 320 * 1280 + 4 * 1280
PUBLISHED = {
    # Howard et al. 2017, table 1; Sandler et al. 2018, table 2 (features before the projection
    # with stride, which Keras's segmentation tutorial takes too).
    "mobilenet": (4_253_864, 1_025_000, {2: 64, 4: 128, 8: 256, 16: 512, 32: 1024}),
    "mobilenet_v2": (3_538_984, DENSE_1280 + WIDENING, {2: 96, 4: 144, 8: 192, 16: 576, 32: 320}),
    # Tan and Le 2019, table 1. Keras counts mean, variance and number of pixels: 7 constants.
    "efficientnet_b0": (
        5_330_571,
        DENSE_1280 + WIDENING + 7,
        {2: 96, 4: 144, 8: 240, 16: 672, 32: 320},
    ),
    # The tensors in the files of these names' packages; TensorFlow lists 4.7 M and 6.1 M.
    "efficientnet_lite0": (
        4_694_024,
        DENSE_1280 + WIDENING,
        {2: 96, 4: 144, 8: 240, 16: 672, 32: 320},
    ),
    "efficientnet_lite2": (
        6_150_168,
        DENSE_1280 + 352 * 1280 + 4 * 1280,
        {2: 96, 4: 144, 8: 288, 16: 720, 32: 352},
    ),
    # He et al. 2016, table 1.
    "resnet50": (25_636_712, DENSE_2048, {2: 64, 4: 256, 8: 512, 16: 1024, 32: 2048}),
    # Huang et al. 2017, table 1: a transition keeps half of 256, 512 and 1024.
    "densenet121": (8_062_504, 1_025_000, {2: 64, 4: 128, 8: 256, 16: 512, 32: 1024}),
    # Simonyan and Zisserman 2015, table 1, column D; three dense layers are left out.
    "vgg16": (
        138_357_544,
        102_764_544 + 16_781_312 + 4_097_000,
        {1: 64, 2: 128, 4: 256, 8: 512, 16: 512, 32: 512},
    ),
    # Chollet 2017, figure 5; Szegedy et al. 2016, table 1.
    "xception": (22_910_480, DENSE_2048, {2: 128, 4: 256, 8: 728, 16: 1024, 32: 2048}),
    "inception_v3": (23_851_784, DENSE_2048, {2: 64, 4: 192, 8: 288, 16: 768, 32: 2048}),
}


def channels(encode):
    widths = [output.shape[-1] for output in encode.model.outputs]
    return dict(zip(encode.strides, widths, strict=True))


def learned(encode):
    return sum(int(np.prod(v.shape)) for v in encode.model.trainable_variables)


@pytest.mark.parametrize("name", PUBLISHED)
def test_families_have_the_parameters_and_channels_of_the_published_networks(name):
    whole, left_out, expected = PUBLISHED[name]
    encode = encoder(name)
    assert encode.model.count_params() == whole - left_out
    assert channels(encode) == expected


def test_resnet18_has_torchvisions_parameters_without_the_dense_layer():
    # torchvision lists 11,689,512 with 512 * 1000 + 1000 of the dense layer; it counts what learns.
    encode = encoder("resnet18")
    assert learned(encode) == 11_689_512 - 513_000 == 11_176_512
    assert channels(encode) == {2: 64, 4: 64, 8: 128, 16: 256, 32: 512}


def test_resnet34_has_torchvisions_parameters_without_the_dense_layer():
    assert learned(encoder("resnet34")) == 21_797_672 - 513_000


def test_resnet50_has_torchvisions_parameters_without_the_dense_layer():
    encode = encoder("resnet50_v1_5")
    assert learned(encode) == 25_557_032 - DENSE_2048 == 23_508_032
    assert channels(encode) == {2: 64, 4: 256, 8: 512, 16: 1024, 32: 2048}


@pytest.mark.parametrize(
    ("name", "listed", "widths"),
    [
        ("mit_b0", 3_321_962, [32, 64, 160, 256]),
        ("mit_b1", 13_156_554, [64, 128, 320, 512]),
        ("mit_b2", 24_201_418, [64, 128, 320, 512]),
    ],
)
def test_mix_transformers_have_the_listed_parameters(name, listed, widths):
    # KerasHub's presets (mit_presets.py) count a classifier of ten classes on the last features.
    encode = encoder(name)
    assert encode.model.count_params() == listed - 10 * (widths[-1] + 1)
    # Xie et al. 2021, table 6.
    assert channels(encode) == dict(zip((4, 8, 16, 32), widths, strict=True))


def test_residual_encoder_is_that_of_the_residual_u_net():
    # Zhang et al. 2018, table I: two 3x3 convolutions at each of 64, 128, 256 and 512 channels,
    # halved by the first; here with the 1x1 convolutions of the shortcuts, and without biases.
    encode = encoder("residual", widths=(64, 128, 256, 512))
    steps = [(3, 64), (64, 128), (128, 256), (256, 512)]
    kernels = sum(9 * c * w + 9 * w * w + c * w for c, w in steps)
    scales = 2 * (64 + sum(c + w for c, w in steps[1:]))
    assert learned(encode) == kernels + scales
    found = encode(np.zeros((1, 64, 96, 3), np.float32))
    assert {stride: f.shape[1:] for stride, f in found.items()} == {
        stride: (64 // stride, 96 // stride, 64 * stride) for stride in (1, 2, 4, 8)
    }
