"""Trackers, with their real clients, which write to folders."""

import json
import sys
from contextlib import suppress

import pytest

from maskwright.config import TrainConfig, read_config
from maskwright.errors import ConfigError, StoppedError
from maskwright.training import Run
from maskwright.training.trackers.tracking import check_tracker, tracked
from maskwright.types import Alert

SETTINGS = {"epochs": 2, "augmentation": {"strength": "light"}}
ROWS = [
    {"epoch": 1, "loss": 0.5, "val_foreground_dice": 0.25},
    {"epoch": 2, "loss": 0.25, "val_foreground_dice": 0.75},
    {"epoch": 3, "loss": 0.125},
]


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path / "first")
    run.folder.mkdir()
    run.write_settings(SETTINGS)
    (run.folder / "model_card.json").write_text("{}")
    return run


def train(tracker, run, rows, messages, history=()):
    """Track epochs that begin after `history`, as a training does; the last one is stopped."""
    history, settings = list(history), {**SETTINGS, "epochs": len(rows)}
    with (
        suppress(StoppedError),
        tracked(tracker, run, settings, history, messages.append) as callbacks,
    ):
        for row in rows:
            history.append(row)
            run.write_history(history)
            for callback in callbacks:
                callback.on_epoch_end(row["epoch"] - 1, {})
        raise StoppedError("Ctrl+C")


def scalars(run, curve, name):
    """Steps and values of a score in the event files."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    read = EventAccumulator(str(run.folder / "tensorboard" / curve)).Reload()
    return {(each.step, float(make_ndarray(each.tensor_proto))) for each in read.Tensors(name)}


def stored_id(run, tracker):
    return json.loads((run.folder / "tracking.json").read_text())[tracker]["id"]


def test_a_tracker_that_is_not_installed_is_told_before_anything_is_done(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ConfigError, match=r'pip install "maskwright\[wandb\]"'):
        check_tracker("wandb")
    check_tracker(None)


def test_the_setting_that_track_replaces_is_told():
    with pytest.raises(ConfigError, match="tensorboard has become track: leave it out, or write"):
        read_config(None, {"tensorboard": True}, TrainConfig)


def test_tensorboard_has_both_curves_and_goes_on_where_it_was(run):
    messages = []
    train("tensorboard", run, ROWS[:2], messages)
    # Stopped before a checkpoint of epoch 2, which is trained again.
    train("tensorboard", run, ROWS[1:], messages, ROWS[:1])
    assert messages == []
    assert scalars(run, "train", "loss") == {(1, 0.5), (2, 0.25), (3, 0.125)}
    assert scalars(run, "validation", "foreground_dice") == {(1, 0.25), (2, 0.75)}


def test_a_tracker_that_fails_is_told_once_and_what_it_lacks_is_logged_later(run):
    place, messages = run.folder / "tensorboard", []
    place.write_text("in the way of the folder")
    train("tensorboard", run, ROWS[:2], messages)
    assert len(messages) == 1
    assert isinstance(messages[0], Alert)
    assert messages[0].startswith("TensorBoard failed (")
    place.unlink()
    train("tensorboard", run, ROWS[2:], messages, ROWS[:2])
    assert len(messages) == 1
    assert scalars(run, "train", "loss") == {(1, 0.5), (2, 0.25), (3, 0.125)}


@pytest.mark.filterwarnings("default")  # of the client, which warns of itself
def test_mlflow_has_settings_every_value_and_the_files(run, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.chdir(tmp_path)  # artifacts are written to ./mlartifacts or ./mlruns
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    messages = []
    train("mlflow", run, ROWS[:2], messages)
    assert messages == []
    first = stored_id(run, "mlflow")
    train("mlflow", run, ROWS[2:], messages, ROWS[:2])
    assert messages == []
    assert stored_id(run, "mlflow") == first
    client = mlflow.MlflowClient()
    told = client.get_run(first)
    assert (told.info.run_name, told.info.status) == ("first", "KILLED")
    assert told.data.params == {"epochs": "2", "augmentation.strength": "light"}
    assert [(m.step, m.value) for m in client.get_metric_history(first, "loss")] == [
        *((1, 0.5), (2, 0.25), (3, 0.125))
    ]
    files = {each.path for each in client.list_artifacts(first)}
    assert files == {"plan.yaml", "history.csv", "model_card.json"}


@pytest.mark.filterwarnings("default")  # of the client, which warns of itself
def test_mlflow_without_its_server_stops_no_training(run, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    mlflow.set_tracking_uri("http://127.0.0.1:9")
    messages = []
    train("mlflow", run, ROWS, messages)
    assert len(messages) == 1
    assert messages[0].startswith("MLflow failed (")


@pytest.mark.filterwarnings("default")  # of the client, which warns of itself
def test_wandb_offline_has_settings_every_value_and_the_files(run, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(run.folder))
    messages = []
    train("wandb", run, ROWS[:2], messages)
    assert messages == []
    first = stored_id(run, "wandb")
    train("wandb", run, ROWS[2:], messages, ROWS[:2])
    assert messages == []
    assert stored_id(run, "wandb") == first
    folders = sorted((run.folder / "wandb").glob(f"offline-run-*-{first}"))
    records = [record for folder in folders for record in wandb_records(folder, first)]
    rows, names, settings, artifacts = [], set(), {}, []
    for record in records:
        kind = record.WhichOneof("record_type")
        if kind == "history":
            items = {
                item.key or item.nested_key[0]: json.loads(item.value_json)
                for item in record.history.item
            }
            if "loss" in items:
                rows.append((items["epoch"], items["loss"], items.get("val_foreground_dice")))
        elif kind == "run":
            names.add(record.run.display_name)
            settings |= {i.key: json.loads(i.value_json) for i in record.run.config.update}
        elif kind == "artifact":
            artifacts.append({entry.path for entry in record.artifact.manifest.contents})
    assert sorted(rows) == [(1, 0.5, 0.25), (2, 0.25, 0.75), (3, 0.125, None)]
    assert names == {"first"}
    assert settings["augmentation"] == {"strength": "light"}
    assert artifacts[-1] == {"plan.yaml", "history.csv", "model_card.json"}


def wandb_records(folder, run_id):
    """Records of a run that Weights & Biases wrote offline, in the log format of LevelDB."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, block = (folder / f"run-{run_id}.wandb").read_bytes(), 2**15
    start, part = 7, b""
    while start + 7 <= len(data):
        left = block - start % block
        if left < 7:  # too few for the header of another piece
            start += left
            continue
        length, kind = int.from_bytes(data[start + 4 : start + 6], "little"), data[start + 6]
        part += data[start + 7 : start + 7 + length]
        start += 7 + length
        if kind in (1, 4):  # a whole record, or the last piece of one
            yield Record.FromString(part)
            part = b""
