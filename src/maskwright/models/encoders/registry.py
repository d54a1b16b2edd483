"""Encoders by their names."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from maskwright.errors import ConfigError
from maskwright.models.blocks import BATCH, Norm
from maskwright.models.encoders.base import Encoder, PixelFormat, start_from_file
from maskwright.models.encoders.families import FAMILIES
from maskwright.models.encoders.mix_transformer import MIX_TRANSFORMERS, mix_transformer
from maskwright.models.encoders.pretrained import pretrained
from maskwright.models.encoders.scratch import RESNETS, plain, residual, resnet

SCRATCH_BUILDERS: Mapping[str, Callable[[PixelFormat, Sequence[int], Norm, int], Encoder]] = {
    "plain": plain,
    "residual": residual,
    **{name: partial(resnet, name) for name in RESNETS},
    **{name: partial(mix_transformer, name) for name in MIX_TRANSFORMERS},
}
"""Encoders without published weights: from pixels, widths, normalization and output stride. Their
names are those of `maskwright.architectures.SCRATCH`."""

ENCODERS = (*SCRATCH_BUILDERS, *FAMILIES)
OUTPUT_STRIDES = (8, 16, 32)

_RGB = PixelFormat()


def encoder(
    name: str,
    pixels: PixelFormat = _RGB,
    *,
    weights: str | Path | None = None,
    alpha: float = 1.0,
    taps: Mapping[int, str] | None = None,
    widths: Sequence[int] = (32, 64, 128, 256, 512),
    norm: Norm = BATCH,
    output_stride: int = 32,
) -> Encoder:
    """Encoder of a family, as one nested model named `"encoder"` that `freeze` looks up.

    Args:
        name: One of `ENCODERS`.
        pixels: Channels and range of the images. Pretrained first convolutions are adapted: summed
            over colors for one channel, their mean spread evenly for other numbers, zeros for
            extra channels.
        weights: `"imagenet"` (downloaded by Keras, of `FAMILIES` alone), a file, or `None` for
            random ones. Files of `FAMILIES` are those of the network without its top as
            `keras.applications` writes them; of others, those of the same encoder for RGB images
            as `Encoder.model.save_weights` writes them.
        alpha: Width of the MobileNets.
        taps: Stride to layer name, in place of the last layer of each stride; strides left out
            are not given. Only of `FAMILIES`, by the strides that layers have there.
        widths: Channels of the plain and the residual encoder at strides 1, 2, 4, …
        norm: Normalization of the convolutional encoders without published weights; others have
            their own, whose batch statistics are synchronized where `norm` says so.
        output_stride: Coarsest stride; 8 or 16 trade later strides for dilation. The deepest
            features then lie there. Not of the Mix Transformers.

    Raises:
        ConfigError: If the name, or a tap, does not exist, or the encoder lacks what is asked for.
        ModelError: If the weights do not fit.
    """
    if name not in ENCODERS:
        raise ConfigError(f"Expected an encoder of {', '.join(ENCODERS)}; received {name!r}.")
    if output_stride not in OUTPUT_STRIDES:
        raise ConfigError(f"Expected an output stride of 8, 16 or 32; received {output_stride}.")
    if alpha != 1.0 and not name.startswith("mobilenet"):
        raise ConfigError(f"Only MobileNets support `alpha`; received {alpha} for {name}.")
    if name in FAMILIES:
        return pretrained(
            name,
            pixels,
            weights=weights,
            alpha=alpha,
            taps=taps,
            output_stride=output_stride,
            synchronized=norm.synchronized,
        )
    if taps is not None:
        raise ConfigError(f"{name} does not support `taps`; omit them.")

    def build(pixels: PixelFormat) -> Encoder:
        return SCRATCH_BUILDERS[name](pixels, widths, norm, output_stride)

    made = build(pixels)
    if weights is not None:
        start_from_file(name, weights, made, build, pixels.extra)
    return made
