import json
from dataclasses import replace

import pytest

from maskwright.errors import ModelError
from maskwright.labels import Labels
from maskwright.model_card import MultilabelCard, SemanticCard, checksum


def card(**changes):
    values = {
        "labels": Labels.create(["background", "cell", "nucleus"]),
        "channels": 3,
        "dtype": "uint8",
        "size": (128, 96),
        "tile": None,
        "threshold": 0.4,
        "model_sha256": "00",
        "version": "0.1.0",
        "data": "11",
    }
    return SemanticCard(**{**values, **changes})


def test_card_comes_back_from_its_file(tmp_path):
    for original in (card(), card(size=None, tile=512, threshold=None, temperature=1.5)):
        original.write(tmp_path / "model_card.json")
        assert SemanticCard.read(tmp_path / "model_card.json") == original


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"threshold": 1.5}, "threshold"),
        ({"threshold": "0.5"}, "threshold"),
        ({"size": [128]}, "size"),
        ({"size": [128, 0]}, "size"),
        ({"dtype": "int64"}, "dtype"),
        ({"temperature": 0}, "temperature"),
        ({"keep_largest": "yes"}, "keep_largest"),
        ({"labels": {"names": ["a"], "colors": ["red"]}}, "labels"),
        ({"color": 1}, "unknown: \\['color'\\]"),
    ],
)
def test_wrong_values_are_named(changes, named):
    values = json.loads(card().to_json()) | changes
    with pytest.raises(ModelError, match=named):
        SemanticCard.from_json(json.dumps(values))


def test_missing_and_broken_files_are_named(tmp_path):
    with pytest.raises(ModelError, match=r"card\.json"):
        SemanticCard.read(tmp_path / "model_card.json")
    (tmp_path / "model_card.json").write_text("{")
    with pytest.raises(ModelError, match=r"card\.json.*JSON"):
        SemanticCard.read(tmp_path / "model_card.json")


def test_threshold_needs_somewhere_to_send_unsure_pixels():
    three = Labels.create(["road", "roof", "tree"])
    assert card(labels=three, threshold=None).background is None
    with pytest.raises(ModelError, match="background"):
        card(labels=three)
    # Of two classes without a background the first stands for it.
    assert card(labels=Labels.create(["healthy", "ill"])).background == 0
    assert replace(card(), threshold=None).background == 0


def test_checksum_is_sha256(tmp_path):
    (tmp_path / "empty").touch()
    known = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert checksum(tmp_path / "empty") == known


def test_overlapping_classes_have_a_threshold_each(tmp_path):
    values = {"labels": Labels.create(["organ", "vessel"]), "threshold": None, "fill_holes_px": 9}
    original = MultilabelCard(**{**vars(card()), **values}, thresholds=(0.5, 0.3))
    original.write(tmp_path / "model_card.json")
    assert MultilabelCard.read(tmp_path / "model_card.json") == original
    with pytest.raises(ModelError, match="for the task multilabel"):
        SemanticCard.read(tmp_path / "model_card.json")
    with pytest.raises(ModelError, match="one value for each of 2 classes"):
        replace(original, thresholds=(0.5,))
