"""Files below a folder that say which samples are in a split, by their names and contents."""

import re
from collections.abc import Iterator
from pathlib import Path

from maskwright.data.readers.base import RUN_FILES
from maskwright.data.readers.splits.sample_index import SampleIndex
from maskwright.data.readers.splits.split_contents import (
    STRUCTURED,
    TABLES,
    TEXT,
    SplitList,
    named_lines,
    structured,
)
from maskwright.data.readers.splits.split_words import (
    SHORT_WORDS,
    SPLIT_WORDS,
    short_words_count,
    split_of,
    words_on_splits,
)
from maskwright.data.samples import CALIBRATION, grouped
from maskwright.imageio import IMAGE_SUFFIXES

_PLAIN = re.compile(
    r"(?:[*\W_]|\d|list|lists|filelist|ids?|files?|filenames?|images?|imgs?|set|dataset|data|"
    r"splits?|subset|names?|samples?|cases?|patients?|fold|cv|kfold|k|f)*"
)
_FOLD = r"(?:fold|cv|split|kfold|k|f)[_\-. ]?\d{1,2}"
_IN_FOLD = re.compile(rf"(?<![a-z0-9]){_FOLD}(?![a-z0-9])|(?<=\*)[_\-. ]?\d{{1,2}}(?!\d)")
_ON_SPLITS = re.compile(
    r"(?<![a-z])(?:splits?|folds?|partitions?|subsets?|metadata|index)(?![a-z])"
)
_REPORT = re.compile(
    r"(?<![a-z])(?:logs?|loss|losses|history|metrics?|results?|scores?|configs?|cfg|args|params|"
    r"hyp|readme|stats|pred|preds|predictions?|submission|class|classes|captions)(?![a-z])"
)
"""Words of files on other things than splits, though for one of them."""

_ANNOTATIONS = re.compile(
    r"(?<![a-z])(?:labels?|annotations?|masks?|instances|panoptic|boxes|bbox)(?![a-z])"
)
"""Words of files that need not be lists where they fit no sample."""

_UNREADABLE = {".xlsx", ".xls", ".ods", ".mat", ".pkl", ".pickle"}
_MAX_DEPTH = 4
_MOST_FILES = 20  # with one ending in a folder; more belong to an image each


def find_lists(root: Path, index: SampleIndex) -> list[SplitList]:
    """Lists with a name of a split, and files on several splits, below a folder.

    Text only counts where its name says so. Names with further words, such as `kvasir-train.txt`,
    count where they fit samples, or where there is no other list.
    """
    named: list[SplitList] = []
    short: list[SplitList] = []
    others: list[SplitList] = []
    for path in _candidates(root, 0, index):
        suffix, stem = path.suffix.lower(), path.stem.casefold()
        words = words_on_splits(path.stem)
        split, pattern = _one_split(words)
        if suffix in _UNREADABLE:
            if words or _ON_SPLITS.search(stem):
                others.append(SplitList(path, "", unread=f"{suffix} is not read"))
            continue
        by_content = suffix in STRUCTURED or (not split and (words or _ON_SPLITS.search(stem)))
        if lists := structured(path, index.fits) if by_content else []:
            others += lists
        elif stem in SHORT_WORDS and suffix in TEXT | TABLES:
            short.append(_named(path, SHORT_WORDS[stem], "*", index))
        elif split and not _REPORT.search(stem):
            named.append(_named(path, split, pattern, index))
        elif len(words) > 1 and not _REPORT.search(stem):
            others.append(SplitList(path, "", unread="no splits of names are in it"))
    named += short if short_words_count(each.path.stem for each in (*named, *short)) else []
    # VOC has lists for other tasks beside those for segmentation.
    voc = [each for each in named if each.path.parent.name.casefold() == "segmentation"]
    lists = [each for each in _without_single(voc or named) if each.names]
    # The calibration of a camera lies beside its images, too.
    lists = [each for each in lists if each.split != CALIBRATION or _share(each, index)]
    unread = [each for each in others if each.unread]
    lists += [each for each in others if each.names]
    fitting = [each for each in lists if _is_plain(each) or _share(each, index) > 0.9]
    asked = [each for each in lists if not _ANNOTATIONS.search(each.path.stem.casefold())]
    return fitting or asked or unread


def read_list(path: Path, split: str, index: SampleIndex) -> list[str]:
    """Names that a file puts into a split: all of a text file, those of the split of a table."""
    by_content = path.suffix.lower() in STRUCTURED or not _one_split(words_on_splits(path.stem))[0]
    lists = [each for each in structured(path, index.fits) if each.names] if by_content else []
    wanted = split_of(split, short=True)
    names = [name for each in lists if each.split == wanted for name in each.names]
    return names if lists else list(named_lines(path, index.fits))


def _candidates(folder: Path, depth: int, index: SampleIndex) -> Iterator[Path]:
    """Files that may state splits; those named after an image are its annotations."""
    files: list[Path] = []
    folders: list[Path] = []
    entries = sorted(folder.iterdir())
    if depth and any(entry.name in RUN_FILES for entry in entries):
        return
    for entry in entries:
        suffix = entry.suffix.lower()
        if entry.name.startswith((".", "data.y")) or suffix in IMAGE_SUFFIXES:
            continue
        if suffix in STRUCTURED | TEXT | _UNREADABLE:
            if not index.is_sample(entry.stem) and entry.is_file():
                files.append(entry)
        elif depth < _MAX_DEPTH and entry.is_dir():
            folders.append(entry)
    for those in grouped(files, lambda path: path.suffix.lower()).values():
        few = len(those) <= _MOST_FILES
        yield from those if few else (path for path in those if _is_plain_name(path))
    for each in folders:
        yield from _candidates(each, depth + 1, index)


def _one_split(words: list[tuple[str, str]]) -> tuple[str, str]:
    """Split that a name states, and the rest of the name; `train_val` is one."""
    splits = [SPLIT_WORDS[word] for word, _ in words]
    if splits == ["train", "val"] and re.search(r"\*[_\-. ]?val", words[0][1]):
        return "trainval", words[0][1]
    if len(splits) != 1:
        return "", ""
    word, pattern = words[0]
    return word if word == "trainval" else splits[0], pattern


def _named(path: Path, split: str, pattern: str, index: SampleIndex) -> SplitList:
    above = re.fullmatch(_FOLD, path.parent.name.casefold())
    match = None if re.search(r"\*20\d\d", pattern) else _IN_FOLD.search(pattern)
    fold = match[0] if match else above[0] if above else ""
    division = f"{path.parent}/{pattern}{path.suffix.lower()}"
    return SplitList(path, split, named_lines(path, index.fits), fold, division)


def _without_single(named: list[SplitList]) -> list[SplitList]:
    """Lists without those of a single table such as train.csv, which often holds run lengths."""
    tables = [each for each in named if each.path.suffix.lower() in TABLES]
    if {each.split for each in tables if each.names} in ({"train"}, {"trainval"}):
        return [each for each in named if each not in tables]
    return named


def _is_plain_name(path: Path) -> bool:
    words = words_on_splits(path.stem)
    return bool(words) and bool(_PLAIN.fullmatch(words[0][1]))


def _is_plain(each: SplitList) -> bool:
    """Whether a list is named after its split and nothing else, or is a table of splits."""
    if each.division != str(each.path) or each.path.suffix.lower() in TABLES:
        return each.division == str(each.path) or _is_plain_name(each.path)
    stem = each.path.stem.casefold()
    return bool(_ON_SPLITS.search(stem) or words_on_splits(each.path.stem))


def _share(each: SplitList, index: SampleIndex) -> float:
    """Share of the names of a list that fit samples."""
    return sum(map(index.fits, each.names)) / len(each.names)
