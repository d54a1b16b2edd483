"""ONNX networks made quicker without changing what they compute."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

_WEIGHTED = {"Conv", "ConvTranspose", "Gemm", "MatMul"}


def fold_scaling(network: Any) -> None:
    """Let the first convolution scale the pixels, instead of two passes over the image.

    `conv(x * scale + shift)` is `conv'(x)` with the scale in its weights and the shift in its bias.
    Where it pads with zeros, `conv'` pads with `-shift / scale`, which scaling would turn into
    them. ONNX pads with one number, and some convolutions pad by the size of the image: channels
    with different values, and these, keep the addition. Networks that begin in another way stay as
    they are. The `onnx.ModelProto` is changed in place.
    """
    from onnx import helper, numpy_helper

    graph = network.graph
    arrays = {item.name: item for item in graph.initializer}
    match = _scaled_convolution(graph, arrays)
    if match is None:
        return
    multiply, add, transpose, convolution = match
    scale, shift, weights = (
        numpy_helper.to_array(arrays[name]).astype(np.float64)
        for name in (multiply.input[1], add.input[1], convolution.input[1])
    )
    if not np.all(scale):
        return
    scale, shift = (np.broadcast_to(value.ravel(), weights.shape[1]) for value in (scale, shift))
    black = -shift / scale

    def keep(name: str, array: np.ndarray) -> str:
        dtype = np.int64 if array.dtype.kind == "i" else np.float32
        graph.initializer.append(numpy_helper.from_array(array.astype(dtype), name))
        return name

    transpose.input[0] = multiply.input[0]
    convolution.input[1] = keep("scaled_weights", weights * scale[:, None, None])
    inserted = []
    automatic = any(
        item.name == "auto_pad" and item.s not in (b"NOTSET", b"VALID")
        for item in convolution.attribute
    )
    if np.allclose(black, black[0], rtol=1e-5) and not automatic:
        bias = np.einsum("oihw,i->o", weights, shift)
        if len(convolution.input) > 2:
            bias += numpy_helper.to_array(arrays[convolution.input[2]])
        del convolution.input[2:]
        convolution.input.append(keep("scaled_bias", bias))
        pads = next((item for item in convolution.attribute if item.name == "pads"), None)
        if pads is not None and any(pads.ints):
            top, left, bottom, right = pads.ints
            pads.ints[:] = [0, 0, 0, 0]
            sides = keep("scaled_pads", np.array([0, 0, top, left, 0, 0, bottom, right]))
            value = keep("scaled_black", np.array(black[0]))
            pixels = [transpose.output[0], sides, value]
            inserted = [helper.make_node("Pad", pixels, ["padded_pixels"], name="pad_pixels")]
            convolution.input[0] = "padded_pixels"
    else:
        moved = keep("moved_shift", (-black)[None, :, None, None])
        pixels = [transpose.output[0], moved]
        inserted = [helper.make_node("Add", pixels, ["shifted_pixels"], name="shift_pixels")]
        convolution.input[0] = "shifted_pixels"
    nodes = [node for node in graph.node if node is not multiply and node is not add]
    place = next(n for n, node in enumerate(nodes) if node is transpose) + 1
    _replace(graph.node, [*nodes[:place], *inserted, *nodes[place:]])
    used = {name for node in graph.node for name in node.input}
    _replace(graph.initializer, [item for item in graph.initializer if item.name in used])


def after_the_last_layer(network: Any) -> list[str]:
    """Names of the nodes behind all weights: what only enlarges, cuts and turns the logits."""
    leading: set[str] = set()
    names = []
    for node in reversed(network.graph.node):
        if node.op_type in _WEIGHTED or leading.intersection(node.output):
            leading.update(node.input)
        else:
            names.append(node.name)
    return names


def _scaled_convolution(graph: Any, arrays: dict[str, Any]) -> tuple[Any, Any, Any, Any] | None:
    """Nodes `Mul`, `Add`, `Transpose` and `Conv` in this order, each alone in using the one before;
    a transpose turns `(b, h, w, c)` into `(b, c, h, w)`.
    """
    users: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    for multiply in (node for node in graph.node if node.op_type == "Mul"):
        chain = [multiply, *_followers(multiply, users, ("Add", "Transpose", "Conv"))]
        if len(chain) < 4:
            continue
        _, add, transpose, convolution = chain
        constant = multiply.input[1] in arrays and add.input[1] in arrays
        axes = next(item.ints for item in transpose.attribute if item.name == "perm")
        grouped = any(item.name == "group" and item.i > 1 for item in convolution.attribute)
        flat = convolution.input[1] in arrays and len(arrays[convolution.input[1]].dims) == 4
        if constant and list(axes) == [0, 3, 1, 2] and flat and not grouped:
            return multiply, add, transpose, convolution
    return None


def _followers(node: Any, users: dict[str, list[Any]], kinds: Sequence[str]) -> Iterator[Any]:
    for kind in kinds:
        after = users.get(node.output[0], [])
        if len(after) != 1 or after[0].op_type != kind:
            return
        node = after[0]
        yield node


def _replace(field: Any, items: list[Any]) -> None:
    del field[:]
    field.extend(items)
