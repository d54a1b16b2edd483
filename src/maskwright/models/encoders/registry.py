"""Encoders by their names, and where the features of pretrained networks lie."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
from keras import applications

from maskwright.errors import ConfigError, ModelError
from maskwright.models.blocks import BATCH, Norm
from maskwright.models.encoders import resnet, scratch
from maskwright.models.encoders.base import IMAGENET, Encoder, PixelFormat, copy_weights, load_file
from maskwright.models.encoders.efficientnet_lite import (
    EFFICIENTNET_LITES,
    efficientnet_lite,
    load_efficientnet_lite,
)
from maskwright.models.encoders.pretrained import Family, pretrained

_BARE = {"include_preprocessing": False}
_IMAGENET: dict[str, Any] = dict(zip(("mean", "std"), IMAGENET, strict=True))
_CAFFE: dict[str, Any] = {"mean": (123.68, 116.779, 103.939), "std": (1, 1, 1), "bgr": True}
_BY_128: dict[str, Any] = {"mean": (128,) * 3, "std": (128,) * 3}


def _resnet_v2(build: Callable[..., keras.Model], eights: int, sixteens: int) -> Family:
    """Taps after the last normalization and ReLU of all channels; later ones have a quarter."""
    blocks = {4: "conv2_block3", 8: f"conv3_block{eights}", 16: f"conv4_block{sixteens}"}
    taps = {stride: f"{block}_preact_relu" for stride, block in blocks.items()}
    return Family(build, taps=taps)


def _nasnet(build: Callable[..., keras.Model], blocks: int) -> Family:
    """Features of whole cells. A first convolution without padding halves 257 to an even 128."""
    taps = {
        2: "stem_bn1",
        4: "reduction_concat_stem_1",
        8: f"normal_concat_{blocks - 1}",
        16: f"normal_concat_{2 * blocks}",
    }
    return Family(build, taps=taps, side=257)


FAMILIES: dict[str, Family] = {
    "mobilenet": Family(applications.MobileNet),
    "mobilenet_v2": Family(applications.MobileNetV2, top="Conv_1"),
    "mobilenet_v3_small": Family(applications.MobileNetV3Small, options=_BARE),
    "mobilenet_v3_large": Family(applications.MobileNetV3Large, options=_BARE),
    **{
        f"efficientnet_b{number}": Family(
            getattr(applications, f"EfficientNetB{number}"), **_IMAGENET, top="top_conv"
        )
        for number in range(8)
    },
    **{
        name: Family(
            partial(efficientnet_lite, name),
            mean=(127,) * 3,
            std=(128,) * 3,
            load=load_efficientnet_lite,
        )
        for name in EFFICIENTNET_LITES
    },
    **{
        f"efficientnet_v2_{size}": Family(
            getattr(applications, f"EfficientNetV2{size.upper()}"),
            **(_IMAGENET if size[0] == "b" else _BY_128),
            options=_BARE,
            top="top_conv",
        )
        for size in ("b0", "b1", "b2", "b3", "s", "m", "l")
    },
    "resnet50": Family(applications.ResNet50, **_CAFFE),
    "resnet101": Family(applications.ResNet101, **_CAFFE),
    "resnet152": Family(applications.ResNet152, **_CAFFE),
    "resnet50_v2": _resnet_v2(applications.ResNet50V2, 4, 6),
    "resnet101_v2": _resnet_v2(applications.ResNet101V2, 4, 23),
    "resnet152_v2": _resnet_v2(applications.ResNet152V2, 8, 36),
    **{
        f"convnext_{size.lower()}": Family(
            getattr(applications, f"ConvNeXt{size}"), **_IMAGENET, options=_BARE
        )
        for size in ("Tiny", "Small", "Base", "Large", "XLarge")
    },
    "densenet121": Family(applications.DenseNet121, **_IMAGENET),
    "densenet169": Family(applications.DenseNet169, **_IMAGENET),
    "densenet201": Family(applications.DenseNet201, **_IMAGENET),
    "vgg16": Family(applications.VGG16, **_CAFFE, taps={1: "block1_conv2"}),
    "vgg19": Family(applications.VGG19, **_CAFFE, taps={1: "block1_conv2"}),
    "xception": Family(applications.Xception),
    "inception_v3": Family(
        applications.InceptionV3, taps={8: "mixed2", 16: "mixed7", 32: "mixed10"}
    ),
    "inception_resnet_v2": Family(
        applications.InceptionResNetV2, taps={8: "block35_10_ac", 16: "block17_20_ac"}
    ),
    "nasnet_mobile": _nasnet(applications.NASNetMobile, 4),
    "nasnet_large": _nasnet(applications.NASNetLarge, 6),
}
"""Every network of `keras.applications`, and EfficientNet-Lite.

Inception, Inception-ResNet, Xception and NASNet were made without padding in their first layers,
and the first two also where they halve; here all are padded, so that sizes halve evenly, with the
weights as they are: results differ at the border. ConvNeXt's grouped convolutions are depthwise
ones, which is the same, and its exact GELU is `Gelu`.
"""

SCRATCH_BUILDERS: Mapping[str, Callable[[PixelFormat, Sequence[int], Norm, int], Encoder]] = {
    "plain": scratch.plain,
    "residual": scratch.residual,
    **{name: partial(resnet.resnet, name) for name in resnet.RESNETS},
    **{name: partial(scratch.mix_transformer, name) for name in scratch.MIX_TRANSFORMERS},
}
"""Encoders without published weights: from pixels, widths, normalization and output stride. Their
names are those of `maskwright.architectures.SCRATCH`."""

ENCODERS = (*SCRATCH_BUILDERS, *FAMILIES)

_RGB = PixelFormat()


def encoder(
    name: str,
    pixels: PixelFormat = _RGB,
    *,
    weights: str | Path | None = None,
    alpha: float = 1.0,
    taps: Mapping[int, str] | None = None,
    widths: Sequence[int] = (32, 64, 128, 256, 512),
    norm: Norm = BATCH,
    output_stride: int = 32,
) -> Encoder:
    """Encoder of a family, as one nested model named `"encoder"` that `freeze` looks up.

    Args:
        name: One of `ENCODERS`.
        pixels: Channels and range of the images. Pretrained first convolutions are adapted: their
            sum over colors is spread evenly over other numbers of channels, extra ones get zeros.
        weights: `"imagenet"` (of `FAMILIES` alone: downloaded by Keras, but for EfficientNet-Lite,
            whose weights are in an installed package), a file, or `None` for random ones. Files of
            `FAMILIES` are those of the network without its top as `keras.applications` writes them,
            and of EfficientNet-Lite also those of its package; of others, those of the same encoder
            for RGB images as `Encoder.model.save_weights` writes them.
        alpha: Width of the MobileNets.
        taps: Stride to layer name, in place of the last layer of each stride; strides left out
            are not given. Only of `FAMILIES`, by the strides that layers have there.
        widths: Channels of the plain and the residual encoder at strides 1, 2, 4, …
        norm: Normalization of the convolutional encoders without published weights; of others,
            whether batch statistics are synchronized.
        output_stride: Coarsest stride, of the deepest features; 8 or 16 trade later strides for
            dilation. Not of the Mix Transformers.

    Raises:
        ConfigError: If the name, or a tap, does not exist, or the encoder lacks what is asked for.
        ModelError: If the weights do not fit.
    """
    if name not in ENCODERS:
        raise ConfigError(f"Expected an encoder of {', '.join(ENCODERS)}; received {name!r}.")
    if output_stride not in (8, 16, 32):
        raise ConfigError(f"Expected an output stride of 8, 16 or 32; received {output_stride}.")
    if alpha != 1.0 and not name.startswith("mobilenet"):
        raise ConfigError(f"Only MobileNets support `alpha`; received {alpha} for {name}.")
    if weights not in (None, "imagenet") and not Path(weights).is_file():
        raise ModelError(
            f'Expected encoder weights "imagenet", none, or a file; there is no file {weights}.'
        )
    if name in FAMILIES:
        return pretrained(
            FAMILIES[name],
            name,
            pixels,
            weights=weights,
            alpha=alpha,
            taps=taps,
            output_stride=output_stride,
            synchronized=norm.synchronized,
        )
    if taps is not None:
        raise ConfigError(f"{name} does not support `taps`; omit them.")
    if weights == "imagenet":
        raise ConfigError(
            f"The encoder {name} has no published weights; omit them, or pass a file."
        )
    made = SCRATCH_BUILDERS[name](pixels, widths, norm, output_stride)
    if weights is not None:
        source = SCRATCH_BUILDERS[name](_RGB, widths, norm, output_stride).model
        load_file(source, name, weights, "check the encoder and its widths")
        for theirs, ours in zip(source.layers, made.model.layers, strict=True):
            copy_weights(theirs, ours, bgr=False, extra=pixels.extra)
    return made
