"""The record, beside a model, of the images that it learned from and was selected by."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from maskwright.data.dataset import DataSet
from maskwright.data.parallel import in_threads
from maskwright.errors import ModelError
from maskwright.imageio import write_text
from maskwright.model_card import LEARNED_FILE

_SPLITS = ("train", "val")


@dataclass(frozen=True)
class LearnedImages:
    """Hashes, as `DataSet.content_hash` gives them, of images that models have seen.

    `train` are those that a model learned from, `val` those that its weights, thresholds or
    temperature were selected by.
    """

    train: frozenset[str] = frozenset()
    val: frozenset[str] = frozenset()

    def seen(self, split: str) -> frozenset[str]:
        """Images that do not belong into the scores of a split: all but those it is made of."""
        return {"train": frozenset[str](), "val": self.train}.get(split, self.train | self.val)

    @classmethod
    def read(cls, folders: Iterable[Path]) -> Self:
        """Images of all models in some folders; `ModelError` where a record cannot be read."""
        recorded: dict[str, set[str]] = {split: set() for split in _SPLITS}
        for folder in folders:
            for split, hashes in _read(folder).items():
                recorded[split] |= set(hashes)
        return cls(*(frozenset(recorded[split]) for split in _SPLITS))


def write_learned(folder: Path, dataset: DataSet) -> None:
    """Record the images of a data set in the folder of a run: hashes by split and by id."""
    samples = [sample for sample in dataset.samples if sample.split in _SPLITS]
    hashes = list(in_threads(dataset.content_hash, samples, "Recording images"))
    recorded = [(s, h) for s, h in zip(samples, hashes, strict=True) if h is not None]
    record = {split: {s.id: h for s, h in recorded if s.split == split} for split in _SPLITS}
    write_text(folder / LEARNED_FILE, json.dumps(record, indent=1) + "\n")


def export_learned(run: Path, folder: Path) -> None:
    """Write the record of a run for an exported model: hashes alone, no names of images."""
    if (run / LEARNED_FILE).is_file():
        record = {split: sorted(hashes) for split, hashes in _read(run).items()}
        write_text(folder / LEARNED_FILE, json.dumps(record) + "\n")


def _read(folder: Path) -> dict[str, list[str]]:
    """Hashes of each split."""
    path = folder / LEARNED_FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        recorded = {s: [*(v.values() if isinstance(v, dict) else v)] for s, v in record.items()}
        if recorded.keys() != set(_SPLITS) or not all(
            isinstance(each, str) for hashes in recorded.values() for each in hashes
        ):
            raise ValueError("other keys or values than expected")
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        known = isinstance(error, OSError | ValueError)
        reason = error if known else "other values than expected"
        raise ModelError(
            f"{path} is no record of training images ({reason}); copy or export the model again."
        ) from None
    return recorded
