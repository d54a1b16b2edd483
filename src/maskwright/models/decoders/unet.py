"""Decoders that climb from stride to stride and join a skip at each step."""

from collections.abc import Callable, Sequence

from keras import layers

from maskwright.models.blocks import BATCH, BilinearUpsampling, Norm, Tensor, conv_block
from maskwright.models.decoders.output import Decoded, climb, enlarge
from maskwright.models.encoders import Features


def unet(
    features: Features,
    widths: Sequence[int] | None = None,
    *,
    transposed: bool = False,
    separable: bool = False,
    norm: Norm = BATCH,
) -> Decoded:
    """Climb from the coarsest features to the finest, joining a skip at each step.

    `transposed` enlarges with a learned 2x2 transposed convolution instead of bilinearly;
    `separable` makes the 3x3 convolutions depthwise separable.

    Source: Ronneberger et al., U-Net, 2015, with padding in place of cropping.
    """
    return _climb_and_join(features, widths, transposed=transposed, separable=separable, norm=norm)


def light(
    features: Features, widths: Sequence[int] | None = None, *, norm: Norm = BATCH
) -> Decoded:
    """One separable convolution at each step, on skips narrowed to half its width first.

    With a pretrained encoder the decoder's work is to place what the encoder has found; this one
    does it with a tenth of the weights of `unet`, most of them at coarse strides. `widths` are 128,
    96, 64, 32, 16 when left out.
    """

    def step(x: Tensor, skip: Tensor, stride: int, factor: int, width: int) -> Tensor:
        # Narrowing before enlarging is the same map as after it, at a quarter of the cost.
        x = layers.Conv2D(width, 1, use_bias=False, name=f"narrow{stride}")(x)
        x = BilinearUpsampling(factor, name=f"up{stride}")(x)
        skip = layers.Conv2D(width // 2, 1, use_bias=False, name=f"skip{stride}")(skip)
        x = layers.Concatenate(name=f"join{stride}")([x, skip])
        return conv_block(x, width, separable=True, norm=norm, name=f"decode{stride}")

    return climb(features, step, widths or (128, 96, 64, 32, 16))


def attention_unet(
    features: Features,
    widths: Sequence[int] | None = None,
    *,
    transposed: bool = False,
    gate_width: int | None = None,
    norm: Norm = BATCH,
) -> Decoded:
    """`unet` whose skips are weighed pixel by pixel, by what the coarser step has found.

    A gate adds a 1x1 convolution of the skip, taken at every pixel of the coarser grid, to one of
    the coarser features; ReLU, a 1x1 convolution to one channel and a sigmoid give weights, which
    are enlarged bilinearly and multiplied with the skip. The finest skip has no gate: what it
    holds is too close to the pixels. Of the arguments `gate_width` alone is not one of `unet`:
    channels inside the gates, as many as the skip has when left out.

    Source: Oktay et al., Attention U-Net, 2018, equations 1 and 2, in two dimensions. The authors'
    code further sends the gated skip through a 1x1 convolution, which the paper does not have, and
    joins heads of all steps to one; ours have losses of their own, see `segmenter`.
    """

    def gate(skip: Tensor, coarser: Tensor, stride: int, factor: int) -> Tensor:
        if stride == min(features):
            return skip
        width = gate_width or skip.shape[-1]
        theta = layers.Conv2D(width, 1, factor, use_bias=False, name=f"gate{stride}_skip")(skip)
        phi = layers.Conv2D(width, 1, name=f"gate{stride}_coarser")(coarser)
        x = layers.Add(name=f"gate{stride}_sum")([theta, phi])
        x = layers.ReLU(name=f"gate{stride}_relu")(x)
        x = layers.Conv2D(1, 1, activation="sigmoid", name=f"gate{stride}_weights")(x)
        x = BilinearUpsampling(factor, name=f"gate{stride}_enlarge")(x)
        return layers.Multiply(name=f"gate{stride}")([skip, x])

    return _climb_and_join(features, widths, gate, transposed=transposed, norm=norm)


def _climb_and_join(
    features: Features,
    widths: Sequence[int] | None,
    gate: Callable[[Tensor, Tensor, int, int], Tensor] | None = None,
    *,
    transposed: bool,
    separable: bool = False,
    norm: Norm,
) -> Decoded:
    """The steps of a U-Net; `gate` weighs a skip by the coarser features, a stride and a factor."""

    def step(x: Tensor, skip: Tensor, stride: int, factor: int, width: int) -> Tensor:
        if gate:
            skip = gate(skip, x, stride, factor)
        x = enlarge(x, factor, width if transposed else None, f"up{stride}")
        x = layers.Concatenate(name=f"join{stride}")([x, skip])
        for half in "ab":
            x = conv_block(x, width, separable=separable, norm=norm, name=f"decode{stride}{half}")
        return x

    return climb(features, step, widths)
