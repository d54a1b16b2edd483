from dataclasses import replace

import numpy as np
import pytest

from maskwright.errors import ModelError
from maskwright.export.runtime import load_logits
from maskwright.inference.predictor import Predictor
from maskwright.labels import Labels
from maskwright.model_card import SemanticCard, checksum

keras = pytest.importorskip("keras")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Folder of a run; its logits are the first channel and twice the second, plus one."""
    folder = tmp_path_factory.mktemp("run")
    images = keras.Input((None, None, 3))
    model = keras.Model(images, keras.layers.Conv2D(2, 1)(images))
    kernel = np.zeros((1, 1, 3, 2), np.float32)
    kernel[0, 0, 0, 0], kernel[0, 0, 1, 1] = 1, 2
    model.set_weights([kernel, np.ones(2, np.float32)])
    model.save(folder / "model.keras")
    card = SemanticCard(
        labels=Labels.create(["background", "cell"]),
        channels=3,
        dtype="uint8",
        size=None,
        tile=None,
        threshold=None,
        model_sha256=checksum(folder / "model.keras"),
        version="0",
        data="",
    )
    card.write(folder / "model_card.json")
    return folder


def test_function_takes_any_size(run):
    logits, card = load_logits(run)
    assert card.channels == 3
    for shape in ((1, 5, 7, 3), (2, 32, 64, 3)):
        images = np.random.default_rng(0).random(shape).astype(np.float32)
        expected = images[..., :2] * [1, 2] + 1
        np.testing.assert_allclose(logits(images), expected, rtol=1e-5)


def test_predictor_of_a_run(run):
    image = np.zeros((4, 6, 3), np.uint8)
    image[:, :3, 0] = 9  # class 0 has the larger logit in the left half
    image[:, 3:, 1] = 9
    labels = Predictor.load(run)(image).labels
    np.testing.assert_array_equal(labels, [[0, 0, 0, 1, 1, 1]] * 4)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(run, tmp_path, value):
    model = keras.saving.load_model(run / "model.keras")
    kernel, bias = model.get_weights()
    model.set_weights([kernel, bias * np.float32(value)])
    model.save(tmp_path / "model.keras")
    card = SemanticCard.read(run / "model_card.json")
    replace(card, model_sha256=checksum(tmp_path / "model.keras")).write(
        tmp_path / "model_card.json"
    )
    with pytest.raises(ModelError, match=r"weights .*bias in .* hold NaN or infinite values"):
        load_logits(tmp_path)


def test_what_is_no_run_is_refused_in_one_sentence(run, tmp_path):
    with pytest.raises(ModelError, match="there is no such folder"):
        load_logits(tmp_path / "none")
    with pytest.raises(ModelError, match=r"it has no model\.keras"):
        load_logits(tmp_path)
    card = SemanticCard.read(run / "model_card.json")
    (tmp_path / "model.keras").write_bytes(b"half a file")
    card.write(tmp_path / "model_card.json")
    with pytest.raises(ModelError, match="checksum of"):
        load_logits(tmp_path)
