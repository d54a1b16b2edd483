"""The format of TensorFlow."""

from pathlib import Path
from typing import Any

import numpy as np

from maskwright.export.engines import Network, Threads


def write(model: Any, path: Path) -> None:
    """Write a Keras model."""
    model.export(path, format="tf_saved_model", verbose=False)


def open_network(path: Path, threads: Threads) -> Network:
    """Open what `write` wrote."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    signature = loaded.signatures["serving_default"]
    _, takes = signature.structured_input_signature

    def run(inputs: dict[str, np.ndarray], kept_alive: Any = loaded) -> dict[str, np.ndarray]:
        # A function does not keep what it was loaded from.
        outputs = signature(**{name: tf.constant(value) for name, value in inputs.items()})
        return {name: value.numpy() for name, value in outputs.items()}

    return Network(tuple(takes), run)
