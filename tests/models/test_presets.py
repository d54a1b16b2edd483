"""Known networks against the parameter counts and shapes that were published."""

import numpy as np
import pytest

from maskwright.architectures import ARCHITECTURES, SCRATCH, SEGMENTER
from maskwright.errors import ConfigError
from maskwright.models import (
    DECODERS,
    ENCODERS,
    Blueprint,
    SegmenterSpec,
    architecture,
    freeze,
    plain_unet,
    small,
    tutorial_unet,
)

pytestmark = pytest.mark.conformance


def learned(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def convolution(size, channels, width):
    return size * size * channels * width + width


def test_plain_unet_has_the_parameters_of_the_paper_with_padding():
    # Ronneberger et al. 2015, figure 1: two 3x3 at each level, 2x2 up, 1x1 at the end.
    widths = [64, 128, 256, 512, 1024]
    down = sum(
        convolution(3, channels, width) + convolution(3, width, width)
        for channels, width in zip([1, *widths], widths, strict=False)
    )
    up = sum(
        convolution(2, 2 * width, width)
        + convolution(3, 2 * width, width)
        + convolution(3, width, width)
        for width in widths[:-1]
    )
    model = plain_unet(1, channels=1)
    assert model.count_params() == down + up + convolution(1, 64, 1) == 31_030_593
    assert plain_unet(4).count_params() - model.count_params() == 2 * 9 * 64 + 3 * (64 + 1)


def test_plain_unet_halves_four_times_and_doubles_its_widths():
    encoder = plain_unet(1, channels=1).get_layer("encoder")
    found = [tuple(output.shape[1:]) for output in encoder(np.zeros((1, 256, 256, 1), np.float32))]
    assert found == [(256 >> n, 256 >> n, 64 << n) for n in range(5)]


def test_tutorial_unet_has_the_tutorials_parameters():
    model = tutorial_unet(3)
    freeze(model, frozen=True)
    assert (model.count_params(), learned(model)) == (6_504_227, 4_660_323)


def test_tutorial_unet_joins_what_the_tutorial_joins():
    model = tutorial_unet(3)
    joined = [model.get_layer(f"join{stride}").output.shape[-1] for stride in (16, 8, 4, 2)]
    assert joined == [512 + 576, 256 + 192, 128 + 144, 64 + 96]


def test_tutorial_unet_takes_other_layers():
    taps = {2: "expanded_conv_project_BN", 4: "block_2_add", 8: "block_5_add"}
    model = tutorial_unet(3, taps={**taps, 16: "block_12_add", 32: "block_16_project_BN"})
    joined = [model.get_layer(f"join{stride}").output.shape[-1] for stride in (16, 8, 4, 2)]
    assert joined == [512 + 96, 256 + 32, 128 + 24, 64 + 16]
    with pytest.raises(ConfigError, match="strides 2, 4, 8, 16 and 32"):
        tutorial_unet(3, taps=taps)


def test_small_has_five_convolutions():
    expected = [(3, 3, 64), (3, 64, 64), (3, 64, 128), (3, 128, 64), (1, 64, 1)]
    assert small(1).count_params() == sum(convolution(*one) for one in expected) == 186_433


@pytest.mark.parametrize("build", [plain_unet, tutorial_unet, small])
def test_presets_give_logits_of_the_size_of_the_image(build):
    assert build(2)(np.zeros((1, 37, 50, 3), np.float32)).shape == (1, 37, 50, 2)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_file_holds_how_a_published_network_is_built(name):
    item = ARCHITECTURES[name]
    assert item.encoder in ENCODERS
    assert item.builder != SEGMENTER or item.decoder in DECODERS
    text = Blueprint(item.builder, {"num_classes": 2, **item.builder_arguments()}).to_json()
    assert Blueprint.from_json(text).to_json() == text


def test_published_weights_are_those_of_the_encoder():
    assert ARCHITECTURES["fpn"].pretrained
    assert not ARCHITECTURES["linknet"].pretrained  # on ResNet-18
    assert "resnet18" in SCRATCH


def test_what_a_published_network_lacks_is_told():
    with pytest.raises(ConfigError, match=r"Expected one of plain_unet, .*received 'unet'"):
        architecture("unet", 2)
    with pytest.raises(ConfigError, match="small has no argument deep_supervision"):
        architecture("small", 2, deep_supervision=True)


def test_a_u_net_on_narrow_widths_climbs_by_the_same_in_reverse():
    made = SegmenterSpec(num_classes=2, encoder_widths=(8, 16, 32), decoder_name="unet").build()
    decoded = [layer for layer in made.layers if layer.name.endswith("b_conv")]
    assert [layer.filters for layer in decoded if layer.name.startswith("decode")] == [16, 8]
