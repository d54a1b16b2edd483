"""Decoders that bring several scales to one size and sum or join them there."""

from collections.abc import Sequence
from itertools import pairwise

from keras import layers

from maskwright.errors import ConfigError
from maskwright.models.blocks import (
    BATCH,
    AverageBins,
    EnlargeLike,
    Norm,
    conv_block,
    norm_of_means,
    normalization,
)
from maskwright.models.decoders.output import Decoded, enlarge, fixed_widths, from_stride
from maskwright.models.encoders import Features


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


def pyramid(features: Features, width: int) -> Features:
    """Features of every stride in the light of all coarser ones, with equally many channels.

    1x1 convolutions bring all to `width` channels; coarse ones are enlarged and added to the next
    finer, and a 3x3 convolution smooths each sum.

    Source: Lin et al., Feature pyramid networks, 2017, which enlarges nearest; see `fpn`.
    """
    strides = sorted(features, reverse=True)
    laterals = {
        stride: layers.Conv2D(width, 1, name=f"lateral{stride}")(features[stride])
        for stride in strides
    }
    sums = {strides[0]: laterals[strides[0]]}
    for above, stride in pairwise(strides):
        x = enlarge(sums[above], above // stride, None, f"lateral{stride}_up")
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
        features: Encoder outputs by stride. The paper has the coarsest at stride 8, which is the
            encoder's `output_stride`; at 32 the parts are the same and the outlines coarser.
        widths: Channels after joining; 512 when left out.
        bins: Parts to a side of each grid.
        auxiliary_width: Channels of the auxiliary features.
        norm: After every convolution, but with `"instance"` not of the mean of the whole image,
            which has no variance.

    Returns:
        Features at the coarsest stride. A 3x3 convolution on the next finer ones is auxiliary; the
        paper's stands on the stage before the last, which at stride 8 has that stride as well,
        and which an encoder that gives one map for each stride does not show.

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
