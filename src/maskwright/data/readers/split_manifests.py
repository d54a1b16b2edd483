"""Manifests of one split each: `train.csv` and `val.csv` with images and masks."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from maskwright.data.readers.base import Layout, Place, Reader, Recognition
from maskwright.data.readers.description import Description
from maskwright.data.readers.manifest import MANIFEST_NAME, read_manifest
from maskwright.data.readers.splits.split_words import short_words_count, split_of, words_on_splits
from maskwright.data.readers.tables import read_rows
from maskwright.data.samples import first_few, unique_ids
from maskwright.errors import DataError


def _recognize(place: Place) -> Recognition | None:
    stated = place.description or Description()
    if stated.images or stated.masks or stated.manifest or not place.path.is_dir():
        return None
    parts = {} if (place.path / MANIFEST_NAME).is_file() else _by_split(place.path)
    if not parts:
        return None
    names = first_few([file.name for file in parts.values()], 3)
    return Recognition(1.0, names, lambda: _read_parts(parts))


SPLIT_MANIFESTS = Reader("manifests of splits", "a folder of CSV manifests", _recognize)


def _by_split(folder: Path) -> dict[str, Path]:
    """Manifests of a folder by the split that their names state, such as `train.csv`, `val.csv`."""
    if not folder.is_dir():
        return {}
    tables = [path for path in sorted(folder.iterdir()) if path.suffix.lower() == ".csv"]
    short = short_words_count(path.stem for path in tables)
    parts: dict[str, Path] = {}
    for path in tables:
        words = [word for word, _ in words_on_splits(path.stem)]
        split = split_of(words[0] if len(words) == 1 else path.stem, short)
        with suppress(DataError):
            if split is not None and {"image", "mask"} <= set(read_rows(path)[0]):
                parts.setdefault(split, path)
    return parts if len(parts) > 1 else {}


def _read_parts(parts: Mapping[str, Path]) -> Layout:
    """Samples of several manifests, each of one split."""
    layouts = {split: read_manifest(path) for split, path in parts.items()}
    samples = [
        replace(sample, split=split)
        for split, layout in layouts.items()
        for sample in layout.samples
    ]
    ids = unique_ids([(s.split or "", s.image.parent.name, s.image.stem) for s in samples])
    result, *others = layouts.values()
    facts = [row for layout in layouts.values() for row in layout.facts.values()]
    result.samples = [
        replace(s, id=id_, case=id_ if s.case == s.id else s.case)
        for s, id_ in zip(samples, ids, strict=True)
    ]
    result.name = f"manifests {', '.join(path.name for path in parts.values())}"
    result.facts = dict(zip(ids, facts, strict=True))
    result.doubts = [doubt for doubt in result.doubts if doubt.code != "unstated_split"]
    for other in others:
        result.skipped += other.skipped
        result.objects |= other.objects
    return result
