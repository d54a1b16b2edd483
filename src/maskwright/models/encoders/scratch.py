"""Encoders that learn from nothing: plain, residual, and the small ResNets."""

from collections.abc import Sequence

import keras
from keras import layers

from maskwright.models.blocks import Norm, Tensor, conv_block, normalization
from maskwright.models.encoders.base import (
    CENTERED,
    IMAGENET_MEAN,
    IMAGENET_STD,
    Encoder,
    PixelFormat,
)
from maskwright.models.encoders.layers import AtrousPooling

RESNETS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}
"""Blocks at strides 4, 8, 16 and 32."""


def plain(pixels: PixelFormat, widths: Sequence[int], norm: Norm, output_stride: int) -> Encoder:
    """Two 3x3 convolutions at each stride, maxima of 2x2 in between.

    Beyond `output_stride` the maxima are taken at every pixel, and the convolutions are dilated.
    """
    images = keras.Input(pixels.shape)
    x = pixels.scaling(CENTERED, CENTERED)(images)
    features = {}
    for level, width in enumerate(widths):
        stride, dilation = _placed(level, output_stride)
        name = f"stride{2**level}"
        if level and dilation == 1:
            x = layers.MaxPooling2D(name=f"{name}_pool")(x)
        elif level:
            before = dilation // 2
            x = AtrousPooling("max", 2, before, (0, before), name=f"{name}_pool")(x)
        for step in "ab":
            x = conv_block(x, width, dilation=dilation, norm=norm, name=f"{name}{step}")
        features[stride] = x
    return _joined(images, features)


def residual(pixels: PixelFormat, widths: Sequence[int], norm: Norm, output_stride: int) -> Encoder:
    """A pre-activation residual unit at each stride, halved by its first convolution.

    A unit is normalization, ReLU, 3x3 convolution, twice, beside the identity, which is a 1x1
    convolution since the shape changes; the first unit begins with its convolution. Beyond
    `output_stride` nothing is halved, and later convolutions are dilated.

    Source: Zhang et al., Road extraction by deep residual U-Net, 2018, whose encoder and bridge
    this is at widths 64, 128, 256, 512.
    """
    images = keras.Input(pixels.shape)
    x = pixels.scaling(CENTERED, CENTERED)(images)
    features = {}
    for level, width in enumerate(widths):
        stride, dilation = _placed(level, output_stride)
        halves = 2 if level and dilation == 1 else 1
        before = dilation if dilation == 1 else dilation // 2
        name = f"stride{2**level}"
        beside = _convolution(x, width, 1, halves, norm=norm, name=f"{name}_beside")
        for step, by, apart in (("a", halves, before), ("b", 1, dilation)):
            if level or step == "b":
                x = normalization(x, norm, name=f"{name}{step}_norm")
                x = layers.ReLU(name=f"{name}{step}_relu")(x)
            x = _convolution(x, width, 3, by, apart, norm=norm, name=f"{name}{step}_conv")
        x = layers.Add(name=f"{name}_add")([x, beside])
        features[stride] = x
    return _joined(images, features)


def resnet(
    name: str, pixels: PixelFormat, _widths: Sequence[int], norm: Norm, output_stride: int
) -> Encoder:
    """ResNet-18 or ResNet-34: two 3x3 convolutions in every block.

    7x7 convolution to 64 channels with stride 2, maxima of 3x3 with stride 2, then blocks of 64,
    128, 256 and 512 channels; a 1x1 convolution stands for the identity where the shape changes.
    Beyond `output_stride` blocks are dilated instead of halving. Without its top ResNet-18 has
    11,176,512 weights that learn, ResNet-34 21,284,672.

    Source: He et al., Deep residual learning for image recognition, 2016.
    """
    images = keras.Input(pixels.shape)
    x = pixels.scaling(IMAGENET_MEAN, IMAGENET_STD)(images)

    def convolved(x: Tensor, width: int, kernel: int, by: int, apart: int, name: str) -> Tensor:
        x = _convolution(x, width, kernel, by, apart, norm=norm, name=f"{name}_conv")
        return normalization(x, norm, name=f"{name}_norm")

    x = layers.ReLU(name="stem_relu")(convolved(x, 64, 7, 2, 1, "stem"))
    features = {2: x}
    # After a ReLU, the zeros of the padding never win.
    x = layers.ZeroPadding2D(1, name="pool_pad")(x)
    x = layers.MaxPooling2D(3, 2, name="pool")(x)
    for level, blocks in enumerate(RESNETS[name], start=2):
        stride, dilation = _placed(level, output_stride)
        width = 16 * 2**level
        for block in range(blocks):
            prefix = f"stride{2**level}_block{block + 1}"
            first = block == 0 and level > 2
            halves = 2 if first and dilation == 1 else 1
            before = dilation // 2 if first and dilation > 1 else dilation
            beside = convolved(x, width, 1, halves, 1, f"{prefix}_beside") if first else x
            x = layers.ReLU(name=f"{prefix}a_relu")(
                convolved(x, width, 3, halves, before, f"{prefix}a")
            )
            x = convolved(x, width, 3, 1, dilation, f"{prefix}b")
            x = layers.Add(name=f"{prefix}_add")([x, beside])
            x = layers.ReLU(name=f"{prefix}_relu")(x)
        features[stride] = x
    return _joined(images, features)


def _placed(level: int, output_stride: int) -> tuple[int, int]:
    """Stride of a level, and the dilation that takes the place of the rest."""
    stride = min(2**level, output_stride)
    return stride, 2**level // stride


def _joined(images: Tensor, features: dict[int, Tensor]) -> Encoder:
    """The deepest features at each stride; at the output stride those of all levels beyond."""
    return Encoder(keras.Model(images, list(features.values()), name="encoder"), tuple(features))


def _convolution(
    x: Tensor,
    width: int,
    kernel: int,
    strides: int = 1,
    dilation: int = 1,
    *,
    norm: Norm,
    name: str,
) -> Tensor:
    """Convolution padded alike on both sides, with or without stride, so that one in place of the
    other keeps its kernels where they were.
    """
    if strides > 1 and kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    return layers.Conv2D(
        width,
        kernel,
        strides,
        padding="valid" if strides > 1 else "same",
        dilation_rate=dilation if kernel > 1 else 1,
        use_bias=norm.kind == "none",
        kernel_initializer="he_normal",
        name=name,
    )(x)
