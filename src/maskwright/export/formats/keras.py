"""A network as our own description and arrays: data, from which our code builds it again."""

from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import ModelError
from maskwright.export.engines import Network, Threads
from maskwright.imageio import atomic_write, read_arrays
from maskwright.model_card import NETWORK_FILE

WEIGHTS_FILE = "weights.npz"


def write(model: Any, path: Path) -> None:
    """Write the variables of a Keras model that hold real numbers, in their order."""
    values = [np.asarray(v.value) for v in model.variables if _is_weight(v)]
    arrays = {f"{number:05}": value for number, value in enumerate(values)}
    with atomic_write(path) as beside, beside.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def open_network(path: Path, threads: Threads) -> Network:
    """Open a network of images that `write` wrote."""
    return keras_network(read_keras(path.parent))


def keras_network(model: Any) -> Network:
    """Keras model as a network; a single output is named `"logits"`."""
    import tensorflow as tf

    names = tuple(tensor.name for tensor in model.inputs)
    specs = [tf.TensorSpec(tensor.shape, tf.float32) for tensor in model.inputs]
    single = len(specs) == 1

    def call(*given: Any) -> Any:
        inputs = given[0] if single else dict(zip(names, given, strict=True))
        return model(inputs, training=False)

    # One graph for all sizes: `predict` takes four times as long for a single image. Traced here:
    # TensorFlow takes first calls of many members for tracing in a loop, and warns.
    graph = tf.function(call, input_signature=specs).get_concrete_function()

    def run(inputs: dict[str, np.ndarray], kept_alive: Any = model) -> dict[str, np.ndarray]:
        # A graph does not keep the variables alive that it reads; the model does.
        outputs = graph(*(tf.constant(inputs[name], tf.float32) for name in names))
        named = outputs if isinstance(outputs, dict) else {"logits": outputs}
        return {name: value.numpy() for name, value in named.items()}

    return Network(names, run)


def read_keras(folder: Path, *, classifier: bool = False) -> Any:
    """Keras model from the description in a folder and the arrays that `write` wrote there.

    Raises `ModelError` if the description is none of ours, is of a classifier of regions where
    `classifier` is false, or the other way round, or the arrays do not fit it.
    """
    from maskwright.models import main_model
    from maskwright.models.blueprint import Blueprint

    path = folder / WEIGHTS_FILE
    blueprint = Blueprint.from_json((folder / NETWORK_FILE).read_bytes())
    if (blueprint.builder == "classifier") != classifier:
        raise ModelError(
            f"The network in {folder} is a {blueprint.builder}, which does not match its model "
            f"card; export the model again."
        )
    arrays = list(read_arrays(path, ModelError).values())
    shapes = [array.shape for array in arrays]
    model = main_model(blueprint.build())
    variables = [v for v in model.variables if _is_weight(v)]
    expected = [tuple(v.shape) for v in variables]
    if expected != shapes:
        where = next(n for n, (a, b) in enumerate(zip_longest(expected, shapes)) if a != b)
        raise ModelError(
            f"{path} contains {len(shapes)} arrays that do not match the {len(expected)} of the "
            f"network (first difference: number {where}); export the model again."
        )
    for array, variable in zip(arrays, variables, strict=True):
        variable.assign(array)
    return model


def _is_weight(variable: Any) -> bool:
    """Not the state of a random generator."""
    return bool(np.issubdtype(np.dtype(variable.dtype), np.floating))
