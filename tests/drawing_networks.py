"""Small ONNX networks with random weights, written by hand."""

import numpy as np

from maskwright.export.engines import ALONE
from maskwright.export.formats import onnx as onnx_format
from maskwright.inference.predictor import Predictor
from maskwright.labels import Labels
from maskwright.model_card import MultilabelCard, SemanticCard

CARD = {"dtype": "uint8", "model_sha256": "", "version": "", "data": ""}
NAMES = ("background", "cell", "nucleus", "wall")


def write_network(path, channels=3, filters=3, size=None, scale=1):
    """Logits from the 5x5 pixels around each; `filters` of them, about 0 for 127 times `scale`."""
    import onnx
    from onnx import numpy_helper, parser

    rng = np.random.default_rng(0)
    sides = "height, width" if size is None else "{}, {}".format(*size)
    network = parser.parse_model(
        f"""<ir_version: 10, opset_import: ["": 18]>
        drawn (float[batch, {sides}, {channels}] images)
            => (float[batch, {sides}, {filters}] logits)
        {{
            first = Transpose <perm = [0, 3, 1, 2]> (images)
            seen = Conv <pads = [2, 2, 2, 2]> (first, kernel, bias)
            logits = Transpose <perm = [0, 2, 3, 1]> (seen)
        }}"""
    )
    kernel = rng.normal(size=(filters, channels, 5, 5)) / (300 * scale)
    bias = -kernel.sum(axis=(1, 2, 3)) * 127 * scale
    for name, values in (("kernel", kernel), ("bias", bias)):
        array = numpy_helper.from_array(values.astype(np.float32), name)
        network.graph.initializer.append(array)
    onnx.save(network, path)
    return path


def card_of(classes=3, overlapping=False, names=NAMES, **values):
    values = {"size": None, "tile": None, "threshold": None, "channels": 3, **CARD, **values}
    if overlapping:
        values["thresholds"] = tuple(np.linspace(0.3, 0.6, classes).tolist())
    kind = MultilabelCard if overlapping else SemanticCard
    return kind(labels=Labels.create(names[:classes]), **values)


def predictor_of(path, card):
    """What `predict` makes of a network and a card."""
    network = onnx_format.open_network(path, ALONE)
    return Predictor(lambda images: network.run({"images": images})["logits"], card)


def drawn(size, channels=3, dtype=np.uint8, seed=0):
    """Noise that is smooth over some pixels."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (-(-size[0] // 3), -(-size[1] // 3), channels))
    image = coarse.repeat(3, axis=0).repeat(3, axis=1)[: size[0], : size[1]]
    return (image * 257 if dtype == np.uint16 else image).astype(dtype)
