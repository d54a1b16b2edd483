"""A network's layers with strides traded for dilation, its weights unchanged.

Where a layer loses its stride, it works at every pixel instead of every second one, and all later
kernels reach twice as far. At those pixels that the stride used to choose, the results are what
they were, border included: `ZeroPadding2D` and the paddings here put the kernels where TensorFlow's
`"same"` puts them for even sizes. Only what looks at the whole image, such as
squeeze-and-excitation, sees more pixels.

Source: Chen et al., DeepLabv3, 2017, section 3.1, with the same convention: the convolution that
had the stride keeps the dilation of those before it.
"""

from collections.abc import Callable
from typing import Any

from keras import layers

from maskwright.models.blocks import Tensor
from maskwright.models.encoders.layers import AtrousPooling, Pooling

Step = Callable[..., Tensor]
"""A layer, or what takes its place: from tensors to a tensor."""

CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
POOLINGS = (layers.MaxPooling2D, layers.AveragePooling2D)
SHIFTS = (layers.ZeroPadding2D, layers.Cropping2D)


def spread(layer: layers.Layer, dilation: int, loses_stride: bool, padded: bool) -> list[Step]:
    """A convolution or pooling for an input whose pixels lie closer than they used to.

    `dilation` is how much closer. With `loses_stride` the output, too, gets the pixels of the
    input; `padded` says that a `ZeroPadding2D` comes before it, which `shift` has seen to.

    Returns:
        Layers that take its place, one after the other. Those without padding have some now: the
        sizes then halve evenly.
    """
    config, kernel, stride = layer.get_config(), max(_sizes(layer)), max(layer.strides)
    if layer.padding == "valid" and not padded and kernel > stride:
        config["padding"] = "same"
    stays = not loses_stride or stride == 1
    if dilation == 1 and stays:
        return [type(layer).from_config(config)]
    paddings = []
    for size in _sizes(layer):
        # TensorFlow puts the smaller half of what is missing in front.
        missing = size - 1 if stays else max(size - stride, 0)
        before = missing // 2 * dilation
        paddings.append((0, 0) if padded else (before, (size - 1) * dilation - before))
    if isinstance(layer, POOLINGS):
        if kernel == 1:
            return [layers.Identity(name=layer.name)]
        kind: Pooling = "max" if isinstance(layer, layers.MaxPooling2D) else "average"
        return [AtrousPooling(kind, kernel, dilation, paddings[0], name=layer.name)]
    rate = dilation if kernel > 1 else 1
    config |= {"dilation_rate": (rate, rate), "strides": (1, 1)}
    if stays:
        return [type(layer).from_config(config)]
    config["padding"] = "valid"
    steps: list[Step] = [type(layer).from_config(config)]
    if any(map(any, paddings)):
        steps.insert(0, layers.ZeroPadding2D(paddings, name=f"{layer.name}_atrous_pad"))
    return steps


def shift(layer: layers.Layer, dilation: int, losing: layers.Layer | None) -> Step:
    """A padding or cropping for an input whose pixels lie closer than they used to; see `spread`.
    `losing` is the convolution or pooling that takes what is padded and loses its stride, if any.
    """
    name = "padding" if isinstance(layer, layers.ZeroPadding2D) else "cropping"
    sides = [[side * dilation for side in axis] for axis in getattr(layer, name)]
    if name == "padding" and losing is not None and max(losing.strides) > 1:
        for axis, size in zip(sides, _sizes(losing), strict=True):
            axis[1] = (size - 1) * dilation - axis[0]
    config = layer.get_config() | {name: [tuple(axis) for axis in sides]}
    return type(layer).from_config(config)


def depthwise(layer: layers.Conv2D) -> layers.DepthwiseConv2D:
    """A convolution with as many groups as channels, as the depthwise one that it is.

    TensorFlow compiles grouped convolutions with XLA on CPUs: seconds before the first result.
    """
    config: dict[str, Any] = layer.get_config()
    for name in ("kernel_initializer", "kernel_regularizer", "kernel_constraint"):
        config[name.replace("kernel", "depthwise")] = config.pop(name)
    del config["filters"], config["groups"]
    return layers.DepthwiseConv2D.from_config(config)


def _sizes(layer: layers.Layer) -> tuple[int, int]:
    return layer.pool_size if isinstance(layer, POOLINGS) else layer.kernel_size
