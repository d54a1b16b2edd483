"""Arguments of networks on an encoder, each a value with a method that builds the network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import keras

from maskwright.errors import ConfigError
from maskwright.models.blocks import Norm, NormKind
from maskwright.models.decoders import DECODERS
from maskwright.models.encoders import Encoder, PixelFormat, encoder
from maskwright.models.rcnn import Rcnn, mask_rcnn
from maskwright.models.segmenter import HEADS, segmenter

WIDTHS = (32, 64, 128, 256, 512)


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """What every network on an encoder is built from; for what is not said here see `encoder`.

    Args:
        encoder_name: One of `ENCODERS`.
        encoder_widths: Channels of the plain and the residual encoder, fine to coarse.
        channels: Channels of the images.
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

    @property
    def normalization(self) -> Norm:
        """Kind of normalization, and whether it is synchronized."""
        return Norm(self.norm, self.synchronized)

    def encoder(self, extra_channels: int = 0) -> Encoder:
        """The encoder; `ConfigError` or `ModelError` as `encoder` raises them."""
        return encoder(
            self.encoder_name,
            PixelFormat(self.channels, extra_channels, *self.pixel_range),
            weights=self.weights,
            alpha=self.alpha,
            taps=self.taps,
            widths=self.encoder_widths,
            norm=self.normalization,
            output_stride=self.output_stride,
        )

    def build(self) -> keras.Model:
        """The network."""
        raise NotImplementedError


@dataclass(frozen=True)
class SegmenterSpec(NetworkSpec):
    """Any encoder with any decoder; for what is not said here see `segmenter`.

    Args:
        num_classes: Channels of the logits; 1 stands for two classes, by the logit of the second.
        decoder_name: One of `DECODERS`.
        widths: Channels of the decoder, coarse to fine.
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
        options = {"widths": self.widths, "norm": self.normalization}
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


@dataclass(frozen=True)
class DetectorSpec(NetworkSpec):
    """Mask R-CNN on an encoder for objects of `num_classes`, the background not among them.

    `numbers` are arguments of `Rcnn`.
    """

    num_classes: int
    numbers: Mapping[str, Any]
    encoder_widths: Sequence[int] = field(default=(*WIDTHS, 512), kw_only=True)

    def build(self) -> keras.Model:
        """The network; `ConfigError` if the encoder lacks a stride of the pyramid."""
        settings = Rcnn(**self.numbers)
        return mask_rcnn(self.encoder(), self.num_classes, settings, channels=self.channels)
