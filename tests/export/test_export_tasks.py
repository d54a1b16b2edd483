"""Ensembles, regions with their segmenter, and single objects: exported, and as they were."""

import csv
import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import asdict

import keras
import numpy as np
import pytest

import maskwright
from drawing_regions import disc_image
from maskwright.errors import ConfigError, ModelError
from maskwright.export import load_logits, write_ensemble
from maskwright.export.artifact import pack
from maskwright.export.engines import OWN
from maskwright.export.formats.keras import read_keras
from maskwright.export.formats.table import open_engine, write_network
from maskwright.export.listing import LIST_FILE, written_digest
from maskwright.imageio import read_image, write_image
from maskwright.labels import Labels
from maskwright.model_card import InstanceCard, RegionCard, SemanticCard, checksum
from maskwright.models import PoolInside
from maskwright.models.blueprint import Blueprint
from maskwright.models.rcnn import Rcnn
from maskwright.tasks.regions.classifier import Classifier
from maskwright.tasks.regions.export import drawn_bags
from maskwright.tasks.regions.extraction.feature_vector import VECTOR_NAMES

ENGINES = {"onnx": "onnxruntime", "openvino": "openvino", "litert": "ai_edge_litert"}
LABELS = Labels.create(("background", "disc"))
KNOWN = {"channels": 3, "dtype": "uint8", "version": "0", "data": "d"}
REGIONS = {
    "names": ("dull", "bright"),
    "unit": "image",
    "regions": "components",
    "size": 16,
    "context": 0.2,
    "outside": "kept",
    "value_range": (0.0, 255.0),
    "measures": VECTOR_NAMES,
}
SCRIPT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "tensorflow":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
import maskwright
images, *models = sys.argv[1:]
for model in models:
    model, out = model.split("=")
    maskwright.predict(model, images, out, overlays=False)
"""


def write_run(folder, card, model, network="{}", **values):
    """A run with a model that nobody trained."""
    folder.mkdir(parents=True)
    model.save(folder / "model.keras")
    (folder / "network.json").write_text(network)
    values |= {"model_sha256": checksum(folder / "model.keras")}
    card(**{**KNOWN, **values}).write(folder / "model_card.json")
    return folder


def by_brightness(*slopes):
    """Model whose channels are the mean of the image's less 95, times a slope each."""
    images = keras.Input((None, None, 3), name="images")
    model = keras.Model(images, keras.layers.Conv2D(len(slopes), 1)(images))
    kernel = np.repeat(np.array(slopes, np.float32)[None] / 3, 3, axis=0)
    model.set_weights([kernel.reshape(1, 1, 3, -1), -95 * np.array(slopes, np.float32)])
    return model


def write_classifier(folder, **arguments):
    usual = {"encoder_widths": [4], "embedding": 4, "attention": 4, "num_measures": 19}
    blueprint = Blueprint("classifier", usual | arguments)
    keras.utils.set_random_seed(1)
    model = blueprint.build()
    decision = model.get_layer("decision").kernel
    decision.assign(np.random.default_rng(0).normal(size=decision.shape))
    return write_run(folder, RegionCard, model, blueprint.to_json(), **REGIONS)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Runs: of regions, with an ensemble that draws them, and of objects by their centers."""
    folder = tmp_path_factory.mktemp("kinds")
    write_classifier(folder / "pipeline")
    masks = {"labels": LABELS, "size": None, "tile": None, "threshold": 0.4}
    members = [
        write_run(folder / "pipeline" / "segmenter" / f"fold{n}", SemanticCard, model, **masks)
        for n, model in enumerate((by_brightness(0, 0.1), by_brightness(0.3)))
    ]
    write_ensemble(folder / "pipeline" / "segmenter", members, {"threshold": 0.6})
    centers = {"labels": LABELS, "method": "centers", "size": None, "tile": None}
    write_run(folder / "centers", InstanceCard, by_brightness(0, 1, 0.01, 0.01), **centers)
    for number in range(4):
        image = disc_image(number % 2 == 1, discs=1 + number // 2, seed=number)[0]
        write_image(folder / "images" / f"{number}.png", image)
    return folder


@pytest.fixture(scope="module")
def exported(made):
    """The same for ONNX."""
    for package in ("onnxruntime", "tf2onnx"):
        pytest.importorskip(package)
    return {
        name: maskwright.export_model(made / name, made / f"{name}-onnx", format="onnx")
        for name in ("pipeline", "centers")
    }


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_cases_and_objects_come_without_tensorflow(made, exported, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    one_file = tmp_path / "pipeline.maskwright"
    pack(exported["pipeline"].path, one_file)
    models = {one_file: "pipeline", exported["centers"].path: "centers"}
    arguments = [f"{model}={tmp_path / name}" for model, name in models.items()]
    command = [sys.executable, "-c", SCRIPT, str(made / "images"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("pipeline", "centers"):
        maskwright.predict(made / name, made / "images", tmp_path / "run" / name, overlays=False)
        for mask in (tmp_path / "run" / name).rglob("*.png"):
            theirs = read_image(tmp_path / mask.relative_to(tmp_path / "run"))
            np.testing.assert_array_equal(theirs, read_image(mask))
            assert theirs.any()
    ours, theirs = (
        rows(where / "pipeline" / "cases.csv") for where in (tmp_path / "run", tmp_path)
    )
    assert [row["decision"] for row in theirs] == [row["decision"] for row in ours]
    for one, other in zip(ours, theirs, strict=True):
        assert float(one["probability"]) == pytest.approx(float(other["probability"]), abs=1e-4)
    assert (tmp_path / "centers" / "objects.csv").read_text().count("\n") > 4


def test_what_was_compared_is_told(exported):
    pipeline, centers = exported["pipeline"], exported["centers"].parity
    summary = pipeline.parity.summary()
    assert summary.startswith("On 4 bags of 1 to 4 regions it differs from the run")
    assert (pipeline.parity.agreement_of, pipeline.parity.compared) == ("decisions", 4)
    assert pipeline.segmenter.agreement == 1
    assert (centers.agreement_of, centers.agreement, centers.sizes[1]) == ("objects", 1, (97, 131))
    assert centers.compared > 1
    members = json.loads((pipeline.path / "segmenter" / "ensemble.json").read_text())["members"]
    assert [member["folder"] for member in members] == ["member1", "member2"]


@pytest.mark.parametrize(
    ("format", "arguments"),
    [
        ("keras", {"pixels": False, "pooling": "max"}),
        ("savedmodel", {"pixels": False, "pooling": "mean"}),
        # Takes long, and TensorFlow does not survive a SIGTERM in its process afterwards.
        pytest.param("openvino", {"pixels": False}, marks=pytest.mark.slow),
        ("litert", {"pixels": False}),
    ],
)
def test_a_classifier_decides_alike_in_every_format(format, arguments, tmp_path):
    if format in ENGINES:
        pytest.importorskip(ENGINES[format])
    run = write_classifier(tmp_path / "run", **arguments)
    parity = maskwright.export_model(run, tmp_path / "out", format=format).parity
    assert parity.difference < 1e-5
    first, second = (Classifier.load(tmp_path / name, OWN) for name in ("run", "out"))
    (_, bags) = drawn_bags(first.card, (np.zeros(19), np.ones(19)), 7)
    ours, theirs = first.decide(bags), second.decide(bags)
    assert ours["logits"].shape == (3, 1)
    assert np.ptp(ours["logits"]) > 1e-3
    for name in ours:
        np.testing.assert_allclose(theirs[name], ours[name], atol=1e-4)


def test_pooling_inside_a_mask_is_known_to_litert(tmp_path):
    pytest.importorskip("ai_edge_litert")
    images = keras.Input((None, None, 2), name="images")
    masks = keras.Input((None, None), name="masks")
    model = keras.Model([images, masks], PoolInside(1)(images, masks))
    write_network(model, tmp_path, "litert", "")
    network = open_engine(tmp_path, "litert")
    assert set(network.takes) == {"images", "masks"}
    for count, side in ((3, 8), (5, 11)):
        rng = np.random.default_rng(count)
        pixels = rng.random((count, side, side, 2), np.float32)
        inside = (rng.random((count, side, side)) > 0.5).astype(np.float32)
        (found,) = network({"images": pixels, "masks": inside, "bags": inside}).values()
        wanted = [pixels[n][inside[n] > 0].mean(0) for n in range(count)]
        np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_a_mask_rcnn_is_built_again_from_its_arrays(tmp_path):
    small = Rcnn.named(
        "small",
        strides=(4,),
        pooled_strides=(4,),
        anchor_sizes=(16,),
        pyramid_width=4,
        ranked=20,
        proposals=10,
        box_size=3,
        mask_size=4,
        mask_layers=1,
        mask_width=4,
        samples=1,
        aligned=False,
        nearest=True,
        hidden=4,
        detections=6,
    )
    widths = {"encoder_name": "plain", "encoder_widths": [4, 4, 4]}
    blueprint = Blueprint("detector", {"num_classes": 2, **widths, "numbers": asdict(small)})
    model = blueprint.build()
    write_network(model, tmp_path, "keras", blueprint.to_json())
    image = disc_image(True, discs=2)[0][None].astype(np.float32)
    ours, theirs = model(image), read_keras(tmp_path)(image)
    assert float(np.asarray(ours["scores"]).max()) > 0
    for name in ours:
        np.testing.assert_allclose(theirs[name], ours[name], atol=1e-5)
    with pytest.raises(ModelError, match=r"litert does not support Mask R-CNN.* savedmodel, onnx"):
        write_network(model, tmp_path / "litert", "litert", "")


@pytest.mark.parametrize("score", [0.9, 0.0])
def test_a_mask_rcnn_is_compared_by_the_objects_it_finds(score, tmp_path):
    images = keras.Input((None, None, 3), name="images")
    ones = keras.layers.Dense(1, "sigmoid", bias_initializer="ones")
    one = ones(0 * keras.layers.GlobalAveragePooling2D()(images))  # (b, 1), sigmoid of 1
    said = {
        "boxes": keras.ops.reshape(one, (-1, 1, 1)) * np.float32([[[2, 4, 30, 40]]]),
        "scores": one * score,
        "labels": keras.ops.cast(keras.ops.ones_like(one), "int32"),
        "masks": keras.ops.reshape(one, (-1, 1, 1, 1)) * np.ones((1, 1, 4, 4), np.float32),
    }
    values = {"labels": LABELS, "method": "mask_rcnn", "size": (32, 48), "tile": None}
    run = write_run(tmp_path / "run", InstanceCard, keras.Model(images, said), **values)
    if not score:
        with pytest.raises(ModelError, match=r"no object in drawn images, .* give"):
            maskwright.export_model(run, tmp_path / "out", format="savedmodel")
        return
    parity = maskwright.export_model(run, tmp_path / "out", format="savedmodel").parity
    assert (parity.agreement_of, parity.agreement, parity.compared) == ("objects", 1, 2)
    assert parity.sizes == ((32, 48), (97, 131))
    assert len(maskwright.load(tmp_path / "out", allow_code=True)(disc_image(True)[0]).objects) == 1


@pytest.fixture
def forged(exported, tmp_path):
    """A pipeline whose `fix` makes list and card fit again after a change: a forger's work."""
    folder = shutil.copytree(exported["pipeline"].path, tmp_path / "forged")

    def fix(place):
        path = folder / place
        card = json.loads((path / "model_card.json").read_text())
        card["model_sha256"] = written_digest(path)
        (path / "model_card.json").write_text(json.dumps(card))
        relist(path)
        if place != ".":
            relist(folder)

    return folder, fix


def relist(folder):
    values = json.loads((folder / LIST_FILE).read_text())
    paths = [path for path in folder.rglob("*") if path.is_file() and path != folder / LIST_FILE]
    values["files"] = {path.relative_to(folder).as_posix(): checksum(path) for path in paths}
    (folder / LIST_FILE).write_text(json.dumps(values))


@pytest.mark.parametrize("name", ["../../elsewhere", ".", "member1/../member1", "/tmp", "no-such"])
def test_members_lie_within(forged, name):
    folder, fix = forged
    listed = folder / "segmenter" / "ensemble.json"
    listed.write_text(listed.read_text().replace('"member1"', f'"{name}"'))
    fix("segmenter")
    with pytest.raises(ModelError, match="outside its folder"):
        maskwright.load(folder)


def test_a_run_within_an_artifact_is_refused(forged, made):
    folder, fix = forged
    shutil.copyfile(made / "centers" / "model.keras", folder / "segmenter" / "model.keras")
    fix("segmenter")
    with pytest.raises(ModelError, match=r"segmenter/model\.keras, a file of a run"):
        maskwright.load(folder)
    shutil.rmtree(folder / "segmenter")
    (folder / "segmenter").mkdir()
    shutil.copyfile(made / "centers" / "model_card.json", folder / "segmenter" / "model_card.json")
    fix(".")
    with pytest.raises(ModelError, match=r"segmenter/model_card\.json, a file of a run"):
        maskwright.load(folder)


def test_models_within_are_for_the_same_engine(forged):
    folder, fix = forged
    inner = folder / "segmenter" / "member2" / LIST_FILE
    inner.write_text(inner.read_text().replace('"onnx"', '"savedmodel"', 1))
    fix("segmenter")
    with pytest.raises(ModelError, match="segmenter/member2 is for another engine"):
        maskwright.load(folder)


def test_networks_of_another_kind_are_refused_in_one_sentence(forged, exported):
    folder, fix = forged
    whole = exported["centers"].path / "model.onnx"
    shutil.copyfile(folder / "look" / "model.onnx", folder / "join" / "model.onnx")
    with pytest.raises(ModelError, match="checksum of"):
        Classifier.load(folder)
    fix(".")
    with pytest.raises(ModelError, match=r"does not describe, images, masks, measures"):
        Classifier.load(folder)
    shutil.copyfile(whole, folder / "segmenter" / "member1" / "model.onnx")
    fix("segmenter/member1")
    fix("segmenter")
    with pytest.raises(ModelError, match="member1 has changed since"):
        load_logits(folder / "segmenter")


def test_what_cannot_be_done_is_told(exported, made, tmp_path):
    pipeline = exported["pipeline"].path
    with pytest.raises(ConfigError, match="Heat maps are drawn for runs alone"):
        maskwright.predict(pipeline, made / "images", tmp_path / "out", heat=True)
    for evaluate, model in (
        (maskwright.evaluate, pipeline),
        (maskwright.evaluate, exported["centers"].path),
    ):
        with pytest.raises(ConfigError, match="into which nothing is written; name a folder"):
            evaluate(model, made / "images")
    given = {"segmenter": str(pipeline), "encoder": "plain"}
    with pytest.raises(ConfigError, match="give the run that it was made from as the"):
        maskwright.train_regions(made / "images", tmp_path / "run", **given)
    with pytest.raises(ConfigError, match="compared on drawn regions; leave out the data set"):
        maskwright.export_model(made / "pipeline", tmp_path / "x", format="onnx", data=made)
    old = shutil.copytree(made / "pipeline", tmp_path / "old")
    (old / "segmenter" / "fold0" / "network.json").unlink()
    with pytest.raises(ModelError, match="fold0 has no description of its network"):
        maskwright.export_model(old, tmp_path / "x", format="keras")
    with zipfile.ZipFile(tmp_path / "one.maskwright", "w") as file:
        file.writestr("model_card.json", "{}")
    with pytest.raises(ModelError, match="is not an exported model"):
        maskwright.load(tmp_path / "one.maskwright")
