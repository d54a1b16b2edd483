"""Decoders: from features by stride to what the classes are read from."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from keras import layers

from maskwright.errors import ConfigError
from maskwright.models.blocks import BilinearUpsampling, Norm, Tensor, conv_block
from maskwright.models.encoders import Features


class Decoded(NamedTuple):
    """What a decoder hands to the head.

    Args:
        features: `(b, h / stride, w / stride, channels)`.
        stride: Of the features.
        auxiliary: Features and strides of further heads, for deep supervision; only training looks
            at them.
    """

    features: Tensor
    stride: int
    auxiliary: tuple[tuple[Tensor, int], ...] = ()


Decoder = Callable[[Features], Decoded]


def unet(
    features: Features,
    widths: Sequence[int] | None = None,
    *,
    transposed: bool = False,
    separable: bool = False,
    norm: Norm = "batch",
    synchronised: bool = False,
) -> Decoded:
    """Climb from the coarsest features to the finest, joining a skip at each step.

    Args:
        features: Encoder outputs by stride.
        widths: Channels after each step, coarse to fine; 256, 128, 64, 32, 16 when left out.
        transposed: Enlarge with a learned 2x2 transposed convolution instead of bilinearly.
        separable: Depthwise separable convolutions.
        norm: After every 3x3 convolution; see `normalisation`.
        synchronised: Batch statistics over all workers.

    Returns:
        Features at the finest stride, with the last width as channels; those of every step but
        the first and the last are auxiliary.

    Raises:
        ConfigError: If `widths` has too few entries.

    Source: Ronneberger et al., U-Net, 2015, with padding in place of cropping.
    """
    x = features[max(features)]
    steps = []
    for stride, factor, width in _climb(features, widths or (256, 128, 64, 32, 16)):
        if transposed:
            x = layers.Conv2DTranspose(
                width, factor, factor, kernel_initializer="he_normal", name=f"up{stride}"
            )(x)
        else:
            x = BilinearUpsampling(factor, name=f"up{stride}")(x)
        x = layers.Concatenate(name=f"join{stride}")([x, features[stride]])
        for step in "ab":
            x = conv_block(
                x,
                width,
                separable=separable,
                norm=norm,
                synchronised=synchronised,
                name=f"decode{stride}{step}",
            )
        steps.append((x, stride))
    return Decoded(x, min(features), tuple(steps[1:-1]))


def light(
    features: Features,
    widths: Sequence[int] | None = None,
    *,
    norm: Norm = "batch",
    synchronised: bool = False,
) -> Decoded:
    """One separable convolution at each step, on skips narrowed to half its width first.

    With a pretrained encoder the decoder's work is to place what the encoder has found; this one
    does it with a tenth of the weights of `unet`, most of them at coarse strides.

    Args:
        features: Encoder outputs by stride.
        widths: Channels after each step, coarse to fine; 128, 96, 64, 32, 16 when left out.
        norm: Of the convolutions; see `normalisation`.
        synchronised: Batch statistics over all workers.

    Returns:
        Features at the finest stride, with the last width as channels; those of every step but
        the first and the last are auxiliary.

    Raises:
        ConfigError: If `widths` has too few entries.
    """
    x = features[max(features)]
    steps = []
    for stride, factor, width in _climb(features, widths or (128, 96, 64, 32, 16)):
        # Narrowing before enlarging is the same map as after it, at a quarter of the cost.
        x = layers.Conv2D(width, 1, use_bias=False, name=f"narrow{stride}")(x)
        x = BilinearUpsampling(factor, name=f"up{stride}")(x)
        skip = layers.Conv2D(width // 2, 1, use_bias=False, name=f"skip{stride}")(features[stride])
        x = layers.Concatenate(name=f"join{stride}")([x, skip])
        x = conv_block(
            x, width, separable=True, norm=norm, synchronised=synchronised, name=f"decode{stride}"
        )
        steps.append((x, stride))
    return Decoded(x, min(features), tuple(steps[1:-1]))


def _climb(features: Features, widths: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Stride, enlargement that leads to it, and width of every step; spare widths stay unused."""
    coarsest, *steps = sorted(features, reverse=True)
    if len(widths) < len(steps):
        raise ConfigError(
            f"The decoder needs {len(steps)} widths, one for each of the strides {steps}; "
            f"received {list(widths)}."
        )
    above = [coarsest, *steps]
    for stride, larger, width in zip(steps, above, widths, strict=False):
        yield stride, larger // stride, width


DECODERS: dict[str, Callable[..., Decoded]] = {"light": light, "unet": unet}
SUPERVISION: dict[str, float] = {}
"""Weight of each auxiliary loss in the papers that have them, by decoder."""
