"""Scaling folded into the first convolution: another graph, the same numbers."""

import numpy as np
import pytest

from maskwright.export.formats.fuse_scaling import after_the_last_layer, fold_scaling

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def scaled_network(shift, **padding):
    """Images times 0.5 plus a shift, turned, a 3x3 convolution, a rectifier, turned back."""
    from onnx import helper, numpy_helper

    rng = np.random.default_rng(0)
    arrays = {
        "scale": np.full(3, 0.5, np.float32),
        "shift": np.array(shift, np.float32),
        "weights": rng.normal(size=(2, 3, 3, 3)).astype(np.float32),
        "bias": np.array([1, -1], np.float32),
    }
    nodes = [
        helper.make_node("Mul", ["images", "scale"], ["a"], name="mul"),
        helper.make_node("Add", ["a", "shift"], ["b"], name="add"),
        helper.make_node("Transpose", ["b"], ["c"], perm=[0, 3, 1, 2], name="turn"),
        helper.make_node("Conv", ["c", "weights", "bias"], ["d"], name="conv", **padding),
        helper.make_node("Relu", ["d"], ["e"], name="relu"),
        helper.make_node("Transpose", ["e"], ["logits"], perm=[0, 2, 3, 1], name="back"),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "drawn",
        [value("images", 1, ["b", "h", "w", 3])],
        [value("logits", 1, ["b", "y", "x", 2])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def computed(network, images):
    session = onnxruntime.InferenceSession(network.SerializeToString())
    return session.run(None, {"images": images})[0]


@pytest.mark.parametrize(
    ("shift", "padding", "kinds"),
    [
        # Black is 2 in every channel: padding with 2 does for padding scaled pixels with 0.
        ([-1, -1, -1], {"pads": [1, 0, 1, 2]}, ["Transpose", "Pad", "Conv"]),
        ([-1, -1, -1], {}, ["Transpose", "Conv"]),
        # One number cannot pad three channels: the addition stays, behind the turn.
        ([-1, 0, 1], {"pads": [1, 1, 1, 1]}, ["Transpose", "Add", "Conv"]),
        ([-1, -1, -1], {"auto_pad": "SAME_UPPER"}, ["Transpose", "Add", "Conv"]),
    ],
)
def test_folding_keeps_what_is_computed(shift, padding, kinds):
    network = scaled_network(shift, **padding)
    images = np.random.default_rng(1).uniform(0, 255, (2, 7, 6, 3)).astype(np.float32)
    expected = computed(network, images)
    fold_scaling(network)
    assert [node.op_type for node in network.graph.node] == [*kinds, "Relu", "Transpose"]
    onnx.checker.check_model(network)
    np.testing.assert_allclose(computed(network, images), expected, atol=1e-4)


def test_what_begins_otherwise_stays():
    network = scaled_network([0, 0, 0])
    network.graph.node[1].op_type = "Sub"
    before = network.SerializeToString()
    fold_scaling(network)
    assert network.SerializeToString() == before


def test_what_lies_behind_all_weights_is_named():
    assert after_the_last_layer(scaled_network([0, 0, 0])) == ["back", "relu"]
