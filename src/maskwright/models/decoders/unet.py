"""Decoders that climb from stride to stride and join, or add, a skip at each step."""

from collections.abc import Callable, Sequence
from functools import partial

from keras import layers

from maskwright.models.blocks import (
    BATCH,
    BilinearUpsampling,
    Norm,
    Tensor,
    conv_block,
    normalization,
)
from maskwright.models.decoders.output import (
    Decoded,
    climb,
    enlarge,
    fixed_widths,
    from_stride,
    stairs,
)
from maskwright.models.encoders import Features

Gate = Callable[[Tensor, Tensor, int, int], Tensor]
"""Weighs a skip by the coarser features, its stride, and the factor between both."""


def unet(
    features: Features,
    widths: Sequence[int] | None = None,
    *,
    transposed: bool = False,
    separable: bool = False,
    norm: Norm = BATCH,
    gate: Gate | None = None,
) -> Decoded:
    """Climb from the coarsest features to the finest, joining a skip at each step.

    `transposed` enlarges with a learned 2x2 transposed convolution instead of bilinearly;
    `separable` makes the 3x3 convolutions depthwise separable; `gate` weighs the skips.

    Source: Ronneberger et al., U-Net, 2015, with padding in place of cropping.
    """

    def step(x: Tensor, skip: Tensor, stride: int, factor: int, width: int) -> Tensor:
        if gate:
            skip = gate(skip, x, stride, factor)
        x = enlarge(x, factor, width if transposed else None, f"up{stride}")
        x = layers.Concatenate(name=f"join{stride}")([x, skip])
        for half in "ab":
            x = conv_block(x, width, separable=separable, norm=norm, name=f"decode{stride}{half}")
        return x

    return climb(features, step, widths)


def light(
    features: Features, widths: Sequence[int] | None = None, *, norm: Norm = BATCH
) -> Decoded:
    """One separable convolution at each step, on skips narrowed to half its width first.

    It has a tenth of the weights of `unet`, most of them at coarse strides, which suits pretrained
    encoders. `widths` are 128, 96, 64, 32, 16 when left out.
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
    are enlarged bilinearly and multiplied with the skip. The finest skip has no gate. Inside the
    gates are `gate_width` channels, as many as the skip has when left out.

    Source: Oktay et al., Attention U-Net, 2018, equations 1 and 2, in two dimensions. The authors'
    code further has a 1x1 convolution behind each gate, and joins the heads of all steps to one.
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

    return unet(features, widths, transposed=transposed, norm=norm, gate=gate)


def resunet(
    features: Features, widths: Sequence[int] | None = None, *, norm: Norm = BATCH
) -> Decoded:
    """Climb as `unet` does, with a residual unit at each step.

    A unit is normalization, ReLU and 3x3 convolution, twice, added to what it was given; a 1x1
    convolution fits the channels of the latter. Nothing normalizes the last sum: the classes are
    read from it as it is.

    Sources: Zhang, Liu, Wang, Road extraction by deep residual U-Net, 2018, enlarging bilinearly;
    He et al., Identity mappings in deep residual networks, 2016, figure 4e.
    """
    convolution = partial(layers.Conv2D, padding="same", kernel_initializer="he_normal")

    def step(x: Tensor, skip: Tensor, stride: int, factor: int, width: int) -> Tensor:
        name = f"decode{stride}"
        x = enlarge(x, factor, None, f"up{stride}")
        x = beside = layers.Concatenate(name=f"join{stride}")([x, skip])
        if x.shape[-1] != width:
            beside = convolution(width, 1, padding="valid", name=f"{name}_fit")(x)
        for half in "ab":
            x = normalization(x, norm, name=f"{name}{half}_norm")
            x = layers.ReLU(name=f"{name}{half}_relu")(x)
            x = convolution(width, 3, name=f"{name}{half}_conv")(x)
        return layers.Add(name=f"{name}_sum")([beside, x])

    return climb(features, step, widths)


def linknet(
    features: Features, widths: Sequence[int] | None = None, *, finest: int = 1, norm: Norm = BATCH
) -> Decoded:
    """Climb through narrow blocks and add the skip at each step.

    A block goes from `m` to `n` channels by a 1x1 convolution to `m / 4`, a transposed 3x3 one
    that enlarges, and a 1x1 one to `n`, which is what the skip has; normalization and ReLU follow
    each. One more block, which does not enlarge, follows the finest skip. Unless that lies at the
    image's own stride, a transposed 3x3 convolution halves its stride.

    `widths` are the channels of the last two convolutions, 32 when left out. Features finer than
    the stride `finest` are not joined; LinkNet's is 4: the 7x7 convolution at stride 2 gives no
    skip. The result lies at half the finest stride, or at 1; sums at all other steps are auxiliary.

    Source: Chaurasia and Culurciello, LinkNet, 2017. Its head is a transposed 2x2 convolution to
    the classes; ours is a 1x1 convolution and bilinear enlargement.
    """
    (last,) = fixed_widths(widths, (32,), "the last convolutions")

    def block(x: Tensor, width: int, factor: int, name: str) -> Tensor:
        inner = max(1, x.shape[-1] // 4)
        x = conv_block(x, inner, kernel=1, norm=norm, name=f"{name}_narrow")
        x = transposed(x, inner, factor, f"{name}_up")
        return conv_block(x, width, kernel=1, norm=norm, name=f"{name}_widen")

    def transposed(x: Tensor, width: int, factor: int, name: str) -> Tensor:
        x = layers.Conv2DTranspose(
            width,
            max(3, factor + 1),  # where the factor is 4, a kernel of 3 would leave gaps
            factor,
            padding="same",
            use_bias=norm.kind == "none",
            kernel_initializer="he_normal",
            name=name,
        )(x)
        x = normalization(x, norm, name=f"{name}_norm")
        return layers.ReLU(name=f"{name}_relu")(x)

    features = from_stride(features, finest)
    x = features[max(features)]
    steps = []
    sources = [features[stride].shape[-1] for stride in sorted(features, reverse=True)[1:]]
    for stride, factor, width in stairs(features, sources):
        x = block(x, width, factor, f"decode{stride}")
        x = layers.Add(name=f"add{stride}")([x, features[stride]])
        steps.append((x, stride))
    last_stride = min(features)
    x = block(x, x.shape[-1], 1, "decode_last")
    if last_stride > 1:
        x = transposed(x, last, 2, "last_up")
    x = conv_block(x, last, norm=norm, name="last")
    return Decoded(x, max(1, last_stride // 2), tuple(steps[:-1]))
