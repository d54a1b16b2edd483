"""Exported networks opened in their engines: from arrays by name to arrays by name.

No engine is imported before a model of its kind is opened, so that one that is not installed is
missed only there.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import ModelError

Run = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]
"""From inputs by name, float32, to outputs by name."""


@dataclass(frozen=True, eq=False)
class Network:
    """A network in its engine; called with arrays by name, of which it takes what it knows.

    Args:
        takes: Names of its inputs.
        run: It, from these inputs to outputs by name.
    """

    takes: tuple[str, ...]
    run: Run

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name; `ModelError` where it takes what is not among the inputs."""
        if missing := set(self.takes) - inputs.keys():
            raise ModelError(
                f"The network has inputs that its model card does not describe, "
                f"{', '.join(sorted(missing))}: export the model again."
            )
        given = {name: np.ascontiguousarray(inputs[name], np.float32) for name in self.takes}
        try:
            return self.run(given)
        except MemoryError:
            raise
        except Exception as error:  # engines raise almost anything on a shape that does not fit
            shapes = ", ".join(f"{name} {value.shape}" for name, value in given.items())
            raise ModelError(
                f"The network fails for {shapes} ({_first_line(error)}); it does not match its "
                f"model card or its engine: export the model again."
            ) from error


FILES = {
    "savedmodel": "saved_model",
    "onnx": "model.onnx",
    "openvino": "model.xml",
    "litert": "model.tflite",
}
"""File or folder of the network in an artifact, by its format."""

WEIGHTS_FILE = "weights.npz"
"""Arrays of a network in the format of Keras."""

EIGHT_BITS = ("onnx", "openvino", "litert")
"""Formats that hold networks of eight bits."""

EXTRAS = {"savedmodel": "cpu", "onnx": "onnx", "openvino": "openvino", "litert": "litert"}


# Beginning of an entry of ONNX that names the file in which an array lies.
_ELSEWHERE = b"\x0a\x08location\x12"


@dataclass(frozen=True)
class Threads:
    """How an engine other than TensorFlow uses the processors.

    Args:
        number: Of its threads; `None` takes one for each processor there.
        shared: Whether threads of the program need the processors in between, which read, say.
            Those of ONNX Runtime then sleep while they wait instead of spinning; a single small
            image takes half as long again.
    """

    number: int | None = None
    shared: bool = False


ALONE = Threads()
"""For an engine that has the processors to itself."""
SHARED = Threads(shared=True)


def open_engine(folder: Path, engine: str, threads: Threads = ALONE) -> Network:
    """The network of an artifact, in the engine of its format.

    Args:
        folder: Of the network.
        engine: One of `FILES`.
        threads: Of the engine.

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
        return openers[engine](path, threads)
    except ImportError as error:
        raise ModelError(
            f"Running {path} requires an engine that is not installed ({error}); install it with: "
            f"pip "
            f'install "maskwright[{EXTRAS[engine]}]"'
        ) from None
    except MemoryError:
        raise
    except Exception as error:  # engines raise almost anything on a damaged file
        if isinstance(error, ModelError):
            raise
        raise ModelError(
            f"{path} cannot be loaded ({_first_line(error)}); export the model again."
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def cores() -> int:
    """Processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _open_onnx(path: Path, threads: Threads) -> Network:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads.number or cores()
    if threads.shared:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    content = path.read_bytes()
    if _ELSEWHERE in content:
        raise ModelError(
            f"{path} refers to arrays in other files; expected a single file: do not use it."
        )
    # From bytes, the engine cannot follow such references either.
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return dict(zip(names, session.run(names, inputs), strict=True))

    return Network(tuple(given.name for given in session.get_inputs()), run)


def _open_openvino(path: Path, threads: Threads) -> Network:
    import openvino

    core = openvino.Core()
    # Its default is bfloat16 where the processor has it, off by 2e-2.
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads.number or cores(),
    }
    compiled = core.compile_model(core.read_model(path), "CPU", settings)
    names = [_name(port, number) for number, port in enumerate(compiled.outputs)]
    request = compiled.create_infer_request()

    def run(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        results = request.infer(inputs, share_inputs=True)
        return {name: np.array(value) for name, value in zip(names, results.values(), strict=True)}

    return Network(tuple(_name(port, 0) for port in compiled.inputs), run)


def _name(port: Any, number: int) -> str:
    names: Sequence[str] = sorted(port.get_names())
    return names[0] if names else f"output{number}"


def _open_litert(path: Path, threads: Threads) -> Network:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(
        model_content=path.read_bytes(), num_threads=threads.number or cores()
    )
    # By its signature, because tensors themselves have other names; it takes any shapes.
    signature = interpreter.get_signature_runner()

    def run(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: np.array(value) for name, value in signature(**inputs).items()}

    return Network(tuple(signature.get_input_details()), run)


def _open_savedmodel(path: Path, threads: Threads) -> Network:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    signature = loaded.signatures["serving_default"]
    _, takes = signature.structured_input_signature

    def run(inputs: dict[str, np.ndarray], kept_alive: Any = loaded) -> dict[str, np.ndarray]:
        # `kept`, because the function does not keep what it was loaded from.
        outputs = signature(**{name: tf.constant(value) for name, value in inputs.items()})
        return {name: value.numpy() for name, value in outputs.items()}

    return Network(tuple(takes), run)
