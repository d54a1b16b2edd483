"""What all encoders share: their form, pixel scaling, and weights for any number of channels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers

from maskwright.errors import ConfigError, ModelError
from maskwright.models.blocks import Tensor

Features = dict[int, Tensor]

CENTERED = (127.5, 127.5, 127.5)
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)

_SCALING = "pixel_scaling"


@dataclass(frozen=True)
class Encoder:
    """A function from images `(b, h, w, c)` to features by stride. `model` scales the pixels itself
    and gives a list of features, whose `strides` are in the same order.
    """

    model: keras.Model
    strides: tuple[int, ...]

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

    @property
    def shape(self) -> tuple[None, None, int]:
        """Of an image, of any height and width."""
        return (None, None, self.channels + self.extra)

    def scaling(self, mean: Sequence[float], std: Sequence[float]) -> layers.Layer:
        """Layer from pixels as files have them to what weights expect.

        Args:
            mean: Subtracted from pixels of 0 to 255, RGB, before dividing by `std`; other channels
                take the mean over colors.
            std: See `mean`.

        Raises:
            ConfigError: If `high` is not above `low`.
        """
        if not self.high > self.low:
            raise ConfigError(
                f"Expected an increasing pixel range; received {self.low} to {self.high}."
            )
        gray_mean, gray_std = float(np.mean(mean)), float(np.mean(std))
        if self.channels != 3:
            mean, std = [gray_mean] * self.channels, [gray_std] * self.channels
        mean, std = [*mean, *[gray_mean] * self.extra], [*std, *[gray_std] * self.extra]
        to_bytes = 255.0 / (self.high - self.low)
        scale = [to_bytes / s for s in std]
        offset = [(-self.low * to_bytes - m) / s for m, s in zip(mean, std, strict=True)]
        return layers.Rescaling(scale, offset, name=_SCALING)


def reads_images(layer: layers.Layer) -> bool:
    """Whether a layer is a convolution of the scaled images themselves."""
    if not isinstance(layer, layers.Conv2D):
        return False
    source = producer(layer)
    while isinstance(source, layers.ZeroPadding2D):
        source = producer(source)
    return bool(source.name == _SCALING)


def producer(layer: keras.Operation) -> keras.Operation:
    """The one whose output a layer takes, the first of them if there are several."""
    return layer._inbound_nodes[0].parent_nodes[0].operation


def copy_weights(values: list[np.ndarray], layer: layers.Layer, bgr: bool, extra: int) -> None:
    """Set the weights of a layer to those of its like in a network for RGB images.

    Args:
        values: Kernel first, as `get_weights` gives them.
        layer: May take images of any number of channels.
        bgr: The kernel expects blue first.
        extra: Last channels of the images, which are given zeros.
    """
    if reads_images(layer):
        kernel = values[0][:, :, ::-1] if bgr else values[0]
        kernel = adapt_kernel(kernel, layer.kernel.shape[2] - extra)
        values = [np.pad(kernel, ((0, 0), (0, 0), (0, extra), (0, 0))), *values[1:]]
    elif isinstance(layer, layers.DepthwiseConv2D):
        # Where a grouped convolution became a depthwise one, `(h, w, 1, c)` became `(h, w, c, 1)`.
        values = [values[0].reshape(layer.kernel.shape), *values[1:]]
    layer.set_weights(values)


def adapt_kernel(kernel: np.ndarray, channels: int) -> np.ndarray:
    """A first convolution `(h, w, 3, out)` for another number of channels, so that an image that is
    equal in all of them gives what the same image in three equal colors gave.
    """
    if channels == kernel.shape[2]:
        return kernel
    total = kernel.sum(axis=2, keepdims=True)
    return np.repeat(total / channels, channels, axis=2)


def check_file(path: str | Path) -> None:
    """`ModelError` if a file of weights does not exist, before anything is built for it."""
    if not Path(path).is_file():
        raise ModelError(
            f'Expected encoder weights "imagenet", none, or a file; there is no file {path}.'
        )


def load_file(model: keras.Model, name: str, path: str | Path, hint: str) -> None:
    """Load weights into a network for RGB images; `ModelError` with `hint` if they do not fit."""
    try:
        model.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(
            f"The weights in {path} do not match {name} ({reason}); {hint}."
        ) from error


def start_from_file(
    name: str,
    path: str | Path,
    target: Encoder,
    build: Callable[[PixelFormat], Encoder],
    extra: int,
) -> None:
    """Start an encoder from weights of the same encoder for RGB images.

    `path` is as `Encoder.model.save_weights` writes it; `build` makes the encoder for other images;
    `extra` is that of `copy_weights`.

    Raises:
        ConfigError: If published weights are asked for.
        ModelError: If the weights do not fit.
    """
    if path == "imagenet":
        raise ConfigError(
            f"The encoder {name} has no published weights; omit them, or pass a file."
        )
    check_file(path)
    source = build(PixelFormat()).model
    load_file(source, name, path, "check the encoder and its widths")
    for theirs, ours in zip(source.layers, target.model.layers, strict=True):
        if theirs.weights:
            copy_weights(theirs.get_weights(), ours, bgr=False, extra=extra)


def freeze(model: keras.Model, frozen: bool, fix_statistics: bool = True) -> None:
    """Freeze the layer named `"encoder"` of a model, or let it learn.

    With `fix_statistics` its batch normalizations, however deep inside, stay as they were
    pretrained even when the rest learns: with small batches their statistics are too noisy, and a
    third of the time of a step goes into them. Other normalizations keep no statistics and learn
    with the rest.
    """
    inner = model.get_layer("encoder")
    inner.trainable = not frozen
    if fix_statistics and not frozen:
        for layer in inner._flatten_layers(include_self=False):
            if isinstance(layer, layers.BatchNormalization):
                layer.trainable = False
