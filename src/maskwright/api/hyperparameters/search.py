"""`search`: many short runs with settings that Optuna proposes, compared on validation images."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Unpack, get_type_hints

from maskwright.api.hyperparameters.record import (
    SEARCH_FILE,
    Search,
    SearchScore,
    Trial,
    open_record,
    write_record,
)
from maskwright.api.hyperparameters.space import choose_space
from maskwright.api.hyperparameters.trial import propose, run_trial
from maskwright.arguments import check_types, checked
from maskwright.config import TrainConfig, given_settings, read_config
from maskwright.config.typed import TrainSettings
from maskwright.data import open_dataset
from maskwright.errors import ConfigError, DataError, MaskwrightError, StoppedError, TrainingError
from maskwright.imageio import lock_folder
from maskwright.types import OnMessage, show_alert

AT_ONCE = 4
"""Trials of a round on a cluster."""

Part = Callable[[OnMessage], tuple[Trial, str | None]]
"""Trains a trial; gives it, and what marks its data."""


class SearchSettings(TrainSettings, total=False):
    """Settings of each trial, and how many train at once.

    `cluster` is the address of a Ray cluster that trains several trials at once, `"local"` for one
    on this machine; without one they train one after the other. `at_once` trials are a round, which
    share the processors of the cluster alike; four with a cluster, else one.
    """

    cluster: str | None
    at_once: int | None


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
    **settings: Unpack[SearchSettings],
) -> Search:
    """Train with many settings for equal minutes each, and keep those that validate best.

    The first trial has the settings as they are given. The next seven are drawn at random within
    `space.SPACE`, all others proposed by Optuna's tree-structured Parzen estimator from the
    seed, the number of the trial and the trials before it alone: a search that was stopped goes on
    as if it had not been. Where several run at once, each is proposed from those of earlier rounds.

    Trials learn from the `train` split and are scored by the `val` split; the `test` split is not
    read. The best of many scores is too high by chance: `evaluate` what is trained on `best.yaml`.

    Args:
        out: Folder for `search.json`, `trials.csv`, `best.yaml`, and a run for each trial.
        trials: How many there are to be in all, those from before a resume among them.
        vary: Names in `SPACE`; those of `USUAL` that these settings leave open when empty.
        score: Of the epoch with the highest foreground Dice, whose weights a run keeps.
        resume: Go on with the search in `out`, with all that it began with but for `trials` and
            `cluster`.
        settings: Fields of `TrainConfig`, which override those of the plan; `minutes` or `epochs`
            is the budget of each trial, ten minutes by default. And `cluster` and `at_once`, see
            `SearchSettings`.

    Source of the estimator: Bergstra et al., Algorithms for hyper-parameter optimization, 2011.
    """
    if find_spec("optuna") is None:
        raise ConfigError('Optuna is not installed; install it with: pip install "maskwright[hpo]"')
    if trials < 1:
        raise ConfigError(f"A search takes one trial or more; received {trials}.")
    cluster, at_once = settings.pop("cluster", None), settings.pop("at_once", None)
    check_types("search", {"cluster": cluster, "at_once": at_once}, get_type_hints(SearchSettings))
    if at_once is not None and at_once < 1:
        raise ConfigError(f"Expected one trial at once or more; received at_once={at_once}.")
    out = Path(out)
    with lock_folder(out):
        given = given_settings(settings)
        at_once = at_once or (None if resume else 1 if cluster is None else AT_ONCE)
        record = open_record(out, plan, given, vary, (score, at_once), resume, on_message)
        if not resume and (left := sorted(out.glob("trial_*"))):
            raise ConfigError(
                f"Expected a folder without trials of another search; {left[0]} is there: remove "
                f"it, or search in another folder."
            )
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
            # A round that was stopped is completed with what was known when it began.
            known = done[: len(done) - len(done) % record["at_once"]]
            last = min(len(known) + record["at_once"], trials)
            parts: dict[str, Part] = {}
            for number in range(len(done) + 1, last + 1):
                values = propose(space, known, config, number)
                goes_on = resume or cluster is not None  # where its worker was killed
                how = (number, config, values, record["score"], goes_on)
                parts[f"Trial {number}"] = partial(run_trial, data, out, *how)
            try:
                outcomes = _outcomes(parts, out, cluster, record["at_once"], on_message)
                for trial, fingerprint in outcomes:
                    _require_same(record["data"], fingerprint, out)
                    done.append(trial)
                    trials_done = [asdict(each) for each in done]
                    record |= {"data": record["data"] or fingerprint, "trials": trials_done}
                    write_record(out, config, record)
                    on_message(_sentence(trial, trials, done, record["score"]))
            except MaskwrightError as error:
                # Nothing half made stands in the way of the next try.
                if not done and not isinstance(error, StoppedError):
                    for folder in out.glob("trial_*"):  # of this round alone
                        shutil.rmtree(folder, ignore_errors=True)
                    (out / SEARCH_FILE).unlink()
                raise
    if all(trial.score is None for trial in done):
        raise TrainingError(f"All {len(done)} trials failed; the last said: {done[-1].failure}")
    return Search(out, record["score"], tuple(done))


def _outcomes(
    parts: Mapping[str, Part],
    out: Path,
    cluster: str | None,
    at_once: int,
    on_message: OnMessage,
) -> Iterator[tuple[Trial, str | None]]:
    """Trials of a round in order, with what marks their data: here, or all at once on a cluster."""
    if cluster is None:
        for part in parts.values():
            yield part(on_message)
        return
    from maskwright.training.on_cluster import run_parts

    made = {name: lambda _, part=part: part for name, part in parts.items()}
    yield from run_parts(made, out, cluster, on_message, shared_by=at_once).values()


def _require_same(begun: str | None, fingerprint: str | None, out: Path) -> None:
    """Raise `TrainingError` where a trial has learned from other data than those before it."""
    if begun not in (None, fingerprint or begun):
        raise TrainingError(
            f"The training data has changed since the search in {out} was begun; its trials cannot "
            f"be compared any more: begin another in another folder."
        )


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
