"""Layers and small pieces of network that encoders and decoders are made of."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import keras
import tensorflow as tf
from keras import layers, ops

from maskwright.errors import ConfigError

Tensor = Any
NormKind = Literal["batch", "group", "instance", "none"]
NORMS = get_args(NormKind)
"""Normalizations that `normalization` knows."""


@dataclass(frozen=True)
class Norm:
    """A normalization of channels.

    Args:
        kind: `"batch"` over batch and pixels; `"group"` over pixels and groups of channels, up to
            32, of each image alone, which suits small batches; `"instance"` over the pixels of each
            image and channel alone; `"none"` leaves features as they are.
        synchronized: Batch statistics over all workers, not each for itself.
    """

    kind: NormKind = "batch"
    synchronized: bool = False


BATCH = Norm()


def resized(x: Tensor, size: tuple[Any, Any]) -> Tensor:
    """`(b, h, w, c)` at another height and width: bilinear, with half-pixel centers."""
    return tf.cast(tf.image.resize(x, size), x.dtype)


@keras.saving.register_keras_serializable(package="maskwright")
class BilinearUpsampling(layers.Layer):
    """Enlarge height and width by a whole factor, bilinearly, with half-pixel centers.

    Keras's own `UpSampling2D` fixes the first image's size into the graph when height and width
    are dynamic; this layer follows every image and survives every export.
    """

    def __init__(self, factor: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x: Tensor) -> Tensor:
        """`(b, h, w, c)` to `(b, factor * h, factor * w, c)`."""
        if self.factor == 1:
            return x
        height, width = ops.shape(x)[1:3]
        return resized(x, (height * self.factor, width * self.factor))


@keras.saving.register_keras_serializable(package="maskwright")
class PadToMultiple(layers.Layer):
    """Repeat the last row and column until height and width are multiples of a number.

    An encoder halves the size several times, and every halving must come out even for the decoder
    to meet the skips. Repeating the edge, unlike mirroring, works down to one-pixel images.
    """

    def __init__(self, multiple: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.multiple = multiple

    def call(self, x: Tensor) -> Tensor:
        """`(b, h, w, c)` to the next larger multiples of `h` and `w`."""
        for axis in (1, 2):
            length = ops.shape(x)[axis]
            if isinstance(length, int) and length % self.multiple == 0:
                continue
            padded = (length + self.multiple - 1) // self.multiple * self.multiple
            x = ops.take(x, ops.minimum(ops.arange(padded), length - 1), axis=axis)
        return x


@keras.saving.register_keras_serializable(package="maskwright")
class CropLike(layers.Layer):
    """Cut the first input to the height and width of the second; undoes `PadToMultiple`."""

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        """`[(b, h', w', c), (b, h, w, …)]` to `(b, h, w, c)`."""
        x, like = inputs
        known = tuple(x.shape[1:3])
        if None not in known and known == tuple(like.shape[1:3]):
            return x
        height, width = ops.shape(like)[1:3]
        return x[:, :height, :width]


def normalization(x: Tensor, norm: Norm, *, name: str | None = None) -> Tensor:
    """Normalize the channels of `(b, h, w, c)`; `ConfigError` if the kind is none of `NORMS`.

    Sources: Ioffe and Szegedy, Batch normalization, 2015; Wu and He, Group normalization, 2018;
    Ulyanov et al., Instance normalization, 2016.
    """
    if norm.kind == "none":
        return x
    if norm.kind == "batch":
        return layers.BatchNormalization(
            momentum=0.9, epsilon=1e-3, synchronized=norm.synchronized, name=name
        )(x)
    if norm.kind in ("group", "instance"):
        groups = x.shape[-1] if norm.kind == "instance" else math.gcd(x.shape[-1], 32)
        return layers.GroupNormalization(groups, epsilon=1e-5, name=name)(x)
    raise ConfigError(f"Expected a normalization of {', '.join(NORMS)}; received {norm.kind!r}.")


def conv_block(
    x: Tensor,
    width: int,
    *,
    kernel: int = 3,
    strides: int = 1,
    dilation: int = 1,
    separable: bool = False,
    norm: Norm = BATCH,
    name: str | None = None,
) -> Tensor:
    """Convolution of `(b, h, w, c)` to `width` channels, normalization where asked for, ReLU.

    `separable` is depthwise convolution, then 1x1: about nine times fewer multiplications at 3x3.
    Without normalization the convolution has a bias. `name` is the prefix of the layers' names.
    """
    convolution = layers.SeparableConv2D if separable else layers.Conv2D
    initial = (
        {"depthwise_initializer": "he_normal", "pointwise_initializer": "he_normal"}
        if separable
        else {"kernel_initializer": "he_normal"}
    )
    x = convolution(
        width,
        kernel,
        strides,
        padding="same",
        dilation_rate=dilation,
        use_bias=norm.kind == "none",
        name=name and f"{name}_conv",
        **initial,
    )(x)
    x = normalization(x, norm, name=name and f"{name}_norm")
    return layers.ReLU(name=name and f"{name}_relu")(x)
