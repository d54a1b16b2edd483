"""The table of formats, and networks written and opened by the names that these have."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import ConfigError, ModelError
from maskwright.export.engines import ALONE, Network, Quantizer, Threads, first_line
from maskwright.export.formats import keras, onnx, openvino, tensorflow
from maskwright.export.formats.onnx_metadata import write_metadata
from maskwright.imageio import atomic_write
from maskwright.model_card import NETWORK_FILE, ModelCard
from maskwright.types import Format

_TENSORFLOW = ("keras", "tensorflow", "tensorflow-cpu")


@dataclass(frozen=True, kw_only=True)
class ExportFormat:
    """An engine, as far as exported networks are concerned.

    Args:
        file: File or folder of the network in an artifact.
        extra: Extra of Maskwright that installs the engine.
        packages: Packages that write and run it, whose versions an artifact names.
        quantizer: From the Keras model, its file in float, a folder for files in between, and
            images as the model takes them; `None` where there are no networks of eight bits.
        annotate: Writes what a card says into the file; `None` where a file has no room for it.
        described: Whether `network.json` goes with it, from which the network is built again.
        detectors: Whether it has the suppression of boxes, which a Mask R-CNN needs.
        tensorflow: Whether it is run by TensorFlow.
        code: Whether it can read and write files of the machine when it is run.
        postprocessing: Whether files of its engine can hold decisions as well, see
            `ExportTask.postprocess`.
        prepared: Whether runs are tried in it, to keep what is fastest on CPUs.
    """

    file: str
    extra: str
    packages: tuple[str, ...]
    write: Callable[[Any, Path], None]
    open: Callable[[Path, Threads], Network]
    quantizer: Callable[[Any, Path, Path, Sequence[np.ndarray]], Quantizer] | None = None
    annotate: Callable[[Path, ModelCard], None] | None = None
    described: bool = False
    detectors: bool = False
    tensorflow: bool = False
    code: bool = False
    postprocessing: bool = False
    prepared: bool = False


FORMATS: Mapping[Format, ExportFormat] = {
    "keras": ExportFormat(
        file=keras.WEIGHTS_FILE,
        extra="cpu",
        packages=_TENSORFLOW,
        write=keras.write,
        open=keras.open_network,
        described=True,
        detectors=True,
        tensorflow=True,
    ),
    "savedmodel": ExportFormat(
        file="saved_model",
        extra="cpu",
        packages=_TENSORFLOW,
        write=tensorflow.write_saved_model,
        open=tensorflow.open_saved_model,
        detectors=True,
        tensorflow=True,
        code=True,
    ),
    "onnx": ExportFormat(
        file="model.onnx",
        extra="onnx",
        packages=("onnx", "onnxruntime", "tf2onnx"),
        write=onnx.write,
        open=onnx.open_network,
        quantizer=onnx.quantizer,
        annotate=write_metadata,
        detectors=True,
        postprocessing=True,
        prepared=True,
    ),
    "openvino": ExportFormat(
        file="model.xml",
        extra="openvino",
        packages=("openvino",),
        write=openvino.write,
        open=openvino.open_network,
        quantizer=openvino.quantizer,
        prepared=True,
    ),
    "litert": ExportFormat(
        file="model.tflite",
        extra="litert",
        packages=("ai-edge-litert",),
        write=tensorflow.write_litert,
        open=tensorflow.open_litert,
        quantizer=tensorflow.quantizer,
    ),
}


def write_network(model: Any, folder: Path, engine: Format, description: str) -> None:
    """Write a Keras model, without auxiliary outputs, into the folder of an artifact.

    `description` is `Blueprint.to_json`, for formats that build the model again. Raises
    `ConfigError` if the format is not installed, `ModelError` if it cannot hold the model.
    """
    chosen = FORMATS[engine]
    if onnx.layers_that_choose_boxes(model) and not chosen.detectors:
        able = ", ".join(name for name, other in FORMATS.items() if other.detectors)
        raise ModelError(
            f"{engine} does not support Mask R-CNN, because it lacks non-maximum suppression; use "
            f"{able}, or train with objects=centers."
        )
    folder.mkdir(exist_ok=True)
    try:
        chosen.write(model, folder / chosen.file)
    except ImportError as error:
        raise ConfigError(
            f"Export to {engine} requires a package that is not installed ({error}); install it "
            f'with: pip install "maskwright[{chosen.extra}]"'
        ) from None
    except MemoryError:
        raise
    except Exception as error:  # converters raise almost anything on a layer they do not know
        raise ModelError(
            f"The model cannot be exported to {engine} ({first_line(error)[:300]}); use another "
            f"format."
        ) from error
    if chosen.described:
        with atomic_write(folder / NETWORK_FILE) as beside:
            beside.write_text(description, encoding="utf-8")


def open_engine(folder: Path, engine: Format, threads: Threads = ALONE) -> Network:
    """The network in an artifact, in its engine; `ModelError` if that lacks or cannot read it."""
    chosen = FORMATS[engine]
    path = folder / chosen.file
    if chosen.code and not threads.allow_code:
        raise ModelError(
            f"{path} can run code, such as writing files; if you trust who made it, open it with "
            f"--allow-code (in Python `allow_code=True`), else export its run to another format."
        )
    try:
        return chosen.open(path, threads)
    except ImportError as error:
        raise ModelError(
            f"Running {path} requires an engine that is not installed ({error}); install it with: "
            f'pip install "maskwright[{chosen.extra}]"'
        ) from None
    except (MemoryError, ModelError):
        raise
    except Exception as error:  # engines raise almost anything on a damaged file
        raise ModelError(
            f"{path} cannot be loaded ({first_line(error)}); export the model again."
        ) from error
