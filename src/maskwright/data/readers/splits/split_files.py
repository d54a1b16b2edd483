"""Split lists: text files and tables that name the samples of a split, one a line."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from maskwright.data.readers.base import Layout
from maskwright.data.readers.splits.split_words import SHORT_WORDS, SPLIT_WORDS, split_of
from maskwright.data.samples import Sample, SkippedFile
from maskwright.errors import DataError
from maskwright.imageio import IMAGE_SUFFIXES

_AROUND = "list|lists|ids|files|images|set|split|splits|names"
_NAME = re.compile(
    rf"(?:(?:{_AROUND})[_\-. ])?({'|'.join(sorted(SPLIT_WORDS, key=len, reverse=True))})(?:20\d\d)?"
    rf"(?:[_\-. ]?(?:{_AROUND}))?"
)
_LAST_COLUMN = re.compile(r"(?<=\S)[\s,;]+[^\s,;]*$")
_MAX_DEPTH = 4
_LIST_SUFFIXES = {".txt", ".csv", ".lst"}


def split_by_lists(root: Path, layout: Layout) -> bool:
    """Give samples the splits of `trainval.txt`, `test.csv` and the like anywhere below `root`.

    A line holds an id, a file name or a path, and may have further columns. `trainval.txt` stands
    for training where `train.txt` and `val.txt` say no more. What is in two lists goes to
    test before validation before training, so that no score is better than it should be.
    Returns whether there are such lists.
    """
    index = _index(root, [*layout.samples, *layout.maskless])
    lists: list[Path] = []
    skipped: list[SkippedFile] = []
    stated: dict[str, dict[str, None]] = {}
    for word, path in _find(root):
        ids, missing = _read(path, index)
        if ids:
            lists.append(path.relative_to(root))
            reason = f"named in {lists[-1]}, but there is no such image with a mask"
            skipped += [SkippedFile(root / name, reason) for name in missing]
            stated.setdefault(word, {}).update(dict.fromkeys(ids))
    if not lists:
        return False
    # What is named more finely elsewhere is taken from there; a test list contradicts `trainval`.
    coarse = stated.pop("trainval", {})
    doubles = [id_ for id_ in coarse if id_ in stated.get("test", {})]
    division = dict.fromkeys(
        coarse.keys() - {id_ for ids in stated.values() for id_ in ids}, "train"
    )
    for split in [split for split in ("train", "val", "test") if split in stated]:
        doubles += [id_ for id_ in stated[split] if division.get(id_, split) != split]
        division |= dict.fromkeys(stated[split], split)
    layout.note("splits", f"The splits are those of {', '.join(map(str, lists))}.")
    layout.split(division, "in no split list")
    layout.skipped += skipped
    if doubles:
        layout.note(
            "splits_overlap",
            f"{len(doubles)} samples are in the lists of two splits ({', '.join(doubles[:3])}, …); "
            f"they count for test before validation before training.",
        )
    return True


def split_as_stated(root: Path, layout: Layout, splits: Mapping[str, str | Sequence[str]]) -> None:
    """Give samples the splits that a description states.

    `splits` holds for each split the text file of its names, or names and patterns such as
    `img_1*` of ids or of paths from `root`. What fits several splits goes to the last of them.
    `DataError` if a file is missing, or a name fits no sample.
    """
    samples = [*layout.samples, *layout.maskless]
    index = _index(root, samples)
    names_of = {s.id: (s.id, os.path.relpath(s.image, root).replace(os.sep, "/")) for s in samples}
    division: dict[str, str] = {}
    for split, names in splits.items():
        if isinstance(names, str):
            if not (root / names).is_file():
                raise DataError(f"data.yaml names the list {names}, but {root / names} is no file.")
            ids, missing = _read(root / names, index)
        else:
            ids, missing = [], []
            for name in names:
                id_ = _look_up(name, index)
                fits = (
                    i for i, texts in names_of.items() if any(fnmatchcase(t, name) for t in texts)
                )
                matches = [id_] if id_ else list(fits)
                ids += matches
                missing += [] if matches else [name]
        if missing:
            raise DataError(
                f"data.yaml puts {missing[0]!r} into the split {split}, but {root} has no such "
                f"sample with a mask."
            )
        division |= dict.fromkeys(ids, split_of(split, short=True) or split)
    layout.split(division, "in no split of data.yaml")


def _find(root: Path) -> list[tuple[str, Path]]:
    """Lists below a folder, each with the split, or `trainval`, that its name states."""
    lists: list[tuple[str, Path]] = []
    short: list[tuple[str, Path]] = []

    def visit(folder: Path, depth: int) -> None:
        for entry in sorted(folder.iterdir()):
            suffix = entry.suffix.lower()
            if entry.name.startswith(".") or suffix in IMAGE_SUFFIXES:
                continue
            if suffix in _LIST_SUFFIXES:
                stem = entry.stem.casefold()
                if (match := _NAME.fullmatch(stem)) and entry.is_file():
                    word = match[1]
                    lists.append((word if word == "trainval" else SPLIT_WORDS[word], entry))
                elif stem in SHORT_WORDS:
                    short.append((SHORT_WORDS[stem], entry))
            elif depth < _MAX_DEPTH and entry.is_dir():
                visit(entry, depth + 1)

    visit(root, 0)
    lists += short if len(short) > 1 else []
    # A single table, such as train.csv with run lengths, divides nothing.
    tables = {split for split, path in lists if path.suffix.lower() == ".csv"}
    if len(tables) == 1:
        lists = [item for item in lists if item[1].suffix.lower() != ".csv"]
    # VOC has lists for other tasks beside those for segmentation.
    return [item for item in lists if item[1].parent.name.casefold() == "segmentation"] or lists


def _index(root: Path, samples: Iterable[Sample]) -> dict[str, str | None]:
    """Id of the sample for every end of its path, without the ending; `None` where several fit."""
    index: dict[str, str | None] = {}
    for sample in samples:
        image = sample.image
        parts = (image.relative_to(root) if image.is_relative_to(root) else image).parts
        parts = (*parts[:-1], image.stem)
        for start in range(len(parts)):
            key = "/".join(parts[start:]).casefold()
            index[key] = sample.id if key not in index else None
    for sample in samples:
        index.setdefault(sample.id.casefold(), sample.id)
    return index


def _read(path: Path, index: Mapping[str, str | None]) -> tuple[list[str], list[str]]:
    """Ids that a list names, and names in it that fit no sample."""
    ids, missing = [], []
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    for number, line in enumerate(text.splitlines()):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if number == 0 and path.suffix.lower() == ".csv" and _look_up(line, index) is None:
            first = line.split(",")[0].strip().strip("\"'")
            if not Path(first).suffix:  # names of columns
                continue
        # The whole line first, then ever fewer columns: names may hold spaces.
        name = line.replace('"', "")
        while (id_ := _look_up(name, index)) is None and (cut := _LAST_COLUMN.search(name)):
            name = name[: cut.start()]
        if id_ is None:
            missing.append(name)
        else:
            ids.append(id_)
    return ids, missing


def _look_up(name: str, index: Mapping[str, str | None]) -> str | None:
    path = PurePosixPath(name.replace("\\", "/").casefold())
    parts = path.with_suffix("").parts if path.suffix in IMAGE_SUFFIXES else path.parts
    keys = ("/".join(parts[start:]) for start in range(len(parts)))
    return next((id_ for key in keys if (id_ := index.get(key)) is not None), None)
