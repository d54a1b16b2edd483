"""What decoders give, and what they share in finding their way through the strides."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from keras import layers

from maskwright.errors import ConfigError
from maskwright.models.blocks import BilinearUpsampling, Tensor
from maskwright.models.encoders import Features


class Decoded(NamedTuple):
    """What a decoder hands to the head: features `(b, h / stride, w / stride, channels)`, their
    stride, and as `auxiliary` those of further heads, for deep supervision in training.
    """

    features: Tensor
    stride: int
    auxiliary: tuple[tuple[Tensor, int], ...] = ()


Decoder = Callable[[Features], Decoded]

Step = Callable[[Tensor, Tensor, int, int, int], Tensor]
"""From coarser features, a skip, its stride, the enlargement that leads there, and a width."""


def climb(features: Features, step: Step, widths: Sequence[int] | None) -> Decoded:
    """Features at the finest stride, one step for each stride but the coarsest; what all steps but
    the first and the last make is auxiliary. `widths` are those of `stairs`.
    """
    x, made = features[max(features)], []
    for stride, factor, width in stairs(features, widths):
        x = step(x, features[stride], stride, factor, width)
        made.append((x, stride))
    return Decoded(x, min(features), tuple(made[1:-1]))


def stairs(features: Features, widths: Sequence[int] | None) -> Iterator[tuple[int, int, int]]:
    """Stride, enlargement that leads to it, and width of every step, coarse to fine; spare widths
    stay unused, and `None` stands for 256, 128, 64, 32, 16.
    """
    widths = widths or (256, 128, 64, 32, 16)
    coarsest, *steps = sorted(features, reverse=True)
    if len(widths) < len(steps):
        raise ConfigError(
            f"The decoder needs {len(steps)} widths, one for each of the strides {steps}; "
            f"received {list(widths)}."
        )
    for stride, larger, width in zip(steps, [coarsest, *steps], widths, strict=False):
        yield stride, larger // stride, width


def fixed_widths(widths: Sequence[int] | None, default: Sequence[int], what: str) -> Sequence[int]:
    """`widths`, as many as in `default`, which is taken for `None`; `what` is for `ConfigError`."""
    if widths is None:
        return default
    if len(widths) != len(default):
        raise ConfigError(
            f"Expected decoder widths for {what}, such as {list(default)}; received {list(widths)}."
        )
    return widths


def from_stride(features: Features, finest: int) -> Features:
    """The features at a stride and coarser ones; all of them where fewer than two would be left."""
    chosen = {stride: x for stride, x in features.items() if stride >= finest}
    return chosen if len(chosen) > 1 else dict(features)


def low_level(features: Features, wanted: int) -> int:
    """Stride to join to the coarsest: the finest from `wanted` on, or the next to the coarsest."""
    coarsest, *finer = sorted(features, reverse=True)
    if not finer:
        raise ConfigError(
            f"This decoder combines features of several strides; the encoder has stride {coarsest} "
            "only: use an encoder with more strides, or another decoder."
        )
    return min((stride for stride in finer if stride >= wanted), default=finer[0])


def enlarge(x: Tensor, factor: int, width: int | None, name: str) -> Tensor:
    """Larger by a factor: with a learned transposed convolution to a width, or bilinearly."""
    if width is None:
        return BilinearUpsampling(factor, name=name)(x)
    kernel = {"kernel_initializer": "he_normal"}
    return layers.Conv2DTranspose(width, factor, factor, **kernel, name=name)(x)
