"""A trained network with the names of its classes, and what another network takes of it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from maskwright.errors import ConfigError
from maskwright.labels import Labels
from maskwright.models.blueprint import Blueprint
from maskwright.models.encoders.base import reads_images, spread_colors
from maskwright.models.segmenter import main_model

BACKGROUND = "background"
"""Name of the background among the classes of a network, whatever a data set calls it."""

_MAPS = ("depth", "center")
"""Names of outputs behind the classes, of networks that have them."""

_CLASS_LAYERS = {
    "classes": (0, 1),
    "class_logits": (1, 1),
    "pixel_logits": (1, 1),
    "box_logits": (0, 1),
    "box_codes": (1, 4),
    "mask_logits": (1, 1),
}
"""Layers with outputs of their own for each class: the first class, and the outputs of each."""
_FREE = ("num_classes", "channels", "pixel_range", "dropout", "deep_supervision")
"""Arguments of a blueprint in which two networks may differ and still exchange weights."""
_SETTINGS = {
    "encoder_name": "encoder",
    "decoder_name": "decoder",
    "widths": "decoder_widths",
}
"""Settings of training by the names that they have in a blueprint."""


@dataclass(frozen=True)
class Pretrained:
    """A network that weights are taken from.

    Args:
        path: Where it was read from, for messages.
        names: Of its classes, in the order of the outputs, as `output_names` gives them; empty
            where there is none, or it is unknown.
    """

    path: Path
    blueprint: Blueprint
    model: keras.Model
    names: Sequence[str]


class Taken(NamedTuple):
    """What a network took of another: `parameters` of its `total`; and names of the classes whose
    outputs it took, and of those whose outputs are `new`.
    """

    parameters: int
    total: int
    classes: list[str]
    new: list[str]


def take_weights(
    model: keras.Model, blueprint: Blueprint, names: Sequence[str], source: Pretrained
) -> Taken:
    """Set the weights of a model to those of a network of the same layout.

    Outputs for a class are taken from those for the class of the same name; where both networks
    have a single class besides the background, from that. Outputs for others stay as they are, and
    so do auxiliary heads. Of a first convolution for another number of channels, the sum over
    colors is spread evenly.

    Args:
        names: Of the classes of the model, as `output_names` gives them.

    Raises:
        ConfigError: If the layout is another one.
    """
    pairs = _matching_classes(names, source.names)
    parameters = 0
    for layer, other in _matched(model, blueprint, source):
        values = other.get_weights()
        if layer.name in _CLASS_LAYERS:
            values, number = _class_values(layer, values, pairs)
        else:
            if reads_images(layer):
                values[0] = spread_colors(values[0], layer.weights[0].shape[2])
            number = sum(value.size for value in values)
        layer.set_weights(values)
        parameters += number
    known = [name for place, name in enumerate(names) if place in pairs]
    new = [name for place, name in enumerate(names) if place not in pairs]
    return Taken(parameters, model.count_params(), known, new)


def output_names(labels: Labels, blueprint: Blueprint) -> list[str]:
    """Names of what the last layers of a network for some classes give.

    Those of the classes, with `BACKGROUND` for the background; behind them, of a network with more
    outputs, depth and center of objects. A single output is the second of two classes.
    """
    names = [BACKGROUND if n == labels.background else name for n, name in enumerate(labels.names)]
    more = blueprint.arguments["num_classes"] - len(names)
    if "numbers" in blueprint.arguments or more == 0:  # detectors count no background
        return names
    return [*names, *_MAPS] if more > 0 else names[1:]


def leaf_layers(model: keras.Model) -> Iterator[layers.Layer]:
    """Layers with weights of their own, however deep inside a model, in the order of the graph."""
    for layer in model._flatten_layers(include_self=False, recursive=False):
        if isinstance(layer, keras.Model):
            yield from leaf_layers(layer)
        elif layer.weights:
            yield layer


def _matched(
    model: keras.Model, blueprint: Blueprint, source: Pretrained
) -> list[tuple[layers.Layer, layers.Layer]]:
    """Each layer with its like in the source; `ConfigError` where the layout differs."""
    ours, theirs = (list(leaf_layers(main_model(each))) for each in (model, source.model))
    pairs = list(zip(ours, theirs, strict=False))
    if len(ours) != len(theirs) or not all(_alike(*pair) for pair in pairs):
        differences = ", ".join(_differences(blueprint, source.blueprint)) or "its layers differ"
        raise ConfigError(
            f"The network of {source.path} has another layout than that of these settings: "
            f"{differences}; leave such settings out, and they are taken from there."
        )
    return pairs


def _alike(layer: layers.Layer, other: layers.Layer) -> bool:
    """Whether a layer can take weights of another, but for classes and channels of the images."""
    shapes, others = ([tuple(w.shape) for w in each.weights] for each in (layer, other))
    if type(layer) is not type(other) or len(shapes) != len(others):
        return False
    if layer.name in _CLASS_LAYERS:
        return layer.name == other.name and len(shapes[0]) == len(others[0])
    if reads_images(layer):
        shapes[0], others[0] = (shape[:2] + shape[3:] for shape in (shapes[0], others[0]))
    return shapes == others


def _differences(ours: Blueprint, theirs: Blueprint) -> Iterator[str]:
    """Settings in which two networks differ, with both values."""
    if ours.builder != theirs.builder:
        yield f"it is a {theirs.builder}, this one a {ours.builder}"
        return
    flat = [
        {**each.pop("numbers", {}), **each}
        for each in (json.loads(blueprint.to_json())["arguments"] for blueprint in (ours, theirs))
    ]
    for name in dict.fromkeys((*flat[0], *flat[1])):
        mine, its = (arguments.get(name) for arguments in flat)
        if mine != its and name not in _FREE:
            yield f"{_SETTINGS.get(name, name)} is {its} there and {mine} here"


def _matching_classes(names: Sequence[str], others: Sequence[str]) -> dict[int, int]:
    """Places of classes and those of the same names among others."""
    pairs = {place: others.index(n) for place, n in enumerate(names) if n and n in others}
    single = [
        [place for place, name in enumerate(each) if name not in (BACKGROUND, *_MAPS)]
        for each in (names, others)
    ]
    if len(single[0]) == len(single[1]) == 1:
        pairs[single[0][0]] = single[1][0]
    return pairs


def _class_values(
    layer: layers.Layer, values: Sequence[np.ndarray], pairs: Mapping[int, int]
) -> tuple[list[np.ndarray], int]:
    """Weights of a layer, with those of some classes taken, and how many these are.

    `values` are those of the like layer; `pairs` places of classes and of theirs.
    """
    first, each = _CLASS_LAYERS[layer.name]
    made, taken = [], 0
    for mine, theirs in zip(layer.get_weights(), values, strict=True):
        transposed = isinstance(layer, layers.Conv2DTranspose) and mine.ndim > 1
        axis = -2 if transposed else -1
        rows, source = np.moveaxis(mine.copy(), axis, 0), np.moveaxis(theirs, axis, 0)
        for place, other in pairs.items():
            if min(place, other) >= first:
                to, at = ((p - first) * each for p in (place, other))
                rows[to : to + each] = source[at : at + each]
                taken += source[at : at + each].size
        made.append(np.moveaxis(rows, 0, axis))
    return made, taken
