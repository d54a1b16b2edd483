"""The format of ONNX Runtime, in float and in eight bits."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.export.engines import Network, Quantizer, Threads, cores, named_outputs
from maskwright.export.formats.fuse_scaling import after_the_last_layer, fold_scaling

_EXTERNAL_FOLDER = "session.model_external_initializers_file_folder_path"
_OPSET = 18  # the newest that tf2onnx writes


def write(model: Any, path: Path) -> None:
    """Write a Keras model whose first convolution scales the pixels."""
    import keras
    import onnx

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "In the future `np.object`", FutureWarning)
        import tf2onnx  # noqa: F401  # named in the message where it is missing

    model = named_outputs(model)
    # Converters read the shapes of layers, which a call lets them know.
    model(
        keras.tree.map_structure(lambda t: np.zeros(_shape(t), np.float32), model.input),
        training=False,
    )
    choosing = layers_that_choose_boxes(model)
    for layer in choosing:
        layer.one_list = True
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "In the future `np.object`", FutureWarning)
            model.export(path, format="onnx", opset_version=_OPSET, verbose=False)
    finally:
        for layer in choosing:
            layer.one_list = False
    network = onnx.load(path)
    fold_scaling(network)
    _name_sides(network.graph)
    onnx.save(network, path)


def _name_sides(graph: Any) -> None:
    """Say which sides of images and maps `(b, h, w, c)` are free."""
    for value in (*graph.input, *graph.output):
        sides = value.type.tensor_type.shape.dim
        if value.name in ("images", "logits") and len(sides) == 4:
            for side, name in zip(sides, ("batch", "height", "width"), strict=False):
                if not side.dim_value:
                    side.dim_param = name


def layers_that_choose_boxes(model: Any) -> list[Any]:
    """Layers of a Mask R-CNN that choose among the boxes of all classes; others have none."""
    return [layer for layer in model.layers if hasattr(layer, "one_list")]


def _shape(tensor: Any) -> tuple[int, ...]:
    """Images of 32 pixels a side; lists of one entry, so that they go together."""
    unknown = 32 if len(tensor.shape) > 2 else 1
    return tuple(
        unknown if side is None and place else side or 1 for place, side in enumerate(tensor.shape)
    )


def open_network(path: Path, threads: Threads) -> Network:
    """Open what `write` wrote; the engine refuses one that keeps arrays in other files."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads.number or cores()
    if threads.shared:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Arrays in other files would be looked for in a folder that does not exist.
    options.add_session_config_entry(_EXTERNAL_FOLDER, str(path / "none"))
    session = onnxruntime.InferenceSession(
        path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]

    def run(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return dict(zip(names, session.run(names, inputs), strict=True))

    return Network(tuple(given.name for given in session.get_inputs()), run)


def quantizer(model: Any, path: Path, scratch: Path, images: Sequence[np.ndarray]) -> Quantizer:
    """Writes the network of `path` there in eight bits."""
    return quantizer_of_file(path, path, scratch, images)


def quantizer_of_file(
    source: Path, target: Path, scratch: Path, images: Sequence[np.ndarray]
) -> Quantizer:
    """Writes the network of `source` to `target` in eight bits, calibrated on images."""
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    ready = scratch / "ready.onnx"
    quant_pre_process(source, ready, skip_symbolic_shape=True)
    network = onnx.load(ready)
    last = after_the_last_layer(network)
    layers = tuple(
        node.name for node in network.graph.node if node.op_type in ("Conv", "Gemm", "MatMul")
    )

    class Reader(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self.images = iter(images)

        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(self.images, None)
            return None if image is None else {"images": image[None]}

    def write_quantized(keep: Sequence[str]) -> None:
        quantization.quantize_static(
            ready,
            target,
            Reader(),
            quant_format=quantization.QuantFormat.QDQ,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            per_channel=True,
            # Seven bits for weights: sums of two products overflow 16 bits on processors without
            # instructions for eight-bit networks.
            reduce_range=True,
            nodes_to_exclude=[*last, *keep],
        )

    return Quantizer(layers, write_quantized)
