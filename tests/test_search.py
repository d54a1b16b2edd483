"""What a search tries and keeps, on runs whose score is worked out instead of trained."""

import csv
from pathlib import Path

import numpy as np
import pytest

import maskwright
from maskwright.api.hyperparameters.space import SPACE, USUAL, Between, OneOf, choose_space
from maskwright.config import TrainConfig, read_config
from maskwright.data.synthetic.datasets import write_dataset
from maskwright.errors import ConfigError, DataError, StoppedError, TrainingError
from maskwright.imageio import write_image
from maskwright.training import Run

VARY = ("learning_rate", "loss")


def dice_of(settings) -> float:
    """Best at a rate of 1e-2, and with Lovász."""
    away = abs(np.log10(settings["learning_rate"]) + 2)
    return 0.7 - 0.1 * away + 0.2 * (settings["loss"] == "ce+lovasz")


class Trainer:
    """Writes what a run leaves; the last of its epochs is not the one whose weights are kept."""

    def __init__(self) -> None:
        self.fails, self.calls, self.data = {}, [], "the same"

    def __call__(self, data, out, *, resume=False, on_message=None, **settings) -> Run:
        self.calls.append(Path(out).name)
        if error := self.fails.pop(len(self.calls), None):
            raise error
        run, dice = Run(Path(out)), dice_of(settings)
        run.check_start(resume)
        run.start()
        run.write_settings(settings)
        run.write_environment({"data": self.data})
        kept = {"epoch": 1, "seconds": 1.0, "val_foreground_dice": dice}
        kept["val_mean_iou"] = dice / 2
        run.write_history(
            [kept, {**kept, "epoch": 2, "val_foreground_dice": 0.01, "val_mean_iou": 0.9}]
        )
        return run


@pytest.fixture
def trainer(monkeypatch):
    made = Trainer()
    monkeypatch.setattr("maskwright.api.hyperparameters.trial.train", made)
    return made


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search") / "data"
    write_dataset(folder, num_images=8, size=32)
    return folder


def rows(folder):
    with (folder / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_it_begins_with_the_settings_and_keeps_what_validates_best(data, tmp_path, trainer):
    told = []
    found = maskwright.search(data, tmp_path, trials=5, vary=VARY, on_message=told.append)
    first, *others = found.trials
    assert first.values == {"learning_rate": 4e-3, "loss": "ce+dice"}
    assert all(3e-4 <= trial.values["learning_rate"] <= 3e-2 for trial in others)
    assert [trial.score for trial in found.trials] == [dice_of(t.values) for t in found.trials]
    assert found.best.score == max(trial.score for trial in found.trials)
    assert [float(row["foreground_dice"]) for row in rows(tmp_path)] == [
        t.score for t in found.trials
    ]
    assert len(told) == 5
    plan = read_config(found.best_plan, {}, TrainConfig)
    assert (plan.learning_rate, plan.loss) == tuple(found.best.values.values())
    assert (plan.minutes, plan.previews) == (10, 4)


def test_the_other_score_is_that_of_the_same_weights(data, tmp_path, trainer):
    found = maskwright.search(data, tmp_path, trials=1, vary=VARY, score="mean_iou", epochs=3)
    assert found.best.score == dice_of(found.best.values) / 2


def test_stopped_and_resumed_it_is_the_same_search(data, tmp_path, trainer):
    trainer.fails[3] = StoppedError("Training was stopped by SIGINT.")
    with pytest.raises(StoppedError):
        maskwright.search(data, tmp_path / "a", trials=6, vary=VARY)
    maskwright.search(data, tmp_path / "a", trials=5, resume=True)
    # The same settings may be repeated.
    parts = maskwright.search(data, tmp_path / "a", trials=6, resume=True, vary=VARY)
    whole = maskwright.search(data, tmp_path / "b", trials=6, vary=VARY)
    assert parts.trials == whole.trials
    other = maskwright.search(data, tmp_path / "c", trials=2, vary=VARY, seed=1)
    assert other.trials[1].values != whole.trials[1].values


def test_trials_of_a_round_are_proposed_from_earlier_rounds(data, tmp_path, trainer):
    whole = maskwright.search(data, tmp_path / "a", trials=12, vary=VARY, at_once=4)
    maskwright.search(data, tmp_path / "b", trials=10, vary=VARY, at_once=4)  # within a round
    parts = maskwright.search(data, tmp_path / "b", trials=12, resume=True)
    assert parts.trials == whole.trials
    one_by_one = maskwright.search(data, tmp_path / "c", trials=12, vary=VARY)
    alike = [a.values == b.values for a, b in zip(whole.trials, one_by_one.trials, strict=True)]
    assert all(alike[:9])  # at random, or from the eight before
    assert not all(alike[9:])
    with pytest.raises(ConfigError, match="begun with other values of at_once"):
        maskwright.search(data, tmp_path / "a", resume=True, at_once=2)


def test_a_trial_that_fails_is_told_of_and_the_search_goes_on(data, tmp_path, trainer):
    trainer.fails[2] = TrainingError("The loss is no longer a finite number.")
    found = maskwright.search(data, tmp_path, trials=3, vary=VARY)
    assert [trial.score is None for trial in found.trials] == [False, True, False]
    assert "finite" in rows(tmp_path)[1]["failure"]
    trainer.fails = {number: TrainingError("It diverged.") for number in (4, 5)}
    with pytest.raises(TrainingError, match="All 2 trials failed; the last said: It diverged"):
        maskwright.search(data, tmp_path / "none", trials=2, vary=VARY)


def test_settings_that_do_not_fit_leave_nothing_in_the_way(data, tmp_path, trainer):
    trainer.fails[1] = ConfigError("Class weights name cat.")
    with pytest.raises(ConfigError, match="name cat"):
        maskwright.search(data, tmp_path, trials=2, vary=VARY)
    maskwright.search(data, tmp_path, trials=1, vary=VARY)


def test_a_folder_holds_one_search_on_one_data_set(data, tmp_path, trainer):
    maskwright.search(data, tmp_path / "out", trials=1, vary=VARY)
    with pytest.raises(ConfigError, match="already holds a search"):
        maskwright.search(data, tmp_path / "out")
    with pytest.raises(ConfigError, match=r"begun with other values of epochs;.* only --trials"):
        maskwright.search(data, tmp_path / "out", resume=True, epochs=2)
    with pytest.raises(ConfigError, match="other values of vary"):
        maskwright.search(data, tmp_path / "out", resume=True, vary=VARY[:1])
    with pytest.raises(ConfigError, match="no search to resume"):
        maskwright.search(data, tmp_path, resume=True)
    (tmp_path / "left" / "trial_002").mkdir(parents=True)
    with pytest.raises(ConfigError, match="without trials of another search"):
        maskwright.search(data, tmp_path / "left")
    assert (tmp_path / "left" / "trial_002").is_dir()
    trainer.data = "another"
    with pytest.raises(TrainingError, match="data has changed"):
        maskwright.search(data, tmp_path / "out", trials=2, resume=True)


def test_it_needs_validation_images(tmp_path):
    for number in range(4):
        write_image(tmp_path / "images" / f"{number}.png", np.full((32, 32, 3), number, np.uint8))
        write_image(tmp_path / "masks" / f"{number}.png", np.eye(32, dtype=np.uint8)[..., None])
    with pytest.raises(DataError, match="has none: set val_share"):
        maskwright.search(tmp_path, tmp_path / "out", val_share=0.0)


def test_without_optuna_it_says_how_to_install_it(data, tmp_path, monkeypatch):
    monkeypatch.setattr("maskwright.api.hyperparameters.search.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install \"maskwright\[hpo\]\""):
        maskwright.search(data, tmp_path / "out")


def test_what_has_no_meaning_is_not_varied():
    plain = TrainConfig(encoder="plain", decoder_widths=(8,))
    assert tuple(choose_space(TrainConfig())) == USUAL
    assert set(choose_space(plain)) == set(USUAL) - {"encoder_rate", "freeze", "decoder"}
    with pytest.raises(ConfigError, match=r"vary freeze \(the encoder starts"):
        choose_space(plain, ["freeze"])
    with pytest.raises(ConfigError, match="cannot vary wings; it can vary learning_rate"):
        choose_space(plain, ["wings"])


def test_the_settings_own_values_are_among_those_tried():
    space = choose_space(TrainConfig(learning_rate=0.1, loss="dice", weight_decay=0))
    assert space["learning_rate"] == Between(3e-4, 0.1, log=True)
    assert space["loss"] == OneOf(("dice", *SPACE["loss"].values))
    assert space["weight_decay"] == SPACE["weight_decay"]  # no logarithm of 0


@pytest.mark.parametrize("name", SPACE)
def test_every_choice_is_a_setting(name):
    choice = SPACE[name]
    for value in choice.values if isinstance(choice, OneOf) else (choice.low, choice.high):
        TrainConfig(**{name: value})
