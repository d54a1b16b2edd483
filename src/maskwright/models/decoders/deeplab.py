"""Decoders that look far around on coarse features: DeepLab's atrous pyramid, and LR-ASPP."""

from collections.abc import Sequence
from functools import partial

from keras import layers

from maskwright.models.blocks import BATCH, EnlargeLike, Norm, conv_block, norm_of_means
from maskwright.models.decoders.output import Decoded, enlarge, fixed_widths, low_level
from maskwright.models.encoders import Features

_REACH = (96, 192, 288)  # pixels of the image between the taps of a 3x3 kernel: 6, 12, 18 at 16


def rates(stride: int) -> tuple[int, ...]:
    """Dilations for features at a stride: 6, 12, 18 at 16; 12, 24, 36 at 8; 3, 6, 9 at 32, which is
    ours: the papers go no coarser than 16, and keep the distances in the image at 8.
    """
    return tuple(max(1, reach // stride) for reach in _REACH)


def deeplab_v3(
    features: Features,
    widths: Sequence[int] | None = None,
    *,
    separable: bool = False,
    norm: Norm = BATCH,
) -> Decoded:
    """Atrous spatial pyramid pooling on the coarsest features.

    A 1x1 convolution, three 3x3 ones dilated by `rates` of the features' stride, and the mean over
    the image through a 1x1 convolution, joined and mixed by one more 1x1 convolution.

    Args:
        features: Encoder outputs by stride. The paper has the coarsest at 16 or 8, which is the
            encoder's `output_stride`.
        widths: Channels of every branch and of the result; 256 when left out.
        separable: Depthwise separable 3x3 convolutions.
        norm: After every convolution. With `"batch"` and one image in a batch the mean has no
            variance, and its branch says nothing in training; with `"instance"` it goes without.

    Source: Chen et al., Rethinking atrous convolution, 2017. Some libraries add a 3x3 convolution
    after mixing; the paper has none.
    """
    (width,) = fixed_widths(widths, (256,), "the branches")
    stride = max(features)
    x = features[stride]
    narrow = partial(conv_block, width=width, kernel=1)
    dilated = partial(conv_block, width=width, separable=separable, norm=norm)
    branches = [narrow(x, norm=norm, name="aspp1")]
    for number, rate in enumerate(rates(stride), start=2):
        branches.append(dilated(x, dilation=rate, name=f"aspp{number}"))
    mean = layers.GlobalAveragePooling2D(keepdims=True, name="aspp_mean")(x)
    mean = narrow(mean, norm=norm_of_means(norm), name="aspp5")
    branches.append(EnlargeLike(name="aspp_mean_enlarge")([mean, x]))
    joined = layers.Concatenate(name="aspp_join")(branches)
    return Decoded(narrow(joined, norm=norm, name="aspp_mix"), stride)


def deeplab_v3_plus(
    features: Features,
    widths: Sequence[int] | None = None,
    *,
    separable: bool = False,
    norm: Norm = BATCH,
) -> Decoded:
    """`deeplab_v3` enlarged to stride 4, joined to narrowed fine features, and convolved twice.

    Args:
        features: Encoder outputs by stride. The fine ones are those at stride 4, or at the stride
            nearest to it that is finer than the coarsest; the result has their stride.
        widths: Channels of the branches and of the two last 3x3 convolutions, and those that the
            fine features are narrowed to; 256, 48 when left out.
        separable: Depthwise separable 3x3 convolutions in the pyramid and after joining. The paper
            takes them for its fastest models alone. Ours have nothing between depthwise and 1x1.
        norm: See `deeplab_v3`.

    Source: Chen et al., Encoder-decoder with atrous separable convolution, 2018: section 4.1 for 48
    channels and two convolutions of 256, table 5 for separable ones.
    """
    width, narrow = fixed_widths(widths, (256, 48), "the branches and the fine features")
    fine = low_level(features, 4)
    x, stride, _ = deeplab_v3(features, (width,), separable=separable, norm=norm)
    x = enlarge(x, stride // fine, None, "aspp_up")
    low = conv_block(features[fine], narrow, kernel=1, norm=norm, name="low")
    x = layers.Concatenate(name="low_join")([x, low])
    for step in "ab":
        x = conv_block(x, width, separable=separable, norm=norm, name=f"refine{step}")
    return Decoded(x, fine)


def lraspp(
    features: Features,
    widths: Sequence[int] | None = None,
    *,
    coarse_activation: str | None = None,
    norm: Norm = BATCH,
) -> Decoded:
    """MobileNetV3's light head: coarse features weighed by the image as a whole, joined to fine.

    A 1x1 convolution of the coarsest features is multiplied with a sigmoid of their mean's 1x1
    convolution, enlarged, and joined to the fine features as they are. The paper sums the logits of
    two 1x1 convolutions; one on both joined is the same.

    Args:
        features: Encoder outputs by stride. The paper has the coarsest at 16 and the fine ones at
            8; these are taken at the stride nearest to 8 that is finer than the coarsest.
        widths: Channels of the coarse branch; 128 when left out.
        coarse_activation: Activation of the coarse features before all else, by its Keras name.
            Keras numbers MobileNetV3's last one anew in every model: it cannot be tapped.
        norm: Of the coarse branch.

    Source: Howard et al., Searching for MobileNetV3, 2019, figure 10. The mean is one over the
    whole image, where the paper slides a window of 49x49 that nearly covers it: a mean of windows
    would change with the size of the image.
    """
    (width,) = fixed_widths(widths, (128,), "the coarse branch")
    stride, fine = max(features), low_level(features, 8)
    deep = features[stride]
    if coarse_activation:
        deep = layers.Activation(coarse_activation, name="coarse_activation")(deep)
    x = conv_block(deep, width, kernel=1, norm=norm, name="coarse")
    mean = layers.GlobalAveragePooling2D(keepdims=True, name="mean")(deep)
    weigh = layers.Conv2D(width, 1, use_bias=False, activation="sigmoid", name="mean_weights")
    x = layers.Multiply(name="coarse_weighed")([x, weigh(mean)])
    x = enlarge(x, stride // fine, None, "coarse_up")
    return Decoded(layers.Concatenate(name="fine_join")([x, features[fine]]), fine)
