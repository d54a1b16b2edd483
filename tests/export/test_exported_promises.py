"""Promises go with an exported model: the same ones, and nearly the same outer and inner masks."""

import csv
import json
import shutil

import numpy as np
import pytest

import maskwright
from drawing_doubts import doubtful, draw_doubts
from drawing_promises import CASES, promised_run
from maskwright.export import int8
from maskwright.export.export_task import ParityLimits
from maskwright.export.listing import LIST_FILE
from maskwright.imageio import read_image, write_image
from maskwright.model_card import CARD_FILE, TRUST_ARRAYS_FILE, TRUST_FILE, SemanticCard
from maskwright.reliability.record import TrustRecord

ENGINES = {"onnx": "tf2onnx", "litert": "ai_edge_litert"}
IMAGES = 8


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run with promises, images, and what `predict --bounds` makes of them."""
    folder = tmp_path_factory.mktemp("exported")
    promised_run(folder / "run")
    for n in range(IMAGES):
        write_image(folder / "images" / f"{n}.png", doubtful(CASES + n)[0])
    maskwright.predict(folder / "run", folder / "images", folder / "out", bounds=True)
    return folder


def rows(out):
    with (out / "trust.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("format", ["keras", "onnx", "litert"])
def test_an_exported_model_makes_the_same_promises(made, format, tmp_path):
    if format in ENGINES:
        pytest.importorskip(ENGINES[format])
    model, out = tmp_path / "model", tmp_path / "out"
    exported = maskwright.export_model(made / "run", model, format=format)
    assert exported.notes == ()
    assert {TRUST_FILE, TRUST_ARRAYS_FILE} < exported.listing.files.keys()
    first, second = TrustRecord.read(made / "run"), TrustRecord.read(model)
    assert [p.request for p in second.promises] == [p.request for p in first.promises]
    for before, after in zip(first.promises, second.promises, strict=True):
        moved = before.threshold - after.threshold
        side = 1 if before.request.side == "missed" else -1
        assert moved == pytest.approx(side * exported.parity.difference)
    maskwright.predict(model, made / "images", out, bounds=True)
    for kind in ("outer", "inner"):
        names = [f"{kind}/disc/{n}.png" for n in range(IMAGES)]
        masks = [np.stack([read_image(f / name) for name in names]) for f in (made / "out", out)]
        assert (masks[0] != masks[1]).mean() <= 0.001
    for before, after in zip(rows(made / "out"), rows(out), strict=True):
        for name in ("expected_dice", "lower_bound", "unfamiliar_p"):
            assert float(before[name]) == pytest.approx(float(after[name]), abs=0.03), name
        assert before["decision"] == after["decision"]


def test_eight_bits_make_the_promises_again_from_the_same_data(made, tmp_path, monkeypatch):
    pytest.importorskip("tf2onnx")
    # Of a network that has learned nothing, Dice may fall.
    monkeypatch.setattr(int8.write_int8, "__defaults__", (ParityLimits(1, 0, 1),))
    data, few = tmp_path / "data", tmp_path / "few"
    data.mkdir()
    few.mkdir()
    draw_doubts(data, train=6, val=2, calibration=20)
    model = tmp_path / "model"
    exported = maskwright.export_model(made / "run", model, format="onnx", data=data, int8=True)
    assert exported.notes[-1] == (
        "The promises were made again, from 20 cases, because eight bits change probabilities."
    )
    record = TrustRecord.read(model)
    assert [p.request.side for p in record.promises] == ["missed", "missed", "false", "false"]
    assert record.familiarity is not None
    card = SemanticCard.read(model / CARD_FILE)
    assert card.temperature == SemanticCard.read(made / "run" / CARD_FILE).temperature
    maskwright.predict(model, made / "images", tmp_path / "out", bounds=True)
    # Without the calibration images, they are left out.
    draw_doubts(few, start=100, train=6, val=1)
    bare = tmp_path / "bare"
    exported = maskwright.export_model(made / "run", bare, format="onnx", data=few, int8=True)
    assert "made from the split calibration" in exported.notes[0]
    assert not (bare / TRUST_FILE).exists()


def test_promises_that_do_not_hold_stay_behind_and_damaged_ones_are_refused(made, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(made / "run", run)
    card = json.loads((run / "model_card.json").read_text())
    (run / "model_card.json").write_text(json.dumps({**card, "min_area_px": 5}))
    exported = maskwright.export_model(run, tmp_path / "model", format="keras")
    assert "made for min_area_px 0 and do not hold for 5" in exported.notes[0]
    assert not (tmp_path / "model" / TRUST_FILE).exists()
    maskwright.export_model(made / "run", tmp_path / "good", format="keras")
    path = tmp_path / "good" / TRUST_FILE
    path.write_text(path.read_text().replace('"level": 0.1', '"level": 0.2'))
    with pytest.raises(maskwright.errors.ModelError, match=f"checksum .*{LIST_FILE}"):
        maskwright.predict(tmp_path / "good", made / "images", tmp_path / "out", bounds=True)
