"""The formats of TensorFlow: SavedModel, and LiteRT in float and in eight bits."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.export.engines import Network, Quantizer, Threads, cores, named_outputs
from maskwright.quiet import quiet_stderr

_WEIGHTED = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL"}


def write_saved_model(model: Any, path: Path) -> None:
    """Write a Keras model as a SavedModel."""
    named_outputs(model).export(path, format="tf_saved_model", verbose=False)


def open_saved_model(path: Path, threads: Threads) -> Network:
    """Open what `write_saved_model` wrote."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    signature = loaded.signatures["serving_default"]
    _, takes = signature.structured_input_signature

    def run(inputs: dict[str, np.ndarray], kept_alive: Any = loaded) -> dict[str, np.ndarray]:
        # A function does not keep what it was loaded from.
        outputs = signature(**{name: tf.constant(value) for name, value in inputs.items()})
        return {name: value.numpy() for name, value in outputs.items()}

    return Network(tuple(takes), run)


def write_litert(model: Any, path: Path) -> None:
    """Write a Keras model for LiteRT."""
    import ai_edge_litert  # noqa: F401

    named_outputs(model).export(path, format="litert", verbose=False)


def open_litert(path: Path, threads: Threads) -> Network:
    """Open what `write_litert` wrote."""
    # By its signature, because tensors themselves have other names; it takes any shapes.
    signature = _interpreter(path, threads.number or cores()).get_signature_runner()
    first = iter([quiet_stderr()])  # call, in which it announces what it computes with

    def run(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        with next(first, nullcontext()):
            return {name: np.array(value) for name, value in signature(**inputs).items()}

    return Network(tuple(signature.get_input_details()), run)


def _interpreter(path: Path, threads: int | None = None) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_content=path.read_bytes(), num_threads=threads)


def quantizer(model: Any, path: Path, scratch: Path, images: Sequence[np.ndarray]) -> Quantizer:
    """Writes a Keras model to `path`, where it lies in float, in eight bits."""
    import tensorflow as tf

    write_saved_model(model, scratch / "model")

    def represent() -> Iterator[list[np.ndarray]]:
        yield from ([image[None]] for image in images)

    def converter() -> Any:
        made = tf.lite.TFLiteConverter.from_saved_model(str(scratch / "model"))
        made.optimizations = [tf.lite.Optimize.DEFAULT]
        made.representative_dataset = represent
        return made

    def debugger(keep: Sequence[str]) -> Any:
        options = tf.lite.experimental.QuantizationDebugOptions(denylisted_nodes=list(keep))
        return tf.lite.experimental.QuantizationDebugger(
            converter=converter(), debug_dataset=represent, debug_options=options
        )

    def write_quantized(keep: Sequence[str]) -> None:
        path.write_bytes(
            debugger(keep).get_nondebug_quantized_model() if keep else converter().convert()
        )

    # Names of the outputs of all layers with weights, as the converter knows them.
    interpreter = _interpreter(path)
    names = {tensor["index"]: tensor["name"] for tensor in interpreter.get_tensor_details()}
    layers = tuple(
        names[operation["outputs"][0]]
        for operation in interpreter._get_ops_details()
        if operation["op_name"] in _WEIGHTED and operation["outputs"][0] in names
    )
    return Quantizer(layers, write_quantized)
