"""Class maps: which value or color of a mask stands for which class; known ones and their files."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright.errors import DataError
from maskwright.imageio import IMAGE_SUFFIXES
from maskwright.labels import MAX_CLASSES, Color, parse_color

_IGNORED_NAMES = frozenset(
    {"void", "ignore", "ignored", "unlabeled", "unlabelled", "undefined", "don't care", "dontcare"}
)
_STEMS = (
    {"classes", "class_names", "classnames", "class_dict", "class_colors", "categories", "category"}
    | {"labels", "label_names", "labelmap", "label_map", "label_colors", "label_colours", "legend"}
    | {"colors", "colours", "obj_names", "meta"}
)
_FILE_NAMES = {stem + suffix for stem in _STEMS for suffix in (".csv", ".txt", ".json", ".names")}
_NAME_COLUMNS = ("name", "class_name", "class", "label", "title")
_SPACED = re.compile(r"((?:\d+\s+)+)?(\D.*?)(\s+#[0-9a-fA-F]{6}|(?:\s+\d+){3})?", re.DOTALL)


@dataclass(frozen=True)
class ClassEntry:
    """One class of a class map; `value` and `color` are `None` where the class map does not say."""

    name: str
    value: int | None = None
    color: Color | None = None

    @property
    def ignored(self) -> bool:
        """Whether pixels of this class are neither trained on nor scored."""
        return self.name.lower() in _IGNORED_NAMES


@dataclass(frozen=True)
class ClassMap:
    """Classes, where they come from, and how many values must occur before they are assumed."""

    entries: tuple[ClassEntry, ...]
    source: str
    min_values: int = 0

    @property
    def states_values(self) -> bool:
        """Whether all its classes have a value."""
        return all(entry.value is not None for entry in self.entries)

    @classmethod
    def of_values(
        cls, source: str, names: str, first: int = 0, void: int | None = None, min_values: int = 0
    ) -> "ClassMap":
        """Class map of consecutive values; `names` separated by commas."""
        entries = [ClassEntry(name, value) for value, name in enumerate(names.split(","), first)]
        if void is not None:
            entries.append(ClassEntry("void", void))
        return cls(tuple(entries), source, min_values)


PETS = ClassMap.of_values("Oxford-IIIT Pet", "pet,background,border", first=1, min_values=2)
CAMVID = ClassMap.of_values(
    "the SegNet version of CamVid",
    "Sky,Building,Pole,Road,Pavement,Tree,SignSymbol,Fence,Car,Pedestrian,Bicyclist",
    void=11,
    min_values=8,
)
VOC = ClassMap.of_values(
    "PASCAL VOC",
    "background,aeroplane,bicycle,bird,boat,bottle,bus,car,cat,chair,cow,diningtable,dog,horse,"
    "motorbike,person,pottedplant,sheep,sofa,train,tvmonitor",
    void=255,
    min_values=3,
)


def voc_color(label: int) -> Color:
    """Color of a label in the PASCAL VOC color map: its bits dealt out to red, green, blue."""
    red, green, blue = (
        sum((label >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(8))
        for channel in range(3)
    )
    return red, green, blue


_AERIAL = {
    **{"building": "#3C1098", "unpaved land": "#8429F6", "road": "#6EC1E4"},
    **{"vegetation": "#FEDD3A", "water": "#E2A929", "unlabeled": "#9B9B9B"},
}
_VOC_VOID = ClassEntry("void", color=(224, 224, 192))

KNOWN_COLORS = (
    ClassMap(
        tuple(ClassEntry(name, color=parse_color(color)) for name, color in _AERIAL.items()),
        "Semantic segmentation of aerial imagery (Humans in the Loop)",
    ),
    ClassMap(
        (*(ClassEntry(e.name, None, voc_color(e.value or 0)) for e in VOC.entries[:-1]), _VOC_VOID),
        "PASCAL VOC",
    ),
)
"""Class maps of public data sets, recognized by their colors."""


def find_class_map(folder: Path, nested: int = 2) -> ClassMap | None:
    """Class map from a file with a usual name in `folder` or at most `nested` folders below it."""
    inner: list[Path] = []
    for path in sorted(folder.iterdir()):
        if path.name.lower() in _FILE_NAMES and path.is_file():
            if class_map := read_class_map(path):
                return class_map
        elif nested and not path.suffix and not path.name.startswith(".") and path.is_dir():
            inner.append(path)
    return next(filter(None, (find_class_map(path, nested - 1) for path in inner)), None)


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
    rows = []
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("# "):
            # CVAT ends its lines with parts and actions of a class, which are no colors.
            cells = re.split(r"[,;\t]+", ",".join(line.split(":")[:2]))
            parts = [part for cell in cells for part in _columns(cell.strip())]
            rows.append([part.strip("\"' ") for part in parts])
    header = [cell.lower() for cell in rows[0]] if rows else []
    named = next((header.index(word) for word in _NAME_COLUMNS if word in header), None)
    if named is None or len(header) == 1:
        entries = [_entry(row, None) for row in rows]
    else:
        entries = [_entry(row, named) for row in rows[1:]]
    return [entry for entry in entries if entry is not None]


def _columns(cell: str) -> list[str]:
    """Numbers and color before or after a name, set off by spaces; `grade 1` is a name."""
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
        return [_from_pair(key, value) for key, value in content.items()]
    return [ClassEntry(item) if isinstance(item, str) else _from_object(item) for item in content]


def _from_pair(key: str, value: Any) -> ClassEntry:
    if key.isdecimal():
        return ClassEntry(str(value), int(key))
    if isinstance(value, int):
        return ClassEntry(key, value)
    return ClassEntry(key, color=_color(value))


def _from_object(item: Any) -> ClassEntry:
    name = item.get("name", item.get("title", item.get("label")))
    color = next((item[key] for key in ("color", "colour", "rgb") if key in item), None)
    value = next((item[key] for key in ("id", "value", "index") if key in item), None)
    value = value if isinstance(value, int) else None
    return ClassEntry(str(name), value, None if color is None else _color(color))
