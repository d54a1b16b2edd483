"""Names of inputs and outputs, which other programs go by, and metadata in the file."""

import json

import keras
import numpy as np
import pytest

import maskwright
from made_up_models import predictor, write_artifact
from maskwright.export.engines import OWN
from maskwright.export.formats.onnx_metadata import write_metadata
from maskwright.export.formats.table import FORMATS, open_engine, write_network
from maskwright.export.listing import write_listing, written_digest
from maskwright.labels import Labels
from maskwright.model_card import CARD_FILE, RegionCard

ENGINES = {"onnx": "tf2onnx", "openvino": "openvino", "litert": "ai_edge_litert"}
SLOW = {"openvino": pytest.mark.slow}
IMAGE = np.random.default_rng(0).uniform(0, 255, (1, 9, 7, 3)).astype(np.float32)


@pytest.mark.parametrize("outputs", ["one", "several"])
@pytest.mark.parametrize(
    "engine", [pytest.param(name, marks=SLOW.get(name, ())) for name in FORMATS if name != "keras"]
)
def test_every_format_names_inputs_and_outputs(engine, outputs, tmp_path):
    pytest.importorskip(ENGINES.get(engine, "numpy"))
    images = keras.Input((None, None, 3), name="images")
    logits, scores = (keras.layers.Conv2D(filters, 1)(images) for filters in (2, 1))
    several = {"scores": scores, "logits": logits}
    model = keras.Model(images, logits if outputs == "one" else several)
    write_network(model, tmp_path, engine, "")
    network = open_engine(tmp_path, engine, OWN)
    found = network({"images": IMAGE})
    assert network.takes == ("images",)
    expected = {"logits": 2} if outputs == "one" else {"logits": 2, "scores": 1}
    assert {name: values.shape[-1] for name, values in found.items()} == expected
    np.testing.assert_allclose(found["logits"], logits_of(model, outputs), atol=1e-3)


def logits_of(model, outputs):
    values = model(IMAGE)
    return values if outputs == "one" else values["logits"]


def test_onnx_names_the_free_sides_of_images(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    images = keras.Input((None, None, 3), name="images")
    write_network(keras.Model(images, keras.layers.Conv2D(2, 1)(images)), tmp_path, "onnx", "")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (given,), (logits,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.shape) == ("images", ["batch", "height", "width", 3])
    assert (logits.name, logits.shape) == ("logits", ["batch", "height", "width", 2])


def test_an_artifact_of_before_outputs_had_names_still_opens(tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    folder = write_artifact(tmp_path / "model")
    expected = maskwright.load(folder)(image).labels
    network = onnx.load(folder / "model.onnx")
    network.graph.output[0].name = network.graph.node[-1].output[0] = "Identity:0"
    onnx.save(network, folder / "model.onnx")
    (folder / "artifact.json").unlink()
    predictor(model_sha256=written_digest(folder)).card.write(folder / CARD_FILE)
    write_listing(folder, format="onnx")
    np.testing.assert_array_equal(maskwright.load(folder)(image).labels, expected)
    assert len(np.unique(expected)) == 2


def test_an_onnx_file_says_what_its_card_says(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    path = write_artifact(tmp_path / "model") / "model.onnx"
    card = predictor(threshold=0.3, data="/home/me/photos").card
    write_metadata(path, card)
    write_metadata(path, card)  # again, in place of the first
    said = onnxruntime.InferenceSession(path).get_modelmeta()
    assert said.producer_name == "maskwright"
    values = {key: json.loads(text) for key, text in said.custom_metadata_map.items()}
    assert values["task"] == "semantic"
    assert values["class_names"] == {"0": "background", "1": "cell"}
    assert (values["threshold"], values["tile"], values["size"]) == (0.3, 64, None)
    assert (values["dtype"], values["value_range"]) == ("uint8", [0, 255])
    assert Labels.from_dict(values["labels"]) == card.labels
    assert values.keys() & {"data", "model_sha256"} == set()


def test_decisions_have_class_names_too(tmp_path):
    pytest.importorskip("onnx")
    from made_up_models import classifier
    from maskwright.export.formats.onnx_metadata import card_metadata

    card = classifier().card
    assert isinstance(card, RegionCard)
    assert card_metadata(card)["class_names"] == {"0": "dull", "1": "bright"}
