"""A Keras model written for another engine."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import ConfigError, ModelError
from maskwright.export.engines import EXTRAS, FILES
from maskwright.export.fuse_scaling import fold_scaling
from maskwright.export.weights_archive import write_plain

_OPSET = 18  # the newest that tf2onnx writes
_OF_DETECTORS = ("keras", "savedmodel", "onnx")  # others lack the suppression of boxes


def of_one_size(model: Any, size: tuple[int, int]) -> Any:
    """The same network for images of one height and width alone, which spares engines the work of
    finding out sizes, padding and cutting.

    Args:
        model: Keras model with one input `(b, h, w, c)`.
        size: Height and width, px.
    """
    import keras

    images = keras.Input((*size, model.input_shape[-1]), name="images")
    return keras.Model(images, model(images))


def write_network(model: Any, folder: Path, engine: str, network: str) -> None:
    """Write a model into the folder of an artifact.

    Args:
        model: Keras model, without auxiliary outputs.
        folder: Where to; made where it is missing.
        engine: One of `artifact.Format`.
        network: `Blueprint.to_json` of the model, for the format of Keras.

    Raises:
        ConfigError: If what the format needs is not installed.
        ModelError: If the format cannot hold the model.
    """
    if chooses_boxes(model) and engine not in _OF_DETECTORS:
        raise ModelError(
            f"{engine} does not support Mask R-CNN, because it lacks non-maximum suppression; use "
            f"{', '.join(_OF_DETECTORS)}, or train with objects=centers."
        )
    folder.mkdir(exist_ok=True)
    if engine == "keras":
        write_plain(folder, network, model)
        return
    writers: Mapping[str, Callable[[Any, Path], None]] = {
        "savedmodel": _savedmodel,
        "onnx": _onnx,
        "openvino": _openvino,
        "litert": _litert,
    }
    try:
        writers[engine](model, folder / FILES[engine])
    except ImportError as error:
        raise ConfigError(
            f"Export to {engine} requires a package that is not installed ({error}); install it "
            f"with: "
            f'pip install "maskwright[{EXTRAS[engine]}]"'
        ) from None
    except MemoryError:
        raise
    except Exception as error:  # converters raise almost anything on a layer they do not know
        first = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ModelError(
            f"The model cannot be exported to {engine} ({first[:300]}); use another format."
        ) from error


def _savedmodel(model: Any, path: Path) -> None:
    model.export(path, format="tf_saved_model", verbose=False)


def _onnx(model: Any, path: Path) -> None:
    import onnx
    import tf2onnx  # noqa: F401  # said by its own name where it is missing

    _call_once(model)
    choosing = _choosing(model)
    for layer in choosing:
        layer.one_list = True
    try:
        model.export(path, format="onnx", opset_version=_OPSET, verbose=False)
    finally:
        for layer in choosing:
            layer.one_list = False
    network = onnx.load(path)
    fold_scaling(network)
    onnx.save(network, path)


def _openvino(model: Any, path: Path) -> None:
    import openvino

    # By way of a SavedModel: `model.export(format="openvino")` makes outputs of inner values too.
    with tempfile.TemporaryDirectory() as folder:
        _savedmodel(model, Path(folder) / "model")
        # Read, not `convert_model`, which tells its makers that it was used.
        read = openvino.Core().read_model(f"{folder}/model")
        openvino.save_model(read, path, compress_to_fp16=False)


def _litert(model: Any, path: Path) -> None:
    import ai_edge_litert  # noqa: F401

    model.export(path, format="litert", verbose=False)


def chooses_boxes(model: Any) -> bool:
    """Whether a model is a Mask R-CNN."""
    return bool(_choosing(model))


def _choosing(model: Any) -> list[Any]:
    """Layers of a Mask R-CNN that choose among the boxes of all classes."""
    return [layer for layer in model.layers if hasattr(layer, "one_list")]


def _call_once(model: Any) -> None:
    """Let every layer know its shapes, which converters read."""
    import keras

    model(
        keras.tree.map_structure(lambda t: np.zeros(_shape(t), np.float32), model.input),
        training=False,
    )


def _shape(tensor: Any) -> tuple[int, ...]:
    """Images of 32 pixels a side; lists of one entry, so that they go together."""
    unknown = 32 if len(tensor.shape) > 2 else 1
    return tuple(
        unknown if side is None and place else side or 1 for place, side in enumerate(tensor.shape)
    )
