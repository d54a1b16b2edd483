"""Networks that were built in Keras elsewhere: as models of logits, and as plain values in a file.

A file names layers and their settings, never code: what Keras has, and classes that the program
itself has registered with `keras.saving.register_keras_serializable`.
"""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from importlib import import_module
from typing import Any

import keras
import numpy as np
from keras import layers

from maskwright.errors import ConfigError, ModelError

_MOST_TEXT = 2**22  # characters of JSON
_MOST_WEIGHTS = 2**29
_PROBABILITIES = ("softmax", "sigmoid")
_SCALES = (layers.Rescaling, layers.Normalization)
_CODE = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
_KINDS = (
    keras.Operation,
    keras.initializers.Initializer,
    keras.regularizers.Regularizer,
    keras.constraints.Constraint,
    keras.DTypePolicy,
)
_REFERENCES = ("__keras_tensor__", "__tensor__", "__tuple__", "__ellipsis__", "__slice__")


def keras_network(layers: Mapping[str, Any]) -> keras.Model:
    """Network from its configuration as Keras serializes it, with random weights.

    Raises:
        ModelError: If it has layers that hold code, or that nothing here knows, or is beyond all
            measure.
    """
    check_configuration(layers)
    try:
        copied = deepcopy(dict(layers))  # Keras empties what it reads
        network = keras.saving.deserialize_keras_object(copied, safe_mode=True)
    except Exception as error:  # Keras raises almost anything on a damaged configuration
        raise ModelError(
            f"Invalid network description: Keras cannot build its layers "
            f"({str(error).splitlines()[0]})."
        ) from error
    if not isinstance(network, keras.Model):
        raise ModelError("Invalid network description: expected the layers of a Keras model.")
    if network.count_params() > _MOST_WEIGHTS:
        raise ModelError(
            f"The network has {network.count_params():,} parameters; the limit is "
            f"{_MOST_WEIGHTS:,}."
        )
    return network


def check_configuration(configuration: Mapping[str, Any]) -> None:
    """Raise `ModelError` if a configuration has layers that hold code or that are not known."""
    if not isinstance(configuration, Mapping) or len(json.dumps(configuration)) > _MOST_TEXT:
        raise ModelError(
            f"Invalid network description: expected layers in at most {_MOST_TEXT:,} characters."
        )
    for named in _named(configuration):
        _check_class(named)


def _named(value: Any) -> Iterator[Mapping[str, Any]]:
    """All parts of a configuration that name a class."""
    if isinstance(value, Mapping):
        if "class_name" in value:
            yield value
        for item in value.values():
            yield from _named(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _named(item)


def _check_class(named: Mapping[str, Any]) -> None:
    name, registered = str(named["class_name"]), named.get("registered_name")
    if name in _REFERENCES:
        return
    if registered and ">" in str(registered):
        if keras.saving.get_registered_object(registered) is None:
            raise ModelError(
                f"The network has the layer {registered}, which is not registered here: import "
                f"the module that registers it with keras.saving.register_keras_serializable."
            )
        return
    target = None
    module = str(named.get("module") or "")
    if module.split(".")[0] == "keras" and name not in _CODE:
        try:
            target = getattr(import_module(module), name, None)
        except ImportError:
            target = None
    if not (isinstance(target, type) and issubclass(target, _KINDS)):
        raise ModelError(
            f"The network has the layer or function {name[:100]}, which is neither one of Keras's "
            f"nor registered; write it as a class with keras.saving.register_keras_serializable."
        )


def as_logits(model: keras.Model, num_classes: int) -> keras.Model:
    """A copy of a model of masks, with its weights, that gives logits and takes pixels as they are.

    A final sigmoid or softmax is left out. Raises what `check_model` does.
    """
    check_model(model, num_classes)
    last, activation = _last(model), activation_of(model)

    def copy(layer: layers.Layer) -> layers.Layer:
        if layer is last and activation is not None:
            if isinstance(layer, layers.Activation | layers.Softmax):
                return layers.Activation("linear", name=layer.name)
            return type(layer).from_config({**layer.get_config(), "activation": "linear"})
        return type(layer).from_config(layer.get_config())

    result = keras.models.clone_model(model, clone_function=copy, recursive=True)
    result.set_weights(model.get_weights())
    return result


def configuration(model: keras.Model) -> dict[str, Any]:
    """What `keras_network` builds a model of the same layers from; `ConfigError` if nothing can."""
    try:
        values: dict[str, Any] = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
        check_configuration(values)
    except (ModelError, TypeError, ValueError) as error:
        raise ConfigError(f"The model cannot be described in a file. {error}") from error
    return values


def check_model(model: keras.Model, num_classes: int) -> None:
    """Raise `ConfigError` if a model cannot be trained as one of masks.

    Args:
        model: Expected to be sequential or functional, from one batch of images `(b, h, w, c)` to
            one of scores `(b, h, w, num_classes)`, or `(b, h, w, 1)` for two classes. It scales
            pixels itself, by a `Rescaling` or `Normalization` layer.
    """
    if not isinstance(model, keras.Sequential | keras.src.models.functional.Functional):
        raise ConfigError(
            "Expected a Sequential or functional Keras model, whose layers can be described in a "
            f"file; received {type(model).__name__}, which is a class of its own."
        )
    if not model.built or len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ConfigError(
            "Expected a model with one input and one output; begin it with keras.Input((height, "
            "width, channels))."
        )
    image, scores = model.inputs[0].shape, model.outputs[0].shape
    if len(image) != 4 or len(scores) != 4:
        raise ConfigError(
            f"Expected a model from images (b, h, w, c) to scores (b, h, w, classes); received one "
            f"from {tuple(image)} to {tuple(scores)}."
        )
    if scores[1:3] != image[1:3]:
        raise ConfigError(
            f"Expected scores in the size of the images; received {tuple(scores[1:3])} for "
            f"{tuple(image[1:3])}: enlarge them, such as by keras.layers.UpSampling2D."
        )
    if scores[-1] != num_classes and (scores[-1], num_classes) != (1, 2):
        raise ConfigError(
            f"The data has {num_classes} classes, background included, and the model gives "
            f"{scores[-1]} channels."
        )
    if not isinstance(_first(model), _SCALES):
        raise ConfigError(
            "The range of the pixels that the model expects cannot be told: begin it with "
            "keras.layers.Rescaling(1 / 255) for 0 to 1, Rescaling(1 / 127.5, offset=-1) for -1 to "
            "1, or Rescaling(1) for the values of the files."
        )
    activation, channels = activation_of(model), scores[-1]
    if activation == "sigmoid" and channels > 1:
        raise ConfigError(
            f"The model gives {channels} sigmoids for each pixel, of which several may be near 1; "
            f"expected a softmax, or one channel for two classes."
        )
    if activation == "softmax" and channels == 1:
        raise ConfigError("The softmax of a single channel is always 1; expected a sigmoid.")


def _first(model: keras.Model) -> keras.Operation | None:
    """The first layer of a model, however deep inside."""
    others = (layer for layer in model.layers if not isinstance(layer, layers.InputLayer))
    first = next(others, None)
    return _first(first) if isinstance(first, keras.Model) else first


def rescaled(model: keras.Model, value: float) -> float | None:
    """What the first layer of a model makes of a pixel; `None` where it is not a `Rescaling`."""
    first = _first(model)
    if not isinstance(first, layers.Rescaling) or not isinstance(first.scale, float | int):
        return None
    return float(value * first.scale + np.max(first.offset))


def _last(model: keras.Model) -> keras.Operation:
    """The layer that makes the output of a model, however deep inside."""
    last = model.outputs[0]._keras_history.operation
    if isinstance(model, keras.Sequential):
        last = model.layers[-1]
    return _last(last) if isinstance(last, keras.Model) else last


def activation_of(model: keras.Model) -> str | None:
    """`"softmax"` or `"sigmoid"` where a model ends in one, else `None`."""
    layer = _last(model)
    if isinstance(layer, layers.Softmax):
        return "softmax"
    name = getattr(getattr(layer, "activation", None), "__name__", None)
    return name if name in _PROBABILITIES else None


def fixed_size(model: keras.Model) -> tuple[int, int] | None:
    """Height and width that a model takes, px; `None` where one of them is free."""
    height, width = model.inputs[0].shape[1:3]
    return None if height is None or width is None else (height, width)


def check_size(model: keras.Model, size: tuple[int, int], channels: int) -> None:
    """Raise `ConfigError` if a model does not give scores in a size, px."""
    try:
        shape = model.compute_output_shape((1, *size, channels))
    except Exception as error:
        raise ConfigError(
            f"The model does not take images of {size[0]}x{size[1]} px "
            f"({str(error).splitlines()[0]}); state another `size`."
        ) from error
    if tuple(shape[1:3]) != size:
        raise ConfigError(
            f"The model gives {shape[1]}x{shape[2]} scores for images of {size[0]}x{size[1]} px; "
            f"state a `size` that it halves evenly."
        )
