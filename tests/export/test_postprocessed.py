"""ONNX files with all steps inside give what `predict` gives; Deepness reads its own."""

import json

import numpy as np
import pytest

from drawing_networks import card_of, drawn, predictor_of, write_network
from maskwright.export.postprocessed.deepness import refusal, write_deepness
from maskwright.export.postprocessed.masks import write_masks

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

SIZES = [(64, 96), (75, 51), (3, 1), (41, 140)]
CARDS = {
    "two classes": {"classes": 2},
    "one logit": {"classes": 2, "filters": 1, "threshold": 0.3, "temperature": 2.0},
    "sure classes": {"classes": 4, "threshold": 0.45},
    "tile": {"classes": 3, "tile": 140},
    "layers": {"classes": 3, "overlapping": True},
    "16 bits": {"classes": 3, "dtype": "uint16", "value_range": (0.0, 65535.0)},
    "stated range": {"classes": 3, "pixel_range": (10.0, 90.0)},
    "one channel": {"classes": 3, "channels": 1},
    "resized": {"classes": 3, "size": (48, 64)},
    "resized layers": {"classes": 2, "size": (48, 64), "overlapping": True},
}


@pytest.mark.parametrize("name", CARDS)
def test_a_file_with_all_steps_gives_what_predict_gives(name, tmp_path):
    values = dict(CARDS[name])
    filters = values.pop("filters", values["classes"])
    card = card_of(**values)
    scale = 257 if card.dtype == "uint16" else 1
    drawn_with = {"channels": card.channels, "filters": filters, "size": card.size}
    network = write_network(tmp_path / "model.onnx", scale=scale, **drawn_with)
    write_masks(network, tmp_path / "postprocessed.onnx", card)
    predict = predictor_of(network, card)
    session = onnxruntime.InferenceSession(tmp_path / "postprocessed.onnx")
    decided = "masks" if card.overlapping else "labels"
    for size in SIZES:
        image = drawn(size, card.channels, np.dtype(card.dtype))
        if card.pixel_range is not None:
            image = image.astype(np.float32) / 3
        labels, found = session.run([decided, "probabilities"], {"images": image[None]})
        expected = predict(image, probabilities=True)
        np.testing.assert_allclose(found[0], expected.probabilities, atol=0.01)
        assert (labels[0] == expected.labels).mean() >= 0.995
        if card.size is None:
            np.testing.assert_allclose(found[0], expected.probabilities, atol=1e-5)
    assert labels.dtype == np.uint8
    assert np.ptp(labels)


def deepness(path, tile):
    """A restatement of how Deepness opens a file, runs it on a tile and decides, in few lines.

    Source: `ModelBase` and `Segmentor` in `deepness/processing/models`, and
    `MapProcessorSegmentation._process_tile`.
    """
    session = onnxruntime.InferenceSession(path)
    (given,), (result,) = session.get_inputs(), session.get_outputs()
    _, channels, *sides = given.shape
    said = session.get_modelmeta().custom_metadata_map
    assert str(json.loads(said["model_type"])).capitalize() == "Segmentor"
    classes = sorted(json.loads(said["class_names"]).items(), key=lambda pair: int(pair[0]))
    assert [int(key) for key, _ in classes] == list(range(len(classes)))
    assert int(json.loads(said["tile_size"])) == sides[0] == sides[1] == tile.shape[0]
    assert 0 <= int(json.loads(said["tiles_overlap"])) < 100
    assert int(json.loads(said["seg_small_segment"])) == 0
    assert len(result.shape) == 4
    assert result.shape[2] == result.shape[3]
    assert max(result.shape[1], 2) == len(classes)
    batch = np.float32(tile[None, :, :, :channels] * 1.0 / 255.0).transpose(0, 3, 1, 2)
    (values,) = session.run(None, {given.name: batch})
    values[values < float(json.loads(said["seg_thresh"]))] = 0
    labels = (values != 0)[:, 0] if values.shape[1] == 1 else values.argmax(axis=1)
    return np.array([name for _, name in classes])[labels[0].astype(int)]


@pytest.mark.parametrize(
    "values",
    [
        {"classes": 2},
        {"classes": 2, "filters": 1, "threshold": 0.7},
        {"classes": 4, "threshold": 0.45},
        {"classes": 3, "names": ("a", "b", "background"), "threshold": 0.6},
        {"classes": 3, "names": ("a", "b", "c")},
    ],
)
def test_deepness_reads_its_file_and_finds_our_classes(values, tmp_path):
    values = dict(values)
    filters = values.pop("filters", values["classes"])
    card = card_of(tile=64, **values)
    network = write_network(tmp_path / "model.onnx", filters=filters)
    write_deepness(network, tmp_path / "deepness.onnx", card)
    tile = drawn((64, 64))
    expected = np.array(card.labels.names)[predictor_of(network, card)(tile).labels]
    assert (deepness(tmp_path / "deepness.onnx", tile) == expected).mean() >= 0.999
    assert len(np.unique(expected)) >= 2


def test_what_deepness_cannot_apply_is_told():
    assert refusal(card_of()) is None
    assert "overlap" in refusal(card_of(overlapping=True))
    assert "8 bits" in refusal(card_of(dtype="uint16"))
    assert "resizes whole images" in refusal(card_of(size=(64, 64)))
