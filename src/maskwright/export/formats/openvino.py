"""The format of OpenVINO, in float and in eight bits."""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import ModelError
from maskwright.export.engines import Network, Quantizer, Threads, cores
from maskwright.export.formats import onnx
from maskwright.export.formats.tensorflow import write_saved_model

_HEAD_BYTES = 4096
_INTERMEDIATE = re.compile(rb"(<\?xml[^<>]*\?>\s*)?<net\s")


def write(model: Any, path: Path) -> None:
    """Write a Keras model."""
    # By way of a SavedModel: `model.export(format="openvino")` makes outputs of inner values too.
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        write_saved_model(model, Path(folder) / "model")
        _convert(Path(folder) / "model", path)


def _convert(source: Path, path: Path) -> None:
    import openvino

    # Read, not `convert_model`, which tells its makers that it was used.
    read = openvino.Core().read_model(source)
    openvino.save_model(read, path, compress_to_fp16=False)


def open_network(path: Path, threads: Threads) -> Network:
    """Open what `write` wrote; `ModelError` for another format, which may read other files."""
    import openvino

    with path.open("rb") as file:
        if not _INTERMEDIATE.match(file.read(_HEAD_BYTES)):
            raise ModelError(f"{path} is no network of OpenVINO; export the model again.")
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


def quantizer(model: Any, path: Path, scratch: Path, images: Sequence[np.ndarray]) -> Quantizer:
    """Writes a Keras model to `path` in eight bits.

    By way of ONNX: what NNCF makes of these networks, OpenVINO computes wrongly on processors
    without instructions for eight bits (half of the labels differ), and this it does not.
    """
    plain, quantized = scratch / "model.onnx", scratch / "int8.onnx"
    onnx.write(model, plain)
    inner = onnx.quantizer_of_file(plain, quantized, scratch, images)

    def write_quantized(keep: Sequence[str]) -> None:
        inner.write(keep)
        _convert(quantized, path)

    return Quantizer(inner.layers, write_quantized)
