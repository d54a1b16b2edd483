"""Splits of samples by the lists beside them, and as a data.yaml states them."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from maskwright.data.readers.base import Layout
from maskwright.data.readers.splits.sample_index import SampleIndex
from maskwright.data.readers.splits.split_lists import SplitList, find_lists, read_list
from maskwright.data.readers.splits.split_words import split_of
from maskwright.data.samples import (
    Doubt,
    Sample,
    SkippedFile,
    counted,
    examples,
    grouped,
    yaml_line,
)
from maskwright.errors import DataError

SPLIT_DOUBTS = frozenset(
    {"unstated_split", "split_names", "split_folds", "splits_overlap", "unlisted"}
)
"""Codes of doubts that `splits` in data.yaml settles."""

_MOST_ODD = 0.1  # share of the names of a list that may fit no sample, or be in another list
_DROP = "`splits: {}` to use none of them: splits are drawn then"


def split_by_lists(root: Path, layout: Layout, tables: bool = True) -> bool:
    """Give samples the splits of `trainval.txt`, `test.csv`, `split.json` and the like.

    They lie anywhere below `root`. A line holds an id, a file name, a path or a folder, and may
    have further columns. `trainval.txt` stands for training where `train.txt` and `val.txt` say no
    more. What is in two lists goes to test before validation before training, so that no score is
    better than it should be. Lists whose names fit no sample, or that contradict each other, are a
    doubt. `tables` tells whether CSV files count. Returns whether there are lists.
    """
    index = SampleIndex(root, [*layout.samples, *layout.maskless])
    lists = find_lists(root, index.fits, tables)
    if not lists:
        return False
    folds = grouped((each for each in lists if each.fold), lambda each: each.fold)
    if len(folds) > 1:
        layout.doubts.append(_doubt_folds(folds, root))
        return True
    stated: dict[str, dict[str, None]] = {}
    skipped: list[SkippedFile] = []
    used: dict[str, None] = {}
    odd: list[tuple[SplitList, list[str]]] = []
    cases: dict[str, str] = {}
    for each in lists:
        name = each.path.relative_to(root).as_posix()
        matches = {line: index.find(line) for line in each.names}
        missing = [line for line, (ids, _) in matches.items() if not ids]
        if len(missing) > _MOST_ODD * len(matches):
            odd.append((each, missing))
        if len(missing) == len(matches):
            continue
        used[name] = None
        reason = f"named in {name}, but there is no such image with a mask"
        skipped += [SkippedFile(root / line, reason) for line in missing]
        for ids, folder in matches.values():
            stated.setdefault(each.split, {}).update(dict.fromkeys(ids))
            cases |= dict.fromkeys(ids, folder) if folder else {}
    if odd:
        layout.doubts.append(_doubt_names(odd, lists, root))
    if not used:
        return True
    # What is named more finely elsewhere is taken from there; a test list contradicts `trainval`.
    coarse = stated.pop("trainval", {})
    doubles = [id_ for id_ in coarse if id_ in stated.get("test", {})]
    division = dict.fromkeys(
        coarse.keys() - {id_ for ids in stated.values() for id_ in ids}, "train"
    )
    for split in [split for split in ("train", "val", "test") if split in stated]:
        doubles += [id_ for id_ in stated[split] if division.get(id_, split) != split]
        division |= dict.fromkeys(stated[split], split)
    layout.note("splits", f"The splits are those of {', '.join(used)}.")
    unlisted = [sample for sample in layout.samples if sample.id not in division]
    if len(unlisted) > _MOST_ODD * len(layout.samples):
        layout.doubts.append(_doubt_unlisted(unlisted, len(layout.samples), lists, root))
    layout.split(division, "in no split list")
    layout.skipped += skipped
    _take_cases(layout, cases)
    if doubles:
        text = f"{len(doubles):,} samples are in the lists of two splits ({examples(doubles)})"
        if len(doubles) > _MOST_ODD * len(division):
            layout.doubts.append(_doubt_overlap(text, lists, root))
        else:
            text += "; they count for test before validation before training."
            layout.note("splits_overlap", text)
    return True


def _take_cases(layout: Layout, cases: Mapping[str, str]) -> None:
    """Folders that lists name, as those of videos, are cases, and no labels of images."""
    if not cases:
        return
    for samples in (layout.samples, layout.maskless):
        samples[:] = [
            replace(s, case=cases[s.id], label=None) if s.id in cases and s.case == s.id else s
            for s in samples
        ]


def _stating(lists: Sequence[SplitList], root: Path) -> str:
    """Line of data.yaml that states lists."""
    files = {each.split: each.path.relative_to(root).as_posix() for each in lists}
    return yaml_line("splits", files)


def _doubt_names(
    odd: Sequence[tuple[SplitList, list[str]]], lists: Sequence[SplitList], root: Path
) -> Doubt:
    parts = [
        f"{counted(len(missing), 'name')} of {len(set(each.names)):,} in "
        f"{each.path.relative_to(root).as_posix()} ({examples(missing)})"
        for each, missing in odd
    ]
    useless = [each for each, missing in odd if len(missing) == len(set(each.names))]
    fitting = [each for each in lists if each not in useless]
    use = f"{_stating(fitting, root)} into data.yaml to use what fits, or " if fitting else ""
    return Doubt(
        "split_names",
        f"{'; '.join(parts)} fit no image with a mask, though the file divides the images into "
        f"splits.",
        f"Correct the names; or write {use}{_DROP}.",
    )


def _doubt_unlisted(
    unlisted: Sequence[Sample], total: int, lists: Sequence[SplitList], root: Path
) -> Doubt:
    return Doubt(
        "unlisted",
        f"{counted(len(unlisted), 'image')} of {total:,} are in no split list, such as "
        f"{unlisted[0].image.name}.",
        f"Add them to the lists; or write {_stating(lists, root)} into data.yaml to leave "
        f"them out, or {_DROP}.",
    )


def _doubt_folds(folds: Mapping[str, Sequence[SplitList]], root: Path) -> Doubt:
    first = next(iter(folds.values()))
    names = [each.path.relative_to(root).as_posix() for those in folds.values() for each in those]
    several = len({each.path for each in first}) > 1 or first[0].path.suffix.lower() == ".txt"
    line = f"{_stating(first, root)} into data.yaml for one of them, or " if several else ""
    return Doubt(
        "split_folds",
        f"The images are divided in {len(folds)} ways, as for cross-validation: "
        f"{examples(dict.fromkeys(names))}.",
        f"Write {line}{_DROP}.",
    )


def _doubt_overlap(text: str, lists: Sequence[SplitList], root: Path) -> Doubt:
    return Doubt(
        "splits_overlap",
        f"{text}: nobody knows in which of them they are meant.",
        f"Correct the lists; or write {_stating(lists, root)} into data.yaml to put what is in "
        f"several into the last of them, or {_DROP}.",
    )


def split_as_stated(root: Path, layout: Layout, splits: Mapping[str, str | Sequence[str]]) -> None:
    """Give samples the splits that a description states.

    `splits` holds for each split the file of its names, or names and patterns such as `img_1*` of
    ids or of paths from `root`; it takes all splits away where it is empty. What fits several
    splits goes to the last of them. `DataError` if a file is missing, or holds no name of a sample,
    or a name that is stated here fits none.
    """
    samples = [*layout.samples, *layout.maskless]
    if not splits:
        layout.samples = [replace(sample, split=None) for sample in layout.samples]
        layout.maskless = [replace(sample, split=None) for sample in layout.maskless]
        return
    index = SampleIndex(root, samples)
    names_of = {s.id: (s.id, os.path.relpath(s.image, root).replace(os.sep, "/")) for s in samples}
    division: dict[str, str] = {}
    for split, names in splits.items():
        if isinstance(names, str):
            if not (root / names).is_file():
                raise DataError(f"data.yaml names the list {names}, but {root / names} is no file.")
            lines = read_list(root / names, split, index.fits)
            ids_of = {line: index.find(line)[0] for line in lines}
            missing = [line for line, ids in ids_of.items() if not ids]
            if len(missing) < len(ids_of):
                reason = f"named in {names}, but there is no such image with a mask"
                layout.skipped += [SkippedFile(root / line, reason) for line in missing]
                missing = []
        else:
            ids_of = {
                name: index.find(name)[0]
                or [i for i, texts in names_of.items() if any(fnmatchcase(t, name) for t in texts)]
                for name in names
            }
            missing = [name for name, ids in ids_of.items() if not ids]
        if missing:
            raise DataError(
                f"data.yaml puts {missing[0]!r} into the split {split}, but {root} has no such "
                f"sample with a mask."
            )
        ids = [id_ for those in ids_of.values() for id_ in those]
        division |= dict.fromkeys(ids, split_of(split, short=True) or split)
    layout.split(division, "in no split of data.yaml")
