"""Whole networks of papers, put together from our encoders and decoders with the papers' numbers.

Each is a function of `num_classes`, and by keyword `channels` of the images and `pixel_range`, the
values that stand for black and white, as in `presets`. Those on a pretrained encoder take its
`weights`, see `encoder`, and where papers try several, `encoder_name` names another. Logits come at
the size of the image, from a 1x1 convolution and bilinear enlargement where nothing else is said.
`deep_supervision` adds the logits of auxiliary heads where the paper has them; see `segmenter`.

What learns is counted in `tests/models/test_conformance_decoders.py` against what was published.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras
from keras import layers

from maskwright.models import decoders
from maskwright.models.blocks import BilinearUpsampling, Tensor
from maskwright.models.decoders import Decoded
from maskwright.models.encoders import Features, encoder
from maskwright.models.segmenter import segmenter

Range = tuple[float, float]
Weights = str | Path | None

_BYTES = (0.0, 255.0)


def unet_plus_plus(
    num_classes: int,
    *,
    channels: int = 3,
    pixel_range: Range = _BYTES,
    deep_supervision: bool = False,
) -> keras.Model:
    """U-Net++ of widths 32 to 512, transposed convolutions, no normalization: 9.04 M parameters.

    Source: Zhou et al., UNet++, 2018, table 3. Their dropout inside the nodes is left out.
    """
    encode = encoder(
        "plain",
        widths=(32, 64, 128, 256, 512),
        channels=channels,
        pixel_range=pixel_range,
        norm="none",
    )
    decode = partial(decoders.unet_plus_plus, widths=(256, 128, 64, 32), norm="none")
    return segmenter(
        encode, decode, num_classes, channels=channels, deep_supervision=deep_supervision
    )


def attention_unet(
    num_classes: int, *, channels: int = 3, pixel_range: Range = _BYTES
) -> keras.Model:
    """Attention U-Net of widths 16 to 256, with three gates, in two dimensions.

    The paper's is in three: its 3x3x3 convolutions, 5.88 M weights without the gates, are 3x3 here.

    Source: Oktay et al., Attention U-Net, 2018.
    """
    encode = encoder(
        "plain", widths=(16, 32, 64, 128, 256), channels=channels, pixel_range=pixel_range
    )
    decode = partial(decoders.attention_unet, widths=(128, 64, 32, 16))
    return segmenter(encode, decode, num_classes, channels=channels)


def resunet(num_classes: int, *, channels: int = 3, pixel_range: Range = _BYTES) -> keras.Model:
    """ResUNet of three levels and a bridge, 64-128-256 and 512: fifteen convolutions, 7.8 M.

    The 1x1 convolutions beside the units, where channels change, are 0.43 M more; the paper's table
    does not list them.

    Source: Zhang, Liu, Wang, Road extraction by deep residual U-Net, 2018, table 1.
    """
    encode = encoder(
        "residual", widths=(64, 128, 256, 512), channels=channels, pixel_range=pixel_range
    )
    decode = partial(decoders.resunet, widths=(256, 128, 64))
    return segmenter(encode, decode, num_classes, channels=channels)


def unet_3plus(
    num_classes: int,
    *,
    channels: int = 3,
    pixel_range: Range = _BYTES,
    deep_supervision: bool = False,
) -> keras.Model:
    """U-Net 3+ of widths 64 to 1024: 26.97 M parameters. Its head is a 3x3 convolution.

    Source: Huang et al., UNet 3+, 2020, without the classification-guided module.
    """
    encode = encoder(
        "plain", widths=(64, 128, 256, 512, 1024), channels=channels, pixel_range=pixel_range
    )

    def head(x: Tensor, classes: int, stride: int) -> Tensor:
        x = layers.Conv2D(classes, 3, padding="same", name="classes")(x)
        return BilinearUpsampling(stride, dtype="float32", name="enlarge")(x)

    return segmenter(
        encode,
        decoders.unet_3plus,
        num_classes,
        channels=channels,
        head=head,
        deep_supervision=deep_supervision,
    )


def linknet(num_classes: int, *, channels: int = 3, pixel_range: Range = _BYTES) -> keras.Model:
    """LinkNet on ResNet-18, with a transposed 2x2 convolution to the classes: 11.5 M parameters.

    Source: Chaurasia and Culurciello, LinkNet, 2017, figure 1.
    """
    encode = encoder("resnet18", channels=channels, pixel_range=pixel_range)

    def decode(features: Features) -> Decoded:
        # The 7x7 convolution at stride 2 gives no skip.
        return decoders.linknet({stride: x for stride, x in features.items() if stride > 2})

    def head(x: Tensor, classes: int, stride: int) -> Tensor:
        return layers.Conv2DTranspose(classes, stride, stride, name="classes")(x)

    return segmenter(encode, decode, num_classes, channels=channels, head=head)


def fpn(
    num_classes: int,
    *,
    channels: int = 3,
    pixel_range: Range = _BYTES,
    encoder_name: str = "resnet50",
    weights: Weights = None,
) -> keras.Model:
    """Semantic FPN on ResNet-50, normalized by groups: 28.5 M parameters for 150 classes.

    Source: Kirillov et al., Panoptic feature pyramid networks, 2019.
    """
    encode = encoder(encoder_name, channels=channels, pixel_range=pixel_range, weights=weights)
    decode = partial(decoders.fpn, norm="group")
    return segmenter(encode, decode, num_classes, channels=channels)


def pspnet(
    num_classes: int,
    *,
    channels: int = 3,
    pixel_range: Range = _BYTES,
    encoder_name: str = "resnet50",
    weights: Weights = None,
    output_stride: int = 8,
    deep_supervision: bool = False,
) -> keras.Model:
    """PSPNet on a dilated ResNet-50; its dropout of 0.1 before the classes falls on channels.

    Source: Zhao et al., Pyramid scene parsing network, 2017. The auxiliary head stands on the next
    finer stride, see `decoders.pspnet`.
    """
    encode = encoder(
        encoder_name,
        channels=channels,
        pixel_range=pixel_range,
        weights=weights,
        output_stride=output_stride,
    )
    return segmenter(
        encode,
        decoders.pspnet,
        num_classes,
        channels=channels,
        dropout=0.1,
        deep_supervision=deep_supervision,
    )


def deeplab_v3(
    num_classes: int,
    *,
    channels: int = 3,
    pixel_range: Range = _BYTES,
    encoder_name: str = "mobilenet_v2",
    weights: Weights = None,
    output_stride: int = 16,
) -> keras.Model:
    """DeepLabV3 on MobileNetV2 without its last layer: 4.52 M parameters for 21 classes.

    Sources: Chen et al., Rethinking atrous convolution, 2017; the network with MobileNetV2 is that
    of Sandler et al., MobileNetV2, 2018, table 7.
    """
    encode = encoder(
        encoder_name,
        channels=channels,
        pixel_range=pixel_range,
        weights=weights,
        output_stride=output_stride,
    )
    return segmenter(encode, decoders.deeplab_v3, num_classes, channels=channels)


def deeplab_v3_plus(
    num_classes: int,
    *,
    channels: int = 3,
    pixel_range: Range = _BYTES,
    encoder_name: str = "resnet101",
    weights: Weights = None,
    output_stride: int = 16,
) -> keras.Model:
    """DeepLabV3+ on a dilated ResNet-101, with plain 3x3 convolutions.

    Source: Chen et al., Encoder-decoder with atrous separable convolution, 2018, section 4.2. The
    encoder is ResNet as it was published first, without multi-grid: all units of the last
    stage are dilated alike.
    """
    encode = encoder(
        encoder_name,
        channels=channels,
        pixel_range=pixel_range,
        weights=weights,
        output_stride=output_stride,
    )
    return segmenter(encode, decoders.deeplab_v3_plus, num_classes, channels=channels)


def segformer_b0(
    num_classes: int,
    *,
    channels: int = 3,
    pixel_range: Range = _BYTES,
    weights: Weights = None,
) -> keras.Model:
    """SegFormer-B0: 3.8 M parameters for 150 classes; dropout of 0.1 falls on channels.

    Source: Xie et al., SegFormer, 2021, table 1.
    """
    encode = encoder("mit_b0", channels=channels, pixel_range=pixel_range, weights=weights)
    return segmenter(encode, decoders.segformer, num_classes, channels=channels, dropout=0.1)


def lraspp(
    num_classes: int,
    *,
    channels: int = 3,
    pixel_range: Range = _BYTES,
    weights: Weights = None,
) -> keras.Model:
    """LR-ASPP on MobileNetV3-Large, dilated to stride 16: 3.22 M parameters for 21 classes.

    The fine features are the 40 channels after the last block at stride 8, the coarse ones the 960
    before pooling.

    Source: Howard et al., Searching for MobileNetV3, 2019, figure 10, at its full width; their
    lighter ones halve the channels of the last block.
    """
    encode = encoder(
        "mobilenet_v3_large",
        channels=channels,
        pixel_range=pixel_range,
        weights=weights,
        taps={8: "expanded_conv_5_add", 32: "conv_1_bn"},
        output_stride=16,
    )

    def decode(features: Features) -> Decoded:
        # Keras numbers the last activation anew in every model, so that it cannot be tapped.
        coarse = layers.Activation("hard_swish", name="coarse_activation")(features[16])
        return decoders.lraspp({**features, 16: coarse})

    return segmenter(encode, decode, num_classes, channels=channels)


PAPERS: dict[str, Callable[..., keras.Model]] = {
    "unet_plus_plus": unet_plus_plus,
    "attention_unet": attention_unet,
    "resunet": resunet,
    "unet_3plus": unet_3plus,
    "linknet": linknet,
    "fpn": fpn,
    "pspnet": pspnet,
    "deeplab_v3": deeplab_v3,
    "deeplab_v3_plus": deeplab_v3_plus,
    "segformer_b0": segformer_b0,
    "lraspp": lraspp,
}
"""Builders by name."""
