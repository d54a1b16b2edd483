"""Networks in whole numbers of eight bits, with layers left in float where that is needed.

Weights have a scale for each channel, activations one for each tensor, both from images of the
training split. Where Dice falls too far, the layers are divided into groups, each group is left in
float once, and those that bring the most labels back are kept so.
"""

import contextlib
import io
import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import ModelError
from maskwright.export.engines import FILES
from maskwright.export.formats import write_network
from maskwright.export.fuse_scaling import after_the_last_layer
from maskwright.export.logits import Logits
from maskwright.export.parity import INT8, Parity, ParityLimits

_GROUPS = 8
_KEPT_GROUPS = (1, 2, 4)  # tried in turn
_RANKED_ON = 16  # images
_NAMED = 12  # layers, in a message

Write = Callable[[Sequence[str]], None]
"""Write the network with the layers of these names in float."""


@dataclass(frozen=True)
class _Network:
    """A network to be written: the layers with weights, from first to last, and how."""

    layers: tuple[str, ...]
    write: Write


def write_int8(
    engine: str,
    model: Any,
    folder: Path,
    images: Sequence[np.ndarray],
    open_written: Callable[[], Logits],
    compare: Callable[[Logits], Parity],
    limits: ParityLimits = INT8,
) -> tuple[Parity, tuple[str, ...]]:
    """Replace the float network of an artifact by one of eight bits.

    Args:
        engine: `"onnx"`, `"openvino"` or `"litert"`.
        model: Keras model that the network was written from.
        folder: Of the artifact.
        images: Of the training split, `(h, w, c)` float32 as the model takes them.
        open_written: Opens the network of `folder`.
        compare: Holds an opened network against the model.
        limits: What it may differ by.

    Returns:
        How far it differs, and the names of the layers that stayed in float.

    Raises:
        ModelError: If Dice falls too far whatever is kept in float; it names the layers tried.
    """
    makers = {"onnx": _onnx, "openvino": _openvino, "litert": _litert}
    ranked_on = images[:_RANKED_ON]
    plain = open_written()
    wanted = [_labels(plain, image) for image in ranked_on]
    with tempfile.TemporaryDirectory() as scratch, _quiet():
        network = makers[engine](model, folder, Path(scratch), images)

        def brought_back(keep: Sequence[str]) -> float:
            network.write(keep)
            written = open_written()
            same = [
                float((_labels(written, image) == labels).mean())
                for image, labels in zip(ranked_on, wanted, strict=True)
            ]
            return float(np.mean(same))

        network.write(())
        parity = compare(open_written())
        if parity.within(limits):
            return parity, ()
        groups = [
            tuple(network.layers[place] for place in part)
            for part in np.array_split(np.arange(len(network.layers)), _GROUPS)
            if len(part)
        ]
        gains = [brought_back(group) for group in groups]
        ranked = [groups[place] for place in np.argsort(gains, kind="stable")[::-1]]
        falls = [parity.dice_change]
        for number in _KEPT_GROUPS:
            keep = tuple(name for group in ranked[:number] for name in group)
            network.write(keep)
            parity = compare(open_written())
            if parity.within(limits):
                return parity, keep
            falls.append(parity.dice_change)
    first, *others = (f"{fall:+.4f}" for fall in falls)
    names = ", ".join(keep[:_NAMED]) + (", …" if len(keep) > _NAMED else "")
    raise ModelError(
        f"Quantization changes Dice by {first} (limit {-limits.dice:g}), and with 1, 2 and 4 of "
        f"{len(groups)} groups of layers in float by {', '.join(others)}; the largest losses are "
        f"in {names}: export without --int8."
    )


def _labels(logits: Logits, image: np.ndarray) -> np.ndarray:
    values = logits(image[None])[0]
    return values[..., 0] > 0 if values.shape[-1] == 1 else values.argmax(-1)


def _onnx(model: Any, folder: Path, scratch: Path, images: Sequence[np.ndarray]) -> _Network:
    return _from_onnx(folder / FILES["onnx"], folder / FILES["onnx"], scratch, images)


def _openvino(model: Any, folder: Path, scratch: Path, images: Sequence[np.ndarray]) -> _Network:
    # By way of ONNX: what NNCF makes of these networks, OpenVINO computes wrongly on processors
    # without instructions for eight bits (half of the labels differ), and this it does not.
    import openvino

    write_network(model, scratch, "onnx", "")
    there = scratch / "int8.onnx"
    network = _from_onnx(scratch / FILES["onnx"], there, scratch, images)

    def write(keep: Sequence[str]) -> None:
        network.write(keep)
        read = openvino.Core().read_model(there)
        openvino.save_model(read, folder / FILES["openvino"], compress_to_fp16=False)

    return _Network(network.layers, write)


def _from_onnx(source: Path, target: Path, scratch: Path, images: Sequence[np.ndarray]) -> _Network:
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

    def write(keep: Sequence[str]) -> None:
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

    return _Network(layers, write)


def _litert(model: Any, folder: Path, scratch: Path, images: Sequence[np.ndarray]) -> _Network:
    import tensorflow as tf

    model.export(scratch / "model", format="tf_saved_model", verbose=False)

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

    target = folder / FILES["litert"]

    def write(keep: Sequence[str]) -> None:
        written = debugger(keep).get_nondebug_quantized_model() if keep else converter().convert()
        target.write_bytes(written)

    return _Network(_litert_layers(target), write)


def _litert_layers(path: Path) -> tuple[str, ...]:
    """Names of the outputs of all layers with weights, as the converter knows them."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=path.read_bytes())
    kinds = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL"}
    names = {tensor["index"]: tensor["name"] for tensor in interpreter.get_tensor_details()}
    return tuple(
        names[operation["outputs"][0]]
        for operation in interpreter._get_ops_details()
        if operation["op_name"] in kinds and operation["outputs"][0] in names
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep progress and advice of the converters off the screen."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(level)
