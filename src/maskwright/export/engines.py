"""Exported networks opened in their engines: each a function from arrays by name to arrays by name.

No engine is imported before a model of its kind is opened, so that one that is not installed is
missed only there.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import ModelError

Run = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]
"""From inputs by name to outputs by name, all float32."""

FILES = {
    "savedmodel": "saved_model",
    "onnx": "model.onnx",
    "openvino": "model.xml",
    "litert": "model.tflite",
}
"""File or folder of the network in an artifact, by its format."""

WEIGHTS_FILE = "weights.npz"
"""Arrays of a network in the format of Keras."""

MAIN = {**FILES, "savedmodel": "saved_model/saved_model.pb", "keras": WEIGHTS_FILE}
"""File whose checksum stands on the card of an artifact, by its format."""

EXTRAS = {"savedmodel": "cpu", "onnx": "onnx", "openvino": "openvino", "litert": "litert"}


def open_engine(folder: Path, engine: str, threads: int | None = None) -> Run:
    """The network of an artifact, in the engine of its format.

    Args:
        folder: Of the artifact.
        engine: One of `FILES`.
        threads: That the engine may use; those that are there when left out.

    Raises:
        ModelError: If the engine is not installed, or cannot read the file.
    """
    path = folder / FILES[engine]
    openers = {
        "savedmodel": _open_savedmodel,
        "onnx": _open_onnx,
        "openvino": _open_openvino,
        "litert": _open_litert,
    }
    try:
        return openers[engine](path, threads or cores())
    except ImportError as error:
        raise ModelError(
            f"Running {path} needs an engine that is not installed ({error}); install it with: pip "
            f'install "maskwright[{EXTRAS[engine]}]"'
        ) from None
    except MemoryError:
        raise
    except Exception as error:  # engines raise almost anything on a damaged file
        if isinstance(error, ModelError):
            raise
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"{path} cannot be opened ({first}); export the model again.") from error


def cores() -> int:
    """Processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _open_onnx(path: Path, threads: int) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Threads that wait for work by spinning keep those that read and write from theirs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # From bytes, an engine cannot follow references to other files.
    session = onnxruntime.InferenceSession(
        path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]

    def run(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        given = {name: np.ascontiguousarray(value, np.float32) for name, value in inputs.items()}
        return dict(zip(names, session.run(names, given), strict=True))

    return run


def _open_openvino(path: Path, threads: int) -> Run:
    import openvino

    core = openvino.Core()
    # Its default is bfloat16 where the processor has it, off by 2e-2.
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    compiled = core.compile_model(core.read_model(path), "CPU", settings)
    names = [_name(port, number) for number, port in enumerate(compiled.outputs)]
    request = compiled.create_infer_request()

    def run(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        given = {name: np.ascontiguousarray(value, np.float32) for name, value in inputs.items()}
        found = request.infer(given, share_inputs=True)
        return {name: np.array(value) for name, value in zip(names, found.values(), strict=True)}

    return run


def _name(port: Any, number: int) -> str:
    names: Sequence[str] = sorted(port.get_names())
    return names[0] if names else f"output{number}"


def _open_litert(path: Path, threads: int) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=path.read_bytes(), num_threads=threads)
    inputs_of = interpreter.get_input_details()
    outputs_of = interpreter.get_output_details()
    shapes: dict[int, tuple[int, ...]] = {}

    def run(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        given = list(inputs.values())
        for detail, value in zip(inputs_of, given, strict=True):
            if shapes.get(detail["index"]) != value.shape:
                interpreter.resize_tensor_input(detail["index"], value.shape)
                shapes[detail["index"]] = value.shape
                interpreter.allocate_tensors()
        for detail, value in zip(inputs_of, given, strict=True):
            interpreter.set_tensor(detail["index"], np.ascontiguousarray(value, np.float32))
        interpreter.invoke()
        return {
            detail["name"]: np.array(interpreter.get_tensor(detail["index"]))
            for detail in outputs_of
        }

    return run


def _open_savedmodel(path: Path, threads: int) -> Run:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    serve = loaded.serve

    def run(inputs: Mapping[str, np.ndarray], kept: Any = loaded) -> dict[str, np.ndarray]:
        # `kept`, because the function does not keep what it was loaded from.
        given = [tf.constant(value, tf.float32) for value in inputs.values()]
        said = serve(*given)
        named = said if isinstance(said, dict) else {"logits": said}
        return {name: value.numpy() for name, value in named.items()}

    return run
