"""Splits of samples by files beside them, by their names, and as a data.yaml states them."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from maskwright.data.readers.base import Layout
from maskwright.data.readers.splits.sample_index import SampleIndex
from maskwright.data.readers.splits.split_contents import LISTS, SplitList
from maskwright.data.readers.splits.split_doubts import (
    doubt_differ,
    doubt_names,
    doubt_overlap,
    doubt_several_divisions,
    doubt_unlisted,
    doubt_unread,
    doubt_unstated,
    stating,
)
from maskwright.data.readers.splits.split_lists import find_lists, read_list
from maskwright.data.readers.splits.split_words import split_of, splits_of_stems
from maskwright.data.samples import USUAL_SPLITS, SkippedFile, counted, examples, grouped
from maskwright.errors import DataError

_MOST_ODD = 0.1  # share of names that may fit no sample, or be in another list


@dataclass
class _Matched:
    """A list, the ids that it names with the folder or case of each, and names that fit none."""

    source: SplitList
    ids: dict[str, str]
    missing: list[str]


def divide(root: Path, layout: Layout) -> None:
    """Give samples the splits of files below `root`, else of the names of their images.

    Splits that folders or annotations state stay where they are two or more; those of lists that
    differ are a doubt then. A single one, such as that of `train_images/`, gives way to lists.
    """
    stated = {sample.split for sample in layout.samples}
    settled = None not in stated and len(stated) > 1
    if (_compare if settled else _split_by_lists)(root, layout) or settled:
        return
    if None not in stated or any(doubt.code == "unstated_split" for doubt in layout.doubts):
        return
    if stated != {None}:
        layout.doubts.append(doubt_unstated(layout.samples, root))
    elif splits := splits_of_stems(sample.image.stem for sample in layout.samples):
        pairs = zip(layout.samples, splits, strict=True)
        layout.samples = [replace(sample, split=split) for sample, split in pairs]
        text = "The splits are those that the names of the images begin or end with."
        layout.note("splits", text)


def _split_by_lists(root: Path, layout: Layout) -> bool:
    """Give samples the splits of `trainval.txt`, `test.csv`, `split.json` and the like.

    They lie anywhere below `root`. A line holds an id, a file name, a path or a folder, and may
    have further columns. `trainval.txt` stands for training where `train.txt` and `val.txt` say no
    more. What is in two lists goes to test before validation before training, so that no score is
    better than it should be. Lists whose names fit no sample, or that contradict each other, are a
    doubt. Returns whether there are lists.
    """
    stated = {sample.split for sample in layout.samples}
    maskless = grouped(layout.maskless, lambda sample: sample.split in {*stated, None})
    index = SampleIndex(root, [*layout.samples, *maskless.get(True, [])])
    others = SampleIndex(root, maskless.get(False, []))  # as published tests, whose names may recur
    lists = find_lists(root, index)
    if unread := [each for each in lists if each.unread]:
        layout.doubts.append(doubt_unread(unread, root))
        return True
    folds = grouped((each for each in lists if each.fold), lambda each: each.fold)
    if len(folds) > 1:
        layout.doubts.append(doubt_several_divisions([*folds.values()], root))
        return True
    matched = list(_match(lists, index, others))
    used = [each for each in matched if each.ids]
    division, doubles = _division(used)
    unlisted = [sample for sample in layout.samples if sample.id not in division]
    odd = [m for m in matched if len(m.missing) > _MOST_ODD * len(set(m.source.names))]
    trained = not unlisted and set(division.values()) <= {"train"}
    if trained and (not odd or stated == {"train"}):
        return False
    if odd:
        layout.doubts.append(doubt_names([(m.source, m.missing) for m in odd], lists, root))
    if not used:
        return bool(lists)
    lists = [each.source for each in used]
    names = {m.source.path.relative_to(root).as_posix(): m for m in used}
    layout.note("splits", f"The splits are those of {', '.join(names)}.")
    if len(unlisted) > _MOST_ODD * len(layout.samples):
        layout.doubts.append(doubt_unlisted(unlisted, len(layout.samples), lists, root))
    layout.doubts = [doubt for doubt in layout.doubts if doubt.code != "unstated_split"]
    layout.split(division, "in no split list")
    for each in used:
        name = each.source.path.relative_to(root).as_posix()
        reason = f"named in {name}, but there is no such image with a mask"
        layout.skipped += [SkippedFile(root / line, reason) for line in each.missing]
    _take_cases(layout, {id_: case for m in used for id_, case in m.ids.items() if case})
    _tell_doubles(used, doubles, len(division), layout, root)
    return True


def _match(
    lists: Sequence[SplitList], index: SampleIndex, others: SampleIndex
) -> Iterator[_Matched]:
    """Lists with what they name; names of `others` are not missing."""
    for each in lists:
        found = {line: index.find(line) for line in each.names}
        ids = {id_: folder for those, folder in found.values() for id_ in those}
        missing = [line for line, (those, _) in found.items() if not those]
        yield _Matched(each, ids, [line for line in missing if not others.fits(line)])


def _division(matched: Sequence[_Matched]) -> tuple[dict[str, str], list[str]]:
    """Split of each id, and the ids in the lists of two splits.

    What is named more finely elsewhere is taken from there; a test list contradicts `trainval`.
    """
    stated: dict[str, dict[str, None]] = {}
    for each in matched:
        stated.setdefault(each.source.split, {}).update(dict.fromkeys(each.ids))
    coarse = stated.pop("trainval", {})
    doubles = [id_ for id_ in coarse if id_ in stated.get("test", {})]
    fine = {id_ for ids in stated.values() for id_ in ids}
    division = dict.fromkeys(coarse.keys() - fine, "train")
    for split in [split for split in USUAL_SPLITS if split in stated]:
        doubles += [id_ for id_ in stated[split] if division.get(id_, split) != split]
        division |= dict.fromkeys(stated[split], split)
    return division, doubles


def _tell_doubles(
    used: Sequence[_Matched], doubles: Sequence[str], total: int, layout: Layout, root: Path
) -> None:
    """Tell of samples in the lists of two splits, as a doubt where they are many."""
    if not doubles:
        return
    lists = [each.source for each in used]
    ways = [*grouped(used, lambda each: each.source.division).values()]
    text = f"{len(doubles):,} samples are in the lists of two splits ({examples(doubles)})"
    if len(doubles) <= _MOST_ODD * total:
        text += "; they count for test before calibration before validation before training."
        layout.note("splits_overlap", text)
    elif any(len(_division(way)[1]) > _MOST_ODD * total for way in ways):
        layout.doubts.append(doubt_overlap(text, lists, root))
    else:
        layout.doubts.append(
            doubt_several_divisions([[each.source for each in way] for way in ways], root)
        )


def _compare(root: Path, layout: Layout) -> bool:
    """Compare splits that are stated otherwise with those of lists that fit.

    Lists that set a part of the training samples aside for validation are followed.
    """
    index = SampleIndex(root, layout.samples)
    used = [m for m in _match(find_lists(root, index), index, index) if m.ids and not m.source.fold]
    division, _ = _division([m for m in used if m.source.split != "trainval"])
    moved = [s for s in layout.samples if division.get(s.id, s.split) != s.split]
    if {(s.split, division[s.id]) for s in moved} == {("train", "val")}:
        layout.samples = [replace(s, split=division.get(s.id, s.split)) for s in layout.samples]
        text = f"{counted(len(moved), 'image')} are for validation by lists beside the images."
        layout.note("splits", text)
    elif len(moved) > _MOST_ODD * len(layout.samples):
        line = stating([each.source for each in used], root)
        total = len(layout.samples)
        layout.doubts.append(doubt_differ(moved, total, layout.samples, line, root))
    return bool(moved)


def _take_cases(layout: Layout, cases: Mapping[str, str]) -> None:
    """Folders that lists name, as those of videos, are cases, and no labels of images."""
    if not cases:
        return
    layout.notes = [note for note in layout.notes if note.code != "labels"]
    for samples in (layout.samples, layout.maskless):
        samples[:] = [
            replace(s, case=cases[s.id], label=None) if s.id in cases and s.case == s.id else s
            for s in samples
        ]


def split_as_stated(root: Path, layout: Layout, splits: Mapping[str, str | Sequence[str]]) -> None:
    """Give samples the splits that a description states.

    `splits` holds for each split the file of its names, or names, files of names, and patterns such
    as `img_1*` of ids or of paths from `root`; it takes all splits away where it is empty. What
    fits several splits goes to the last of them. `DataError` if a file is missing, or holds no name
    of a sample, or a name that is stated here fits none.
    """
    samples = [*layout.samples, *layout.maskless]
    if not splits:
        layout.samples = [replace(sample, split=None) for sample in layout.samples]
        layout.maskless = [replace(sample, split=None) for sample in layout.maskless]
        return
    index = SampleIndex(root, samples)
    texts_of = {s.id: (s.id, os.path.relpath(s.image, root).replace(os.sep, "/")) for s in samples}
    division: dict[str, str] = {}
    for split, names in splits.items():
        for name in [names] if isinstance(names, str) else names:
            is_file = isinstance(names, str) or Path(name).suffix.lower() in LISTS
            if is_file and not (root / name).is_file():
                raise DataError(f"data.yaml names the list {name}, but {root / name} is no file.")
            lines = read_list(root / name, split, index) if is_file else [name]
            found = {line: index.find(line)[0] for line in lines}
            if not is_file and not found[name]:
                fits = [
                    i for i, t in texts_of.items() if any(fnmatchcase(each, name) for each in t)
                ]
                found[name] = fits
            missing = [line for line, ids in found.items() if not ids]
            if missing and len(missing) == len(found):
                raise DataError(
                    f"data.yaml puts {missing[0]!r} into the split {split}, but {root} has no such "
                    f"sample with a mask."
                )
            reason = f"named in {name}, but there is no such image with a mask"
            layout.skipped += [SkippedFile(root / line, reason) for line in missing]
            ids = [id_ for those in found.values() for id_ in those]
            division |= dict.fromkeys(ids, split_of(split, short=True) or split)
    layout.split(division, "in no split of data.yaml")
