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

import keras
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

    Args:
        layer: Of a network built for even sizes.
        dilation: How much closer.
        loses_stride: The output, too, gets the pixels of the input.
        padded: A `ZeroPadding2D` comes before it, which `shift` has seen to.

    Returns:
        Layers that take its place, one after the other; without dilation and with its stride, the
        layer as it was. Convolutions and poolings without padding have some now: the sizes then
        halve evenly.
    """
    config = layer.get_config()
    if layer.padding == "valid" and not padded and _kernel(layer) > _stride(layer):
        config["padding"] = "same"
    stays = not loses_stride or _stride(layer) == 1
    if dilation == 1 and stays:
        return [type(layer).from_config(config)]
    paddings = [_around(size, layer, dilation, stays, padded) for size in _sizes(layer)]
    if isinstance(layer, POOLINGS):
        if _kernel(layer) == 1:
            return [layers.Identity(name=layer.name)]
        kind: Pooling = "max" if isinstance(layer, layers.MaxPooling2D) else "average"
        return [AtrousPooling(kind, _kernel(layer), dilation, paddings[0], name=layer.name)]
    config |= {"dilation_rate": (dilation, dilation), "strides": (1, 1)}
    if _kernel(layer) == 1:
        config["dilation_rate"] = (1, 1)
    if stays:
        return [type(layer).from_config(config)]
    config["padding"] = "valid"
    steps: list[Step] = [type(layer).from_config(config)]
    if any(map(any, paddings)):
        steps.insert(0, layers.ZeroPadding2D(paddings, name=f"{layer.name}_atrous_pad"))
    return steps


def shift(
    layer: layers.Layer, dilation: int, consumer: layers.Layer | None, loses_stride: bool
) -> Step:
    """A padding or cropping for an input whose pixels lie closer than they used to; see `spread`.
    `consumer` is the convolution or pooling that takes what is padded, if one does.
    """
    name = "padding" if isinstance(layer, layers.ZeroPadding2D) else "cropping"
    sides = [[side * dilation for side in axis] for axis in getattr(layer, name)]
    if consumer is not None and loses_stride and _stride(consumer) > 1:
        for axis, size in zip(sides, _sizes(consumer), strict=True):
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


def is_grouped(layer: keras.Operation) -> bool:
    """Whether `depthwise` applies."""
    return isinstance(layer, layers.Conv2D) and layer.groups == layer.filters > 1


def _sizes(layer: layers.Layer) -> tuple[int, int]:
    return layer.pool_size if isinstance(layer, POOLINGS) else layer.kernel_size


def _kernel(layer: layers.Layer) -> int:
    return max(_sizes(layer))


def _stride(layer: layers.Layer) -> int:
    return max(layer.strides)


def _around(
    size: int, layer: layers.Layer, dilation: int, stays: bool, padded: bool
) -> tuple[int, int]:
    """Pixels before and after, along one axis, that the kernel reaches outside the image."""
    if padded:
        return (0, 0)
    # TensorFlow puts the smaller half of what is missing in front.
    missing = size - 1 if stays else max(size - _stride(layer), 0)
    before = missing // 2 * dilation
    return (before, (size - 1) * dilation - before)
