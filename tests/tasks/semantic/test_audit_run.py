"""`maskwright audit`: one small cross-validation, and masks with faults that it finds."""

import csv
import json
import shutil

import numpy as np
import pytest

import maskwright
from drawing_doubts import doubtful, draw_doubts
from maskwright.errors import DataError, ModelError
from maskwright.imageio import write_image
from maskwright.labels import IGNORE_LABEL, Labels
from maskwright.model_card import LEARNED_FILE
from maskwright.reliability.label_audit import SuspectPiece
from maskwright.serving.store.label_findings import open_findings
from maskwright.tasks.semantic.labeling.audit_drawing import draw_piece

SETTINGS = {"encoder": "plain", "encoder_weights": None, "encoder_widths": (4, 8), "size": 32}
SETTINGS |= {"batch_size": 8, "previews": 0, "epochs": 15, "learning_rate": 0.01}
FAULTY = (14, 21)  # their discs were forgotten


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = draw_doubts(tmp_path_factory.mktemp("data"), train=24, test=4)
    for number in FAULTY:
        write_image(folder / f"m{number}.png", np.zeros((32, 32, 1), np.uint8))
    return folder


@pytest.fixture(scope="module")
def folds(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "cv"
    return maskwright.cross_validate(data, out, folds=2, on_message=str, **SETTINGS).folder


def test_every_mask_is_scored_by_a_model_that_has_not_learned_from_it(data, folds):
    audited = maskwright.audit(folds, data, examples=2, on_message=str)
    assert sorted(sample.id for sample in audited.samples) == sorted(f"i{n}" for n in range(28))
    for mask in audited.masks:
        learned = json.loads((folds / mask.model / LEARNED_FILE).read_text("utf-8"))
        assert mask.sample.id not in learned["train"]
    assert {mask.sample.split for mask in audited.masks} == {"train", "val", "test"}
    assert {mask.sample.id for mask in audited.masks[:2]} == {f"i{n}" for n in FAULTY}
    # The piece is the forgotten disc.
    first = audited.masks[0]
    top, left, bottom, right = first.piece.box
    disc = doubtful(int(first.sample.id[1:]))[1][..., 0] > 0
    inside = np.zeros_like(disc)
    inside[top:bottom, left:right] = True
    assert (disc & inside).sum() > 0.8 * disc.sum()
    assert (first.piece.given, first.piece.predicted) == (0, 1)
    with (folds / "audit" / "audit.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == [sample.id for sample in audited.samples]
    assert (rows[0]["rank"], rows[0]["top"]) == ("1", str(top))
    page = (folds / "audit" / "report.html").read_text("utf-8")
    assert page.count("<figure>") == 2
    assert "repeats their faults" in page
    findings = open_findings(folds / "audit")  # for the page of the server
    assert findings.items[0].sample.id == first.sample.id
    assert findings.items[0].piece.box == first.piece.box
    assert findings.dataset.labels == audited.labels


def test_a_run_audits_what_it_has_not_learned_from(data, folds, tmp_path):
    audited = maskwright.audit(folds / "fold1", data, out=tmp_path, on_message=str)
    assert 0 < len(audited.masks) < 28
    text = audited.warnings[0].text
    assert text.startswith(f"Not audited: {28 - len(audited.masks)} of 28 images")
    assert "--folds 5" in text


def test_copies_in_several_folds_are_left_out(data, folds, tmp_path):
    run = tmp_path / "cv"
    shutil.copytree(folds, run)
    # As if the second fold had learned from a copy of an image of the first.
    first, second = (run / fold / LEARNED_FILE for fold in ("fold1", "fold2"))
    record = json.loads(second.read_text("utf-8"))
    record["train"]["copy"] = next(iter(json.loads(first.read_text("utf-8"))["train"].values()))
    second.write_text(json.dumps(record), encoding="utf-8")
    audited = maskwright.audit(run, data, on_message=str)
    assert len(audited.masks) == 27
    assert audited.warnings[0].text.startswith("Not audited: 1 of 28 images, which every model")
    assert audited.warnings[0].text.endswith("train with --set unite_duplicates=true.")


def test_one_image_and_what_cannot_be_audited(data, folds, tmp_path):
    image, mask = doubtful(500)
    write_image(tmp_path / "one" / "images" / "a.png", np.kron(image, np.ones((2, 3, 1), np.uint8)))
    write_image(tmp_path / "one" / "masks" / "a.png", np.kron(mask, np.ones((2, 3, 1), np.uint8)))
    (only,) = maskwright.audit(folds, tmp_path / "one", out=tmp_path, on_message=str).masks
    assert only.model == "fold1"
    single, record = tmp_path / "run", folds / "fold1" / LEARNED_FILE
    shutil.copytree(folds / "fold1", single)
    learned = json.loads(record.read_text("utf-8"))["train"]
    lines = ["image,mask,split", *(f"{i}.png,{i.replace('i', 'm')}.png,train" for i in learned)]
    (data / "learned.csv").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DataError, match=r"learned from every image .* train with --folds 5"):
        maskwright.audit(single, data / "learned.csv", out=tmp_path)
    (single / LEARNED_FILE).unlink()
    with pytest.raises(ModelError, match=f"has no {LEARNED_FILE}"):
        maskwright.audit(single, data, out=tmp_path)


def test_the_piece_is_framed_and_outlined():
    image = np.zeros((40, 60, 3), np.uint8)
    given, predicted = np.zeros((2, 40, 60), np.int32)
    predicted[10:20, 20:40] = 1
    given[0] = IGNORE_LABEL
    piece = SuspectPiece((10, 20, 20, 40), 0, 1, 200, 150.0)
    panels = dict(draw_piece(image, given, predicted, piece, Labels.create(["background", "cell"])))
    assert list(panels) == ["Image", "Mask", "Model", "The piece close up"]
    framed = (panels["Image"] == (255, 0, 200)).all(axis=-1)
    scale = 512 / 60
    assert framed[round(10 * scale) - 2, round(30 * scale)]
    assert not framed[round(15 * scale), round(30 * scale)]
    assert (panels["The piece close up"] == (255, 0, 200)).all(axis=-1).any()
