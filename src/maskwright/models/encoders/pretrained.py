"""Encoders from `keras.applications`, and others built alike: copied layer by layer, so that they
take images of any size and number of channels, may trade strides for dilation, and give features.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from maskwright.errors import ConfigError, ModelError
from maskwright.models.blocks import Tensor
from maskwright.models.encoders import atrous
from maskwright.models.encoders.base import (
    CENTERED,
    Encoder,
    PixelFormat,
    copy_weights,
    load_file,
    producer,
)
from maskwright.models.encoders.layers import Gelu
from maskwright.models.encoders.published import INSTALLED

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Family:
    """One network of `keras.applications`, or built as these are, as an encoder.

    Args:
        build: The constructor.
        mean: Subtracted from pixels of 0 to 255, RGB, before dividing by `std`, as
            `preprocess_input` of the network does, or its own first layers, which are left out.
        std: See `mean`.
        bgr: The published weights expect blue first.
        options: Further arguments of the constructor.
        taps: Stride to layer, in place of the last layer at that stride.
        top: First layer that widens the features for classification; it and what follows are left
            out.
        side: Of the square images it is built for before it is copied, pixels: layers read off
            this size how to pad, and it is to halve evenly.
        load: Loads published weights, or a file, into the network of a name, in place of Keras.
    """

    build: Callable[..., keras.Model]
    mean: Triple = CENTERED[0]
    std: Triple = CENTERED[1]
    bgr: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    taps: Mapping[int, str] = field(default_factory=dict)
    top: str | None = None
    side: int = 256
    load: Callable[[keras.Model, str, str | Path], None] | None = None


def pretrained(
    family: Family,
    name: str,
    pixels: PixelFormat,
    *,
    weights: str | Path | None,
    alpha: float,
    taps: Mapping[int, str] | None,
    output_stride: int,
    synchronized: bool,
) -> Encoder:
    """Encoder of a family; see `encoder` for the other arguments, and for what is raised."""
    network = _network(name, family, weights, alpha)
    strides = _strides(network, family.side)
    taps = dict(taps) if taps is not None else _last_at_stride(network, strides, family)
    if missing := [tap for tap in taps.values() if tap not in strides]:
        raise ConfigError(f"{name} has no layer named {', '.join(missing)}.")
    for stride, tap in taps.items():
        if strides[tap] != stride:
            raise ConfigError(
                f"The layer {tap} of {name} has stride {strides[tap]}; the tap states {stride}."
            )
    images, scaled = pixels.scaled_input(family.mean, family.std)
    copy = _Copy(strides, output_stride, images, scaled, synchronized)
    keras.models.clone_model(
        network,
        input_tensors=keras.tree.map_structure(lambda _: images, network.input),
        clone_function=copy,
    )
    # At the coarsest stride left, the features of the deepest layer.
    outputs = {min(s, output_stride): copy.outputs[taps[s]] for s in sorted(taps)}
    encoder = Encoder.of(images, outputs)
    if weights is not None:
        used = {id(layer) for layer in encoder.model.layers}
        for theirs, ours in copy.pairs:
            if id(ours) in used:
                copy_weights(theirs, ours, family.bgr, pixels.extra)
    return encoder


def _network(name: str, family: Family, weights: str | Path | None, alpha: float) -> keras.Model:
    """As Keras builds it, for square RGB images of `family.side`, with its weights."""
    options = dict(family.options)
    if name.startswith("mobilenet"):
        options["alpha"] = alpha
    published = weights if weights == "imagenet" and family.load is None else None
    shape = (family.side, family.side, 3)
    with warnings.catch_warnings():
        # Keras warns of sizes that it has no weights for; convolutions take any.
        warnings.simplefilter("ignore", UserWarning)
        try:
            options |= {"weights": published, "input_shape": shape}
            network = family.build(include_top=False, **options)
        except Exception as error:
            if published is None:
                raise
            raise ModelError(
                f"Keras cannot download the ImageNet weights of {name} ({error}); set encoder="
                f"{INSTALLED}, whose weights need no download, or encoder_weights=FILE or none."
            ) from error
    if family.load is not None and weights is not None:
        family.load(network, name, weights)
    elif weights is not None and published is None:
        load_file(network, f"{name} without its top", weights, "check the encoder and its alpha")
    return network


def _strides(network: keras.Model, side: int) -> dict[str, int]:
    """Stride of the features of every layer, by name; what pads or crops has that of its input."""
    strides: dict[str, int] = {}
    for layer in network.operations:
        shape: tuple[int, ...] = getattr(layer.output, "shape", ())
        if isinstance(layer, atrous.SHIFTS):
            strides[layer.name] = strides[producer(layer).name]
        elif len(shape) == 4 and shape[1] > 1:
            strides[layer.name] = 2 ** round(float(np.log2(side / shape[1])))
    return strides


def _last_at_stride(
    network: keras.Model, strides: Mapping[str, int], family: Family
) -> dict[int, str]:
    """Name of the last layer at each stride but the first, or the family's own choice."""
    taps = {}
    for layer in network.operations:
        if layer.name == family.top:
            break
        stride = strides.get(layer.name, 1)
        if stride > 1 and not isinstance(layer, atrous.SHIFTS):
            taps[stride] = layer.name
    return {**taps, **family.taps}


@dataclass(eq=False)
class _Copy:
    """Copies the layers of a network one by one, in the form that an encoder needs.

    `strides` are those of the network's layers; the coarsest in the copy is `output_stride`. The
    copy begins with `images`, of which layers see what is `scaled`. By and by it fills `outputs`,
    by the name of the layer, and `pairs` of layers and their copies.
    """

    strides: Mapping[str, int]
    output_stride: int
    images: Tensor
    scaled: Tensor
    synchronized: bool
    outputs: dict[str, Tensor] = field(default_factory=dict)
    pairs: list[tuple[layers.Layer, layers.Layer]] = field(default_factory=list)

    def __call__(self, layer: keras.Operation) -> atrous.Step:
        """What to call in place of a layer."""
        parts = layer.layers if isinstance(layer, keras.Sequential) else [layer]
        steps = [step for part in parts for step in self._steps(part, layer)]

        def call(*args: Any, **kwargs: Any) -> Tensor:
            args = tuple(self.scaled if arg is self.images else arg for arg in args)
            if len(steps) == 1 and len(parts) == 1:
                x = steps[0](*args, **kwargs)  # it may take several tensors, or a number
            else:
                x = args[0]
                for step in steps:
                    x = step(x)
            self.outputs[layer.name] = x
            return x

        return call

    def _steps(self, layer: keras.Operation, outer: keras.Operation) -> list[atrous.Step]:
        if isinstance(layer, layers.Rescaling | layers.Normalization):
            return []  # our own scaling has done it
        spatial = (*atrous.CONVOLUTIONS, *atrous.POOLINGS)
        if isinstance(layer, atrous.SHIFTS):
            after = [node.operation for node in layer._outbound_nodes]
            consumer = next((op for op in after if isinstance(op, spatial)), None)
            losing = consumer if self._loses(consumer) else None
            return [atrous.shift(layer, self._dilation(layer), losing)]
        if isinstance(layer, spatial):
            grouped = isinstance(layer, layers.Conv2D) and layer.groups == layer.filters > 1
            form = atrous.depthwise(layer) if grouped else layer
            padded = isinstance(producer(outer), layers.ZeroPadding2D)
            steps = atrous.spread(form, self._dilation(outer), self._loses(outer), padded)
        elif isinstance(layer, layers.Activation) and layer.activation is keras.activations.gelu:
            steps = [Gelu(name=layer.name)]
        else:
            config = layer.get_config()
            if isinstance(layer, layers.BatchNormalization):
                config["synchronized"] = self.synchronized
            steps = [type(layer).from_config(config)]
        if isinstance(layer, layers.Layer):
            self.pairs.append((layer, steps[-1]))
        return steps

    def _dilation(self, layer: keras.Operation) -> int:
        """How much closer the pixels of a layer's input lie than in the network."""
        return max(1, self.strides.get(producer(layer).name, 1) // self.output_stride)

    def _loses(self, layer: keras.Operation | None) -> bool:
        return layer is not None and self.strides.get(layer.name, 1) > self.output_stride
