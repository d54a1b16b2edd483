"""A run is resumed as it was begun, or refused with nothing changed; a stopped one is a model."""

import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import maskwright
from drawing_regions import draw_discs
from maskwright.api import is_cross_validation
from maskwright.errors import ConfigError, MaskwrightError, StoppedError, TrainingError
from maskwright.export.runtime import load_keras
from maskwright.imageio import lock_folder, read_mask, write_mask
from maskwright.model_card import SemanticCard
from maskwright.training import Run

pytestmark = pytest.mark.usefixtures("uncompiled")
SETTINGS = {
    "encoder": "plain",
    "encoder_weights": None,
    "encoder_widths": (4, 8),
    "batch_size": 8,
    "size": 32,
    "epochs": 2,
    "previews": 0,
    "checkpoint_seconds": 0.0,
    "val_share": 0.25,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return draw_discs(tmp_path_factory.mktemp("resume") / "data", 20, discs=2)


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    return maskwright.train(data, tmp_path_factory.mktemp("runs") / "finished", **SETTINGS)


def stop_after(step):
    """Callback that stops a run as Ctrl+C does, after a step counted from 1."""
    counted = []

    def count(batch, logs):
        counted.append(batch)
        if len(counted) == step:
            signal.getsignal(signal.SIGINT)(signal.SIGINT, None)  # see test_fit

    return keras.callbacks.LambdaCallback(on_train_batch_end=count)


def stopped_run(data, folder, step=3, **settings):
    with pytest.raises(StoppedError, match=r"stopped by SIGINT .* continue with --resume"):
        maskwright.train(data, folder, callbacks=[stop_after(step)], **{**SETTINGS, **settings})
    return Run(folder)


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"optimizer": "sgd"}, r"begun with optimizer=adamw \(received sgd\)"),
        ({"batch_size": 4}, r"batch_size=8 \(received 4\)"),
        ({"size": 16, "loss": "ce"}, r"size=\[32, 32\] \(received \[16, 16\]\), loss=ce\+dice"),
        ({"minutes": 1.0}, r"2 steps in an epoch; received 20: .* its kind of budget"),
    ],
)
def test_other_settings_are_named_and_nothing_is_changed(data, finished, settings, named):
    before = contents(finished.folder)
    with pytest.raises(MaskwrightError, match=named) as refused:
        maskwright.train(data, finished.folder, resume=True, **settings)
    assert "data" not in str(refused.value)
    assert contents(finished.folder) == before


def test_a_plan_given_again_counts_as_its_settings(data, finished, tmp_path):
    plan = tmp_path / "plan.yaml"
    plan.write_text("decoder: unet\n")
    with pytest.raises(ConfigError, match=r"decoder=light \(received unet\)"):
        maskwright.train(data, finished.folder, plan=plan, resume=True)


@pytest.mark.parametrize("settings", [{}, {"epochs": 1}, {"previews": 3, "patience": 9}])
def test_a_run_with_nothing_left_to_do_is_left_as_it_is(data, finished, settings):
    before, messages = contents(finished.folder), []
    run = maskwright.train(
        data, finished.folder, resume=True, on_message=messages.append, **settings
    )
    assert run.folder == finished.folder
    assert "Nothing was done" in messages[-1]
    assert contents(finished.folder) == before


def test_fewer_epochs_than_a_stopped_run_has_had_change_nothing(data, tmp_path):
    run = stopped_run(data, tmp_path / "run", step=5, epochs=4)
    before, messages = contents(run.folder), []
    maskwright.train(data, run.folder, resume=True, epochs=1, on_message=messages.append)
    assert "Nothing was done" in messages[-1]
    assert contents(run.folder) == before


def test_more_epochs_go_on(data, tmp_path):
    run = maskwright.train(data, tmp_path / "run", **SETTINGS)
    longer = maskwright.train(data, run.folder, resume=True, epochs=3)
    assert [row["epoch"] for row in longer.read_history()] == [1, 2, 3]
    assert longer.read_settings()["epochs"] == 3


def test_changed_training_and_validation_data_are_told_apart(data, tmp_path):
    copy = draw_discs(tmp_path / "data", 20, discs=2)
    run = maskwright.train(copy, tmp_path / "run", **SETTINGS)
    dataset = maskwright.open_dataset(copy, val_share=0.25)
    for split, kind in (("val", "validation"), ("train", "training")):
        mask = Path(dataset.of(split)[0].masks[0])
        labels = np.array(read_mask(mask).values)
        write_mask(mask, np.roll(labels, 3, axis=0))
        before = contents(run.folder)
        with pytest.raises(TrainingError, match=f"The {kind} data of .* has changed"):
            maskwright.train(copy, run.folder, resume=True, epochs=4)
        assert contents(run.folder) == before


def test_a_checkpoint_that_is_none_is_refused_and_nothing_is_changed(data, tmp_path):
    run = stopped_run(data, tmp_path / "run")
    run.checkpoint_file.write_bytes(b"PK\3\4 is no archive")
    before = contents(run.folder)
    with pytest.raises(MaskwrightError, match=r"last\.npz cannot be read"):
        maskwright.train(data, run.folder, resume=True)
    assert contents(run.folder) == before


def test_a_stopped_run_is_a_model_that_says_so_and_can_be_resumed(data, tmp_path):
    run = stopped_run(data, tmp_path / "run")
    assert SemanticCard.read(run.folder / "model_card.json").stopped
    with np.load(run.checkpoint_file.with_name("best.npz")) as best:
        # Of the one validation there was, after two steps.
        first = best["0"]
    assert any(
        np.array_equal(first, weights) for weights in load_keras(run.model_file).get_weights()
    )
    messages = []
    maskwright.predict(
        run.folder, data / "dull" / "images", tmp_path / "masks", on_message=messages.append
    )
    assert "was stopped before its end" in messages[0]
    found = maskwright.evaluate(run.folder, data, split="val", examples=0)
    assert "stopped" in [caution.code for caution in found.warnings]

    resumed = maskwright.train(data, run.folder, resume=True)
    assert not SemanticCard.read(run.folder / "model_card.json").stopped
    whole = maskwright.train(data, tmp_path / "whole", **SETTINGS)
    for one, other in zip(
        *(load_keras(each.model_file).get_weights() for each in (resumed, whole)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_validation_without_a_labeled_pixel_chooses_nothing(data, tmp_path, monkeypatch):
    from maskwright.tasks.semantic import training

    made = training.eval_batches
    monkeypatch.setattr(
        training,
        "eval_batches",
        lambda *a: made(*a).map(lambda image, labels, weights: (image, labels * 0 + 255, weights)),
    )
    messages = []
    settings = {**SETTINGS, "epochs": 3, "patience": 1, "average": 0}
    run = maskwright.train(data, tmp_path / "run", on_message=messages.append, **settings)
    assert len([text for text in messages if "is not a number" in text]) == 1
    history = run.read_history()
    assert len(history) == 3  # no validation without a better score was counted
    assert "val_mean_dice" not in history[0]
    with np.load(run.checkpoint_file) as last:
        weights = load_keras(run.model_file).get_weights()
        np.testing.assert_array_equal(last["model/0"], weights[0])  # of the last step


def test_one_step_learns(data, tmp_path):
    settings = {**SETTINGS, "batch_size": 16, "epochs": 1, "augmentation": "none"}
    first = maskwright.train(data, tmp_path / "run", **settings)
    (row,) = first.read_history()
    # In the middle of the only step: 0.01 + 0.99 (1 + cos(pi (0.5 - 0.03) / 0.97)) / 2 = 0.5290.
    assert row["learning_rate"] == pytest.approx(0.5290 * 4e-3, rel=1e-3)
    second = maskwright.train(data, first.folder, resume=True, epochs=2)
    assert second.read_history()[1]["loss"] < row["loss"]


def test_two_processes_do_not_share_a_folder(data, tmp_path):
    program = (
        "import sys, time; from pathlib import Path; from maskwright.imageio import lock_folder\n"
        "with lock_folder(Path(sys.argv[1])): print('held', flush=True); time.sleep(600)"
    )
    folder = tmp_path / "run"
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(ConfigError, match="Another process is at work in"):
        maskwright.train(data, folder, **SETTINGS)
    with pytest.raises(ConfigError, match="Another process is at work in"):
        maskwright.cross_validate(data, folder, folds=2, **SETTINGS)
    assert not is_cross_validation(folder)
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with lock_folder(folder):  # went with the process, and left nothing
        assert list(folder.iterdir()) == []


def test_what_killed_runs_left_is_removed_and_nothing_else(data, tmp_path):
    run = stopped_run(data, tmp_path / "run")
    ours = [
        run.checkpoint_file.with_name(".last.0123abcd.npz"),
        run.folder / ".model.0123abcd.keras",
        run.folder / ".progress.89abcdef.json",
        run.previews / ".epoch_0001.0123abcd.png",
    ]
    others = [run.folder / ".notes.0123abcd.txt", run.folder / ".model.keras"]
    for path in (*ours, *others):
        path.write_bytes(b"")
    maskwright.train(data, run.folder, resume=True)
    assert [path.name for path in ours if path.exists()] == []
    assert all(path.exists() for path in others)


def test_a_refused_run_leaves_no_folder(data, tmp_path):
    with pytest.raises(MaskwrightError):
        maskwright.train(data, tmp_path / "run", **{**SETTINGS, "class_weights": {"nothing": 2}})
    assert not (tmp_path / "run").exists()
