"""Every task through every verb, in the same words.

A tiny run is resumed, evaluated, predicted, exported and served; what a task cannot do is refused
in one sentence.
"""

import json
import shutil
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
from fastapi.testclient import TestClient

import maskwright
from drawing_layers import draw_layers
from drawing_regions import disc_image, draw_discs
from maskwright.errors import ConfigError, ModelError, StoppedError
from maskwright.evaluation.reports.write import terminal_table, to_dict
from maskwright.imageio import write_image
from maskwright.reliability.record import TrustRecord
from maskwright.serving import create_app, open_models
from maskwright.tasks.instances.trust.object_promises import ObjectTrust
from maskwright.tasks.regions.trust.record import AnswerTrust
from maskwright.tasks.registry import TASKS, task_of

pytestmark = pytest.mark.usefixtures("uncompiled")
SHARED = {
    "encoder": "plain",
    "encoder_weights": None,
    "encoder_widths": (4, 8),
    "batch_size": 8,
    "epochs": 2,
    "previews": 1,
    "test_share": 0.25,
    "val_share": 0.25,
}
TRAIN = {
    "semantic": (maskwright.train, {"size": 32}),
    "instances": (maskwright.train, {"objects": "centers", "crop": 32}),
    "multilabel": (maskwright.train, {"size": 32}),
    "regions": (maskwright.train_regions, {"size": 16, "positive": "bright", "variants": 1}),
}
# What a task cannot do, and what it says of it.
REFUSED = {
    "instances": {"flips": True},
    "multilabel": {},
    "regions": {},
    "semantic": {},
}

PLAIN_RECORDS = {"instances": ObjectTrust, "regions": AnswerTrust}


def settings(name):
    return {**SHARED, **TRAIN[name][1]}


@pytest.fixture(scope="module")
def data_of(tmp_path_factory):
    """Data set of each task."""
    folder = tmp_path_factory.mktemp("tasks")
    discs = draw_discs(folder / "data", 16, discs=2)
    layers = draw_layers(folder / "layers", 16)
    return {name: layers if name == "multilabel" else discs for name in TASKS}


@pytest.fixture
def data(data_of, name):
    return data_of[name]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    for number in range(3):
        write_image(
            folder / f"{number}.png", disc_image(number % 2 == 1, discs=2, seed=50 + number)[0]
        )
    return folder


@pytest.fixture(scope="module")
def runs(data_of, tmp_path_factory):
    """A run of each task; that of regions brings the semantic one as its segmenter."""
    folder = tmp_path_factory.mktemp("runs")
    made = {}
    for name in TASKS:
        train, _ = TRAIN[name]
        extra = {"segmenter": str(made["semantic"])} if name == "regions" else {}
        made[name] = train(data_of[name], folder / name, **settings(name), **extra).folder
    return made


@pytest.fixture(params=list(TASKS))
def name(request):
    return request.param


def test_every_task_is_tried_here():
    assert TRAIN.keys() == TASKS.keys()


def test_a_run_says_what_its_task_is(runs, name):
    card = json.loads((runs[name] / "model_card.json").read_text())
    assert (card["task"], card["format_version"]) == (name, 2)
    assert task_of(runs[name]) is TASKS[name]
    assert TASKS[name].card.read(runs[name] / "model_card.json").task == name


def test_callbacks_of_the_caller_are_called(data, tmp_path, name):
    epochs = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append(epoch))
    train, _ = TRAIN[name]
    train(data, tmp_path / "run", callbacks=[callback], **{**settings(name), "previews": 0})
    assert epochs == [0, 1]


def test_a_stopped_run_resumes_to_the_same_weights(data, tmp_path, name):
    train, _ = TRAIN[name]
    options = {**settings(name), "previews": 0}

    def stop(batch, logs):
        signal.getsignal(signal.SIGTERM)(signal.SIGTERM, None)  # see test_fit

    stopping = keras.callbacks.LambdaCallback(on_train_batch_end=stop)
    whole = train(data, tmp_path / "whole", **options)
    options |= {"checkpoint_seconds": 0, "callbacks": [stopping]}
    with pytest.raises(StoppedError, match="continue with --resume"):
        train(data, tmp_path / "stopped", **options)
    card = TASKS[name].card.read(tmp_path / "stopped" / "model_card.json")
    assert card.stopped
    assert TASKS[name].load(tmp_path / "stopped") is not None
    resumed = train(data, tmp_path / "stopped", resume=True)
    assert not TASKS[name].card.read(resumed.folder / "model_card.json").stopped
    first, second = (np.load(run.checkpoint_file) for run in (whole, resumed))
    for array in set(first.files) - {"state"}:
        np.testing.assert_array_equal(first[array], second[array])


def test_evaluate_writes_the_same_files(runs, data, tmp_path, name):
    evaluation = maskwright.evaluate(runs[name], data, out=tmp_path, examples=1)
    written = {path.name for path in tmp_path.iterdir()}
    assert {"scores.json", "cases.csv", "report.html"} <= written
    scores = json.loads((tmp_path / "scores.json").read_text())
    task = task_of(runs[name])
    report = task.report(evaluation)
    assert scores == json.loads(json.dumps(to_dict(report)))
    assert terminal_table(report).row_count
    assert (scores["split"], scores["skipped"]) == ("test", [])
    assert "<html" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_masks_are_scored_by_outline_size_and_probability_or_the_options_refused(
    runs, data, tmp_path, name
):
    options = {"out": tmp_path, "examples": 0, "weigh": "images", "by": "case"}
    if name in ("semantic", "multilabel"):
        maskwright.evaluate(runs[name], data, **options)
        scores = json.loads((tmp_path / "scores.json").read_text())
        assert {"outlines", "sizes", "by", "thresholds", "calibration"} <= scores.keys()
        assert scores["image_wise"]["weigh"] == "images"
        assert (tmp_path / "thresholds.csv").is_file()
        return
    with pytest.raises(ConfigError, match="`by` is for scores of masks of classes"):
        maskwright.evaluate(runs[name], data, **options)


def test_compare_scores_two_runs_or_says_why_not(runs, data, tmp_path, name):
    if name != "regions":
        comparison = maskwright.compare(runs[name], runs[name], data, out=tmp_path)
        assert np.nanmax(np.abs(comparison.gains)) == 0
        return
    with pytest.raises(ConfigError, match="models of regions cannot be compared"):
        maskwright.compare(runs[name], runs[name], data, out=tmp_path)


def test_promises_are_made_and_held_against_the_test_split(runs, data, tmp_path, name):
    run = tmp_path / "run"
    shutil.copytree(runs[name], run)
    asked = {"each": 0.4} if name == "regions" else {"missed": 0.4, "each": None, "sure": None}
    record = maskwright.trust(run, data, **asked, on_message=str)
    card = TASKS[name].card.read(run / "model_card.json")
    if name in PLAIN_RECORDS:
        assert PLAIN_RECORDS[name].read(run) == record
        with pytest.raises(ConfigError, match="`flips` has no meaning for promises of models of"):
            maskwright.trust(run, data, flips=True)
    else:
        assert TrustRecord.valid(run, card, False).promises == record.promises != []
    assert TASKS[name].promise_table(record).rows
    maskwright.evaluate(run, data, out=tmp_path / "out", examples=0)
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    promises = scores["trust"]["answers" if name == "regions" else "promises"]
    assert {"cases", "realized", "interval", "verdict"} <= promises[0].keys()


def test_predict_writes_something_for_every_image_and_skips_it_the_next_time(
    runs, images, tmp_path, name
):
    first = maskwright.predict(runs[name], images, tmp_path, overlays=True)
    assert first.failed == ()
    content = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.suffix in (".png", ".csv")}
    assert {p.name for p in content} >= {"0.png", "1.png", "2.png"}
    again = maskwright.predict(runs[name], images, tmp_path, overlays=True)
    assert len(again.skipped) == 3
    assert {p: p.read_bytes() for p in content} == content
    assert len(maskwright.predict(runs[name], images, tmp_path, overwrite=True).skipped) == 0


def test_flips_are_averaged_or_refused(runs, images, tmp_path, name):
    if REFUSED[name].get("flips"):
        with pytest.raises(ConfigError, match="flips"):
            maskwright.predict(runs[name], images, tmp_path, flips=True)
    else:
        assert maskwright.predict(runs[name], images, tmp_path, flips=True).failed == ()


def test_large_images_are_predicted_by_windows_or_refused(runs, images, tmp_path, name):
    if name in ("semantic", "multilabel"):
        result = maskwright.predict(runs[name], images, tmp_path, large=True)
        assert result.failed == ()
        assert list(tmp_path.rglob("0.tif"))
        return
    with pytest.raises(ConfigError, match="windows"):
        maskwright.predict(runs[name], images, tmp_path, large=True)


@pytest.mark.ray
def test_a_cluster_predicts_the_same(runs, images, tmp_path, name):
    maskwright.predict(runs[name], images, tmp_path / "local", overlays=False)
    maskwright.predict(runs[name], images, tmp_path / "ray", overlays=False, engine="ray")
    for path in (tmp_path / "local").rglob("*.png"):
        other = tmp_path / "ray" / path.relative_to(tmp_path / "local")
        assert other.read_bytes() == path.read_bytes()


@pytest.fixture(scope="module")
def artifacts(runs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("artifacts")
    made = {}
    for name, run in runs.items():
        made[name] = folder / name
        maskwright.export_model(run, made[name], format="onnx")
    return made


def test_an_exported_model_predicts_the_same(runs, artifacts, images, tmp_path, name):
    for kind, model in (("run", runs[name]), ("artifact", artifacts[name])):
        maskwright.predict(model, images, tmp_path / kind, overlays=False)
    for path in (tmp_path / "run").rglob("*.png"):
        other = tmp_path / "artifact" / path.relative_to(tmp_path / "run")
        assert other.read_bytes() == path.read_bytes(), path.name
    assert task_of(artifacts[name]).name == name


@pytest.mark.filterwarnings("ignore::maskwright.errors.MaskwrightWarning")
def test_a_model_is_served(artifacts, images, name):
    models = open_models([f"{name}={artifacts[name]}"])
    image = (images / "1.png").read_bytes()
    with TestClient(create_app(models), base_url="http://127.0.0.1") as client:
        (listed,) = client.get("/api/models").json()
        assert listed["task"] == name
        answer = client.post(f"/predict?model={name}", files={"image": ("1.png", image)})
        assert answer.status_code == 200, answer.text
        state = client.post(f"/api/images?model={name}", files={"image": ("1.png", image)}).json()
        address = f"/api/images/{state['id']}"
        while state["status"] not in ("done", "failed"):
            state = client.get(f"{address}?wait=5").json()
        assert state["status"] == "done", state["reason"]
        assert client.get(f"{address}/mask.tif").status_code == 200


def test_commands_of_another_task_say_so(runs, data_of, tmp_path):
    code = "from maskwright.cli import main; main()"
    command = [
        sys.executable,
        "-c",
        code,
        "regions",
        "evaluate",
        runs["semantic"],
        data_of["semantic"],
    ]
    answer = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert "is for the task semantic" in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_a_run_of_an_earlier_version_is_refused_in_a_sentence(runs, tmp_path, name):
    old = tmp_path / "old"
    old.mkdir()
    (old / "model.keras").write_bytes(b"")
    (old / "card.json").write_text('{"kind": "segmentation"}')
    with pytest.raises(ModelError, match=r"written by a version of Maskwright before"):
        TASKS[name].load(old)
    text = (runs[name] / "model_card.json").read_text()
    (tmp_path / "model_card.json").write_text(
        text.replace('"format_version": 2', '"format_version": 1')
    )
    with pytest.raises(
        ModelError, match="has the format version 1; this version of Maskwright reads 2"
    ):
        TASKS[name].card.read(tmp_path / "model_card.json")


def test_labels_are_audited_or_it_says_why_not(runs, data, name, tmp_path):
    if TASKS[name].audit is None:
        with pytest.raises(ConfigError, match=f"models of {name} cannot audit labels yet"):
            maskwright.audit(runs[name], data)
        return
    audited = maskwright.audit(runs[name], data, out=tmp_path, on_message=str)
    assert 0 < len(audited.masks) < 16  # the others were learned from
    scores = [mask.score for mask in audited.masks]
    assert scores == sorted(scores)
    assert terminal_table(task_of(runs[name]).report(audited))


def test_what_to_label_next_is_told_or_refused(runs, images, name, tmp_path):
    if TASKS[name].queue is None:
        with pytest.raises(ConfigError, match=f"models of {name} cannot say yet what to label"):
            maskwright.queue(runs[name], images)
        return
    queued = maskwright.queue(runs[name], images, out=tmp_path / "queue.csv")
    assert {each.image.name for each in queued.images} == {"0.png", "1.png", "2.png"}
    assert "no trust.json: the expected Dice is soft Dice as it is" in queued.notes[0]
    assert len((tmp_path / "queue.csv").read_text("utf-8").splitlines()) == 4
