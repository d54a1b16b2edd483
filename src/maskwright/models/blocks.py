"""Layers and small pieces of network that encoders and decoders are made of. Keras records the
arguments that a layer was made with, and finds the shape of its output by a call.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import keras
import tensorflow as tf
from keras import layers, ops

from maskwright.errors import ConfigError

Tensor = Any
Shape = Sequence[int | None]
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


@keras.saving.register_keras_serializable(package="maskwright")
class AverageBins(layers.Layer):
    """Means of a grid of `bins` by `bins` parts of the features, of any size.

    Of `n` pixels, part `i` covers those from `floor(i * n / bins)` to below
    `ceil((i + 1) * n / bins)`: neighbors share a pixel where the division leaves a rest, and where
    there are fewer pixels than parts, several parts take the same one. Two products of matrices
    made from the features' size survive every export.
    """

    def __init__(self, bins: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bins = bins

    def call(self, x: Tensor) -> Tensor:
        """`(b, h, w, c)` to `(b, bins, bins, c)`."""
        height, width = ops.shape(x)[1:3]
        x = ops.transpose(x, (0, 3, 1, 2))
        x = ops.matmul(self._shares(height), x)
        x = ops.matmul(x, ops.transpose(self._shares(width)))
        return ops.transpose(x, (0, 2, 3, 1))

    def _shares(self, pixels: int) -> Tensor:
        """Share of each pixel in each part's mean, `(bins, pixels)`."""
        part, pixel = ops.arange(self.bins)[:, None], ops.arange(pixels)[None]
        # Pixel p lies in part i where i * n / bins < p + 1 and p < (i + 1) * n / bins.
        begun = part * pixels < (pixel + 1) * self.bins
        open_still = pixel * self.bins < (part + 1) * pixels
        inside = ops.cast(ops.logical_and(begun, open_still), self.compute_dtype)
        return inside / ops.sum(inside, -1, keepdims=True)


@keras.saving.register_keras_serializable(package="maskwright")
class EnlargeLike(layers.Layer):
    """Bring the first input to the height and width of the second: bilinear, half-pixel centers."""

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        """`[(b, h', w', c), (b, h, w, …)]` to `(b, h, w, c)`."""
        x, like = inputs
        height, width = ops.shape(like)[1:3]
        return resized(x, (height, width))


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


def norm_of_means(norm: Norm) -> Norm:
    """Normalization of a map of one pixel, which normalized for itself would always be zero."""
    return Norm("none") if norm.kind == "instance" else norm


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
    kernels = ("depthwise", "pointwise") if separable else ("kernel",)
    x = convolution(
        width,
        kernel,
        strides,
        padding="same",
        dilation_rate=dilation,
        use_bias=norm.kind == "none",
        name=name and f"{name}_conv",
        **{f"{part}_initializer": "he_normal" for part in kernels},
    )(x)
    x = normalization(x, norm, name=name and f"{name}_norm")
    return layers.ReLU(name=name and f"{name}_relu")(x)
