"""The record of a search: its trials, and the files that they are kept in."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from maskwright.api.search.space import choose_space, with_values
from maskwright.config import TrainConfig
from maskwright.errors import ConfigError
from maskwright.imageio import atomic_write, write_text

SEARCH_FILE = "search.json"
"""Name of the record of a search, in its folder."""

SearchScore = Literal["mean_dice", "mean_iou"]


@dataclass(frozen=True)
class Trial:
    """One run of a search.

    Args:
        number: From 1; the name of its folder ends with it.
        score: Score on the validation images; `None` where training failed.
        failure: Reason of a failure; empty for a success.
    """

    number: int
    values: dict[str, Any]
    score: float | None
    seconds: float
    failure: str = ""


@dataclass(frozen=True)
class Search:
    """Result of a search."""

    folder: Path
    score: SearchScore
    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial:
        """The trial with the highest score, the first of equals."""
        return best_trial(self.trials)

    @property
    def best_plan(self) -> Path:
        """Settings of the best trial, as `train` takes them."""
        return self.folder / "best.yaml"


def best_trial(trials: Sequence[Trial]) -> Trial:
    """Trial with the highest score, the first of equals."""
    return max(trials, key=lambda trial: -1.0 if trial.score is None else trial.score)


def start_record(out: Path, config: TrainConfig, vary: Sequence[str], score: str) -> dict[str, Any]:
    """Record of a new search; `ConfigError` where `out` holds something else."""
    if (out / SEARCH_FILE).exists() or (out / "plan.yaml").exists():
        raise ConfigError(
            f"{out} already holds a search or a run; go on with a search by --resume, or name "
            "another folder."
        )
    if score not in ("mean_dice", "mean_iou"):
        raise ConfigError(f"Expected the score mean_dice or mean_iou; received {score!r}.")
    if config.minutes is None and config.epochs is None:
        config = config.model_copy(update={"minutes": config.default_minutes})
    return {
        "settings": config.model_dump(mode="json"),
        "vary": list(choose_space(config, vary)),
        "score": score,
        "data": None,
        "trials": [],
    }


def read_record(
    out: Path, given: Mapping[str, Any], plan: str | Path | None, vary: Sequence[str]
) -> dict[str, Any]:
    """Record of a search that is resumed.

    Raises:
        ConfigError: If there is none, or settings are given, which would make trials incomparable.
    """
    if not (out / SEARCH_FILE).is_file():
        raise ConfigError(f"There is no search to resume in {out}; leave out --resume.")
    if given or plan is not None or vary:
        raise ConfigError(
            "A search goes on with what it began with, so that its trials can be compared: give "
            "--trials alone with --resume."
        )
    return json.loads((out / SEARCH_FILE).read_text(encoding="utf-8"))


def write_record(out: Path, config: TrainConfig, record: Mapping[str, Any]) -> None:
    """Write `trials.csv`, `best.yaml` for training, and last the record itself."""
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
            values = [t.values[name] for name in record["vary"]]
            writer.writerow([t.number, t.score, t.seconds, *values, t.failure])
    if any(trial.score is not None for trial in trials):
        search = Search(out, record["score"], tuple(trials))
        settings = yaml.safe_dump(with_values(config, search.best.values), sort_keys=False)
        note = (
            f"# Trial {search.best.number} of {len(trials)}: {record['score']} "
            f"{search.best.score:.4f} on validation images.\n"
        )
        write_text(search.best_plan, note + settings)
    write_text(out / SEARCH_FILE, json.dumps(record, indent=2) + "\n")
