"""`search`: many short runs with settings that Optuna proposes, compared on validation images."""

import csv
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import yaml

from maskwright.api.search_space import Choice, choose_space, values_of, with_values
from maskwright.api.train import train
from maskwright.config import TrainConfig, read_config
from maskwright.data import open_dataset
from maskwright.errors import ConfigError, DataError, MaskwrightError, StoppedError, TrainingError
from maskwright.imageio import atomic_write

SEARCH_FILE = "search.json"
"""Name of what a search is and has found, in its folder."""

Score = Literal["mean_dice", "mean_iou"]

_DEFAULT_MINUTES = 10.0
_STARTING = 8  # trials drawn at random before any is proposed


@dataclass(frozen=True)
class Trial:
    """One run of a search.

    Args:
        number: From 1; the name of its folder ends with it.
        values: Of the settings that are varied, by name.
        score: Of the validation images; `None` where training failed.
        seconds: That it took.
        failure: Why it failed; empty where it did not.
    """

    number: int
    values: dict[str, Any]
    score: float | None
    seconds: float
    failure: str = ""


@dataclass(frozen=True)
class Search:
    """What a search has found.

    Args:
        folder: Of the search.
        score: Name of the score.
        trials: In the order in which they ran.
    """

    folder: Path
    score: Score
    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial:
        """The trial with the highest score, the first of equals."""
        return _best(self.trials)

    @property
    def best_plan(self) -> Path:
        """Settings of the best trial, as `train` takes them."""
        return self.folder / "best.yaml"


def _best(trials: Sequence[Trial]) -> Trial:
    return max(trials, key=lambda trial: -1.0 if trial.score is None else trial.score)


def search(
    data: str | Path,
    out: str | Path,
    *,
    trials: int = 20,
    minutes: float | None = None,
    epochs: int | None = None,
    plan: str | Path | None = None,
    vary: Sequence[str] = (),
    score: Score = "mean_dice",
    resume: bool = False,
    on_message: Callable[[str], None] = lambda _: None,
    **settings: Any,
) -> Search:
    """Train with many settings for equal minutes each, and keep those that validate best.

    The first trial has the settings as they are given. The next seven are drawn at random within
    `search_space.SPACE`, all others proposed by Optuna's tree-structured Parzen estimator from what
    the trials before have scored. A trial's proposal depends on the seed, its number and the trials
    before it alone, so that a search that was stopped goes on as if it had not been.

    Trials learn from the `train` split and are scored by the `val` split; the `test` split is not
    read. The best of many scores on the same images is too high by chance: `evaluate` what is
    trained on `best.yaml`.

    Args:
        data: What `open_dataset` takes.
        out: Folder for `search.json`, `trials.csv`, `best.yaml`, and a run for each trial.
        trials: How many there are to be in all, those from before a resume among them.
        minutes: Time to train each trial for; ten when neither it nor `epochs` is given.
        epochs: Passes over the samples of each trial.
        plan: File of settings to begin with.
        vary: Names in `SPACE`; those of `USUAL` that these settings leave open when empty.
        score: By which trials are compared, of the epoch whose weights a run keeps, which is that
            of the highest mean Dice.
        resume: Go on with the search in `out`, with all that it began with but for `trials`.
        on_message: Called with a sentence on each trial, and for every file that is left out.
        settings: Fields of `TrainConfig`, before those of the plan.

    Raises:
        ConfigError: If Optuna is not installed, a setting or name is wrong, or `out` holds
            something else.
        DataError: If there are no validation images.
        TrainingError: If every trial failed, training was stopped, or the data has changed.

    Source of the estimator: Bergstra et al., Algorithms for hyper-parameter optimization, 2011.
    """
    if find_spec("optuna") is None:
        raise ConfigError('Optuna is not installed; install it with: pip install "maskwright[hpo]"')
    if trials < 1:
        raise ConfigError(f"A search takes one trial or more; received {trials}.")
    out = Path(out)
    given = {"minutes": minutes, "epochs": epochs}
    given = settings | {name: value for name, value in given.items() if value is not None}
    if resume:
        record = _read(out, given, plan, vary)
    else:
        record = _begin(out, read_config(plan, given, TrainConfig), vary, score)
    config = read_config(None, record["settings"], TrainConfig)
    if config.objects is not None:
        raise ConfigError("A search scores masks of classes; leave `objects` out.")
    space = choose_space(config, record["vary"])
    dataset = open_dataset(data, **config.division())
    if not any(sample.split == "val" and sample.masks for sample in dataset.samples):
        raise DataError(f"A search is scored by validation images; {data} has none: set val_share.")
    done = [Trial(**trial) for trial in record["trials"]]
    _write(out, config, record)
    while len(done) < trials:
        number = len(done) + 1
        values = _propose(space, done, config, number)
        try:
            trial, fingerprint = _run(
                data, out, number, config, values, record["score"], resume, on_message
            )
        except StoppedError:
            raise
        except MaskwrightError:
            if not done:  # nothing half made stands in the way of the next try
                (out / SEARCH_FILE).unlink()
            raise
        if record["data"] not in (None, fingerprint or record["data"]):
            raise TrainingError(
                f"The training data has changed since the search in {out} was begun; its trials "
                "cannot be compared any more: begin another in another folder."
            )
        done.append(trial)
        record |= {"data": record["data"] or fingerprint, "trials": [asdict(t) for t in done]}
        _write(out, config, record)
        on_message(_sentence(trial, trials, done, record["score"]))
    found = Search(out, record["score"], tuple(done))
    if all(trial.score is None for trial in done):
        raise TrainingError(f"All {len(done)} trials failed; the last said: {done[-1].failure}")
    return found


def _begin(out: Path, config: TrainConfig, vary: Sequence[str], score: str) -> dict[str, Any]:
    if (out / SEARCH_FILE).exists() or (out / "plan.yaml").exists():
        raise ConfigError(
            f"{out} already holds a search or a run; go on with a search by --resume, or name "
            "another folder."
        )
    if score not in ("mean_dice", "mean_iou"):
        raise ConfigError(f"Expected the score mean_dice or mean_iou; received {score!r}.")
    if config.minutes is None and config.epochs is None:
        config = config.model_copy(update={"minutes": _DEFAULT_MINUTES})
    return {
        "settings": config.model_dump(mode="json"),
        "vary": list(choose_space(config, vary)),
        "score": score,
        "data": None,
        "trials": [],
    }


def _read(
    out: Path, given: Mapping[str, Any], plan: str | Path | None, vary: Sequence[str]
) -> dict[str, Any]:
    if not (out / SEARCH_FILE).is_file():
        raise ConfigError(f"There is no search to resume in {out}; leave out --resume.")
    if given or plan is not None or vary:
        raise ConfigError(
            "A search goes on with what it began with, so that its trials can be compared: give "
            "--trials alone with --resume."
        )
    return json.loads((out / SEARCH_FILE).read_text(encoding="utf-8"))


def _propose(
    space: Mapping[str, Choice], done: Sequence[Trial], config: TrainConfig, number: int
) -> dict[str, Any]:
    """Values of the next trial: at first those of the settings, then Optuna's."""
    own = values_of(config, space)
    if not done:
        return own
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # A sampler for each trial, because one for all would begin anew after a stop.
    seed = (1_000_003 * config.seed + number) % 2**32
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=_STARTING)
    study = optuna.create_study(sampler=sampler, direction="maximize")
    distributions = {name: choice.distribution() for name, choice in space.items()}
    states = optuna.trial.TrialState
    for trial in done:
        # Where a rate of 0 has no place on a logarithmic scale, the trial is told without it.
        held = {name for name, choice in space.items() if choice.holds(trial.values[name])}
        study.add_trial(
            optuna.trial.create_trial(
                params={name: trial.values[name] for name in held},
                distributions={name: distributions[name] for name in held},
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
    on_message: Callable[[str], None],
) -> tuple[Trial, str | None]:
    """Train a trial, or go on with one that was stopped; gives it and what marks its data.

    Settings of the user's own that do not fit the data are raised. Later trials, and those that
    diverge, fail alone.
    """
    import keras

    from maskwright.training.run import Run

    run = Run(out / f"trial_{number:03d}")
    settings = {**with_values(config, values), "previews": 0}
    begun = resume and run.settings_file.exists()
    told = on_message if number == 1 else lambda _: None  # each would tell of the same files
    try:
        train(data, run.folder, resume=begun, on_message=told, **({} if begun else settings))
    except StoppedError:
        raise
    except (ConfigError, TrainingError) as error:
        if number == 1 and isinstance(error, ConfigError):
            raise
        return Trial(number, dict(values), None, 0.0, str(error)), None
    finally:
        keras.utils.clear_session()
    shutil.rmtree(run.checkpoint_file.parent)  # nothing is left to go on with
    history = run.read_history()
    validated = [row for row in history if "val_mean_dice" in row]
    kept = max(validated, key=lambda row: row["val_mean_dice"])
    trial = Trial(number, dict(values), kept[f"val_{score}"], history[-1]["seconds"])
    return trial, run.read_environment()["data"]


def _write(out: Path, config: TrainConfig, record: Mapping[str, Any]) -> None:
    """`trials.csv` for people, `best.yaml` for training, and last the record to go on with."""
    out.mkdir(parents=True, exist_ok=True)
    trials = [Trial(**trial) for trial in record["trials"]]
    with (
        atomic_write(out / "trials.csv") as beside,
        beside.open("w", newline="", encoding="utf-8") as file,
    ):
        names = ("trial", record["score"], "seconds", *record["vary"], "failure")
        writer = csv.writer(file)
        writer.writerow(names)
        for t in trials:
            tried = [t.values[name] for name in record["vary"]]
            writer.writerow([t.number, t.score, t.seconds, *tried, t.failure])
    if any(trial.score is not None for trial in trials):
        found = Search(out, record["score"], tuple(trials))
        settings = yaml.safe_dump(with_values(config, found.best.values), sort_keys=False)
        note = (
            f"# Trial {found.best.number} of {len(trials)}: {record['score']} "
            f"{found.best.score:.4f} on validation images.\n"
        )
        with atomic_write(found.best_plan) as beside:
            beside.write_text(note + settings, encoding="utf-8")
    with atomic_write(out / SEARCH_FILE) as beside:
        beside.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _sentence(trial: Trial, total: int, done: Sequence[Trial], score: str) -> str:
    values = ", ".join(f"{name}={shown(value)}" for name, value in trial.values.items())
    begun = f"Trial {trial.number} of {total}"
    if trial.score is None:
        return f"{begun} failed with {values}: {trial.failure}"
    best, word = _best(done), score.replace("_", " ")
    return (
        f"{begun}: {word} {trial.score:.4f} with {values}; best so far {best.score:.4f} in trial "
        f"{best.number}."
    )


def shown(value: Any) -> str:
    """A value as people read it."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
