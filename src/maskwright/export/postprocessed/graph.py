"""Steps before and after a network, in the text format of ONNX, joined to it in one file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

POSTPROCESSED_FILE = "postprocessed.onnx"
"""Name of a file with all steps, in the folder of an artifact."""

NETWORK = "network_"
"""Prefix of all names of the network, in a file with other steps."""

ONNX_TYPES = {"uint8": "uint8", "uint16": "uint16", "float32": "float"}
"""Names of pixel types in the text format."""

FLOAT = 1
"""Number of float32 among the types of ONNX."""


def surround(network: Any, before: str, after: str) -> Any:
    """An `onnx.ModelProto` with steps before and after it; its own names begin with `NETWORK`.

    `before` and `after` are graphs: the inputs of the first and the outputs of the second are those
    of the whole. Values of the first are known in the second.
    """
    from onnx import checker, compose, helper, parser

    inner = compose.add_prefix(network, NETWORK)
    first, last = parser.parse_graph(before), parser.parse_graph(after)
    graph = helper.make_graph(
        [*first.node, *inner.graph.node, *last.node],
        "postprocessed",
        first.input,
        last.output,
        inner.graph.initializer,
    )
    whole = helper.make_model(graph, opset_imports=inner.opset_import, ir_version=inner.ir_version)
    checker.check_model(whole)
    return whole


def graph_text(inputs: Sequence[str], outputs: Sequence[str], lines: Sequence[str]) -> str:
    """A graph in the text format, from its declarations and steps."""
    return f"steps ({', '.join(inputs)}) => ({', '.join(outputs)}) {{ {' '.join(lines)} }}"


def constant(name: str, kind: str, value: float | int | Sequence[float] | Sequence[int]) -> str:
    """A step that gives a number, or a list of numbers."""
    values = value if isinstance(value, Sequence) else [value]
    shape = f"[{len(values)}]" if isinstance(value, Sequence) else ""
    cast = int if kind.startswith(("int", "uint")) else float
    texts = (str(cast(each)) for each in values)
    return f"{name} = Constant <value = {kind}{shape} {{{', '.join(texts)}}}> ()"


def read_network(path: Path) -> Any:
    """The `onnx.ModelProto` of a file."""
    import onnx

    return onnx.load(path)
