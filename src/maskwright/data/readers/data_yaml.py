"""Reader of data.yaml: a file that states where images and masks are and what masks mean."""

from functools import partial
from pathlib import Path

from maskwright.data.readers.base import Place, Reader, Recognition
from maskwright.data.readers.description import FILE_NAMES, read_description
from maskwright.errors import DataError


def _recognize(place: Place) -> Recognition | None:
    if place.description is not None:
        return None
    path = place.path
    candidates = [path / name for name in FILE_NAMES] if path.is_dir() else [path]
    for file in candidates:
        if file.suffix.lower() in {".yaml", ".yml"} and file.is_file():
            return Recognition(1.0, file.name, partial(_read, file))
    return None


def _read(path: Path) -> Place:
    description = read_description(path)
    root = path.parent / description.root if description.root != "." else path.parent
    if not root.is_dir():
        raise DataError(f"{path} states the root {description.root}, but {root} is no folder.")
    return Place(str(root), description)


DATA_YAML = Reader("data.yaml", "a data.yaml", "", _recognize)
