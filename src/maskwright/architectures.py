"""Published networks as plain values, so that settings know them without loading Keras."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SCRATCH = (
    *("plain", "residual", "resnet18", "resnet34", "resnet50_v1_5"),
    *("mit_b0", "mit_b1", "mit_b2", "mit_b3", "mit_b4", "mit_b5"),
)
"""Encoders without published weights; all others are those of `keras.applications`, and
EfficientNet-Lite."""

SEGMENTER = "segmenter"
"""Builder of an encoder with a decoder, `models.SegmenterSpec`."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A published network.

    Args:
        encoder: Name of its encoder in `models.ENCODERS`.
        decoder: Name of its decoder in `models.DECODERS`; one of its own where it is not there.
        note: What is counted, and what differs from the publication.
        builder: Function in `models.BUILDERS`, which takes the `arguments`.
    """

    encoder: str
    decoder: str
    source: str
    note: str
    builder: str = SEGMENTER
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def pretrained(self) -> bool:
        """Whether its encoder has published weights."""
        return self.encoder not in SCRATCH

    def builder_arguments(self) -> dict[str, Any]:
        """Arguments of the builder, encoder and decoder among them where it takes them."""
        named = {"encoder_name": self.encoder, "decoder_name": self.decoder}
        return {**(named if self.builder == SEGMENTER else {}), **self.arguments}


ARCHITECTURES: Mapping[str, Architecture] = {
    "plain_unet": Architecture(
        builder="plain_unet",
        encoder="plain",
        decoder="unet",
        source="Ronneberger et al., U-Net, 2015",
        note="Widths 64 to 1024 without normalization, padded so that masks keep the images' size: "
        "31,030,593 parameters for one channel and one class.",
    ),
    "small": Architecture(
        builder="small",
        encoder="plain",
        decoder="one step without skips",
        source="Keras tutorials",
        note="186,433 parameters for three channels and one class.",
    ),
    "tutorial_unet": Architecture(
        builder="tutorial_unet",
        encoder="mobilenet_v2",
        decoder="pix2pix blocks",
        source="TensorFlow's segmentation tutorial",
        note="6,504,227 parameters for three classes, of which 4,660,323 learn with a "
        "frozen encoder.",
    ),
    "unet_plus_plus": Architecture(
        encoder="plain",
        decoder="unet_plus_plus",
        arguments={
            "encoder_widths": (32, 64, 128, 256, 512),
            "widths": (256, 128, 64, 32),
            "norm": "none",
        },
        source="Zhou et al., UNet++, 2018, table 3",
        note="9.04 M parameters. Their dropout inside the nodes is left out.",
    ),
    "attention_unet": Architecture(
        encoder="plain",
        decoder="attention_unet",
        arguments={"encoder_widths": (16, 32, 64, 128, 256), "widths": (128, 64, 32, 16)},
        source="Oktay et al., Attention U-Net, 2018",
        note="Three gates, in two dimensions: the paper's 3x3x3 convolutions, 5.88 M weights "
        "without the gates, are 3x3 here.",
    ),
    "resunet": Architecture(
        encoder="residual",
        decoder="resunet",
        arguments={"encoder_widths": (64, 128, 256, 512), "widths": (256, 128, 64)},
        source="Zhang, Liu, Wang, Road extraction by deep residual U-Net, 2018, table 1",
        note="7.8 M parameters in fifteen convolutions; 0.43 M more in the 1x1 convolutions beside "
        "the units, which the table does not list.",
    ),
    "unet_3plus": Architecture(
        encoder="plain",
        decoder="unet_3plus",
        arguments={"encoder_widths": (64, 128, 256, 512, 1024), "head": "convolution"},
        source="Huang et al., UNet 3+, 2020",
        note="26.97 M parameters, without the classification-guided module.",
    ),
    "linknet": Architecture(
        encoder="resnet18",
        decoder="linknet",
        arguments={"decoder_options": {"finest": 4}, "head": "transposed"},
        source="Chaurasia and Culurciello, LinkNet, 2017, figure 1",
        note="11.5 M parameters.",
    ),
    "fpn": Architecture(
        encoder="resnet50",
        decoder="fpn",
        arguments={"norm": "group"},
        source="Kirillov et al., Panoptic feature pyramid networks, 2019",
        note="28.5 M parameters for 150 classes.",
    ),
    "pspnet": Architecture(
        encoder="resnet50",
        decoder="pspnet",
        arguments={"output_stride": 8, "dropout": 0.1},
        source="Zhao et al., Pyramid scene parsing network, 2017",
        note="Dropout falls on channels; the auxiliary head stands on the next finer stride.",
    ),
    "deeplab_v3": Architecture(
        encoder="mobilenet_v2",
        decoder="deeplab_v3",
        arguments={"output_stride": 16},
        source="Chen et al., Rethinking atrous convolution, 2017; Sandler et al., MobileNetV2, "
        "2018, table 7",
        note="4.52 M parameters for 21 classes, without the last layer of MobileNetV2.",
    ),
    "deeplab_v3_plus": Architecture(
        encoder="resnet101",
        decoder="deeplab_v3_plus",
        arguments={"output_stride": 16},
        source="Chen et al., Encoder-decoder with atrous separable convolution, 2018, section 4.2",
        note="Plain 3x3 convolutions; ResNet as first published, without multi-grid.",
    ),
    "segformer_b0": Architecture(
        encoder="mit_b0",
        decoder="segformer",
        arguments={"dropout": 0.1},
        source="Xie et al., SegFormer, 2021, table 1",
        note="3.8 M parameters for 150 classes; dropout falls on channels.",
    ),
    "lraspp": Architecture(
        encoder="mobilenet_v3_large",
        decoder="lraspp",
        arguments={
            "taps": {8: "expanded_conv_5_add", 32: "conv_1_bn"},
            "output_stride": 16,
            "decoder_options": {"coarse_activation": "hard_swish"},
        },
        source="Howard et al., Searching for MobileNetV3, 2019, figure 10",
        note="3.22 M parameters for 21 classes. Fine features: 40 channels at stride 8; coarse "
        "ones: 960 at stride 16.",
    ),
}
"""Networks that the setting `preset` takes, by name."""
