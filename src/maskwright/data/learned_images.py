"""The record, beside a model, of the images that it learned from and was selected by."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Self

from maskwright.data.cases.fingerprints import VERSION, shows_known
from maskwright.data.cases.known import KnownImages
from maskwright.data.dataset import DataSet
from maskwright.data.parallel import in_threads
from maskwright.errors import ModelError
from maskwright.imageio import write_text
from maskwright.model_card import LEARNED_FILE

_SPLITS = ("train", "val")
_GROUPS = ("copies", "videos")
_PRINTS = "fingerprints"


@dataclass(frozen=True)
class LearnedImages:
    """Hashes, as `DataSet.content_hash` gives them, of images that models have seen.

    `train` are those that a model learned from, `val` those that its weights, thresholds or
    temperature were selected by. Of all images of their data, `copies` and `videos` are groups
    that belong together, as in `KnownImages`. `fingerprints` are those of `train`, by which copies
    are known that were saved again; older records have none.
    """

    train: frozenset[str] = frozenset()
    val: frozenset[str] = frozenset()
    copies: tuple[frozenset[str], ...] = ()
    videos: tuple[frozenset[str], ...] = ()
    fingerprints: frozenset[str] = frozenset()

    def known(self, split: str) -> KnownImages:
        """What is recorded, as it concerns the scores of a split.

        No image belongs into these that a model has seen, but for those that the split is made of.
        """
        learned = {"train": frozenset[str](), "val": self.train}.get(split, self.train | self.val)
        return KnownImages(learned, self.copies, self.videos)

    @classmethod
    def read(cls, folders: Iterable[Path]) -> Self:
        """Images of all models in some folders; `ModelError` where a record cannot be read."""
        records = [_read(folder) for folder in folders]

        def joined(key: str) -> Iterable[Any]:
            return chain.from_iterable(record[key] for record in records)

        copies, videos = (tuple(dict.fromkeys(map(frozenset, joined(key)))) for key in _GROUPS)
        sets = (frozenset(joined(key)) for key in (*_SPLITS, _PRINTS))
        train, val, fingerprints = sets
        return cls(train, val, copies, videos, fingerprints)


def write_learned(folder: Path, dataset: DataSet, earlier: str | Path | None = None) -> None:
    """Record the images of a data set in the folder of a run: hashes by split and by id.

    With the hashes of copies and frames of videos, whatever their split; and with all that is
    recorded in the folder of an `earlier` run, whose weights it starts from.
    """
    samples = [sample for sample in dataset.samples if sample.split in _SPLITS]
    hashes = list(in_threads(dataset.content_hash, samples, "Recording images"))
    recorded = [(s, h) for s, h in zip(samples, hashes, strict=True) if h is not None]
    record: dict[str, Any] = {
        split: {s.id: h for s, h in recorded if s.split == split} for split in _SPLITS
    }
    record |= {key: [sorted(group) for group in getattr(dataset.known, key)] for key in _GROUPS}
    prints = [dataset.hashes.fingerprints.get(s.image) for s in samples if s.split == "train"]
    if earlier is not None and (Path(earlier) / LEARNED_FILE).is_file():
        known = LearnedImages.read([Path(earlier)])
        for split in _SPLITS:
            hashes = sorted(getattr(known, split))
            record[split] |= {f"{Path(earlier).name} {n}": h for n, h in enumerate(hashes, 1)}
        for key in _GROUPS:
            record[key] += [sorted(group) for group in getattr(known, key)]
        prints += known.fingerprints
    record[_PRINTS] = _versioned(each for each in prints if each is not None)
    write_text(folder / LEARNED_FILE, json.dumps(record, indent=1) + "\n")


def _versioned(prints: Iterable[str]) -> dict[str, Any]:
    return {"version": VERSION, "train": sorted(set(prints))}


def export_learned(run: Path, folder: Path) -> None:
    """Write the record of a run for an exported model: hashes alone, no names of images."""
    if (run / LEARNED_FILE).is_file():
        record: dict[str, Any] = {key: sorted(hashes) for key, hashes in _read(run).items()}
        record[_PRINTS] = _versioned(record[_PRINTS])
        write_text(folder / LEARNED_FILE, json.dumps(record) + "\n")


def _read(folder: Path) -> dict[str, Any]:
    """Hashes of each split, and groups of them."""
    path = folder / LEARNED_FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        groups = {key: record.pop(key, []) for key in _GROUPS}
        stated = record.pop(_PRINTS, {"version": None})
        prints = stated["train"] if stated["version"] == VERSION else []
        shows_known([], prints)  # raises where they are none
        recorded = {s: [*(v.values() if isinstance(v, dict) else v)] for s, v in record.items()}
        if recorded.keys() != set(_SPLITS) or not all(
            isinstance(each, str)
            for hashes in (*recorded.values(), *chain(*groups.values()))
            for each in hashes
        ):
            raise ValueError("other keys or values than expected")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        known = isinstance(error, OSError | ValueError)
        reason = error if known else "other values than expected"
        raise ModelError(
            f"{path} is no record of training images ({reason}); copy or export the model again."
        ) from None
    return {**recorded, **groups, _PRINTS: prints}
