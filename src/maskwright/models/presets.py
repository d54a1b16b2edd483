"""Published networks that are no encoder and decoder of ours, layer by layer."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import keras
from keras import layers

from maskwright.errors import ConfigError
from maskwright.models.blocks import Norm, Tensor
from maskwright.models.decoders import Decoded, unet
from maskwright.models.encoders import Encoder, Features, PixelFormat, encoder
from maskwright.models.encoders.base import bound_pixels
from maskwright.models.pooling import MeanPooling
from maskwright.models.segmenter import segmenter

TUTORIAL_TAPS = {
    2: "block_1_expand_relu",
    4: "block_3_expand_relu",
    8: "block_6_expand_relu",
    16: "block_13_expand_relu",
    32: "block_16_project",
}

_convolution = partial(layers.Conv2D, kernel_size=3, padding="same", activation="relu")


def plain_unet(
    num_classes: int,
    *,
    channels: int = 3,
    pixel_range: tuple[float, float] = (0.0, 255.0),
    dropout: float = 0.0,
) -> keras.Model:
    """The four-level U-Net, 64-128-256-512 and 1024 at the bottom, without normalization.

    Two 3x3 convolutions with bias and ReLU at each level, 2x2 maxima down, 2x2 transposed
    convolutions up, 1x1 to the classes: 31,030,593 parameters for one channel and one class.

    `pixel_range` becomes 0 and 1; `dropout` is the share left out at the bottom, as in the paper's
    contracting path.

    Source: Ronneberger et al., U-Net, 2015, with padding, so that masks keep the images' size.
    """
    widths = (64, 128, 256, 512, 1024)
    images, x = _scaled_input((None, None, channels), pixel_range)
    features: Features = {}
    for level, width in enumerate(widths):
        if level:
            x = layers.MaxPooling2D(name=f"pool{level}")(x)
        x = _two_convolutions(x, width, f"down{level}")
        if dropout and level == len(widths) - 1:
            x = layers.Dropout(dropout, name="dropout")(x)
        features[2**level] = x
    encode = Encoder.of(images, features)
    decode = partial(unet, widths=widths[-2::-1], transposed=True, norm=Norm("none"))
    return segmenter(encode, decode, num_classes, channels=channels)


def tutorial_unet(
    num_classes: int,
    *,
    channels: int = 3,
    pixel_range: tuple[float, float] = (0.0, 255.0),
    weights: str | Path | None = None,
    taps: Mapping[int, str] | None = None,
) -> keras.Model:
    """TensorFlow's segmentation tutorial: MobileNetV2, and pix2pix blocks up to the image.

    6,504,227 parameters for three classes, of which 4,660,323 learn while the encoder is frozen.
    Pixels are scaled to -1 to 1; the tutorial feeds 0 to 1. `weights` are those of `encoder`;
    `taps` lead from strides 2 to 32 to layers of MobileNetV2, `None` for the tutorial's.
    """
    taps = taps or TUTORIAL_TAPS
    if sorted(taps) != [2, 4, 8, 16, 32]:
        raise ConfigError(f"Expected taps at strides 2, 4, 8, 16 and 32, received {sorted(taps)}.")
    pixels = PixelFormat(channels, 0, *pixel_range)
    encode = encoder("mobilenet_v2", pixels, weights=weights, taps=taps)

    def head(x: Tensor, classes: int, stride: int) -> Tensor:
        return layers.Conv2DTranspose(classes, 3, strides=stride, padding="same", name="classes")(x)

    return segmenter(encode, _pix2pix, num_classes, channels=channels, head=head)


def small(
    num_classes: int, *, channels: int = 3, pixel_range: tuple[float, float] = (0.0, 255.0)
) -> keras.Model:
    """A small sequential encoder-decoder: conv 64-64, pool, conv 128, up, conv 64, conv 1x1.

    186,433 parameters for three channels and one class, and no skips.
    """
    images, x = _scaled_input((None, None, channels), pixel_range)
    x = _two_convolutions(x, 64, "down")
    x = layers.MaxPooling2D(name="pool")(x)
    x = _convolution(128, name="bottom")(x)

    def decode(features: Features) -> Decoded:
        y = layers.UpSampling2D(2, name="up")(features[2])
        return Decoded(_convolution(64, name="decode")(y), stride=1)

    return segmenter(Encoder.of(images, {2: x}), decode, num_classes, channels=channels)


def reference_cnn(
    *, channels: int = 3, size: int = 256, pixel_range: tuple[float, float] = (0.0, 255.0)
) -> keras.Model:
    """A small classifier of masked regions: two convolutions, on images whose outside was removed.

    3x3 convolutions of 32 and 64 channels without padding, each with ReLU and 2x2 maxima, 128 units
    with ReLU, 1 unit: 31,509,697 parameters for 256x256x3. It looks at `images` alone. The logit of
    a bag is the mean of its regions' logits. `size` is the side of the images, at least 10 px.

    Source: the usual first network of the Keras tutorials; its sigmoid is applied after the model.
    """
    if size < 10:
        raise ConfigError(f"Expected images of at least 10 pixels per side; received {size}.")
    inner, x = _scaled_input((size, size, channels), pixel_range)
    for number, width in enumerate((32, 64), 1):
        x = layers.Conv2D(width, 3, activation="relu", name=f"conv{number}")(x)
        x = layers.MaxPooling2D(name=f"pool{number}")(x)
    images = keras.Input((size, size, channels), name="images")
    bags = keras.Input((None,), name="bags")
    features = keras.Model(inner, x, name="encoder")(images)
    x = layers.Dense(128, activation="relu", name="dense")(layers.Flatten(name="flatten")(features))
    logits = layers.Dense(1, dtype="float32", name="decision")(x)
    pooled, _ = MeanPooling(dtype="float32", name="pooling")(logits, logits, bags)
    return keras.Model([images, bags], pooled)


def _scaled_input(
    shape: tuple[int | None, ...], pixel_range: tuple[float, float]
) -> tuple[Tensor, Tensor]:
    """Images, and the same with black at 0 and white at 1."""
    images, (low, high) = keras.Input(shape), pixel_range
    scale = layers.Rescaling(1 / (high - low), -low / (high - low), name="pixel_scaling")
    return images, scale(bound_pixels(images, low, high))


def _two_convolutions(x: Tensor, width: int, name: str) -> Tensor:
    for step in "ab":
        x = _convolution(width, kernel_initializer="he_normal", name=f"{name}{step}")(x)
    return x


def _pix2pix(features: Features) -> Decoded:
    """Four steps of transposed 3x3 convolution, batch normalization and ReLU, each then joined."""
    coarsest, *steps = sorted(features, reverse=True)
    x = features[coarsest]
    larger = partial(layers.Conv2DTranspose, strides=2, padding="same", use_bias=False)
    for stride, width in zip(steps, (512, 256, 128, 64), strict=True):
        initial = keras.initializers.RandomNormal(0.0, 0.02)
        x = larger(width, 3, kernel_initializer=initial, name=f"up{stride}")(x)
        x = layers.BatchNormalization(name=f"up{stride}_norm")(x)
        x = layers.ReLU(name=f"up{stride}_relu")(x)
        x = layers.Concatenate(name=f"join{stride}")([x, features[stride]])
    return Decoded(x, min(features))
