"""Split lists below a folder: text files, tables and JSON that say which samples are in a split."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright.data.readers.splits.split_words import (
    SHORT_WORDS,
    SPLIT_COLUMNS,
    SPLIT_WORDS,
    split_column,
    split_of,
)
from maskwright.data.readers.tables import read_rows
from maskwright.data.samples import grouped
from maskwright.errors import DataError
from maskwright.imageio import IMAGE_SUFFIXES

_AROUND = "list|lists|ids|files|images|set|split|splits|names"
_FOLD = r"(?:fold|cv|split|kfold|k|f)[_\-. ]?\d{1,2}"
_NAME = re.compile(
    rf"(?:(?:{_AROUND})[_\-. ])?(?:(?P<before>{_FOLD})[_\-. ])?"
    rf"(?P<word>{'|'.join(sorted(SPLIT_WORDS, key=len, reverse=True))})(?:20\d\d)?"
    rf"(?:[_\-. ]?(?:{_AROUND}))?(?:[_\-. ]?(?P<after>{_FOLD})|[_\-. ](?P<number>\d))?"
)
_FOLD_FOLDER = re.compile(_FOLD)
_ON_SPLITS = re.compile(
    r"(?<![a-z])(?:splits?|folds?|partitions?|subsets?|metadata|index)(?![a-z])"
)
_MAX_DEPTH = 4
_MAX_BYTES = 2**26  # of a table or JSON file that may divide the samples
_MAX_HEADER = 2**16
_TEXT, _TABLES = {".txt", ".lst"}, {".csv", ".tsv"}

Fits = Callable[[str], bool]


@dataclass(frozen=True)
class SplitList:
    """Names that a file puts into a split.

    Args:
        split: One of train, val and test, or `"trainval"`; `""` where the file states none.
        names: A line or cell each, as written.
        fold: Number of the division it belongs to, where there are several; else `""`.
    """

    path: Path
    split: str
    names: tuple[str, ...]
    fold: str = ""


def find_lists(root: Path, fits: Fits, tables: bool = True) -> list[SplitList]:
    """Lists with a name of a split, and tables and JSON files on splits, below a folder.

    `fits` tells which names are those of samples; `tables` whether CSV files are looked at.
    """
    named: list[tuple[str, str, Path]] = []
    short: list[tuple[str, str, Path]] = []
    others: list[Path] = []

    def visit(folder: Path, depth: int) -> None:
        for entry in sorted(folder.iterdir()):
            suffix = entry.suffix.lower()
            if entry.name.startswith(".") or suffix in IMAGE_SUFFIXES:
                continue
            stem = entry.stem.casefold()
            if suffix in _TEXT | (_TABLES if tables else set()):
                fold = above if _FOLD_FOLDER.fullmatch(above := folder.name.casefold()) else ""
                if (match := _NAME.fullmatch(stem)) and entry.is_file():
                    fold = match["before"] or match["after"] or match["number"] or fold
                    word = match["word"]
                    split = word if word == "trainval" else SPLIT_WORDS[word]
                    named.append((split, fold, entry))
                elif stem in SHORT_WORDS:
                    short.append((SHORT_WORDS[stem], fold, entry))
                elif suffix in _TABLES and entry.is_file():
                    others.append(entry)
            elif suffix == ".json" and entry.is_file():
                if _ON_SPLITS.search(stem) or _NAME.fullmatch(stem):
                    others.append(entry)
            elif depth < _MAX_DEPTH and entry.is_dir():
                visit(entry, depth + 1)

    visit(root, 0)
    named += short if len(short) > 1 else []
    # A single table, such as train.csv with run lengths, divides nothing.
    if len({split for split, _, path in named if path.suffix.lower() in _TABLES}) == 1:
        named = [item for item in named if item[2].suffix.lower() not in _TABLES]
    # VOC has lists for other tasks beside those for segmentation.
    voc = [item for item in named if item[2].parent.name.casefold() == "segmentation"]
    lists = [SplitList(path, split, _lines(path, fits), fold) for split, fold, path in voc or named]
    lists += [each for path in others for each in _structured(path, fits)]
    return [each for each in lists if each.names]


def read_list(path: Path, split: str, fits: Fits) -> list[str]:
    """Names that a file puts into a split: all of a text file, those of the split of a table."""
    lists = list(_structured(path, fits))
    wanted = split_of(split, short=True)
    names = [name for each in lists if each.split == wanted for name in each.names]
    return names if lists else list(_lines(path, fits))


def _lines(path: Path, fits: Fits) -> tuple[str, ...]:
    """Lines of a text file, or of a table without the names of its columns."""
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if lines and path.suffix.lower() in _TABLES and not fits(lines[0]):
        first = re.split(r"[,;\t]", lines[0])[0].strip().strip("\"'")
        lines = lines if Path(first).suffix else lines[1:]
    return tuple(lines)


def _structured(path: Path, fits: Fits) -> Iterator[SplitList]:
    """Lists of a table with a column of splits, or of a JSON file."""
    suffix = path.suffix.lower()
    if suffix not in {*_TABLES, ".json"} or path.stat().st_size > _MAX_BYTES:
        return
    with suppress(DataError, ValueError, RecursionError, OSError):
        if suffix == ".json":
            content = json.loads(path.read_text(encoding="utf-8-sig"))
            yield from _of_json(path, content, fits)
        elif set(SPLIT_COLUMNS) & _header(path):
            yield from _of_rows(path, [row for _, row in read_rows(path)[1]], fits)


def _header(path: Path) -> set[str]:
    """Words in the first line of a table, without reading the rest, which may be long."""
    with path.open(encoding="utf-8-sig") as file:
        return set(re.split(r"[^a-z_]+", file.readline(_MAX_HEADER).casefold()))


def _of_rows(path: Path, rows: list[dict[str, str]], fits: Fits) -> Iterator[SplitList]:
    """Lists of a table: by the column of splits, the names of the column that fits most samples."""
    header = list(rows[0]) if rows else []
    column = split_column(header, rows)
    if column not in SPLIT_COLUMNS:
        return
    others = [name for name in header if name and name != column]
    counts = {name: sum(fits(row.get(name, "")) for row in rows) for name in others}
    if not counts:
        return
    name = max(counts, key=lambda name: counts[name])
    by_split = grouped((row for row in rows if row.get(column)), lambda row: row[column])
    for cell, those in by_split.items():
        split = split_of(cell, short=True) or ""
        yield SplitList(path, split, tuple(row[name] for row in those if row.get(name)))


def _of_json(path: Path, content: Any, fits: Fits) -> Iterator[SplitList]:
    """Lists of JSON: names by split, the split of each name, records, or several such divisions."""
    if isinstance(content, list) and content and all(isinstance(each, dict) for each in content):
        folds = [list(_by_split(path, each, str(n))) for n, each in enumerate(content)]
        if all(folds):
            yield from (each for fold in folds for each in fold)
        else:
            texts = [{k: v for k, v in each.items() if isinstance(v, str)} for each in content]
            yield from _of_rows(path, texts, fits)
    elif isinstance(content, list) and content and all(isinstance(e, str) for e in content):
        if split := split_of(path.stem, short=True):
            yield SplitList(path, split, tuple(content))
    elif isinstance(content, dict):
        yield from _by_split(path, content, "")
        nested = [each for each in content.values() if isinstance(each, dict)]
        if nested and len(nested) == len(content):
            for number, each in enumerate(nested):
                yield from _by_split(path, each, str(number) if len(nested) > 1 else "")


def _by_split(path: Path, content: Mapping[str, Any], fold: str) -> Iterator[SplitList]:
    """Lists of an object of names by split, or of the split of each name."""
    for key, names in content.items():
        split = split_of(str(key), short=True)
        if split and isinstance(names, list) and all(isinstance(name, str) for name in names):
            yield SplitList(path, split, tuple(names), fold)
    values = [v for v in content.values() if isinstance(v, str)]
    if len(values) == len(content) and all(split_of(value, short=True) for value in values):
        by_split = grouped(content, lambda name: split_of(content[name], short=True) or "")
        for split, those in by_split.items():
            yield SplitList(path, split, tuple(those), fold)
