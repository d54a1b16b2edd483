"""Entries of class maps in text: names with numbers or colors, a line each."""

import csv
import re
from typing import Any

from maskwright.data.encodings.class_map import ClassEntry
from maskwright.errors import DataError
from maskwright.imageio import whole_number
from maskwright.labels import Color, parse_color

_NAME_COLUMNS = ("name", "class_name", "class", "label", "title")
_VALUE_COLUMNS = ("value", "pixel value", "pixel_value", "index", "idx", "id", "class_id")
_TRIPLE = re.compile(r"[(\[]?\s*(\d+)[,;\s]+(\d+)[,;\s]+(\d+)\s*[)\]]?")
_ORDERED = re.compile(r"(?P<number>\d+)[.)]\s+(?P<name>\D.*)")  # 1. dent
_NUMBERED = re.compile(r"(?P<name>\D(?:.*[^\d\s])?)\s+(?P<number>\d+)")  # dent 1
_SPACED = re.compile(r"((?:\d+\s+)+)?(\D.*?)(\s+#[0-9a-fA-F]{6}|(?:\s+\d+){3})?", re.DOTALL)
_BETWEEN = re.compile(r"[,;\t=]+>?|->|→")  # the cells of a line
_CELLS = re.compile(r"[,;\t=\d#]|->|→")  # what a list of names alone does not have


def entries_of_text(text: str) -> list[ClassEntry]:
    """Rows of a name with `r,g,b`, `#rrggbb` or a number, or one name a line.

    `ValueError` or `DataError` where cells are none of these.
    """
    try:
        return _from_lines(text)
    except ValueError:
        if _CELLS.search(text):
            raise
        return [ClassEntry(name) for line in text.splitlines() if (name := line.strip("\"' "))]


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
        cells = _BETWEEN.split(",".join(line.split(":")[:2]))
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
        color = color_of(numbers[-3:])
        numbers = numbers[:-3]
    return ClassEntry(names[0], numbers[0] if numbers else None, color)


def color_of(values: Any) -> Color:
    """Color from `#rrggbb` or three numbers; `DataError` or `ValueError` of others."""
    if isinstance(values, str):
        return parse_color(values)
    red, green, blue = (int(value) for value in values[:3])
    if not all(0 <= value <= 255 for value in (red, green, blue)):
        raise DataError(f"Expected a color from 0 to 255, received {values}.")
    return red, green, blue
