"""Promises about objects and answers of decisions go with an exported model, to the safe side."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from test_export_tasks import LABELS, by_brightness, write_classifier, write_run

import maskwright
from drawing_regions import disc_image, draw_discs
from maskwright.errors import ModelError
from maskwright.imageio import write_image
from maskwright.instances import Instances
from maskwright.model_card import CARD_FILE, TRUST_FILE, InstanceCard, SemanticCard
from maskwright.reliability.promises import PromiseRequest
from maskwright.tasks.instances.trust.exported import score_difference
from maskwright.tasks.instances.trust.object_promises import (
    ObjectPromise,
    ObjectTrust,
    objects_calibrated_with,
)
from maskwright.tasks.regions.pipeline import Pipeline
from maskwright.tasks.regions.trust.answer_sets import AnswerPromise, AnswerSets
from maskwright.tasks.regions.trust.record import AnswerTrust, answers_calibrated_with

ENGINES = {"onnx": "tf2onnx", "openvino": "openvino", "litert": "ai_edge_litert"}
FORMATS = list(ENGINES)
KNOWN = {
    **{"data": "d", "split": "calibration", "is_approximate": False, "images": 9, "cases": 9},
    "asked": {"each": 0.4},
}


def object_promise(side, score):
    request = PromiseRequest(class_name="disc", side=side, level=0.1)
    return ObjectPromise(request=request, n=9, score=score, realized=0.1, other=0.1)


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    """Run of objects by their centers, with promises that nobody made."""
    run = tmp_path_factory.mktemp("objects") / "run"
    centers = {"labels": LABELS, "method": "centers", "size": None, "tile": None}
    write_run(run, InstanceCard, by_brightness(0, 1, 0.01, 0.01), **centers)
    card = InstanceCard.read(run / CARD_FILE)
    scores = (("missed", 0.2), ("missed", None), ("false", 0.6))
    promises = tuple(object_promise(*each) for each in scores)
    used = {"model_sha256": card.model_sha256, "calibrated_with": objects_calibrated_with(card)}
    ObjectTrust(**KNOWN, **used, promises=promises).write(run)
    return run


@pytest.fixture(scope="module")
def decisions(tmp_path_factory):
    """Run of decisions on the discs that its segmenter draws, with answers nobody calibrated."""
    run = write_classifier(tmp_path_factory.mktemp("decisions") / "run")
    # No mean of whole numbers lies at the threshold, where engines may differ.
    masks = {"labels": LABELS, "size": None, "tile": None, "threshold": 0.47, "min_area_px": 20}
    write_run(run / "segmenter", SemanticCard, by_brightness(0.3), **masks)
    pipeline = Pipeline.load(run)
    known = {"level": 0.4, "n": 9, "is_shared": False, "referred": 0.1}
    made = [
        AnswerPromise(name=name, threshold=threshold, **known)
        for name, threshold in (("dull", 0.3), ("bright", 0.0))
    ]
    AnswerTrust(
        **KNOWN,
        model_sha256=pipeline.classifier.card.model_sha256,
        calibrated_with={k: answers_calibrated_with(pipeline, k) for k in ("given", "predicted")},
        answers=dict.fromkeys(
            ("given", "predicted"), AnswerSets(unit="image", promises=tuple(made))
        ),
    ).write(run)
    for seed in range(4):
        write_image(run.parent / "images" / f"{seed}.png", disc_image(seed % 2 == 1, seed=seed)[0])
    return run


def export(run, out, format, **options):
    if format in ENGINES:
        pytest.importorskip(ENGINES[format])
    return maskwright.export_model(run, out, format=format, **options)


@pytest.mark.parametrize("format", FORMATS)
def test_scores_of_objects_move_to_the_safe_side(objects, format, tmp_path):
    exported = export(objects, tmp_path / "model", format)
    assert exported.notes == ()
    assert TRUST_FILE in exported.listing.files
    card = InstanceCard.read(tmp_path / "model" / CARD_FILE)
    first, second = ObjectTrust.read(objects), ObjectTrust.valid(tmp_path / "model", card)
    assert second == first.for_engine(card.model_sha256, exported.parity.difference)
    low, none, high = (promise.score for promise in second.promises)
    assert (none, low <= 0.2, high >= 0.6) == (None, True, True)
    assert max(0.2 - low, high - 0.6) <= exported.parity.difference + 0.001
    # Other cleaning than calibrated with.
    with pytest.raises(ModelError, match="made for min_area_px 0 and do not hold for 9"):
        ObjectTrust.valid(tmp_path / "model", replace(card, min_area_px=9))


def test_scores_that_differ_by_nothing_stay_and_others_leave_their_grid_step():
    missed, false = object_promise("missed", 0.2), object_promise("false", 0.6)
    assert [p.safer(0).score for p in (missed, false)] == [0.2, 0.6]
    assert [p.safer(1e-5).score for p in (missed, false)] == [0.199, 0.601]
    assert [p.safer(0.9).score for p in (missed, false)] == [0.0, 1.001]


def test_objects_that_differ_are_told():
    first, second = np.zeros((2, 9, 9), np.int32)
    first[1:5, 1:5], second[1:5, 1:5] = 1, 1
    first[6:8, 6:8], second[6:8, 6:8] = 2, 2
    one = Instances.from_ids(first, scores=[0.9, 0.5])
    assert score_difference(one, Instances.from_ids(second, scores=[0.9, 0.4])) == pytest.approx(
        0.1
    )
    second[6] = 0
    assert score_difference(one, Instances.from_ids(second, scores=[0.9, 0.5])) is None
    assert score_difference(one, Instances.from_ids(first * (first == 1), scores=[0.9])) is None
    nothing = Instances.from_ids(np.zeros_like(first), scores=[])
    assert score_difference(nothing, nothing) == 0


@pytest.mark.parametrize("format", FORMATS)
def test_answers_of_decisions_go_along(decisions, format, tmp_path):
    exported = export(decisions, tmp_path / "model", format)
    assert exported.notes == ()
    model = tmp_path / "model"
    first, second = AnswerTrust.read(decisions), AnswerTrust.read(model)
    pipeline = Pipeline.load(model)
    for masks in ("given", "predicted"):
        moved = second.answers_for(model, pipeline, masks)
        low, always = (promise.threshold for promise in moved.promises)
        assert 0.3 - exported.parity.difference - 0.001 <= low <= 0.3
        assert always == 0
    assert [s.replace("case", "") for s in second.sentences] == [
        s.replace("case", "") for s in first.sentences
    ]
    both = [
        maskwright.predict(place, decisions.parent / "images", tmp_path / f"out{n}")
        for n, place in enumerate((decisions, model))
    ]
    assert both[0].cases[0]["answer"] in ("dull", "bright", "refer")
    assert [c["answer"] for c in both[0].cases] == [c["answer"] for c in both[1].cases]
    told = []
    other = maskwright.predict(
        model,
        decisions.parent / "images",
        tmp_path / "other",
        min_area_px=1,
        on_message=told.append,
    )
    assert "answer" not in other.cases[0]
    assert any("made for min_area_px of the segmenter 20 and do not hold for 1" in t for t in told)


def test_what_does_not_hold_for_the_exported_model_is_left_out_and_said(decisions, tmp_path):
    # A segmenter that draws nothing: nothing to compare decisions on.
    run = tmp_path / "run"
    shutil.copytree(decisions, run)
    card = json.loads((run / "segmenter" / CARD_FILE).read_text())
    card["min_area_px"] = 10**6
    (run / "segmenter" / CARD_FILE).write_text(json.dumps(card))
    record = AnswerTrust.read(run)
    used = {k: answers_calibrated_with(Pipeline.load(run), k) for k in record.answers}
    replace(record, calibrated_with=used).write(run)
    exported = export(run, tmp_path / "model", "onnx")
    assert exported.notes[0].startswith("On predicted masks: the promises are left out, because")
    assert "(--data)" in exported.notes[0]
    assert list(AnswerTrust.read(tmp_path / "model").answers) == ["given"]
    # Promises that do not hold for the run do not for the exported model.
    replace(record, model_sha256="other").write(run)
    exported = export(run, tmp_path / "none", "onnx")
    assert "those of another model" in exported.notes[0]
    assert not (tmp_path / "none" / TRUST_FILE).exists()


def test_promises_are_made_again_from_data_where_models_differ(
    objects, decisions, tmp_path, monkeypatch
):
    monkeypatch.setattr("maskwright.tasks.regions.trust.exported._MOST_DIFFERENCE", -1)
    run = tmp_path / "run"
    shutil.copytree(decisions, run)
    replace(AnswerTrust.read(run), split="val").write(run)
    data = draw_discs(tmp_path / "data", 24)
    exported = export(run, tmp_path / "model", "onnx", data=data)
    assert exported.notes[-1].startswith("The promises were made again, from ")
    assert "because decisions on drawn images differ by up to" in exported.notes[-1]
    record = AnswerTrust.read(tmp_path / "model")
    assert record.cases < 9
    pipeline = Pipeline.load(tmp_path / "model")
    record.answers_for(tmp_path / "model", pipeline, "predicted")
    # Of objects that differ, without data.
    monkeypatch.setattr(
        "maskwright.tasks.instances.trust.exported.score_difference", lambda *_: None
    )
    exported = export(objects, tmp_path / "objects", "onnx")
    assert "because objects differ from the run in onnx" in exported.notes[0]
    assert not (tmp_path / "objects" / TRUST_FILE).exists()


def test_promises_are_not_held_against_the_images_they_were_made_from(objects, decisions, tmp_path):
    data = draw_discs(tmp_path / "data", 40)
    for number, (model, options) in enumerate(((decisions, {}), (objects, {"sure": None}))):
        if model is objects:
            (data / "data.yaml").write_text("objects: components", encoding="utf-8")
        run = tmp_path / f"run{number}"
        shutil.copytree(model, run)
        asked = {"split": "test", "each": 0.4, "on_message": [].append, **options}
        made = maskwright.trust(run, data, **asked)
        assert len(made.image_hashes) == made.images
        same = maskwright.evaluate(run, data, split="test", examples=0, out=tmp_path / "same")
        assert same.trust is None
        assert any("images can tell whether promises hold" in c.text for c in same.warnings)
        other = maskwright.evaluate(run, data, split="train", examples=0, out=tmp_path / "other")
        assert other.trust is not None
