"""`search`: many short runs with settings that Optuna proposes, compared on validation images."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Unpack

from maskwright.api.search_record import (
    SEARCH_FILE,
    Search,
    SearchScore,
    Trial,
    open_record,
    write_record,
)
from maskwright.api.search_space import Choice, OneOf, choose_space, values_of, with_values
from maskwright.api.train import train
from maskwright.arguments import checked
from maskwright.config import TrainConfig, given_settings, read_config
from maskwright.config.typed import TrainSettings
from maskwright.data import open_dataset
from maskwright.errors import ConfigError, DataError, MaskwrightError, StoppedError, TrainingError
from maskwright.imageio import lock_folder
from maskwright.types import OnMessage, ignore_message, show_alert

_NUM_RANDOM = 8  # trials drawn at random before any is proposed


@checked
def search(
    data: str | Path,
    out: str | Path,
    *,
    trials: int = 20,
    plan: str | Path | None = None,
    vary: Sequence[str] = (),
    score: SearchScore = "foreground_dice",
    resume: bool = False,
    on_message: OnMessage = show_alert,
    **settings: Unpack[TrainSettings],
) -> Search:
    """Train with many settings for equal minutes each, and keep those that validate best.

    The first trial has the settings as they are given. The next seven are drawn at random within
    `search_space.SPACE`, all others proposed by Optuna's tree-structured Parzen estimator from the
    seed, the number of the trial and the trials before it alone: a search that was stopped goes on
    as if it had not been.

    Trials learn from the `train` split and are scored by the `val` split; the `test` split is not
    read. The best of many scores is too high by chance: `evaluate` what is trained on `best.yaml`.

    Args:
        out: Folder for `search.json`, `trials.csv`, `best.yaml`, and a run for each trial.
        trials: How many there are to be in all, those from before a resume among them.
        vary: Names in `SPACE`; those of `USUAL` that these settings leave open when empty.
        score: Of the epoch with the highest foreground Dice, whose weights a run keeps.
        resume: Go on with the search in `out`, with all that it began with but for `trials`.
        settings: Fields of `TrainConfig`, which override those of the plan; `minutes` or `epochs`
            is the budget of each trial, ten minutes by default.

    Source of the estimator: Bergstra et al., Algorithms for hyper-parameter optimization, 2011.
    """
    if find_spec("optuna") is None:
        raise ConfigError('Optuna is not installed; install it with: pip install "maskwright[hpo]"')
    if trials < 1:
        raise ConfigError(f"A search takes one trial or more; received {trials}.")
    out = Path(out)
    with lock_folder(out):
        given = given_settings(settings)
        record = open_record(out, plan, given, vary, score, resume, on_message)
        config = read_config(None, record["settings"], TrainConfig)
        if config.objects is not None:
            raise ConfigError("A search scores masks of classes; leave `objects` out.")
        space = choose_space(config, record["vary"])
        dataset = open_dataset(data, **config.division())
        if not any(sample.split == "val" and sample.masks for sample in dataset.samples):
            raise DataError(
                f"A search is scored by validation images; {data} has none: set val_share."
            )
        done = [Trial(**trial) for trial in record["trials"]]
        write_record(out, config, record)
        while len(done) < trials:
            number = len(done) + 1
            values = _propose(space, done, config, number)
            try:
                trial, fingerprint = _run(
                    data, out, number, config, values, record["score"], resume, on_message
                )
            except MaskwrightError as error:
                # Nothing half made stands in the way of the next try.
                if not done and not isinstance(error, StoppedError):
                    (out / SEARCH_FILE).unlink()
                raise
            if record["data"] not in (None, fingerprint or record["data"]):
                raise TrainingError(
                    f"The training data has changed since the search in {out} was begun; its "
                    f"trials cannot be compared any more: begin another in another folder."
                )
            done.append(trial)
            record |= {"data": record["data"] or fingerprint, "trials": [asdict(t) for t in done]}
            write_record(out, config, record)
            on_message(_sentence(trial, trials, done, record["score"]))
    if all(trial.score is None for trial in done):
        raise TrainingError(f"All {len(done)} trials failed; the last said: {done[-1].failure}")
    return Search(out, record["score"], tuple(done))


def _propose(
    space: Mapping[str, Choice], done: Sequence[Trial], config: TrainConfig, number: int
) -> dict[str, Any]:
    """Values of the next trial: at first those of the settings, then Optuna's."""
    if not done:
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


def _run(
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
    diverge, fail alone.
    """
    import keras

    from maskwright.training import Run

    run = Run(out / f"trial_{number:03d}")
    settings = {**with_values(config, values), "previews": 0}
    begun = resume and run.settings_file.exists()
    first = on_message if number == 1 else ignore_message  # all skip the same files
    try:
        train(data, run.folder, resume=begun, on_message=first, **({} if begun else settings))
    except (ConfigError, TrainingError) as error:
        if isinstance(error, StoppedError) or (number == 1 and isinstance(error, ConfigError)):
            raise
        return Trial(number, dict(values), None, 0.0, str(error)), None
    finally:
        keras.utils.clear_session()
    shutil.rmtree(run.checkpoint_file.parent)  # nothing is left to go on with
    history = run.read_history()
    validated = [row for row in history if "val_foreground_dice" in row]
    if not validated:
        reason = "No validation gave a score, as where all their pixels are ignored."
        return Trial(number, dict(values), None, 0.0, reason), None
    best = max(validated, key=lambda row: row["val_foreground_dice"])
    trial = Trial(number, dict(values), best[f"val_{score}"], history[-1]["seconds"])
    return trial, run.read_environment()["data"]


def _sentence(trial: Trial, total: int, done: Sequence[Trial], score: str) -> str:
    values = ", ".join(f"{name}={shown(value)}" for name, value in trial.values.items())
    begun = f"Trial {trial.number} of {total}"
    if trial.score is None:
        return f"{begun} failed with {values}: {trial.failure}"
    best, word = max(done, key=lambda trial: trial.rank), score.replace("_", " ")
    return (
        f"{begun}: {word} {trial.score:.4f} with {values}; best so far {best.score:.4f} in trial "
        f"{best.number}."
    )


def shown(value: Any) -> str:
    """A value as people read it."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
