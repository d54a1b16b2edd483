"""The Mix Transformer: features at four strides by attention between pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from maskwright.errors import ConfigError
from maskwright.models.blocks import Norm, Tensor
from maskwright.models.encoders.base import IMAGENET_MEAN, IMAGENET_STD, Encoder, PixelFormat
from maskwright.models.encoders.layers import EfficientAttention, Gelu, StochasticDepth

_REDUCTIONS = (8, 4, 2, 1)
_HEADS = (1, 2, 5, 8)
_EXPANSION = 4
_DROPPED = 0.1  # of the last block, in training; the first has none


@dataclass(frozen=True)
class Size:
    """A member of the family: channels at strides 4, 8, 16 and 32, and blocks at those strides."""

    widths: tuple[int, int, int, int]
    blocks: tuple[int, int, int, int]


_WIDE = (64, 128, 320, 512)

MIX_TRANSFORMERS = {
    "mit_b0": Size((32, 64, 160, 256), (2, 2, 2, 2)),
    "mit_b1": Size(_WIDE, (2, 2, 2, 2)),
    "mit_b2": Size(_WIDE, (3, 4, 6, 3)),
    "mit_b3": Size(_WIDE, (3, 4, 18, 3)),
    "mit_b4": Size(_WIDE, (3, 8, 27, 3)),
    "mit_b5": Size(_WIDE, (3, 6, 40, 3)),
}


def mix_transformer(
    name: str, pixels: PixelFormat, _widths: Sequence[int], _norm: Norm, output_stride: int
) -> Encoder:
    """Overlapping patches, blocks of attention and of a feed-forward with a 3x3 inside.

    Patches of 7x7 with stride 4, then 3x3 with stride 2, and a normalization after each stage,
    whose output the next stage takes too. There is no positional encoding: the 3x3 depthwise
    convolutions see where the border is. Height and width are multiples of 32. `name` is one of
    `MIX_TRANSFORMERS`; widths and normalization are its own. `ConfigError` if `output_stride` is
    not 32, for there is no dilation.

    Source: Xie et al., SegFormer, 2021, table 6, with GELU in its approximated form, see `Gelu`.
    """
    if output_stride != 32:
        raise ConfigError(
            "Mix Transformers do not support dilation; expected an output stride of 32, or another "
            f"encoder; received {output_stride}."
        )
    size = MIX_TRANSFORMERS[name]
    images = keras.Input(pixels.shape)
    x = pixels.scaling(IMAGENET_MEAN, IMAGENET_STD)(images)
    dropped = iter(np.linspace(0, _DROPPED, sum(size.blocks)))
    features = {}
    for stage, (width, blocks) in enumerate(zip(size.widths, size.blocks, strict=True)):
        stride = 4 * 2**stage
        x = _patches(x, width, 4 if stage == 0 else 2, f"stride{stride}_patches")
        for block in range(blocks):
            prefix, rate = f"stride{stride}_block{block + 1}", float(next(dropped))
            y = layers.LayerNormalization(epsilon=1e-6, name=f"{prefix}_attention_norm")(x)
            y = EfficientAttention(_HEADS[stage], _REDUCTIONS[stage], name=f"{prefix}_attention")(y)
            x = _added(x, y, rate, f"{prefix}_attention")
            y = layers.LayerNormalization(epsilon=1e-6, name=f"{prefix}_mix_norm")(x)
            x = _added(x, _mixed(y, width, f"{prefix}_mix"), rate, f"{prefix}_mix")
        x = layers.LayerNormalization(epsilon=1e-6, name=f"stride{stride}_norm")(x)
        features[stride] = x
    return Encoder(keras.Model(images, list(features.values()), name="encoder"), tuple(features))


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
