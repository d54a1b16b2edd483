"""What all encoders share: their form, pixel scaling, and weights for any number of channels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from maskwright.errors import ConfigError, ModelError
from maskwright.models.blocks import Tensor

Features = dict[int, Tensor]

CENTERED = ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5))
IMAGENET = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
"""Means and standard deviations of red, green and blue that weights expect."""

_SCALING = "pixel_scaling"
_STEM_STRIDE = 4


@dataclass(frozen=True)
class Encoder:
    """A function from images `(b, h, w, c)` to features by stride. `model` scales the pixels itself
    and gives a list of features, whose `strides` are in the same order.
    """

    model: keras.Model
    strides: tuple[int, ...]

    @classmethod
    def of(cls, images: Tensor, features: Mapping[int, Tensor]) -> "Encoder":
        """Encoder from `keras.Input` and what layers make of it, by stride."""
        return cls(keras.Model(images, list(features.values()), name="encoder"), tuple(features))

    def __call__(self, images: Tensor) -> Features:
        """Features `(b, h / stride, w / stride, channels)` by stride."""
        return dict(zip(self.strides, self.model(images), strict=True))


@dataclass(frozen=True)
class PixelFormat:
    """What the images are, for the layer in front of every encoder: `extra` channels lie behind the
    others, in the same range of values; `low` stands for black and `high` for white.
    """

    channels: int = 3
    extra: int = 0
    low: float = 0.0
    high: float = 255.0

    def scaled_input(self, mean: Sequence[float], std: Sequence[float]) -> tuple[Tensor, Tensor]:
        """Images of any size, with pixels as files have them, and the same as weights expect them.

        `mean` is subtracted from pixels of 0 to 255, RGB, before dividing by `std`; other channels
        take the means of both over colors. `ConfigError` if `high` is not above `low`.
        """
        if not self.high > self.low:
            raise ConfigError(
                f"Expected an increasing pixel range; received {self.low} to {self.high}."
            )
        colors = [*zip(mean, std, strict=True)] if self.channels == 3 else []
        total = self.channels + self.extra
        gray = (float(np.mean(mean)), float(np.mean(std)))
        shifts = [*colors, *[gray] * (total - len(colors))]
        to_bytes = 255.0 / (self.high - self.low)
        scale = [to_bytes / s for _, s in shifts]
        offset = [(-self.low * to_bytes - m) / s for m, s in shifts]
        images = keras.Input((None, None, total))
        bounded = bound_pixels(images, self.low, self.high)
        return images, layers.Rescaling(scale, offset, name=_SCALING)(bounded)


def bound_pixels(images: Tensor, low: float, high: float) -> Tensor:
    """Images with pixels at most one range beyond black and white, but for those of 8 bits.

    Their range is not that of all pixels: a hot one must not drown the image in its sums.
    """
    if (low, high) == (0.0, 255.0):
        return images
    return ops.clip(images, 2 * low - high, 2 * high - low)


def producer(layer: keras.Operation) -> keras.Operation:
    """The one whose output a layer takes, the first of them if there are several."""
    return layer._inbound_nodes[0].parent_nodes[0].operation


def copy_weights(source: layers.Layer, target: layers.Layer, bgr: bool, extra: int) -> None:
    """Set the weights of a layer to those of its like in a network for RGB images.

    Where the target takes the scaled images, the kernel is adapted so that an image that is equal
    in all channels gives what the same image in three equal colors gave.

    `bgr` says that the kernel expects blue first; the last `extra` channels are given zeros.
    """
    if not source.weights:
        return
    kernel, *others = source.get_weights()
    if reads_images(target):
        kernel = kernel[:, :, ::-1] if bgr else kernel
        kernel = spread_colors(kernel, target.kernel.shape[2] - extra)
        kernel = np.pad(kernel, ((0, 0), (0, 0), (0, extra), (0, 0)))
    elif isinstance(target, layers.DepthwiseConv2D):
        # Where a grouped convolution became a depthwise one, `(h, w, 1, c)` became `(h, w, c, 1)`.
        kernel = kernel.reshape(target.kernel.shape)
    target.set_weights([kernel, *others])


def spread_colors(kernel: np.ndarray, channels: int) -> np.ndarray:
    """Kernel `(h, w, channels, out)` for a number of channels, with the same sum over them."""
    if channels == kernel.shape[2]:
        return kernel
    return np.repeat(kernel.sum(axis=2, keepdims=True) / channels, channels, axis=2)


def reads_images(layer: layers.Layer) -> bool:
    """Whether a layer is a convolution of the scaled images themselves, padded or not."""
    if not isinstance(layer, layers.Conv2D):
        return False
    source = producer(layer)
    while isinstance(source, layers.ZeroPadding2D):
        source = producer(source)
    return bool(source.name == _SCALING)


def load_file(model: keras.Model, name: str, path: str | Path, hint: str) -> None:
    """Load weights into a network for RGB images; `ModelError` with `hint` if they do not fit."""
    try:
        model.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(
            f"The weights in {path} do not match {name} ({reason}); {hint}."
        ) from error


def freeze(
    model: keras.Model, frozen: bool, fix_statistics: bool = True, stem: bool = False
) -> None:
    """Freeze the layer named `"encoder"` of a model, or let it learn.

    With `fix_statistics` its batch normalizations, however deep inside, stay as they were
    pretrained even when the rest learns: with small batches their statistics are too noisy, and a
    third of the time of a step goes into them. With `stem` the layers before its features down to
    stride 4 stay as they were pretrained, too: general filters of edges and colors, and the most
    pixels.
    """
    inner = model.get_layer("encoder")
    inner.trainable = not frozen
    if fix_statistics and not frozen:
        for layer in inner._flatten_layers(include_self=False):
            if isinstance(layer, layers.BatchNormalization):
                layer.trainable = False
    if stem and not frozen:
        for layer in keras.Model(inner.inputs, _features_to(inner, _STEM_STRIDE)).layers:
            layer.trainable = False


def _features_to(model: keras.Model, stride: int) -> list[Tensor]:
    """Outputs of an encoder down to a stride."""
    side = 256
    shapes = model.compute_output_shape((1, side, side, model.inputs[0].shape[-1]))
    return [
        output
        for output, shape in zip(model.outputs, shapes, strict=True)
        if shape[1] * stride >= side
    ]
