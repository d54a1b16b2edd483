"""What the content of a file states on splits: tables, JSON, JSON lines, YAML and text."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright.data.readers.splits.split_words import (
    FOLD_COLUMNS,
    SPLIT_COLUMNS,
    SPLIT_WORDS,
    column_splits,
    split_of,
    words_on_splits,
)
from maskwright.data.readers.tables import read_rows
from maskwright.data.samples import grouped
from maskwright.errors import ConfigError, DataError
from maskwright.imageio import read_yaml

TEXT, TABLES = frozenset({".txt", ".lst", ".list"}), frozenset({".csv", ".tsv"})
JSON_LINES, YAML = frozenset({".jsonl", ".ndjson"}), frozenset({".yaml", ".yml"})
STRUCTURED = TABLES | JSON_LINES | YAML | {".json"}
"""Endings of files that hold splits of names, whatever they are called."""
LISTS = STRUCTURED | TEXT

_MAX_BYTES = 2**26  # of a file that may divide the samples
_MAX_HEAD = 2**16  # read of a file to see whether it may
_HINT = re.compile(r"(?<![a-z])(?:train|split|subset|partition|phase|set|fold|cv|kfold)", re.I)
_STATED = {"split", "splits", "dataset_split", "data_split", "partition", *FOLD_COLUMNS}
_ANNOTATIONS = re.compile(r"rle|encoded_?pixels|segmentation|polygon")
_NUMBERS = re.compile(r"[-\d.]+(?:\s+[-\d.]+){4,}")  # an outline of YOLO

Fits = Callable[[str], bool]
Rows = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class SplitList:
    """Names that a file puts into a split.

    Args:
        split: One of train, val and test, or `"trainval"`; `""` where the file states none.
        names: A line or cell each, as written.
        fold: Number of the division it belongs to, where there are several; else `""`.
        division: What the lists of one division have in common: a file, or a pattern of names.
        unread: Why a file that seems to state splits cannot be used, a phrase; else `""`.
    """

    path: Path
    split: str
    names: tuple[str, ...] = ()
    fold: str = ""
    division: str = ""
    unread: str = ""


def structured(path: Path, fits: Fits) -> list[SplitList]:
    """Lists of a file that holds several splits; none where its content states none.

    `fits` tells which names are those of samples.
    """
    suffix = path.suffix.lower()
    try:
        if path.stat().st_size > _MAX_BYTES or not _may_divide(path):
            return []
        if suffix in TEXT:
            return list(_of_text(path, fits))
        if suffix in TABLES:
            rows = _table(path)
            return [] if rows is None else list(_of_rows(path, rows, fits))
        return list(_of_content(path, _content(path), fits))
    except (DataError, ConfigError, ValueError, RecursionError, OSError):
        return []


def named_lines(path: Path, fits: Fits) -> tuple[str, ...]:
    """Names in a file that is named after a split: lines of text, rows of a table, or records."""
    suffix = path.suffix.lower()
    if suffix in STRUCTURED - TABLES:
        try:
            content = _content(path)
        except (DataError, ConfigError, ValueError, RecursionError, OSError):
            return ()
        return _names(content, fits) if isinstance(content, list) else ()
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if lines and _NUMBERS.fullmatch(lines[0]):
        return ()
    if suffix in TABLES and lines:
        if _ANNOTATIONS.search(lines[0].casefold()):
            return ()
        if not fits(lines[0]):
            first = re.split(r"[,;\t]", lines[0])[0].strip().strip("\"'")
            lines = lines if Path(first).suffix else lines[1:]
    return tuple(lines)


def _may_divide(path: Path) -> bool:
    """Whether the beginning of a file names what splits are called; those in text have none."""
    if path.suffix.lower() in TEXT:
        return True
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return bool(_HINT.search(file.read(_MAX_HEAD)))


def _table(path: Path) -> Rows | None:
    """Rows of a table, with its first line where that is none of names of columns."""
    header, numbered = read_rows(path)
    rows = [row for _, row in numbered]
    first = {name: name for name in header}
    if any(split_of(name) and name == "train" for name in header) and rows:
        column = next(name for name in header if name == "train")
        if split_of(rows[0].get(column, "")):
            rows.insert(0, first)
    return rows or None


def _content(path: Path) -> Any:
    suffix = path.suffix.lower()
    if suffix in YAML:
        return read_yaml(path)
    text = path.read_text(encoding="utf-8-sig")
    if suffix in JSON_LINES:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    return json.loads(text)


def _of_text(path: Path, fits: Fits) -> Iterator[SplitList]:
    """Lists of a text with a split, or 1 for the first split of its name, in each line."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    cells = [re.split(r"[\s,;]+", line.strip()) for line in lines if line.strip()]
    if not cells or len({len(row) for row in cells}) > 1 or len(cells[0]) < 2:
        return
    words = list(dict.fromkeys(SPLIT_WORDS[word] for word, _ in words_on_splits(path.stem)))
    rows = [{str(n): cell for n, cell in enumerate(row)} for row in cells]
    last = str(len(cells[0]) - 1)
    if len(words) == 2 and {row[last] for row in rows} == {"0", "1"}:
        rows = [{**row, last: words[row[last] == "0"]} for row in rows]
    header, *others = rows
    known = [name for name in header if header[name].casefold() in SPLIT_COLUMNS]
    yield from _of_rows(path, others if known else rows, fits)


def _of_rows(path: Path, rows: Rows, fits: Fits, fold: str = "") -> Iterator[SplitList]:
    """Lists of a table: by the column of splits, the names of the column that fits most samples."""
    header = list(rows[0]) if rows else []
    column, splits = column_splits(header, rows)
    stated = [column] if column else [name for name in header if name in _STATED]
    others = [name for name in header if name and name not in stated]
    if not stated or not others:
        return
    name = max(others, key=lambda name: sum(fits(row.get(name, "")) for row in rows))
    if not column:
        if any(fits(row.get(name, "")) for row in rows) and any(row[stated[0]] for row in rows):
            folds = stated[0] in FOLD_COLUMNS
            text = "numbers folds" if folds else "holds other words than train, val and test"
            yield SplitList(path, "", unread=f"its column {stated[0]!r} {text}")
        return
    pairs = zip(rows, splits, strict=True)
    by_split = grouped((pair for pair in pairs if pair[1]), lambda pair: pair[1] or "")
    for split, those in by_split.items():
        names = tuple(row[name] for row, _ in those if row.get(name))
        yield SplitList(path, split, names, fold, str(path))


def _of_content(path: Path, content: Any, fits: Fits) -> Iterator[SplitList]:
    """Lists of JSON or YAML: names by split, the split of each name, records, or several such."""
    if _is_list_of(content, dict):
        folds = [list(_by_split(path, each, str(n), fits)) for n, each in enumerate(content)]
        if all(folds):
            yield from (each for fold in folds for each in fold)
        else:
            yield from _of_rows(path, _records(content), fits)
    elif isinstance(content, dict):
        yield from _by_split(path, content, "", fits)
        nested = [each for each in content.values() if isinstance(each, dict)]
        if nested and len(nested) == len(content):
            rows = [{"": "", "name": str(key), **_record(content[key])} for key in content]
            lists = list(_of_rows(path, rows, fits))
            for number, each in enumerate([] if lists else nested):
                fold = str(number) if len(nested) > 1 else ""
                lists += _by_split(path, each, fold, fits)
            yield from lists
        for key, each in content.items():
            if _is_list_of(each, dict) and not split_of(str(key), short=True):
                yield from _of_rows(path, _records(each), fits)


def _by_split(path: Path, content: Mapping[str, Any], fold: str, fits: Fits) -> Iterator[SplitList]:
    """Lists of an object of names by split, or of the split of each name."""
    for key, names in content.items():
        split = split_of(str(key), short=True)
        if split and isinstance(names, list) and (texts := _names(names, fits)):
            yield SplitList(path, split, texts, fold, str(path))
    values = [v for v in content.values() if isinstance(v, str)]
    if len(values) == len(content) and all(split_of(value, short=True) for value in values):
        by_split = grouped(content, lambda name: split_of(content[name], short=True) or "")
        for split, those in by_split.items():
            yield SplitList(path, split, tuple(map(str, those)), fold, str(path))


def _names(content: list[Any], fits: Fits) -> tuple[str, ...]:
    """Names in a list: of texts, numbers, or records, by the entry that fits most samples."""
    if _is_list_of(content, (str, int)):
        return tuple(map(str, content))
    if not _is_list_of(content, dict):
        return ()
    rows = _records(content)
    names = dict.fromkeys(name for row in rows for name in row)
    counts = {name: sum(fits(row.get(name, "")) for row in rows) for name in names}
    name = max(counts, key=lambda name: counts[name], default="")
    return tuple(row[name] for row in rows if row.get(name)) if counts.get(name) else ()


def _records(content: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    return [_record(each) for each in content]


def _record(content: Mapping[str, Any]) -> dict[str, str]:
    """Texts and numbers of a record, by names in lower case."""
    return {str(k).casefold(): str(v) for k, v in content.items() if isinstance(v, str | int)}


def _is_list_of(content: Any, kinds: Any) -> bool:
    return (
        isinstance(content, list) and bool(content) and all(isinstance(e, kinds) for e in content)
    )
