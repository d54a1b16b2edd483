"""Known networks, layer by layer, and the one function that builds a model from settings."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
from keras import layers

from maskwright.errors import ConfigError
from maskwright.models.blocks import Norm, Tensor
from maskwright.models.decoders import DECODERS, Decoded, unet
from maskwright.models.encoders import Encoder, Features, encoder
from maskwright.models.segmenter import segmenter

TUTORIAL_TAPS = {
    2: "block_1_expand_relu",
    4: "block_3_expand_relu",
    8: "block_6_expand_relu",
    16: "block_13_expand_relu",
    32: "block_16_project",
}


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

    Args:
        num_classes: 1 gives the binary network, whose logit goes through a sigmoid; more give the
            one whose logits go through a softmax.
        channels: Channels of the images.
        pixel_range: Values that stand for black and white; they become 0 and 1.
        dropout: Share left out at the bottom, as in the paper's contracting path.

    Source: Ronneberger et al., U-Net, 2015, with padding, so that masks keep the images' size.
    """
    widths = (64, 128, 256, 512, 1024)
    images = keras.Input((None, None, channels))
    x = _zero_to_one(pixel_range)(images)
    features: list[Tensor] = []
    for level, width in enumerate(widths):
        if level:
            x = layers.MaxPooling2D(name=f"pool{level}")(x)
        x = _two_convolutions(x, width, f"down{level}")
        if dropout and level == len(widths) - 1:
            x = layers.Dropout(dropout, name="dropout")(x)
        features.append(x)
    strides = tuple(2**level for level in range(len(widths)))
    encode = Encoder(keras.Model(images, features, name="encoder"), strides)
    decode = partial(unet, widths=widths[-2::-1], transposed=True, norm="none")
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
    Pixels are scaled to -1 to 1 as the encoder's weights expect; the tutorial feeds 0 to 1.

    Args:
        num_classes: Channels of the logits.
        channels: Channels of the images.
        pixel_range: Values that stand for black and white.
        weights: Of the encoder; see `encoder`.
        taps: Stride to layer of MobileNetV2, for strides 2 to 32; `None` for the tutorial's.
    """
    taps = taps or TUTORIAL_TAPS
    if sorted(taps) != [2, 4, 8, 16, 32]:
        raise ConfigError(f"Expected taps at strides 2, 4, 8, 16 and 32, received {sorted(taps)}.")
    encode = encoder(
        "mobilenet_v2", channels=channels, weights=weights, taps=taps, pixel_range=pixel_range
    )

    def head(x: Tensor, classes: int, stride: int) -> Tensor:
        return layers.Conv2DTranspose(classes, 3, strides=stride, padding="same", name="classes")(x)

    return segmenter(encode, _pix2pix, num_classes, channels=channels, head=head)


def small(
    num_classes: int, *, channels: int = 3, pixel_range: tuple[float, float] = (0.0, 255.0)
) -> keras.Model:
    """The small sequential encoder-decoder: conv 64-64, pool, conv 128, up, conv 64, conv 1x1.

    186,433 parameters for three channels and one class. It has no skips; even heights and widths
    come out exact, odd ones are padded by a pixel and cut back.
    """
    images = keras.Input((None, None, channels))
    x = _zero_to_one(pixel_range)(images)
    x = _two_convolutions(x, 64, "down")
    x = layers.MaxPooling2D(name="pool")(x)
    x = layers.Conv2D(128, 3, padding="same", activation="relu", name="bottom")(x)
    encode = Encoder(keras.Model(images, [x], name="encoder"), (2,))

    def decode(features: Features) -> Decoded:
        y = layers.UpSampling2D(2, name="up")(features[2])
        return Decoded(
            layers.Conv2D(64, 3, padding="same", activation="relu", name="decode")(y), stride=1
        )

    return segmenter(encode, decode, num_classes, channels=channels)


PRESETS: dict[str, Callable[..., keras.Model]] = {
    "plain_unet": plain_unet,
    "tutorial_unet": tutorial_unet,
    "small": small,
}


def build(
    num_classes: int,
    *,
    encoder_name: str,
    decoder_name: str,
    channels: int = 3,
    weights: str | Path | None = None,
    alpha: float = 1.0,
    taps: Mapping[int, str] | None = None,
    encoder_widths: Sequence[int] = (32, 64, 128, 256, 512),
    widths: Sequence[int] | None = None,
    decoder_options: Mapping[str, Any] | None = None,
    pixel_range: tuple[float, float] = (0.0, 255.0),
    norm: Norm = "batch",
    output_stride: int = 32,
    dropout: float = 0.0,
    deep_supervision: bool = False,
    seed: int | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """Any encoder with any decoder.

    Args:
        num_classes: Channels of the logits.
        encoder_name: One of `ENCODERS`.
        decoder_name: One of `DECODERS`.
        channels: Channels of the images.
        weights: Of the encoder; see `encoder`.
        alpha: Width of a MobileNet.
        taps: Stride to layer of the encoder; see `encoder`.
        encoder_widths: Channels of the plain encoder, fine to coarse.
        widths: Channels of the decoder, coarse to fine.
        decoder_options: Further arguments of the decoder.
        pixel_range: Values of the images that stand for black and white.
        norm: Of the decoder and of encoders that start from nothing; see `normalization`.
        output_stride: Coarsest stride of the encoder; see `encoder`.
        dropout: Share of channels left out before the last convolution.
        deep_supervision: See `segmenter`.
        seed: Of the dropout; initial weights follow `keras.utils.set_random_seed`.
        synchronized: Batch statistics over all workers.

    Raises:
        ConfigError: If a name does not exist or the widths do not fit.
    """
    if decoder_name not in DECODERS:
        raise ConfigError(
            f"Expected a decoder of {', '.join(DECODERS)}; received {decoder_name!r}."
        )
    encode = encoder(
        encoder_name,
        channels=channels,
        weights=weights,
        alpha=alpha,
        taps=taps,
        widths=encoder_widths,
        pixel_range=pixel_range,
        norm=norm,
        output_stride=output_stride,
        synchronized=synchronized,
    )
    decode = partial(
        DECODERS[decoder_name],
        widths=widths,
        norm=norm,
        synchronized=synchronized,
        **(decoder_options or {}),
    )
    return segmenter(
        encode,
        decode,
        num_classes,
        channels=channels,
        dropout=dropout,
        seed=seed,
        deep_supervision=deep_supervision,
    )


def _zero_to_one(pixel_range: tuple[float, float]) -> layers.Layer:
    low, high = pixel_range
    return layers.Rescaling(1 / (high - low), -low / (high - low), name="pixel_scaling")


def _two_convolutions(x: Tensor, width: int, name: str) -> Tensor:
    for step in "ab":
        x = layers.Conv2D(
            width,
            3,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
            name=f"{name}{step}",
        )(x)
    return x


def _pix2pix(features: Features) -> Decoded:
    """Four steps of transposed 3x3 convolution, batch normalization and ReLU, each then joined."""
    coarsest, *steps = sorted(features, reverse=True)
    x = features[coarsest]
    for stride, width in zip(steps, (512, 256, 128, 64), strict=True):
        x = layers.Conv2DTranspose(
            width,
            3,
            strides=2,
            padding="same",
            use_bias=False,
            kernel_initializer=keras.initializers.RandomNormal(0.0, 0.02),
            name=f"up{stride}",
        )(x)
        x = layers.BatchNormalization(name=f"up{stride}_norm")(x)
        x = layers.ReLU(name=f"up{stride}_relu")(x)
        x = layers.Concatenate(name=f"join{stride}")([x, features[stride]])
    return Decoded(x, min(features))
