import json
import shutil

import numpy as np
import pytest

from maskwright.errors import ConfigError, ModelError
from maskwright.export import load_logits, write_ensemble
from maskwright.export.ensemble import model_files
from maskwright.inference.predictor import Predictor
from maskwright.labels import Labels
from maskwright.model_card import SemanticCard, checksum

keras = pytest.importorskip("keras")


def write_run(folder, weights, names=("background", "cell"), **changes):
    """A run whose logits are the one channel of the image times `weights`, one for each logit."""
    folder.mkdir(parents=True)
    images = keras.Input((None, None, 1))
    model = keras.Model(images, keras.layers.Conv2D(len(weights), 1, use_bias=False)(images))
    model.set_weights([np.array(weights, np.float32).reshape(1, 1, 1, -1)])
    model.save(folder / "model.keras")
    values = {"size": None, "tile": None, "threshold": None, "version": "0", "data": "d"}
    values |= {"labels": Labels.create(names), "channels": 1, "dtype": "float32"}
    values["model_sha256"] = checksum(folder / "model.keras")
    SemanticCard(**{**values, **changes}).write(folder / "model_card.json")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two members, of two logits and of one, the second with a temperature."""
    folder = tmp_path_factory.mktemp("joined")
    members = [
        write_run(folder / "fold1", [0, 4]),
        write_run(folder / "fold2", [-2], temperature=2),
    ]
    write_ensemble(folder, members, {"threshold": 0.6, "min_area_px": 3})
    return folder


def test_probabilities_are_averaged_and_not_logits(folder):
    image = np.array([[[1.0]]])
    found = Predictor.load(folder)(image, probabilities=True).probabilities[0, 0, 1]
    first, second = 1 / (1 + np.exp(-4)), 1 / (1 + np.exp(1))
    assert found == pytest.approx((first + second) / 2, rel=1e-5)
    # The mean of the logits 4 and -1 would say 0.82 instead of 0.63.
    assert found == pytest.approx(0.6255, abs=1e-3)
    assert load_logits(folder)[1].threshold == 0.6


def test_a_copy_elsewhere_is_the_same_model(folder, tmp_path):
    for name in model_files(folder):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(folder / name, tmp_path / name)
    image = np.ones((1, 2, 2, 1), np.float32)
    np.testing.assert_array_equal(load_logits(tmp_path)[0](image), load_logits(folder)[0](image))


def test_an_ensemble_among_the_members_counts_as_its_members(folder, tmp_path):
    third = write_run(tmp_path / "third", [0, 1], threshold=0.6, min_area_px=3)
    card = write_ensemble(tmp_path / "all", [folder, third], {"threshold": None, "min_area_px": 0})
    members = json.loads((tmp_path / "all" / "ensemble.json").read_text())["members"]
    assert len(members) == 3
    assert (card.threshold, card.temperature) == (None, 1)
    with pytest.raises(ModelError, match="has a member outside its folder"):
        model_files(tmp_path / "all")


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"names": ("background", "dog")}, "the same classes: .* has background, cell, .* dog"),
        ({"size": (32, 48)}, "the same working size: .* has None, .* has 32x48"),
        ({"threshold": 0.3}, "the same threshold: .* state it for the ensemble"),
    ],
)
def test_members_must_answer_the_same_question(tmp_path, other, sentence):
    members = [write_run(tmp_path / "a", [0, 1]), write_run(tmp_path / "b", [0, 2], **other)]
    with pytest.raises(ModelError, match=sentence):
        write_ensemble(tmp_path / "out", members)


def test_members_that_are_missing_or_others_are_told(folder, tmp_path):
    with pytest.raises(ModelError, match="expected a finished run"):
        write_ensemble(tmp_path / "out", [tmp_path])
    with pytest.raises(ConfigError, match="already contains a model"):
        write_ensemble(folder / "fold1", [folder / "fold2"])
    for name in ("ensemble.json", "model_card.json"):
        shutil.copyfile(folder / name, tmp_path / name)
    with pytest.raises(ModelError, match="has no member fold1"):
        load_logits(tmp_path)
    write_run(tmp_path / "fold1", [0, 5])
    with pytest.raises(ModelError, match="fold1 has changed since"):
        load_logits(tmp_path)
    (tmp_path / "ensemble.json").write_text('{"members": []}')
    with pytest.raises(ModelError, match="The checksum of"):
        load_logits(tmp_path)
