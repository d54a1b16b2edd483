"""Model cards: metadata that Hugging Face reads, and what bioimage.io's own validator accepts."""

import json

import numpy as np
import pytest
import yaml

import maskwright
from drawing_networks import card_of, write_network
from made_up_models import classifier
from maskwright.api import Publication
from maskwright.errors import ConfigError, ModelError
from maskwright.export.postprocessed.masks import write_masks
from maskwright.export.sharing.bioimageio import check_publication, write_model

CITED = Publication(
    license="CC-BY-4.0", name="Drawn cells", authors=("A. Author",), cite="10.5281/zenodo.123456"
)
SCORES = {
    "split": "test",
    "images": 12,
    "cases": 4,
    "model_sha256": "",
    "headline": "foreground_dice",
    "foreground_dice": 0.91,
    "foreground_iou": None,
    "intervals": {"foreground_dice": [0.85, 0.95], "foreground_iou": [None, None]},
}


@pytest.fixture
def run(tmp_path):
    """The card of a run, and the scores of its evaluation."""
    scores = tmp_path / "cells" / "evaluation" / "test"
    scores.mkdir(parents=True)
    (scores / "scores.json").write_text(json.dumps(SCORES))
    card_of(classes=2, tile=64, data="/home/me/photos").write(tmp_path / "cells/model_card.json")
    return tmp_path / "cells"


def test_a_readme_says_what_is_known_of_a_run(run, tmp_path):
    notes = maskwright.write_card(run, tmp_path / "out", CITED, format="huggingface")
    assert notes == ()
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    _, head, body = text.split("---\n", 2)
    said = yaml.safe_load(head)
    assert (said["license"], said["pipeline_tag"]) == ("cc-by-4.0", "image-segmentation")
    (result,) = said["model-index"][0]["results"]
    assert result["dataset"] == {"type": "photos", "name": "photos", "split": "test"}
    metric = {"type": "foreground_dice", "name": "foreground dice", "value": 0.91}
    assert result["metrics"] == [metric]
    assert "| foreground dice | 0.910 | 0.850 to 0.950 |" in body
    assert "12 images of 4 cases" in body
    assert "| 1 | cell |" in body
    assert "in tiles of 64 px" in body
    assert "/home/me" not in text


def test_scores_are_those_of_the_model_or_none(run, tmp_path):
    (note,) = maskwright.write_card(
        run, tmp_path / "a", CITED, format="huggingface", split="held_out"
    )
    assert "has no scores of the split held_out" in note
    assert "model-index" not in (tmp_path / "a" / "README.md").read_text()
    path = run / "evaluation" / "test" / "scores.json"
    path.write_text(json.dumps({**SCORES, "model_sha256": "0" * 64}))
    with pytest.raises(ModelError, match="those of another model"):
        maskwright.write_card(run, tmp_path / "b", CITED, format="huggingface")
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("publication", "message"),
    [
        (Publication(license="MIT", name="Cells 2", cite="10.5281/zenodo.1"), "requires --author"),
        (Publication(license="MIT", name="Cells 2", authors=("A",)), "requires --cite"),
        (Publication(license="MIT", name="c", authors=("A",), cite="x"), "5 to 128 letters"),
    ],
)
def test_what_bioimage_io_requires_is_asked_for(publication, message):
    with pytest.raises(ConfigError, match=message):
        check_publication(publication)


def test_a_license_is_never_made_up_and_decisions_are_no_masks(run, tmp_path):
    with pytest.raises(ConfigError, match="requires --license"):
        maskwright.write_card(run, tmp_path / "a", Publication(license=""), format="huggingface")
    (tmp_path / "lesions").mkdir()
    classifier().card.write(tmp_path / "lesions" / "model_card.json")
    with pytest.raises(ConfigError, match="is for the task regions: write its card with"):
        maskwright.write_card(tmp_path / "lesions", tmp_path / "a", CITED, format="bioimageio")
    with pytest.raises(ConfigError, match="Expected a DOI"):
        write_zoo_model(tmp_path / "zoo", Publication(**{**vars(CITED), "cite": "my paper"}))


def write_zoo_model(folder, publication=CITED, **values):
    pytest.importorskip("onnxruntime")
    card = card_of(**values)
    folder.mkdir(exist_ok=True)
    network = write_network(folder / "model.onnx", channels=card.channels, size=card.size)
    write_masks(network, folder / "network.onnx", card)
    network.unlink()
    (folder / "README.md").write_text("# Drawn cells")
    write_model(folder, card, publication)
    return folder


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # files it leaves open
@pytest.mark.parametrize(
    "values", [{}, {"overlapping": True, "channels": 2}, {"size": (48, 64), "dtype": "uint16"}]
)
def test_the_validator_of_bioimage_io_accepts_the_model(values, tmp_path):
    spec = pytest.importorskip("bioimageio.spec")
    folder = write_zoo_model(tmp_path / "zoo", **values)
    described = spec.load_description(folder / "rdf.yaml")
    assert described.validation_summary.status != "failed", described.validation_summary.format()
    assert described.weights.onnx.opset_version == 18


def test_test_arrays_are_what_the_network_gives(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    folder = write_zoo_model(tmp_path / "zoo")
    said = yaml.safe_load((folder / "rdf.yaml").read_text(encoding="utf-8"))
    assert [axis["type"] for axis in said["inputs"][0]["axes"]] == [
        *("batch", "space", "space", "channel")
    ]
    assert said["cite"] == [{"text": "Drawn cells", "doi": "10.5281/zenodo.123456"}]
    session = onnxruntime.InferenceSession(folder / said["weights"]["onnx"]["source"])
    images = np.load(folder / said["inputs"][0]["test_tensor"]["source"])
    for output in said["outputs"]:
        (values,) = session.run([output["id"]], {"images": images})
        np.testing.assert_array_equal(values, np.load(folder / output["test_tensor"]["source"]))
