"""Layers whose sizes follow the features, whatever these measure: bins, and enlarging to a size."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from maskwright.models.blocks import Norm, Tensor, resized


@keras.saving.register_keras_serializable(package="maskwright")
class AverageBins(layers.Layer):
    """Means of a grid of `bins` by `bins` parts of the features, of any size.

    Of `n` pixels, part `i` covers those from `floor(i * n / bins)` to below
    `ceil((i + 1) * n / bins)`: neighbors share a pixel where the division leaves a rest, and where
    there are fewer pixels than parts, several parts take the same one. Pooling is two products of
    matrices, made from the features' size, so that it survives every export.
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


def norm_of_means(norm: Norm) -> Norm:
    """Normalization of a map of one pixel, which normalized for itself would always be zero."""
    return Norm("none") if norm.kind == "instance" else norm
