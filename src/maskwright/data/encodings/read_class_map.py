"""Read class maps from the text, CSV and JSON files that lie beside masks."""

import json
import re
from pathlib import Path
from typing import Any

from maskwright.data.encodings.class_map import ClassEntry, ClassMap
from maskwright.errors import DataError
from maskwright.imageio import IMAGE_SUFFIXES
from maskwright.labels import MAX_CLASSES, Color, parse_color

_STEMS = (
    {"classes", "class_names", "classnames", "class_dict", "class_colors", "categories", "category"}
    | {"labels", "label_names", "labelmap", "label_map", "label_colors", "label_colours", "legend"}
    | {"colors", "colours", "obj_names", "meta"}
)
_FILE_NAMES = {stem + suffix for stem in _STEMS for suffix in (".csv", ".txt", ".json", ".names")}


_NAME_COLUMNS = ("name", "class_name", "class", "label", "title")
_SPACED = re.compile(r"((?:\d+\s+)+)?(\D.*?)(\s+#[0-9a-fA-F]{6}|(?:\s+\d+){3})?", re.DOTALL)


def find_class_map(folder: Path, nested: int = 2) -> ClassMap | None:
    """Class map from a file with a usual name in `folder` or at most `nested` folders below it."""
    inner: list[Path] = []
    for path in sorted(folder.iterdir()):
        if path.name.lower() in _FILE_NAMES and path.is_file():
            class_map = read_class_map(path)
            if class_map is not None:
                return class_map
        elif nested and not path.suffix and not path.name.startswith(".") and path.is_dir():
            inner.append(path)
    maps = (find_class_map(path, nested - 1) for path in inner)
    return next((class_map for class_map in maps if class_map is not None), None)


def read_class_map(path: Path) -> ClassMap | None:
    """Classes from CSV, JSON or text; `None` where the file holds something else.

    Understood are rows of a name with `r,g,b`, `#rrggbb` or a number, in any order, CVAT's
    `name:r,g,b::`, one name a line, and JSON of names, of name to color or number, of number to
    name, and of objects with `name` or `title`, `color` and `id`.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        entries = _from_json(json.loads(text)) if path.suffix == ".json" else _from_lines(text)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, DataError):
        return None
    names = [entry.name for entry in entries]
    files = any(Path(name).suffix.lower() in IMAGE_SUFFIXES for name in names)
    if files or not 1 <= len(names) <= MAX_CLASSES + 1 or len(set(names)) != len(names):
        return None
    return ClassMap(tuple(entries), path.name)


def _from_lines(text: str) -> list[ClassEntry]:
    lines = [line for line in text.splitlines() if line.strip()]
    rows = [
        [part.strip("\"' ") for cell in _cells(line) for part in _columns(cell.strip())]
        for line in lines
        if not line.lstrip().startswith("# ")
    ]
    header = [cell.lower() for cell in rows[0]] if rows else []
    named = next((header.index(word) for word in _NAME_COLUMNS if word in header), None)
    if named is None or len(header) == 1:
        entries = [_entry(row, None) for row in rows]
    else:
        entries = [_entry(row, named) for row in rows[1:]]
    return [entry for entry in entries if entry is not None]


def _cells(line: str) -> list[str]:
    # CVAT ends its lines with parts and actions of a class, which are no colors.
    return re.split(r"[,;\t]+", ",".join(line.split(":")[:2]))


def _columns(cell: str) -> list[str]:
    """Numbers and color that stand before or after a name, set off by spaces alone.

    A single number after a name is part of it: `grade 1`, `grade 2`.
    """
    match = _SPACED.fullmatch(cell)
    if match is None:
        return cell.split() if re.fullmatch(r"[\d\s]+", cell) else [cell]
    return [*(match[1] or "").split(), match[2], *(match[3] or "").split()]


def _entry(cells: list[str], named: int | None) -> ClassEntry | None:
    """Entry from the cells of a row; `ValueError` if several cells could be the name."""
    numbers = [int(cell) for cell in cells if cell.isdecimal()]
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
        for key in ("classes", "labels", "categories"):
            if isinstance(content.get(key), list | dict):
                return _from_json(content[key])
        return [_json_pair(key, value) for key, value in content.items()]
    entries = []
    for item in content:
        if isinstance(item, str):
            entries.append(ClassEntry(item))
            continue
        name = item.get("name", item.get("title", item.get("label")))
        color = next((item[key] for key in ("color", "colour", "rgb") if key in item), None)
        value = next((item[key] for key in ("id", "value", "index") if key in item), None)
        value = value if isinstance(value, int) else None
        entries.append(ClassEntry(str(name), value, None if color is None else _color(color)))
    return entries


def _json_pair(key: str, value: Any) -> ClassEntry:
    if key.isdecimal():
        return ClassEntry(str(value), int(key))
    if isinstance(value, int):
        return ClassEntry(key, value)
    return ClassEntry(key, color=_color(value))
