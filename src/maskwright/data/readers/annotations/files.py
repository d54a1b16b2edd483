"""Files of annotations, and image files, looked up by the names that annotations give them."""

import json
import mmap
import os
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Sequence
from heapq import nsmallest
from pathlib import Path
from typing import Any

from maskwright.data.readers.splits.split_words import split_of
from maskwright.data.samples import grouped
from maskwright.errors import DataError
from maskwright.imageio import IMAGE_SUFFIXES, natural_key

_LOOKED_AT = 20  # files of a folder, to recognize their format


def files_below(root: Path, suffixes: Iterable[str]) -> list[Path]:
    """Files with one of the suffixes below a folder, in natural order; hidden ones are skipped."""
    found = (Path(at, name) for at, names in _walk(root, suffixes) for name in names)
    return sorted(found, key=lambda path: natural_key(str(path)))


def sample_below(root: Path, suffixes: Iterable[str]) -> list[Path]:
    """As `files_below`, but only the first few of each folder, to look what format they are of."""
    few = [
        Path(at, name)
        for at, names in _walk(root, suffixes)
        for name in nsmallest(_LOOKED_AT, names, key=natural_key)
    ]
    return sorted(few, key=lambda path: natural_key(str(path)))


def _walk(root: Path, suffixes: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Folders below the root, each with its files of the suffixes."""
    endings = tuple(suffixes)
    for at, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith((".", "__MACOSX"))]
        yield at, [n for n in names if n.lower().endswith(endings) and not n.startswith(".")]


def has_keys(path: Path, keys: Sequence[str]) -> bool:
    """Whether a JSON file names all keys anywhere."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            return all(text.find(f'"{key}"'.encode()) >= 0 for key in keys)
    except (OSError, ValueError):  # unreadable or empty
        return False


def read_json(path: Path) -> Any:
    """Content of a JSON file; `DataError` where it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read as JSON: {str(error)[:100]}.") from None


def read_xml(path: Path) -> ET.Element:
    """Root of an XML file in UTF-8; `DataError` for one with a DTD, whose entities may expand."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise DataError(f"{path} declares a DTD; expected plain XML.")
        return ET.fromstring(text)
    except (OSError, ValueError, ET.ParseError, RecursionError) as error:
        raise DataError(f"{path} cannot be read as XML: {str(error)[:100]}.") from None


def split_in(path: Path, root: Path) -> str | None:
    """Split that the folders of a file below the root name, or `None`."""
    words = [part.casefold() for part in path.relative_to(root).parts[:-1]]
    return next(filter(None, map(split_of, words)), None)


class ImageFiles:
    """Image files of a data set."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.paths = files_below(root, IMAGE_SUFFIXES)
        self._by_name = grouped(self.paths, lambda path: path.name.casefold())
        self._by_stem = grouped(self.paths, lambda path: path.stem.casefold())

    def find(self, name: str, beside: Path, words: Sequence[str | None] = ()) -> list[Path]:
        """Files that a name fits: one, several where it does not tell them apart, or none.

        Where the name is a path, from the folder of the annotations `beside` or from the root, that
        file; else those of its name, of which those with more of its path win, then those in a
        folder of `words`.
        """
        name = name.replace("\\", "/")
        for folder in (beside, beside / "images", self.root, self.root / "images"):
            path = Path(os.path.normpath(folder / name))  # `labels/../images/x.jpg` is one file
            # Unlike `is_file`, of names too that no file can have.
            if os.path.isfile(path):  # noqa: PTH113
                return [path]
        parts = [part for part in name.casefold().split("/") if part not in {"", ".", ".."}]
        last = parts[-1] if parts else ""
        fitting = self._by_name.get(last) or []
        if not fitting and os.path.splitext(last)[1] not in IMAGE_SUFFIXES:  # noqa: PTH122
            fitting = self._by_stem.get(last) or []
        if len(fitting) > 1:
            common = [_shared_end(parts[:-1], path) for path in fitting]
            fitting = [p for p, n in zip(fitting, common, strict=True) if n == max(common)]
        if len(fitting) > 1:
            fitting = [path for path in fitting if set(path.parent.parts) & set(words)] or fitting
        return fitting


def _shared_end(folders: Sequence[str], path: Path) -> int:
    """Number of last folders that a name shares with a path."""
    shared = 0
    for ours, theirs in zip(reversed(folders), reversed(path.parent.parts), strict=False):
        if ours != theirs.casefold():
            break
        shared += 1
    return shared
