"""Programs that know no Maskwright: lines of docs/deploy.md, and requests of TensorFlow Serving."""

import json
import re
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

import maskwright
from maskwright.cli.app import app
from maskwright.errors import ConfigError
from maskwright.imageio import write_image
from maskwright.labels import Labels
from maskwright.model_card import InstanceCard, RegionCard, SemanticCard, checksum
from maskwright.models.blueprint import Blueprint
from maskwright.tasks.regions.classifier import Classifier
from maskwright.tasks.regions.export import drawn_bags, probabilities

DOCS = Path(maskwright.__file__).parents[2] / "docs" / "deploy.md"
KNOWN = {"channels": 3, "dtype": "uint8", "version": "0", "data": "d"}
NAMES = ("background", "cell", "nucleus")


def write_run(folder, blueprint, card, **values):
    """A run with a network that nobody trained."""
    keras.utils.set_random_seed(3)
    model = blueprint.build()
    folder.mkdir(parents=True)
    model.save(folder / "model.keras")
    (folder / "network.json").write_text(blueprint.to_json())
    values |= {"model_sha256": checksum(folder / "model.keras")}
    card(**{**KNOWN, **values}).write(folder / "model_card.json")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    arguments = {"num_classes": 3, "decoder_name": "unet", "encoder_name": "plain"}
    blueprint = Blueprint("segmenter", {**arguments, "encoder_widths": [4, 4]})
    values = {"labels": Labels.create(NAMES), "size": None, "tile": 128, "threshold": 0.34}
    return write_run(tmp_path_factory.mktemp("run") / "first", blueprint, SemanticCard, **values)


@pytest.fixture(scope="module")
def exported(run):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    out = run.parent / "model"
    return maskwright.export_model(run, out, format="onnx", with_postprocessing=True)


@pytest.fixture(scope="module")
def photo():
    """Smooth noise of odd sizes."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (25, 17, 3), np.uint8).repeat(3, axis=0).repeat(3, axis=1)


def lines_of_docs(word):
    blocks = re.findall(r"^```python\n(.*?)^```", DOCS.read_text(encoding="utf-8"), re.M | re.S)
    (found,) = (block for block in blocks if word in block)
    return found


@pytest.mark.skipif(not DOCS.exists(), reason="the documentation is not installed")
def test_five_lines_give_the_mask_of_predict(exported, run, photo, tmp_path, monkeypatch):
    lines = lines_of_docs("postprocessed.onnx")
    assert len([line for line in lines.splitlines() if line]) == 5
    write_image(tmp_path / "photo.png", photo)
    shutil.copytree(exported.path, tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    exec(lines, {})
    maskwright.predict(run, tmp_path / "photo.png", tmp_path / "masks", overlays=False)
    mask, expected = (
        np.asarray(Image.open(tmp_path / name)) for name in ("mask.png", "masks/photo.png")
    )
    np.testing.assert_array_equal(mask, expected)
    assert mask.shape == (75, 51)
    assert len(np.unique(mask)) > 1


def test_the_artifact_still_opens_with_further_files_in_it(exported, run, photo):
    names = {path.name for path in exported.path.glob("*.onnx")}
    assert names == {"model.onnx", "postprocessed.onnx", "deepness.onnx"}
    assert exported.notes == ()
    labels = [maskwright.load(path)(photo).labels for path in (run, exported.path)]
    np.testing.assert_array_equal(*labels)


def test_what_has_no_file_with_all_steps_is_refused(run, tmp_path):
    arguments = {"with_postprocessing": True}
    with pytest.raises(ConfigError, match="requires a format of onnx; received keras"):
        maskwright.export_model(run, tmp_path / "a", format="keras", **arguments)
    with pytest.raises(ConfigError, match="expected a folder, received"):
        maskwright.export_model(run, tmp_path / "a.maskwright", format="onnx", **arguments)
    objects = tmp_path / "objects"
    objects.mkdir()
    values = {"labels": Labels.create(NAMES[:2]), "method": "centers", "size": None, "tile": None}
    InstanceCard(**KNOWN, **values, model_sha256="").write(objects / "model_card.json")
    with pytest.raises(ConfigError, match="objects is for the task instances: export it without"):
        maskwright.export_model(objects, tmp_path / "a", format="onnx", **arguments)


def test_a_classifier_in_one_file_gives_its_probabilities(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    arguments = {"encoder_widths": [4], "embedding": 4, "attention": 4, "num_measures": 2}
    values = {"names": ("dull", "bright"), "unit": "case", "regions": "components", "size": 16}
    values |= {"context": 0.2, "outside": "kept", "measures": ("area_px", "perimeter_px")}
    values |= {"threshold": 0.4, "temperature": 2.0}
    run = write_run(tmp_path / "run", Blueprint("classifier", arguments), RegionCard, **values)
    out = tmp_path / "model"
    export = maskwright.export_model(run, out, format="onnx", with_postprocessing=True)
    assert "takes 2 measures of each region" in export.notes[0]
    session = onnxruntime.InferenceSession(out / "postprocessed.onnx")
    classifier = Classifier.load(out)
    for bags in drawn_bags(classifier.card, (np.zeros(2), np.ones(2)), 7):
        found = dict(
            zip((o.name for o in session.get_outputs()), session.run(None, bags), strict=True)
        )
        expected = probabilities(classifier.decide(bags), classifier.card)
        np.testing.assert_allclose(found["probabilities"], expected["logits"][:, 0], atol=1e-5)
        regions = expected["region_logits"][:, 0]
        np.testing.assert_allclose(found["region_probabilities"], regions, atol=1e-5)
        np.testing.assert_allclose(found["weights"], expected["weights"], atol=1e-5)
        np.testing.assert_array_equal(found["labels"], found["probabilities"] >= 0.4)


def test_a_run_becomes_a_model_of_the_zoo_in_one_command(run, tmp_path):
    pytest.importorskip("tf2onnx")
    arguments = ["--license", "MIT", "--name", "Drawn cells", "--author", "A", "--author", "B"]
    command = ["card", str(run), "-o", str(tmp_path / "zoo"), "--format", "bioimageio", *arguments]
    result = CliRunner().invoke(app, [*command, "--cite", "https://example.org/paper"])
    assert result.exit_code == 0, result.output
    said = yaml.safe_load((tmp_path / "zoo" / "rdf.yaml").read_text(encoding="utf-8"))
    assert said["authors"] == [{"name": "A"}, {"name": "B"}]
    files = {"rdf.yaml", "README.md", "network.onnx", "test_images.npy", "test_labels.npy"}
    files |= {"test_probabilities.npy"}
    assert {path.name for path in (tmp_path / "zoo").iterdir()} == files
    assert "has not been evaluated" in (tmp_path / "zoo" / "README.md").read_text()


@pytest.mark.skipif(not DOCS.exists(), reason="the documentation is not installed")
def test_a_savedmodel_answers_in_the_row_format_of_tensorflow_serving(
    run, photo, tmp_path, monkeypatch
):
    import tensorflow as tf

    out = tmp_path / "model"
    maskwright.export_model(run, out, format="savedmodel")
    loaded = tf.saved_model.load(str(out / "saved_model"))

    class Answer:
        """What TensorFlow Serving makes of a request: instances are stacked, outputs are rows."""

        def __init__(self, request):
            assert request.full_url.endswith("/v1/models/first:predict")
            content = json.loads(request.data)
            signature = loaded.signatures[content["signature_name"]]
            (name,) = signature.structured_input_signature[1]
            (output,) = signature.structured_outputs
            assert (name, output) == ("images", "logits")
            images = tf.constant(content["instances"], tf.float32)
            rows = signature(**{name: images})[output].numpy().tolist()
            self.body = json.dumps({"predictions": rows})

        def read(self):
            return self.body

    import urllib.request

    monkeypatch.setattr(urllib.request, "urlopen", Answer)
    tile = photo[:64, :32]  # `predict` mirrors sides that are no multiples of 32 px
    write_image(tmp_path / "photo.png", tile)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(lines_of_docs("urllib"), names)
    expected = maskwright.load(run).adjusted(threshold=None)(tile, probabilities=True)
    np.testing.assert_array_equal(names["labels"], expected.probabilities.argmax(-1))
    assert len(np.unique(names["labels"])) > 1
