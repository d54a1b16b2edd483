"""Decoders that join many scales at once: U-Net++, U-Net 3+, FPN, PSPNet and SegFormer."""

from collections.abc import Sequence
from itertools import pairwise

from keras import layers

from maskwright.errors import ConfigError
from maskwright.models.blocks import (
    BATCH,
    AverageBins,
    EnlargeLike,
    Norm,
    Tensor,
    conv_block,
    norm_of_means,
    normalization,
)
from maskwright.models.decoders.output import Decoded, enlarge, fixed_widths, from_stride, stairs
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

    `transposed` enlarges with a learned transposed convolution, as the authors do, instead of
    bilinearly. The result is the last node at the finest stride; the others there are auxiliary,
    fewest steps first.

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


def fpn(features: Features, widths: Sequence[int] | None = None, *, norm: Norm = BATCH) -> Decoded:
    """Feature pyramid with the semantic head of Panoptic FPN.

    Every level of `pyramid` climbs to the finest by 3x3 convolution, normalization, ReLU and
    twofold enlargement, once for each doubling; the finest goes through one without enlargement.
    All are summed. Features finer than stride 4 are left aside where two others remain. `widths`
    are the channels of the pyramid and of the climbing levels, 256, 128 when left out; `norm` is
    that of the climbing levels, in the paper `"group"`.

    Sources: Lin et al., Feature pyramid networks, 2017; Kirillov et al., Panoptic feature pyramid
    networks, 2019, figure 3. Theirs enlarge nearest in the pyramid; ours bilinearly, because
    nearest enlargement of a size that is not fixed does not run in LiteRT.
    """
    pyramid_width, width = fixed_widths(widths, (256, 128), "the pyramid and its head")
    chosen = from_stride(features, 4)
    finest = min(chosen)
    climbed = []
    for stride, x in pyramid(chosen, pyramid_width).items():
        doublings = (stride // finest).bit_length() - 1
        for at in [stride >> n for n in range(doublings)] or [finest]:
            x = conv_block(x, width, norm=norm, name=f"head{stride}_{at}")
            if at > finest:
                x = enlarge(x, 2, None, f"head{stride}_{at}_up")
        climbed.append(x)
    total = layers.Add(name="head_sum")(climbed) if len(climbed) > 1 else climbed[0]
    return Decoded(total, finest)


def pyramid(features: Features, width: int, nearest: bool = False) -> Features:
    """Features of every stride in the light of all coarser ones, with equally many channels.

    1x1 convolutions bring all to `width` channels; coarse ones are enlarged and added to the next
    finer, and a 3x3 convolution smooths each sum. They are enlarged bilinearly, or by the `nearest`
    cell.

    Source: Lin et al., Feature pyramid networks, 2017, which enlarges nearest; see `fpn`.
    """
    strides = sorted(features, reverse=True)
    laterals = {
        stride: layers.Conv2D(width, 1, name=f"lateral{stride}")(features[stride])
        for stride in strides
    }
    sums = {strides[0]: laterals[strides[0]]}
    for above, stride in pairwise(strides):
        name = f"lateral{stride}_up"
        if nearest:
            x = layers.UpSampling2D(above // stride, name=name)(sums[above])
        else:
            x = enlarge(sums[above], above // stride, None, name)
        sums[stride] = layers.Add(name=f"lateral{stride}_sum")([x, laterals[stride]])
    return {
        stride: layers.Conv2D(width, 3, padding="same", name=f"pyramid{stride}")(x)
        for stride, x in sums.items()
    }


def pspnet(
    features: Features,
    widths: Sequence[int] | None = None,
    *,
    bins: Sequence[int] = (1, 2, 3, 6),
    auxiliary_width: int = 256,
    norm: Norm = BATCH,
) -> Decoded:
    """Pyramid pooling: the coarsest features, and their means over grids of parts of the image.

    Each grid goes through a 1x1 convolution to a quarter of the channels, is enlarged back and
    joined to the features, and a 3x3 convolution follows.

    Args:
        features: Encoder outputs by stride; the paper's coarsest is 8, see `output_stride`.
        widths: Channels after joining; 512 when left out.
        bins: Parts to a side of each grid.
        norm: After every convolution, but with `"instance"` not of the mean of the whole image,
            which has no variance.

    Returns:
        Features at the coarsest stride. A 3x3 convolution on the next finer ones is auxiliary; the
        paper's stands on the stage before the last, which at stride 8 has that stride as well.

    Source: Zhao et al., Pyramid scene parsing network, 2017; enlarging with half-pixel centers.
    """
    (width,) = fixed_widths(widths, (512,), "the features after joining")
    if not bins or min(bins) < 1:
        raise ConfigError(f"Expected grids of one part or more a side, received {list(bins)}.")
    coarsest, *finer = sorted(features, reverse=True)
    deep = features[coarsest]
    quarter = max(1, deep.shape[-1] // len(bins))
    joined = [deep]
    for number in bins:
        x = AverageBins(number, name=f"bins{number}")(deep)
        bin_norm = norm_of_means(norm) if number == 1 else norm
        x = conv_block(x, quarter, kernel=1, norm=bin_norm, name=f"bins{number}_narrow")
        joined.append(EnlargeLike(name=f"bins{number}_enlarge")([x, deep]))
    x = layers.Concatenate(name="bins_join")(joined)
    x = conv_block(x, width, norm=norm, name="bins_fuse")
    if not finer:
        return Decoded(x, coarsest)
    name = "auxiliary_features"
    auxiliary = conv_block(features[finer[0]], auxiliary_width, norm=norm, name=name)
    return Decoded(x, coarsest, ((auxiliary, finer[0]),))


def segformer(
    features: Features, widths: Sequence[int] | None = None, *, norm: Norm = BATCH
) -> Decoded:
    """SegFormer's head: every stride projected pixel by pixel, enlarged, joined, mixed, normalized.

    Features finer than stride 4 are left aside where two others remain. `widths` is the number of
    channels of every projection and of the result: 256 when left out, as for SegFormer-B0 and B1;
    B2 to B5 have 768.

    Source: Xie et al., SegFormer, 2021; normalized after joining as in the authors' code.
    """
    (width,) = fixed_widths(widths, (256,), "the projections")
    chosen = from_stride(features, 4)
    finest = min(chosen)
    parts = []
    for stride in sorted(chosen, reverse=True):
        x = layers.Conv2D(width, 1, name=f"project{stride}")(chosen[stride])
        if stride > finest:
            x = enlarge(x, stride // finest, None, f"project{stride}_up")
        parts.append(x)
    x = layers.Concatenate(name="project_join")(parts) if len(parts) > 1 else parts[0]
    x = layers.Conv2D(width, 1, use_bias=norm.kind == "none", name="mix")(x)
    x = normalization(x, norm, name="mix_norm")
    return Decoded(layers.ReLU(name="mix_relu")(x), finest)
