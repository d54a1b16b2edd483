"""Which images a run has learned from, and how it divides a data set."""

from pathlib import Path
from typing import Any

from maskwright.config import TrainConfig, read_config
from maskwright.data import open_dataset
from maskwright.errors import ConfigError
from maskwright.export.artifact import is_artifact
from maskwright.export.ensemble import is_ensemble, read_members
from maskwright.model_card import CARD_FILE, SemanticCard


def require_out(run: str | Path, out: str | Path | None) -> None:
    """Raise `ConfigError` where results would go into an exported model, which they would spoil."""
    if out is None and is_artifact(Path(run)):
        raise ConfigError(
            f"{run} is an exported model, into which nothing is written; name a folder for the "
            f"results with -o, and mind that an exported model does not say what it learned from."
        )


def division_of(run: Path) -> dict[str, Any]:
    """Arguments of `open_dataset` that divide data as for a run, or as usual without a plan."""
    plan = run / "plan.yaml"
    return read_config(plan if plan.exists() else None, {}, TrainConfig).division()


def learned_ids(run: Path, data: str | Path) -> frozenset[str]:
    """Ids of the samples of a data set that a run, or any member of an ensemble, trains on."""
    folders = read_members(run, SemanticCard.read(run / CARD_FILE)) if is_ensemble(run) else [run]
    divisions: list[dict[str, Any]] = []
    for folder in folders:
        division = division_of(folder)
        if division not in divisions:
            divisions.append(division)
    learned: set[str] = set()
    while divisions:
        first = divisions[0]
        alike = [d for d in divisions if {**d, "fold": None} == {**first, "fold": None}]
        divisions = [d for d in divisions if d not in alike]
        counts = {d["fold"][1] for d in alike if d["fold"]}
        if len(alike) > 1 and len(counts) == 1 and all(d["fold"] for d in alike):
            # What one fold holds out, every other of the same folds has learned from.
            dataset, splits = open_dataset(data, **{**first, "fold": None}), {"train", "val"}
            learned |= {sample.id for sample in dataset.samples if sample.split in splits}
            continue
        for division in alike:
            dataset = open_dataset(data, **division)
            learned |= {sample.id for sample in dataset.samples if sample.split == "train"}
    return frozenset(learned)
