"""One trial of a search: the values that Optuna proposes, and a run with them."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from maskwright.api.hyperparameters.record import Trial
from maskwright.api.hyperparameters.space import Choice, OneOf, values_of, with_values
from maskwright.api.train import train
from maskwright.config import TrainConfig
from maskwright.errors import ConfigError, StoppedError, TrainingError
from maskwright.types import OnMessage, ignore_message

_NUM_RANDOM = 8  # trials drawn at random before any is proposed


def propose(
    space: Mapping[str, Choice], done: Sequence[Trial], config: TrainConfig, number: int
) -> dict[str, Any]:
    """Values of a trial: of the first those of the settings, then Optuna's from trials `done`."""
    if number == 1:
        return values_of(config, space)
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # A sampler for each trial, because one for all would begin anew after a stop.
    seed = (1_000_003 * config.seed + number) % 2**32
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=_NUM_RANDOM)
    study = optuna.create_study(sampler=sampler, direction="maximize")
    distributions: dict[str, optuna.distributions.BaseDistribution] = {
        name: optuna.distributions.CategoricalDistribution(choice.values)
        if isinstance(choice, OneOf)
        else optuna.distributions.FloatDistribution(choice.low, choice.high, log=choice.log)
        for name, choice in space.items()
    }
    states = optuna.trial.TrialState
    for trial in done:
        # Where a rate of 0 has no place on a logarithmic scale, Optuna does not see it.
        names = [
            name
            for name, choice in space.items()
            if isinstance(choice, OneOf) or choice.low <= trial.values[name] <= choice.high
        ]
        study.add_trial(
            optuna.trial.create_trial(
                params={name: trial.values[name] for name in names},
                distributions={name: distributions[name] for name in names},
                value=trial.score,
                state=states.FAIL if trial.score is None else states.COMPLETE,
            )
        )
    return dict(study.ask(distributions).params)


def run_trial(
    data: str | Path,
    out: Path,
    number: int,
    config: TrainConfig,
    values: Mapping[str, Any],
    score: str,
    resume: bool,
    on_message: OnMessage,
) -> tuple[Trial, str | None]:
    """Train a trial, or go on with one that was stopped; gives it and what marks its data.

    Settings of the user's own that do not fit the data are raised. Later trials, and those that
    diverge, fail alone. A trial that is finished already is only read.
    """
    import keras

    from maskwright.training import Run

    run = Run(out / f"trial_{number:03d}")
    settings = {**with_values(config, values), "previews": 0}
    begun = resume and run.settings_file.exists()
    first = on_message if number == 1 else ignore_message  # all skip the same files
    try:
        if not (begun and run.is_finished()):
            train(data, run.folder, resume=begun, on_message=first, **({} if begun else settings))
    except (ConfigError, TrainingError) as error:
        if isinstance(error, StoppedError) or (number == 1 and isinstance(error, ConfigError)):
            raise
        return Trial(number, dict(values), None, 0.0, str(error)), None
    finally:
        keras.utils.clear_session()
    # Nothing is left to go on with.
    shutil.rmtree(run.checkpoint_file.parent, ignore_errors=True)
    history = run.read_history()
    validated = [row for row in history if "val_foreground_dice" in row]
    if not validated:
        reason = "No validation gave a score, as where all their pixels are ignored."
        return Trial(number, dict(values), None, 0.0, reason), None
    best = max(validated, key=lambda row: row["val_foreground_dice"])
    trial = Trial(number, dict(values), best[f"val_{score}"], history[-1]["seconds"])
    return trial, run.read_environment()["data"]
