"""Join an encoder and a decoder to a model from images to logits; its arguments as one value."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
from keras import layers

from maskwright.errors import ConfigError
from maskwright.models import decoders
from maskwright.models.blocks import (
    BilinearUpsampling,
    CropLike,
    Norm,
    NormKind,
    PadToMultiple,
    Tensor,
)
from maskwright.models.encoders import Encoder, PixelFormat, encoder

WIDTHS = (32, 64, 128, 256, 512)

_DECODERS = (
    *(decoders.light, decoders.unet, decoders.attention_unet, decoders.unet_plus_plus),
    *(decoders.resunet, decoders.unet_3plus, decoders.linknet, decoders.fpn, decoders.pspnet),
    *(decoders.deeplab_v3, decoders.deeplab_v3_plus, decoders.segformer, decoders.lraspp),
)
DECODERS: Mapping[str, Callable[..., decoders.Decoded]] = {d.__name__: d for d in _DECODERS}
"""Decoders by name."""

SUPERVISION: Mapping[str, float] = {"unet_plus_plus": 1.0, "unet_3plus": 1.0, "pspnet": 0.4}
"""Weight of each auxiliary loss in the papers that have them, by decoder."""

_WIDENED = ("plain", "residual")  # encoders that take `encoder_widths`
_MIRRORED = ("unet", "attention_unet", "resunet", "unet_plus_plus")

Head = Callable[[Tensor, int, int], Tensor]


def segmenter(
    encode: Encoder,
    decode: decoders.Decoder,
    num_classes: int,
    *,
    channels: int = 3,
    dropout: float = 0.0,
    seed: int | None = None,
    head: Head | None = None,
    deep_supervision: bool = False,
) -> keras.Model:
    """Model from images of any size to float32 logits `(b, h, w, num_classes)` of the same size.

    Args:
        encode: Images to features by stride.
        decode: Features by stride to those that the classes are read from.
        num_classes: 1 stands for two classes, by the logit of the second.
        dropout: Share of the last features' channels left out in training.
        head: One of the functions in `HEADS`, or one like them.
        deep_supervision: Give the logits of the decoder's auxiliary features behind the main ones,
            as a list, for a loss of their own; `main_model` leaves them out again.

    Raises:
        ConfigError: If the decoder has no auxiliary features to supervise.

    Source of deep supervision: Lee et al., Deeply-supervised nets, 2015.
    """
    images = keras.Input((None, None, channels), name="images")
    decoded = decode(encode(PadToMultiple(max(encode.strides), name="pad")(images)))
    x = decoded.features
    if dropout:
        x = layers.SpatialDropout2D(dropout, seed=seed, name="dropout")(x)
    logits = (head or bilinear_head)(x, num_classes, decoded.stride)
    logits = CropLike(name="logits", dtype="float32")([logits, images])
    if not deep_supervision:
        return keras.Model(images, logits)
    if not decoded.auxiliary:
        raise ConfigError(
            "Deep supervision requires a decoder with intermediate levels: omit it, or use another "
            "decoder or an encoder with more strides."
        )
    outputs = [logits]
    for number, (features, stride) in enumerate(decoded.auxiliary, start=1):
        x = bilinear_head(features, num_classes, stride, f"auxiliary{number}_")
        outputs.append(CropLike(name=f"auxiliary{number}", dtype="float32")([x, images]))
    return keras.Model(images, outputs)


def main_model(model: keras.Model) -> keras.Model:
    """The model without its auxiliary logits, on the same weights; itself where it has none."""
    if not any(name.startswith("auxiliary") for name in model.output_names):
        return model
    return keras.Model(model.inputs[0], model.outputs[0], name=model.name)


def bilinear_head(
    x: Tensor, num_classes: int, stride: int, prefix: str = "", kernel: int = 1
) -> Tensor:
    """Convolution to the classes, then bilinear enlargement to the image."""
    x = layers.Conv2D(num_classes, kernel, padding="same", name=f"{prefix}classes")(x)
    return BilinearUpsampling(stride, dtype="float32", name=f"{prefix}enlarge")(x)


def transposed_head(x: Tensor, num_classes: int, stride: int) -> Tensor:
    """Transposed convolution to the classes at the size of the image; of LinkNet."""
    return layers.Conv2DTranspose(num_classes, stride, stride, name="classes")(x)


HEADS: Mapping[str, Head] = {
    "bilinear": bilinear_head,
    "convolution": partial(bilinear_head, kernel=3),  # of U-Net 3+
    "transposed": transposed_head,
}
"""From the features of a decoder to logits, by name."""


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """What every network on an encoder is built from; for what is not said here see `encoder`.

    Args:
        encoder_name: One of `ENCODERS`.
        encoder_widths: Channels of the plain and the residual encoder, fine to coarse.
        pixel_range: Values of the images that stand for black and white.
        norm: Kind of normalization of the decoder and of encoders without published weights.
        seed: Seed of the dropout; initial weights follow `keras.utils.set_random_seed`.
        synchronized: Batch statistics over all workers.
    """

    encoder_name: str = "plain"
    encoder_widths: Sequence[int] = WIDTHS
    channels: int = 3
    pixel_range: tuple[float, float] = (0.0, 255.0)
    weights: str | Path | None = None
    alpha: float = 1.0
    taps: Mapping[int, str] | None = None
    norm: NormKind = "batch"
    output_stride: int = 32
    seed: int | None = None
    synchronized: bool = False

    def encoder(self, extra_channels: int = 0) -> Encoder:
        """The encoder; `ConfigError` or `ModelError` as `encoder` raises them."""
        return encoder(
            self.encoder_name,
            PixelFormat(self.channels, extra_channels, *self.pixel_range),
            weights=self.weights,
            alpha=self.alpha,
            taps=self.taps,
            widths=self.encoder_widths,
            norm=Norm(self.norm, self.synchronized),
            output_stride=self.output_stride,
        )

    def build(self) -> keras.Model:
        """The network."""
        raise NotImplementedError


@dataclass(frozen=True)
class SegmenterSpec(NetworkSpec):
    """Any encoder with any decoder; for what is not said here see `segmenter`.

    Args:
        decoder_name: One of `DECODERS`.
        widths: Channels of the decoder, coarse to fine; when left out, its own default, and of a
            U-Net on an encoder with `encoder_widths` these in reverse.
        decoder_options: Further arguments of the decoder.
        head: One of `HEADS`.
    """

    num_classes: int
    decoder_name: str
    widths: Sequence[int] | None = None
    decoder_options: Mapping[str, Any] | None = None
    head: str = "bilinear"
    dropout: float = 0.0
    deep_supervision: bool = False

    def build(self) -> keras.Model:
        """The network; `ConfigError` if a name does not exist or the widths do not fit."""
        names = (("decoder", self.decoder_name, DECODERS), ("head", self.head, HEADS))
        for kind, name, table in names:
            if name not in table:
                raise ConfigError(f"Expected a {kind} of {', '.join(table)}; received {name!r}.")
        widths = self.widths
        if widths is None and self.encoder_name in _WIDENED and self.decoder_name in _MIRRORED:
            widths = tuple(self.encoder_widths[-2::-1]) or None
        options = {"widths": widths, "norm": Norm(self.norm, self.synchronized)}
        return segmenter(
            self.encoder(),
            partial(DECODERS[self.decoder_name], **{**options, **(self.decoder_options or {})}),
            self.num_classes,
            channels=self.channels,
            dropout=self.dropout,
            seed=self.seed,
            head=HEADS[self.head],
            deep_supervision=self.deep_supervision,
        )
