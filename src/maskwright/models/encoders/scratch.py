"""Encoders that learn from nothing: plain, residual, and Mix Transformers."""

from collections.abc import Sequence

import numpy as np
from keras import layers

from maskwright.errors import ConfigError
from maskwright.models.blocks import Norm, Tensor, conv_block, normalization
from maskwright.models.encoders.base import CENTERED, IMAGENET, Encoder, PixelFormat
from maskwright.models.encoders.layers import (
    AtrousPooling,
    EfficientAttention,
    Gelu,
    StochasticDepth,
)

_WIDE = (64, 128, 320, 512)

MIX_TRANSFORMERS = {
    "mit_b0": ((32, 64, 160, 256), (2, 2, 2, 2)),
    "mit_b1": (_WIDE, (2, 2, 2, 2)),
    "mit_b2": (_WIDE, (3, 4, 6, 3)),
    "mit_b3": (_WIDE, (3, 4, 18, 3)),
    "mit_b4": (_WIDE, (3, 8, 27, 3)),
    "mit_b5": (_WIDE, (3, 6, 40, 3)),
}
"""Channels and blocks at strides 4, 8, 16 and 32."""

_REDUCTIONS = (8, 4, 2, 1)
_HEADS = (1, 2, 5, 8)
_EXPANSION = 4
_DROPPED = 0.1  # of the last block, in training; the first has none


def plain(pixels: PixelFormat, widths: Sequence[int], norm: Norm, output_stride: int) -> Encoder:
    """Two 3x3 convolutions at each stride, maxima of 2x2 in between.

    Beyond `output_stride` the maxima are taken at every pixel, and the convolutions are dilated.
    """
    images, x = pixels.scaled_input(*CENTERED)
    features = {}
    for level, width in enumerate(widths):
        stride, dilation = placed(level, output_stride)
        name = f"stride{2**level}"
        if level and dilation == 1:
            x = layers.MaxPooling2D(name=f"{name}_pool")(x)
        elif level:
            before = dilation // 2
            x = AtrousPooling("max", 2, before, (0, before), name=f"{name}_pool")(x)
        for step in "ab":
            x = conv_block(x, width, dilation=dilation, norm=norm, name=f"{name}{step}")
        features[stride] = x
    return Encoder.of(images, features)


def residual(pixels: PixelFormat, widths: Sequence[int], norm: Norm, output_stride: int) -> Encoder:
    """A pre-activation residual unit at each stride, halved by its first convolution.

    A unit is normalization, ReLU, 3x3 convolution, twice, beside the identity, which is a 1x1
    convolution since the shape changes; the first unit begins with its convolution. Beyond
    `output_stride` nothing is halved, and later convolutions are dilated.

    Source: Zhang et al., Road extraction by deep residual U-Net, 2018, whose encoder and bridge
    this is at widths 64, 128, 256, 512.
    """
    images, x = pixels.scaled_input(*CENTERED)
    features = {}
    for level, width in enumerate(widths):
        stride, dilation = placed(level, output_stride)
        halves = 2 if level and dilation == 1 else 1
        before = max(dilation // 2, 1)
        name = f"stride{2**level}"
        beside = convolution(x, width, 1, halves, norm=norm, name=f"{name}_beside")
        for step, by, apart in (("a", halves, before), ("b", 1, dilation)):
            if level or step == "b":
                x = normalization(x, norm, name=f"{name}{step}_norm")
                x = layers.ReLU(name=f"{name}{step}_relu")(x)
            x = convolution(x, width, 3, by, apart, norm=norm, name=f"{name}{step}_conv")
        x = layers.Add(name=f"{name}_add")([x, beside])
        features[stride] = x
    return Encoder.of(images, features)


def placed(level: int, output_stride: int) -> tuple[int, int]:
    """Stride of a level, and the dilation that takes the place of the rest."""
    stride = min(2**level, output_stride)
    return stride, 2**level // stride


def convolution(
    x: Tensor,
    width: int,
    kernel: int,
    strides: int = 1,
    dilation: int = 1,
    *,
    norm: Norm,
    name: str,
) -> Tensor:
    """Convolution padded alike on both sides, with and without stride: kernels stay in place."""
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


def mix_transformer(
    name: str, pixels: PixelFormat, _widths: Sequence[int], _norm: Norm, output_stride: int
) -> Encoder:
    """Overlapping patches, blocks of attention and of a feed-forward with a 3x3 inside.

    Patches of 7x7 with stride 4, then 3x3 with stride 2, and a normalization after each stage,
    whose output the next stage takes too. There is no positional encoding. Height and width are
    multiples of 32. `name` is one of `MIX_TRANSFORMERS`; widths and normalization are its own.
    `ConfigError` if `output_stride` is not 32, for there is no dilation.

    Source: Xie et al., SegFormer, 2021, table 6, with GELU in its approximated form, see `Gelu`.
    """
    if output_stride != 32:
        raise ConfigError(
            "Mix Transformers do not support dilation; expected an output stride of 32, or another "
            f"encoder; received {output_stride}."
        )
    images, x = pixels.scaled_input(*IMAGENET)
    sizes = list(zip(*MIX_TRANSFORMERS[name], strict=True))
    rates = iter(np.linspace(0, _DROPPED, sum(blocks for _, blocks in sizes)))
    features = {}
    for stage, (width, blocks) in enumerate(sizes):
        stride = 4 * 2**stage
        x = _patches(x, width, 4 if stage == 0 else 2, f"stride{stride}_patches")
        for block in range(blocks):
            prefix, rate = f"stride{stride}_block{block + 1}", float(next(rates))
            y = layers.LayerNormalization(epsilon=1e-6, name=f"{prefix}_attention_norm")(x)
            y = EfficientAttention(_HEADS[stage], _REDUCTIONS[stage], name=f"{prefix}_attention")(y)
            x = _added(x, y, rate, f"{prefix}_attention")
            y = layers.LayerNormalization(epsilon=1e-6, name=f"{prefix}_mix_norm")(x)
            x = _added(x, _mixed(y, width, f"{prefix}_mix"), rate, f"{prefix}_mix")
        x = layers.LayerNormalization(epsilon=1e-6, name=f"stride{stride}_norm")(x)
        features[stride] = x
    return Encoder.of(images, features)


def _patches(x: Tensor, width: int, stride: int, name: str) -> Tensor:
    """Convolution that reaches one step beyond its stride, then normalization."""
    kernel = 2 * stride - 1
    x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    x = layers.Conv2D(width, kernel, stride, name=f"{name}_conv")(x)
    return layers.LayerNormalization(epsilon=1e-5, name=f"{name}_norm")(x)


def _mixed(x: Tensor, width: int, name: str) -> Tensor:
    """Feed-forward network of each pixel that looks at its neighbors half-way."""
    x = layers.Dense(_EXPANSION * width, name=f"{name}_widen")(x)
    x = layers.DepthwiseConv2D(3, padding="same", name=f"{name}_conv")(x)
    x = Gelu(name=f"{name}_gelu")(x)
    return layers.Dense(width, name=f"{name}_narrow")(x)


def _added(x: Tensor, branch: Tensor, rate: float, name: str) -> Tensor:
    if rate:
        branch = StochasticDepth(rate, name=f"{name}_depth")(branch)
    return layers.Add(name=f"{name}_add")([x, branch])
