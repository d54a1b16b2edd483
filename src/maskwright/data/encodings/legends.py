"""Class maps in files beside a data set: classes.txt, class_dict.csv, dataset.json and others."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from maskwright.data.encodings.class_map import ClassEntry, ClassMap
from maskwright.data.encodings.legend_lines import color_of, entries_of_text
from maskwright.errors import ConfigError, DataError
from maskwright.imageio import IMAGE_SUFFIXES, read_yaml, whole_number
from maskwright.labels import MAX_CLASSES

_STEMS = (
    {"classes", "class_names", "classnames", "class_colors", "categories", "category", "_classes"}
    | {"labels", "label_names", "labelmap", "label_map", "label_colors", "label_colours", "legend"}
    | {"colors", "colours", "obj_names", "objectinfo150", "id2label", "label2id", "codes"}
    | {"class_list", "label_list", "class_map", "category_id"}
)
_YAML = frozenset({".yaml", ".yml"})
_ITEM = re.compile(r"\bitem\s*\{([^}]*)\}")  # of TensorFlow's label_map.pbtxt
_FIELD = re.compile(r"(\w+)\s*:\s*(\"[^\"]*\"|'[^']*'|\d+)")
_IGNORE_LINE = "__ignore__"  # the first line of a list of names by labelme, for no value


def find_class_map(folder: Path, nested: int) -> tuple[ClassMap | None, list[str]]:
    """Class map from files with usual names in `folder`, else at most `nested` folders below it.

    Of several files, the one that says most; `rival` names one that says otherwise. Also the files
    that have such a name, list no images, and cannot be read as a class map.
    """
    folders, unread = [folder], []
    for _ in range(nested + 1):
        entries = [path for each in folders for path in sorted(each.iterdir())]
        maps = []
        for path in entries:
            usual = _is_usual(path)
            if not (usual or _may_hold_legend(path)) or not path.is_file():
                continue
            source = path.relative_to(folder)
            if found := read_class_map(path, source):
                maps.append(found)
            elif usual and not _lists_images(path):
                unread.append(source.as_posix())
        if maps:
            return _richest(maps), unread
        folders = [p for p in entries if not p.suffix and p.name[:1] != "." and p.is_dir()]
    return None, unread


def _is_usual(path: Path) -> bool:
    """Whether a file has a name as class maps have."""
    name, suffix = path.stem.lower(), path.suffix.lower()
    usual = name in _STEMS or "class_dict" in name or "colormap" in name
    usual = usual and suffix in {".csv", ".txt", ".json", *_YAML}
    return usual or suffix in {".names", ".pbtxt"}


def _may_hold_legend(path: Path) -> bool:
    """Whether a file that is often something else may hold a class map."""
    name, is_json = path.stem.lower(), path.suffix.lower() == ".json"
    return is_json and (name in {"dataset", "meta"} or name.startswith("config"))


def _lists_images(path: Path) -> bool:
    text = path.read_text(encoding="utf-8", errors="replace").lower()
    return any(suffix in text for suffix in IMAGE_SUFFIXES)


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
    name, and of objects with `name` or `title`, `color` and `id`; YAML of the same, and label maps
    of TensorFlow.
    """
    try:
        entries = _read_entries(path)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ConfigError, DataError):
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


def _read_entries(path: Path) -> list[ClassEntry]:
    suffix, text = path.suffix.lower(), path.read_text(encoding="utf-8-sig")
    if suffix == ".pbtxt":
        return [_from_item(dict(_FIELD.findall(item))) for item in _ITEM.findall(text)]
    if suffix in _YAML:
        return _from_json(read_yaml(path))
    if suffix != ".json":
        return entries_of_text(text)
    content = json.loads(text)
    if path.stem.lower().startswith("config"):
        return [_from_object(label) for label in content["labels"]]
    return _from_json(_nnunet(content) if path.stem == "dataset" else content)


def _from_item(fields: dict[str, str]) -> ClassEntry:
    """Entry of an item in a label map, which may have a name for people beside its key."""
    name = fields.get("display_name", fields["name"])
    return ClassEntry(name.strip("\"'"), int(fields["id"]))


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
    return ClassEntry(key, color=color_of(value))


def _from_object(item: Any) -> ClassEntry:
    name = item.get("name", item.get("title", item.get("label")))
    color = next((item[key] for key in ("color", "colour", "rgb") if key in item), None)
    value = next((item[key] for key in ("id", "value", "index") if key in item), None)
    value = value if isinstance(value, int) else None
    return ClassEntry(str(name), value, None if color is None else color_of(color))
