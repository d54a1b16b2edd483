"""The loop: it learns, keeps the best, keeps its budget, and stops and resumes without a trace."""

import shutil
import signal
from itertools import count
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from scenes import network, recipe, scenes

from maskwright.data.pipeline.arrays import Arrays
from maskwright.data.pipeline.augmentation import Augmentation
from maskwright.errors import ConfigError, TrainingError
from maskwright.losses import loss
from maskwright.tasks.semantic.training import mask_scoring, segmentation
from maskwright.training import Batching, TrainingLoop, loop
from maskwright.training.checkpoint import Checkpoint

pytestmark = pytest.mark.usefixtures("uncompiled")


def run(model, train=None, callbacks=(), resume=False, crop=None, **options):
    settings = {"recipe": recipe(), "epochs": 4, **options}
    task = segmentation(
        loss("ce+dice"),
        train or scenes(20),
        scenes(6),
        scoring=mask_scoring(2, background=0),
        batching=Batching(
            batch_size=settings["recipe"].batch_size,
            augmentation=Augmentation.named("light"),
            crop=crop,
        ),
    )
    work = TrainingLoop(model, task, **settings)
    if resume:
        work.resume()
    return work.run(callbacks)


def weights(model):
    return [v.numpy() for v in model.variables]


class At(keras.callbacks.Callback):
    """Does something after a given step of a given epoch."""

    def __init__(self, epoch, batch, act):
        super().__init__()
        self.when, self.act = (epoch, batch), act

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.when:
            self.act()


def test_learns_and_ends_with_the_best_weights(compiled):
    model = network()
    state = run(model, epochs=12)
    dice = [row["val_foreground_dice"] for row in state.history]
    assert state.best == max(dice) > 0.9
    assert dice[state.best_epoch - 1] == max(dice)
    assert state.history[0]["loss"] > state.history[-1]["loss"]
    assert (state.epoch, state.step) == (12, 12 * 3)  # 20 images are 3 batches of 8


def terminate():
    """What Python calls on SIGTERM, because a signal of the system ends in a segmentation fault
    where OpenVINO has run a network of several inputs in the process before.
    """
    signal.getsignal(signal.SIGTERM)(signal.SIGTERM, None)


@pytest.fixture(scope="module")
def whole(uncompiled, tmp_path_factory):
    """A run that nothing happened to, and the folder of its checkpoints."""
    model, folder = network(dropout=0.2), tmp_path_factory.mktemp("whole")
    run(model, checkpoints=folder)
    return model, folder


@pytest.mark.parametrize("batch", [0, 2])
def test_stopped_by_a_signal_and_resumed_gives_the_same_weights(whole, tmp_path, batch):
    stopped = network(dropout=0.2)
    stop = At(1, batch, terminate)
    with pytest.raises(
        TrainingError, match=r"stopped by SIGTERM in epoch 2; continue with --resume"
    ):
        run(stopped, checkpoints=tmp_path, callbacks=[stop])
    resumed = network(dropout=0.2)
    state = run(resumed, checkpoints=tmp_path, resume=True)
    assert len(state.history) == 4
    for one, other in zip(weights(whole[0]), weights(resumed), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_finished_run_resumes_to_its_end(whole, tmp_path):
    first, folder = whole
    again = network(dropout=0.2)
    run(again, checkpoints=shutil.copytree(folder, tmp_path / "copy"), resume=True)
    for one, other in zip(weights(first), weights(again), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_budget_of_time_is_kept(compiled, monkeypatch):
    clock = count(step=0.25)  # a quarter of a second passes between any two looks at it
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    state = run(network(), epochs=None, seconds=60.0)
    assert state.step > 10
    assert 55.0 < state.seconds <= 61.0
    assert state.history[-1]["learning_rate"] < 0.1 * 1e-2  # the schedule has come to its end


def test_patience_stops_early():
    state = run(network(), epochs=50, recipe=recipe(learning_rate=1e-9, average=0, patience=2))
    assert state.epoch == state.best_epoch + 2 < 50


def test_a_loss_that_is_no_number_keeps_the_last_good_checkpoint(tmp_path):
    model, before = network(), {}

    def poison():
        before["checkpoint"] = (tmp_path / "last.npz").read_bytes()
        kernel = model.trainable_variables[-1]
        kernel.assign(np.full(kernel.shape, np.nan))

    with pytest.raises(TrainingError, match=r"no longer a finite number.*last good checkpoint"):
        run(
            model,
            checkpoints=tmp_path,
            checkpoint_seconds=0.0,
            callbacks=[At(1, 0, poison)],
        )
    assert (tmp_path / "last.npz").read_bytes() == before["checkpoint"]


def test_a_full_disk_keeps_the_last_good_checkpoint(tmp_path, monkeypatch):
    wrote = Checkpoint.write

    def write(self, state):
        if state.epoch == 2:
            raise OSError(28, "No space left on device")
        wrote(self, state)

    monkeypatch.setattr(Checkpoint, "write", write)
    with pytest.raises(TrainingError, match=r"No space left on device.*make room"):
        run(network(), checkpoints=tmp_path, checkpoint_seconds=0.0)
    assert (tmp_path / "last.npz").exists()


def test_resuming_another_model_is_refused(tmp_path):
    run(network(), epochs=1, checkpoints=tmp_path)
    with pytest.raises(TrainingError, match="of another model or optimizer"):
        run(network(), recipe=recipe(optimizer="sgd"), checkpoints=tmp_path, resume=True)


def test_crops_of_images_of_several_sizes():
    images = [np.zeros((40, 50, 3), np.uint8), np.zeros((64, 33, 3), np.uint8)]
    masks = [np.zeros((40, 50), np.uint8), np.ones((64, 33), np.uint8)]
    train = Arrays.from_numpy(images, masks)
    state = run(network(), train, epochs=1, crop=(32, 32), recipe=recipe(batch_size=2))
    assert np.isfinite(state.history[0]["loss"])


def test_epochs_or_seconds():
    with pytest.raises(ConfigError, match="either a number of epochs or"):
        run(network(), seconds=1.0)
