"""The networks of `keras.applications` as encoders: their pixels, and where features come from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
from keras import applications

from maskwright.models.encoders.base import CENTERED, IMAGENET_MEAN, IMAGENET_STD

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Family:
    """One network of `keras.applications` as an encoder.

    Args:
        build: The constructor.
        mean: Subtracted from pixels of 0 to 255, RGB, before dividing by `std`, as
            `preprocess_input` of the network does, or its own first layers, which are left out.
        std: See `mean`.
        bgr: The published weights expect blue first.
        options: Further arguments of the constructor.
        taps: Stride to layer, in place of the last layer at that stride.
        top: First layer that widens the features for classification; it and what follows are left
            out.
        side: Of the square images it is built for before it is copied, pixels: layers read off
            this size how to pad, and it is to halve evenly.
    """

    build: Callable[..., keras.Model]
    mean: Triple = CENTERED
    std: Triple = CENTERED
    bgr: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    taps: Mapping[int, str] = field(default_factory=dict)
    top: str | None = None
    side: int = 256


_BARE = {"include_preprocessing": False}
_IMAGENET: dict[str, Any] = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}
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
"""Every network of `keras.applications`.

Inception, Inception-ResNet, Xception and NASNet were made without padding in their first layers,
and the first two also where they halve; here all are padded, so that sizes halve evenly, with the
weights as they are: results differ at the border. ConvNeXt's grouped convolutions are depthwise
ones, which is the same, and its exact GELU is `Gelu`.
"""
