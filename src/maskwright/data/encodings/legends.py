"""Class maps in files beside a data set: classes.txt, class_dict.csv, dataset.json and others."""

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from maskwright.data.encodings.class_map import ClassEntry, ClassMap
from maskwright.errors import DataError
from maskwright.imageio import IMAGE_SUFFIXES, whole_number
from maskwright.labels import MAX_CLASSES, Color, parse_color

_STEMS = (
    {"classes", "class_names", "classnames", "class_colors", "categories", "category", "_classes"}
    | {"labels", "label_names", "labelmap", "label_map", "label_colors", "label_colours", "legend"}
    | {"colors", "colours", "obj_names", "meta", "objectinfo150", "id2label"}
)
_NAME_COLUMNS = ("name", "class_name", "class", "label", "title")
_VALUE_COLUMNS = ("value", "pixel value", "pixel_value", "index", "idx", "id", "class_id")
_IGNORE_LINE = "__ignore__"  # the first line of a list of names by labelme, for no value
_TRIPLE = re.compile(r"[(\[]?\s*(\d+)[,;\s]+(\d+)[,;\s]+(\d+)\s*[)\]]?")
_ORDERED = re.compile(r"(?P<number>\d+)[.)]\s+(?P<name>\D.*)")  # 1. dent
_NUMBERED = re.compile(r"(?P<name>\D(?:.*[^\d\s])?)\s+(?P<number>\d+)")  # dent 1
_SPACED = re.compile(r"((?:\d+\s+)+)?(\D.*?)(\s+#[0-9a-fA-F]{6}|(?:\s+\d+){3})?", re.DOTALL)


def find_class_map(folder: Path, nested: int = 2) -> ClassMap | None:
    """Class map from files with usual names in `folder`, else at most `nested` folders below it.

    Of several files, the one that says most; `rival` names one that says otherwise.
    """
    folders = [folder]
    for _ in range(nested + 1):
        entries = [path for each in folders for path in sorted(each.iterdir())]
        files = [path for path in entries if _is_legend(path) and path.is_file()]
        maps = [m for path in files if (m := read_class_map(path, path.relative_to(folder)))]
        if maps:
            return _richest(maps)
        folders = [p for p in entries if not p.suffix and p.name[:1] != "." and p.is_dir()]
    return None


def _is_legend(path: Path) -> bool:
    name, suffix = path.stem.lower(), path.suffix.lower()
    usual = name in _STEMS or "class_dict" in name
    usual = usual and suffix in {".csv", ".txt", ".json"}
    return usual or suffix == ".names" or path.name.lower() == "dataset.json"


def _richest(maps: Sequence[ClassMap]) -> ClassMap:
    """The class map with values, else colors, else the first; with what contradicts it."""
    best = max(maps, key=lambda m: (m.states_values, bool(m.colors)))
    rivals = (other.source for other in maps if _contradicts(best, other))
    return replace(best, rival=next(rivals, ""))


def _contradicts(one: ClassMap, other: ClassMap) -> bool:
    """Whether two class maps name other objects, in another order, or give them other values."""
    if one.states_values and other.states_values:
        named = [{e.name.casefold(): e.value for e in m.objects} for m in (one, other)]
        return named[0] != named[1]
    orders = []
    for each in (one, other):
        entries = sorted(each.objects, key=lambda e: e.value or 0)
        orders.append([entry.name.casefold() for entry in entries])
    return orders[0] != orders[1]


def read_class_map(path: Path, source: Path | None = None) -> ClassMap | None:
    """Classes from CSV, JSON or text; `None` where the file holds something else.

    Understood are rows of a name with `r,g,b`, `#rrggbb` or a number, in any order, CVAT's
    `name:r,g,b::`, one name a line, and JSON of names, of name to color or number, of number to
    name, and of objects with `name` or `title`, `color` and `id`.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".json":
            content = json.loads(text)
            entries = _from_json(_nnunet(content) if path.stem == "dataset" else content)
        else:
            entries = _from_lines(text)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, DataError):
        return None
    if path.stem.lower() == "objectinfo150":
        # ADE20K lists synonyms, the usual name first; what is none of the 150 is not scored.
        usual = [replace(e, name=re.split(r"[;,]", e.name)[0].strip()) for e in entries]
        entries = [ClassEntry("void", 0), *usual]
    if all(entry.value is None for entry in entries):
        entries = [entry for entry in entries if entry.name != _IGNORE_LINE]
    names = [entry.name for entry in entries]
    files = any(Path(name).suffix.lower() in IMAGE_SUFFIXES for name in names)
    if files or not 1 <= len(names) <= MAX_CLASSES + 1 or len(set(names)) != len(names):
        return None
    return ClassMap(tuple(entries), (source or Path(path.name)).as_posix())


def _from_lines(text: str) -> list[ClassEntry]:
    lines = [line for line in text.splitlines() if line.strip() and line.lstrip()[:2] != "# "]
    for delimiter in ("\t", ";", ","):
        reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
        rows = [[cell.strip("\"' ") for cell in row] for row in reader]
        header = [cell.lower() for cell in rows[0]] if rows else []
        named = next((header.index(word) for word in _NAME_COLUMNS if word in header), None)
        if header in [[word] for word in _NAME_COLUMNS]:
            lines = lines[1:]
        elif named is not None and len(header) > 1:
            valued = next((header.index(word) for word in _VALUE_COLUMNS if word in header), None)
            return [_entry_of(row, named, valued) for row in rows[1:]]
    parsed = []
    for line in _numbers_first(lines):
        # CVAT ends its lines with parts and actions of a class, which are no colors.
        cells = re.split(r"[,;\t=]+", ",".join(line.split(":")[:2]))
        parts = [part for cell in cells for part in _columns(cell.strip())]
        parsed.append(_entry([part.strip("\"' ") for part in parts], None))
    return [entry for entry in parsed if entry is not None]


def _numbers_first(lines: list[str]) -> list[str]:
    """Lines of `dent 1` or `1. dent` as `1,dent`, where all have other names and other numbers."""
    for form in (_ORDERED, _NUMBERED):
        matches = [match for line in lines if (match := form.fullmatch(line.strip()))]
        names, numbers = ({match[part] for match in matches} for part in ("name", "number"))
        if matches and len(lines) == len(names) == len(numbers):
            return [f"{match['number']},{match['name']}" for match in matches]
    return lines


def _entry_of(cells: list[str], named: int, valued: int | None) -> ClassEntry:
    """Entry from the cells of a row below a header with a column of names, perhaps of values."""
    if valued is None:
        entry = _entry(cells, named)
        if entry is None:
            raise ValueError(f"Expected a name, received {cells}.")
        return entry
    others = [cell for place, cell in enumerate(cells) if place not in (named, valued)]
    entry = _entry(["color", *others], 0) if len(others) in (1, 3) else None
    return ClassEntry(cells[named], int(cells[valued]), entry.color if entry else None)


def _columns(cell: str) -> list[str]:
    """Numbers and color before or after a name, set off by spaces; `grade 1` is a name."""
    match = _SPACED.fullmatch(cell)
    if match is None:
        return cell.split() if re.fullmatch(r"[\d\s]+", cell) else [cell]
    return [*(match[1] or "").split(), match[2], *(match[3] or "").split()]


def _entry(cells: list[str], named: int | None) -> ClassEntry | None:
    """Entry from the cells of a row; `ValueError` if several cells could be the name."""
    triple = next((match for cell in cells if (match := _TRIPLE.fullmatch(cell))), None)
    if triple is not None:  # a color in one cell
        cells = [*(cell for cell in cells if cell != triple[0]), *triple.groups()]
    numbers = [number for cell in cells if (number := whole_number(cell)) is not None]
    words = [cell for cell in cells if cell and not cell.isdecimal()]
    hexes = [word for word in words if re.fullmatch(r"#[0-9a-fA-F]{6}", word)]
    names = [word for word in words if word not in hexes]
    if named is not None and named < len(cells):
        names = [cells[named]]
    if len(names) > 1:
        raise ValueError(f"Expected one name, received {names}.")
    if not names:
        return None
    color = parse_color(hexes[0]) if hexes else None
    if color is None and len(numbers) >= 3:
        color = _color(numbers[-3:])
        numbers = numbers[:-3]
    return ClassEntry(names[0], numbers[0] if numbers else None, color)


def _color(values: Any) -> Color:
    if isinstance(values, str):
        return parse_color(values)
    red, green, blue = (int(value) for value in values[:3])
    if not all(0 <= value <= 255 for value in (red, green, blue)):
        raise DataError(f"Expected a color from 0 to 255, received {values}.")
    return red, green, blue


def _from_json(content: Any) -> list[ClassEntry]:
    if isinstance(content, dict):
        for key in ("classes", "labels", "categories", "names"):
            if isinstance(content.get(key), list | dict):
                return _from_json(content[key])
        return [_from_pair(key, value) for key, value in content.items()]
    return [ClassEntry(item) if isinstance(item, str) else _from_object(item) for item in content]


def _nnunet(content: Any) -> dict[str, Any]:
    """Labels of nnU-Net's dataset.json; `TypeError` of regions, which unite several values."""
    labels: dict[str, Any] = content["labels"]
    if any(isinstance(value, list) for value in labels.values()):
        raise TypeError("Regions are no classes.")
    return labels


def _from_pair(key: str, value: Any) -> ClassEntry:
    if (number := whole_number(key)) is not None:
        entry = _from_object(value) if isinstance(value, dict) else ClassEntry(str(value))
        return replace(entry, value=number)
    if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()):
        return ClassEntry(key, int(value))
    return ClassEntry(key, color=_color(value))


def _from_object(item: Any) -> ClassEntry:
    name = item.get("name", item.get("title", item.get("label")))
    color = next((item[key] for key in ("color", "colour", "rgb") if key in item), None)
    value = next((item[key] for key in ("id", "value", "index") if key in item), None)
    value = value if isinstance(value, int) else None
    return ClassEntry(str(name), value, None if color is None else _color(color))
