"""Decoders whose nodes look at many scales at once: U-Net++ and U-Net 3+."""

from collections.abc import Sequence

from keras import layers

from maskwright.models.blocks import BATCH, Norm, Tensor, conv_block
from maskwright.models.decoders.output import Decoded, enlarge, fixed_widths, stairs
from maskwright.models.encoders import Features


def unet_plus_plus(
    features: Features,
    widths: Sequence[int] | None = None,
    *,
    transposed: bool = True,
    norm: Norm = BATCH,
) -> Decoded:
    """Nested U-Nets of every depth, whose skips are dense.

    Node `X(i, j)` stands at the stride of level `i`, 0 the finest, after `j` steps; it joins
    `X(i, 0)` to `X(i, j - 1)` and the enlarged `X(i + 1, j - 1)`, then convolves 3x3 twice.
    `X(i, 0)` is the encoder's. Four steps make ten nodes.

    Args:
        features: Encoder outputs by stride.
        widths: Channels of the nodes at each stride but the coarsest.
        transposed: Enlarge with a learned transposed convolution, as the authors do, instead of
            bilinearly.
        norm: After every 3x3 convolution.

    Returns:
        The last node at the finest stride; the others there are auxiliary, fewest steps first.

    Source: Zhou et al., UNet++, 2018, with its first mode left out: prediction is that of the last
    node and not the mean of all, so that auxiliary heads need not be kept.
    """
    steps = list(stairs(features, widths))
    coarsest = max(features)
    # Of each stride, in the order of their steps.
    nodes: dict[int, list[Tensor]] = {stride: [features[stride]] for stride in features}
    for number in range(1, len(steps) + 1):
        # With every further node, one more of the coarsest strides has nothing deeper to take.
        for place in range(number - 1, len(steps)):
            stride, factor, width = steps[place]
            deeper = steps[place - 1][0] if place else coarsest
            name = f"node{stride}_{number}"
            x = enlarge(
                nodes[deeper][number - 1], factor, width if transposed else None, f"{name}_up"
            )
            x = layers.Concatenate(name=f"{name}_join")([*nodes[stride][:number], x])
            for step in "ab":
                x = conv_block(x, width, norm=norm, name=f"{name}{step}")
            nodes[stride].append(x)
    finest = min(features)
    *others, last = nodes[finest][1:] or nodes[finest]
    return Decoded(last, finest, tuple((x, finest) for x in others))


def unet_3plus(
    features: Features, widths: Sequence[int] | None = None, *, norm: Norm = BATCH
) -> Decoded:
    """Every node looks at every stride: finer features by their maxima, coarser ones enlarged.

    Each of the features goes through a 3x3 convolution of its own to equally many channels,
    `widths`, 64 when left out; joined, they go through one more of as many channels as all have
    together, 320 with five. A node takes encoder features at its own stride and finer ones, and
    what the decoder made of the coarser strides. The result is the node at the finest stride; the
    coarsest features of the encoder and the other nodes are auxiliary, coarse to fine.

    Source: Huang et al., UNet 3+, 2020, without its classification-guided module, which decides
    on the whole image whether there is an organ. Its heads are 3x3 convolutions; ours are 1x1.
    """
    (width,) = fixed_widths(widths, (64,), "what each stride gives to a node")
    strides = sorted(features, reverse=True)
    made = {strides[0]: features[strides[0]]}
    for stride in strides[1:]:
        parts = []
        for source in sorted(features):
            name = f"node{stride}_from{source}"
            x = made.get(source, features[source])
            if source < stride:
                x = layers.MaxPooling2D(stride // source, name=f"{name}_pool")(x)
            elif source > stride:
                x = enlarge(x, source // stride, None, f"{name}_up")
            parts.append(conv_block(x, width, norm=norm, name=name))
        x = layers.Concatenate(name=f"node{stride}_join")(parts)
        made[stride] = conv_block(x, width * len(parts), norm=norm, name=f"node{stride}")
    *others, finest = strides
    return Decoded(made[finest], finest, tuple((made[stride], stride) for stride in others))
