"""The record of a search: its trials, and the files that they are kept in."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from maskwright.api.hyperparameters.space import choose_space, with_values
from maskwright.config import TrainConfig, read_config
from maskwright.config.starting import with_encoder_at_hand
from maskwright.data.samples import join_words
from maskwright.errors import ConfigError
from maskwright.imageio import check_start, dump_yaml, write_table, write_text
from maskwright.types import OnMessage

SEARCH_FILE = "search.json"
"""Name of the record of a search, in its folder."""

SearchScore = Literal["foreground_dice", "foreground_iou", "mean_dice", "mean_iou"]


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

    @property
    def rank(self) -> float:
        """Score to compare trials by; failures come last."""
        return -1.0 if self.score is None else self.score


@dataclass(frozen=True)
class Search:
    """Result of a search."""

    folder: Path
    score: SearchScore
    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial:
        """The trial with the highest score, the first of equals."""
        return max(self.trials, key=lambda trial: trial.rank)

    @property
    def best_plan(self) -> Path:
        """Settings of the best trial, as `train` takes them."""
        return self.folder / "best.yaml"


def open_record(
    out: Path,
    plan: str | Path | None,
    settings: Mapping[str, Any],
    vary: Sequence[str],
    how: tuple[str, int | None],
    resume: bool,
    on_message: OnMessage,
) -> dict[str, Any]:
    """Record of a new search or, to resume, that of the search in `out`.

    `how` is the score, and the number of trials at once; `None` for that of the search.

    Raises:
        ConfigError: If there is no search to resume, or `out` holds something already; or if
            other settings are given to resume, which would make trials incomparable.
    """
    check_start(out, {SEARCH_FILE: "search", "plan.yaml": "run"}, resume)
    if resume:
        record = json.loads((out / SEARCH_FILE).read_text(encoding="utf-8"))
        record = {"at_once": 1, **record}
        _check_same(record, read_config(plan, settings, TrainConfig), vary, how[1])
        return record
    score, at_once = how
    if score not in (known := get_args(SearchScore)):
        raise ConfigError(f"Expected the score {join_words(known, ' or ')}; received {score!r}.")
    config = with_encoder_at_hand(read_config(plan, settings, TrainConfig), on_message)
    config = config.with_budget()
    return {
        "settings": config.effective(),
        "vary": list(choose_space(config, vary)),
        "score": score,
        "at_once": at_once,
        "data": None,
        "trials": [],
    }


def _check_same(
    record: Mapping[str, Any], given: TrainConfig, vary: Sequence[str], at_once: int | None
) -> None:
    """Raise `ConfigError` if settings that are given are not those that a search began with."""
    begun = read_config(None, record["settings"], TrainConfig)
    names = sorted(given.model_fields_set)
    other = [name for name in names if getattr(given, name) != getattr(begun, name)]
    other += ["vary"] if vary and set(vary) != set(record["vary"]) else []
    other += ["at_once"] if at_once not in (None, record["at_once"]) else []
    if other:
        raise ConfigError(
            f"The search was begun with other values of {', '.join(other)}; its trials can be "
            f"compared with those of the same settings alone: give these, or only --trials, with "
            f"--resume."
        )


def write_record(out: Path, config: TrainConfig, record: Mapping[str, Any]) -> None:
    """Write `trials.csv`, `best.yaml` for training, and last the record itself."""
    search = Search(out, record["score"], tuple(Trial(**trial) for trial in record["trials"]))
    vary = record["vary"]
    rows = [
        [t.number, t.score, t.seconds, *(t.values[name] for name in vary), t.failure]
        for t in search.trials
    ]
    headings = ["trial", search.score, "seconds", *vary, "failure"]
    write_table(out / "trials.csv", headings, rows)
    if search.trials and search.best.score is not None:
        settings = dump_yaml(with_values(config, search.best.values))
        note = (
            f"# Trial {search.best.number} of {len(search.trials)}: {search.score} "
            f"{search.best.score:.4f} on validation images.\n"
        )
        write_text(search.best_plan, note + settings)
    write_text(out / SEARCH_FILE, json.dumps(record, indent=2) + "\n")
