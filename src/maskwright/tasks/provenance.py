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
    divisions = [division_of(folder) for folder in folders]
    learned: set[str] = set()
    while divisions:
        undivided = {**divisions[0], "fold": None}
        alike = [d for d in divisions if {**d, "fold": None} == undivided]
        divisions = [d for d in divisions if d not in alike]
        folds = {d["fold"] and tuple(d["fold"]) for d in alike}
        opened, splits = [{**undivided, "fold": fold} for fold in folds], {"train"}
        if len(folds) > 1 and None not in folds and len({count for _, count in folds}) == 1:
            # What one fold holds out, every other of the same folds has learned from.
            opened, splits = [undivided], {"train", "val"}
        for division in opened:
            samples = open_dataset(data, **division).samples
            learned |= {sample.id for sample in samples if sample.split in splits}
    return frozenset(learned)
