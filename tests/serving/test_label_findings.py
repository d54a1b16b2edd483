"""Masks that an audit doubts open in the page as they are in the data set."""

import json

import numpy as np
import pytest
from page_client import client_of, draw, finished, mask_in

from drawing_layers import draw_layers, layers_of
from made_up_models import (
    LAYERS,
    TWO,
    brightness,
    masks,
    objects,
    overlapping,
    registry,
    two_squares,
)
from maskwright.errors import ConfigError, DataError
from maskwright.imageio import read_mask, write_image
from maskwright.serving import serve
from maskwright.serving.store import label_findings
from maskwright.serving.store.label_findings import open_findings

PIECE = {"box": [20, 40, 24, 44], "given": "background", "predicted": "cell", "area_px": 16}
GIVEN = np.zeros((40, 60), np.uint8)  # the small square was forgotten
GIVEN[5:15, 5:15] = 1


@pytest.fixture
def audit(tmp_path):
    """Folder of an audit of three masks: one with a piece to look at, one agreed with."""
    data, folder = tmp_path / "data", tmp_path / "audit"
    for name in ("a", "b", "c"):
        write_image(data / "images" / f"{name}.png", two_squares())
        write_image(data / "masks" / f"{name}.png", GIVEN[..., None])
    (data / "data.yaml").write_text("classes: [background, cell]\n", encoding="utf-8")
    folder.mkdir()
    write(
        folder,
        source=str(data),
        classes=list(TWO),
        overlapping=False,
        masks=[
            {"image": "b", "split": "val", "score": 0.2, "piece": PIECE, "file": "images/b.png"},
            {"image": "a", "split": "train", "score": 0.9, "piece": None, "file": "images/a.png"},
        ],
    )
    return folder


def write(folder, **changes):
    file = folder / "audit.json"
    before = json.loads(file.read_text("utf-8")) if file.exists() else {}
    file.write_text(json.dumps({**before, **changes}), encoding="utf-8")


def served(folder, *models, **options):
    usual = [masks("cells", TWO, brightness)]
    return client_of(registry(*(models or usual)), audit=open_findings(folder), **options)


def test_a_finding_opens_with_the_mask_of_the_data_set_and_is_kept_corrected(audit, tmp_path):
    with served(audit, keep=tmp_path / "kept") as client:
        (finding,) = client.get("/api/audit").json()
        assert (finding["number"], finding["image"], finding["split"]) == (0, "b", "val")
        assert (finding["box"], finding["score"]) == ([40, 20, 4, 4], 0.2)
        answer = client.post("/api/audit/0?model=cells")
        assert answer.status_code == 202, answer.text
        state = finished(client, answer.json())
        assert (state["status"], state["name"]) == ("done", "b.png")
        mask = mask_in(state)
        assert mask["strokes"]
        assert mask["saved"]  # as the data set has it
        address = f"/api/images/{state['id']}"
        strokes = np.frombuffer(client.get(f"{address}/strokes").content, np.uint8)
        np.testing.assert_array_equal(strokes.reshape(40, 60), GIVEN)
        corrected = GIVEN.copy()
        corrected[20:24, 40:44] = 1
        draw(client, state, corrected).raise_for_status()
        assert not mask_in(client.get(address).json())["saved"]
        client.post(f"{address}/keep").raise_for_status()
    kept = read_mask(tmp_path / "kept" / "cells" / "masks" / "b.png", 10**6).values
    np.testing.assert_array_equal(kept, corrected)


def test_classes_that_overlap_open_with_a_mask_for_each(tmp_path):
    data = draw_layers(tmp_path / "data", 3)
    piece = {**PIECE, "given": "no tumor", "predicted": "tumor"}
    finding = {"image": "1", "split": "val", "score": 0.2, "piece": piece}
    write(tmp_path, source=str(data), classes=LAYERS, overlapping=True, masks=[finding])
    with served(tmp_path, overlapping("scan"), masks("cells")) as client:
        assert client.get("/api/audit").json()[0]["layer"] == "tumor"
        refused = client.post("/api/audit/0?model=cells").json()["detail"]
        assert "vessel, which overlap, and the model cells has background, cell;" in refused
        state = finished(client, client.post("/api/audit/0?model=scan").json())
        for place, name in enumerate(LAYERS):
            address = f"/api/images/{state['id']}/strokes?layer={name}"
            strokes = np.frombuffer(client.get(address).content, np.uint8)
            np.testing.assert_array_equal(strokes.reshape(48, 48), layers_of(1)[..., place])


def test_only_what_the_audit_lists_can_be_asked_for(audit, tmp_path):
    with served(audit, masks("cells"), masks("parts", ("background", "dull"))) as client:
        assert client.post("/api/audit/1?model=cells").status_code == 404
        assert client.post("/api/audit/..%2Fa?model=cells").status_code in (404, 422)
        answer = client.post("/api/audit/0?model=parts")
        assert answer.status_code == 422
        assert "classes background, cell, and the model parts has background, dull" in answer.text
        (tmp_path / "data" / "images" / "b.png").unlink()
        answer = client.post("/api/audit/0?model=cells")
        assert answer.status_code == 422
        assert "b.png" in answer.json()["detail"]


def test_without_an_audit_there_are_no_findings(cells):
    assert cells.get("/api/audit").json() == []
    assert cells.post("/api/audit/0").status_code == 404


def test_large_masks_are_not_corrected_at_reduced_resolution(audit, monkeypatch):
    class Reduced:
        scale = 2

    monkeypatch.setattr(label_findings.PixelGrid, "over", lambda size: Reduced)
    with served(audit) as client:
        answer = client.post("/api/audit/0")
    assert answer.status_code == 422
    assert "b has 60x40 pixels" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"masks": None}, ConfigError, "is another file"),
        ({"source": "gone"}, DataError, "audit.json is of cannot be opened"),
        ({"classes": ["cell", "sky"]}, ConfigError, "is of the classes cell, sky, and"),
        (
            {"masks": [{"image": "d", "split": "val", "score": 0.1, "piece": PIECE}]},
            ConfigError,
            "no longer has 1 of the 1 masks .* such as d; run `maskwright audit` again",
        ),
    ],
)
def test_an_audit_that_cannot_be_used_is_one_sentence(audit, changes, error, told):
    write(audit, **changes)
    with pytest.raises(error, match=told):
        open_findings(audit)


def test_a_folder_without_an_audit_is_refused_before_models_are_opened(tmp_path):
    with pytest.raises(ConfigError, match=r"folder that `maskwright audit` wrote.*No such file"):
        serve("no-model", port=0, audit=tmp_path)


def test_no_model_of_the_classes(audit):
    findings = open_findings(audit)
    findings.require_any([objects("squares"), masks("cells")])
    for served_model, told in (
        (objects("squares"), "predicts single objects"),
        (overlapping("layers"), "has organ, tumor, vessel, which overlap; serve a model"),
    ):
        with pytest.raises(ConfigError, match=told):
            findings.require_any([served_model])
