"""What is asked about splits, with the lines of data.yaml that settle it."""

from collections.abc import Iterable, Mapping, Sequence
from glob import escape
from pathlib import Path

from maskwright.data.readers.splits.split_contents import SplitList
from maskwright.data.samples import (
    USUAL_SPLITS,
    Doubt,
    Sample,
    counted,
    examples,
    first_few,
    grouped,
    join_words,
    yaml_line,
)

SPLIT_DOUBTS = frozenset(
    {
        *("unstated_split", "split_names", "split_folds", "splits_overlap", "unlisted"),
        *("splits_unread", "splits_differ"),
    }
)
"""Codes of doubts that `splits` in data.yaml settles."""

_DROP = "`splits: {}` to use none of them: splits are drawn then"
_ORDER = ("trainval", *USUAL_SPLITS)
_MOST_WAYS = 3  # of dividing the images that are offered
_MOST_PATTERNS = 4  # of folders that a line names


def _name(each: SplitList, root: Path) -> str:
    return each.path.relative_to(root).as_posix()


def stating(lists: Iterable[SplitList], root: Path) -> str:
    """Line of data.yaml that states lists, in the order in which the last one counts."""
    in_order = sorted(lists, key=lambda each: _ORDER.index(each.split))
    by_split = grouped(in_order, lambda each: each.split)
    files = {s: [*dict.fromkeys(_name(e, root) for e in those)] for s, those in by_split.items()}
    one = {split: names[0] if len(names) == 1 else names for split, names in files.items()}
    rest = {} if {"train", "trainval"} & one.keys() else {"train": ["*"]}
    return yaml_line("splits", {**rest, **one})


def doubt_names(
    odd: Sequence[tuple[SplitList, list[str]]], lists: Sequence[SplitList], root: Path
) -> Doubt:
    """Doubt about names that fit no sample."""
    parts = [
        f"{counted(len(missing), 'name')} of {len(set(each.names)):,} in {_name(each, root)} "
        f"({examples(missing)})"
        for each, missing in odd
    ]
    useless = [each for each, missing in odd if len(missing) == len(set(each.names))]
    fitting = [each for each in lists if each not in useless]
    use = f"{stating(fitting, root)} into data.yaml to use what fits, or " if fitting else ""
    return Doubt(
        "split_names",
        f"{'; '.join(parts)} fit no image with a mask, though the file divides the images into "
        f"splits.",
        f"Correct the names; or write {use}{_DROP}.",
    )


def doubt_unlisted(
    unlisted: Sequence[Sample], total: int, lists: Sequence[SplitList], root: Path
) -> Doubt:
    """Doubt about images in no list."""
    trains = any(each.split in {"train", "trainval"} for each in lists)
    purpose = "leave them out" if trains else "train on them"
    return Doubt(
        "unlisted",
        f"{counted(len(unlisted), 'image')} of {total:,} are in no split list, such as "
        f"{unlisted[0].image.name}.",
        f"Add them to the lists; or write {stating(lists, root)} into data.yaml to {purpose}, or "
        f"{_DROP}.",
    )


def doubt_several_divisions(ways: Sequence[Sequence[SplitList]], root: Path) -> Doubt:
    """Doubt about divisions that differ, as those of cross-validation."""
    files = {id(way): {each.path for each in way} for way in ways}
    # A JSON file with several divisions has no line for one of them.
    alone = [way for way in ways if sum(bool(files[id(way)] & f) for f in files.values()) == 1]
    lines = [stating(way, root) for way in alone[:_MOST_WAYS]]
    use = f"{join_words(lines, ' or ')} into data.yaml for one of them, or " if lines else ""
    names = dict.fromkeys(_name(each, root) for way in ways for each in way)
    return Doubt(
        "split_folds",
        f"The images are divided in {len(ways)} ways, as for cross-validation or by lists that "
        f"differ: {examples(names)}.",
        f"Write {use}{_DROP}.",
    )


def doubt_overlap(text: str, lists: Sequence[SplitList], root: Path) -> Doubt:
    """Doubt about images in the lists of two splits."""
    return Doubt(
        "splits_overlap",
        f"{text}: nobody knows in which of them they are meant.",
        f"Correct the lists; or write {stating(lists, root)} into data.yaml to put what is in "
        f"several into the last of them, or {_DROP}.",
    )


def doubt_unread(unread: Sequence[SplitList], root: Path) -> Doubt:
    """Doubt about files that seem to state splits in a way that is not read."""
    reasons = dict.fromkeys(f"{_name(each, root)} ({each.unread})" for each in unread)
    return Doubt(
        "splits_unread",
        f"What seems to divide the images cannot be used: {examples(reasons)}.",
        "Write train, val or test of each image into a column `split` of a CSV file, or the names "
        "of each split into `train.txt`, `val.txt` and `test.txt`; or write `splits: {}` into "
        "data.yaml for splits that are drawn.",
    )


def doubt_differ(
    moved: Sequence[Sample], total: int, samples: Sequence[Sample], lists: str, root: Path
) -> Doubt:
    """Doubt about folders and lists that state other splits; `lists` is the line for the latter."""
    patterns = _patterns(samples, root)
    use = f", {yaml_line('splits', patterns)} for the folders" if patterns else ""
    return Doubt(
        "splits_differ",
        f"{counted(len(moved), 'image')} of {total:,}, such as {moved[0].image.name}, are in "
        f"another split by lists than by their folders or annotations.",
        f"Write {lists} into data.yaml for the lists{use}, or {_DROP}.",
    )


def _patterns(samples: Sequence[Sample], root: Path) -> Mapping[str, Sequence[str]]:
    """Few patterns of folders by split; none where they do not tell splits apart."""
    if not all(sample.image.is_relative_to(root) for sample in samples):
        return {}
    for parts in (slice(0, 1), slice(0, -1)):
        folders = {s.id: "/".join(s.image.relative_to(root).parts[parts]) for s in samples}
        by_split = grouped(samples, lambda s: s.split or "")
        above = {split: {folders[s.id] for s in those} for split, those in by_split.items()}
        apart = sum(map(len, above.values())) == len(set(folders.values()))
        if apart and max(map(len, above.values())) <= _MOST_PATTERNS:
            return {
                split: [f"{escape(name)}/*" for name in sorted(names)]
                for split, names in above.items()
            }
    return {}


def doubt_unstated(samples: Sequence[Sample], root: Path) -> Doubt:
    """Doubt about images in no split beside others that are in one."""
    # What is in no split is named by its folder: a split of another name is not trained on.
    folders = grouped(samples, lambda s: s.split or s.image.relative_to(root).parts[0])
    patterns = {
        split: sorted({f"{escape(_folder(s, root))}/*" for s in members})
        for split, members in folders.items()
    }
    names = sorted({_folder(s, root) for s in samples if s.split is None})
    return Doubt(
        "unstated_split",
        f"{sum(s.split is None for s in samples)} images in {first_few(names, 4)} are in no "
        f"split, while others are in {first_few(sorted({s.split for s in samples if s.split}), 4)}"
        f": to be trained on, or not.",
        f"State the splits in data.yaml, such as {yaml_line('splits', patterns)}, with train, val "
        f"or test for what is to be used as such; what is in none is skipped.",
    )


def _folder(sample: Sample, root: Path) -> str:
    return sample.image.parent.relative_to(root).as_posix()
