"""ResNets as torchvision and timm have them: padded alike on both sides, with strides in 3x3
convolutions.
"""

from collections.abc import Sequence

from keras import layers

from maskwright.models.blocks import Norm, Tensor, normalization
from maskwright.models.encoders.base import IMAGENET, Encoder, PixelFormat
from maskwright.models.encoders.scratch import convolution, placed

RESNETS = {
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50_v1_5": (3, 4, 6, 3),
}
"""Blocks at strides 4, 8, 16 and 32."""

BOTTLENECKS = ("resnet50_v1_5",)
"""ResNets whose blocks are a 3x3 convolution between two of 1x1, the last four times as wide."""

_WIDENED = 4


def resnet(
    name: str, pixels: PixelFormat, _widths: Sequence[int], norm: Norm, output_stride: int
) -> Encoder:
    """ResNet-18 or ResNet-34: two 3x3 convolutions in every block; ResNet-50: a bottleneck.

    7x7 convolution to 64 channels with stride 2, maxima of 3x3 with stride 2, then blocks of 64,
    128, 256 and 512 channels; a 1x1 convolution stands for the identity where the shape changes.
    Beyond `output_stride` blocks are dilated instead of halving. Without its top ResNet-18 has
    11,176,512 weights that learn, ResNet-34 21,284,672, ResNet-50 23,508,032.

    Source: He et al., Deep residual learning for image recognition, 2016; of ResNet-50, version
    1.5, whose bottlenecks halve in their 3x3 convolution, as in torchvision and timm. The
    `resnet50` of `keras.applications` halves in the 1x1 convolution before it.
    """
    images, x = pixels.scaled_input(*IMAGENET)

    def convolved(x: Tensor, width: int, kernel: int, by: int, apart: int, name: str) -> Tensor:
        x = convolution(x, width, kernel, by, apart, norm=norm, name=f"{name}_conv")
        return normalization(x, norm, name=f"{name}_norm")

    x = layers.ReLU(name="stem_relu")(convolved(x, 64, 7, 2, 1, "stem"))
    features = {2: x}
    # After a ReLU, the zeros of the padding never win.
    x = layers.ZeroPadding2D(1, name="pool_pad")(x)
    x = layers.MaxPooling2D(3, 2, name="pool")(x)
    for level, blocks in enumerate(RESNETS[name], start=2):
        stride, dilation = placed(level, output_stride)
        width = 16 * 2**level
        for block in range(blocks):
            prefix = f"stride{2**level}_block{block + 1}"
            first = block == 0 and level > 2
            halves = 2 if first and dilation == 1 else 1
            before = dilation // 2 if first and dilation > 1 else dilation
            if name in BOTTLENECKS:
                steps = [(width, 1, 1, 1), (width, 3, halves, before), (_WIDENED * width, 1, 1, 1)]
            else:
                steps = [(width, 3, halves, before), (width, 3, 1, dilation)]
            *inner, last = steps
            changed = first or x.shape[-1] != last[0]
            beside = convolved(x, last[0], 1, halves, 1, f"{prefix}_beside") if changed else x
            for letter, step in zip("ab", inner, strict=False):
                x = convolved(x, *step, f"{prefix}{letter}")
                x = layers.ReLU(name=f"{prefix}{letter}_relu")(x)
            x = convolved(x, *last, f"{prefix}{'abc'[len(inner)]}")
            x = layers.Add(name=f"{prefix}_add")([x, beside])
            x = layers.ReLU(name=f"{prefix}_relu")(x)
        features[stride] = x
    return Encoder.of(images, features)
