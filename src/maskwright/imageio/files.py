"""Find image files, and put what is written in its place in one step."""

import csv
import io
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from glob import iglob
from pathlib import Path
from typing import BinaryIO

from maskwright.errors import DataError

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".bmp", ".gif", ".webp"}
    | {".ppm", ".pgm", ".pbm", ".pnm", ".jp2"}
)
"""Endings, in lower case, of the files that are taken for images in a folder."""

LONGEST_STEM = 100  # of the name of a file, kept in that of the one written beside it

SLIDE_SUFFIXES = frozenset({".svs", ".ndpi", ".mrxs", ".scn", ".vms", ".vmu", ".bif", ".svslide"})
"""Endings of whole slides, which only `open_windows` reads."""
GEO_SUFFIXES = frozenset({".jp2", ".vrt", ".img"})
"""Endings of what `open_windows` reads with GDAL; all but the first are taken only by name."""


@dataclass(frozen=True, eq=False)
class NamedBytes:
    """A file that is in memory, by a name that errors call it."""

    name: str
    data: bytes

    def open(self, mode: str = "rb") -> BinaryIO:
        """The file opened for reading."""
        return io.BytesIO(self.data)

    def read_bytes(self) -> bytes:
        """All of it."""
        return self.data

    def __str__(self) -> str:
        return self.name


def as_file(source: str | Path | NamedBytes) -> Path | NamedBytes:
    """A path of a file, or a file in memory as it is."""
    return source if isinstance(source, NamedBytes) else Path(source)


def find_images(pattern: str | Path, suffixes: frozenset[str] = IMAGE_SUFFIXES) -> list[Path]:
    """Image files meant by a file, a folder or a glob, in natural order; `DataError` for none.

    A file is taken whatever its ending. Of a folder, its own images come first, then those of the
    folders within. Hidden files are passed over.
    """
    path = Path(pattern)
    if path.is_file():
        return [path]
    if path.is_dir():
        images = list_images(path, nested=True, suffixes=suffixes)
    else:
        matches = (Path(name) for name in iglob(str(pattern), recursive=True))  # noqa: PTH207
        images = [match for match in matches if is_image(match, suffixes)]
        images.sort(key=lambda p: natural_key(str(p)))
    if not images:
        place = f"in the folder {path}" if path.is_dir() else f"for {pattern}"
        endings = ", ".join(sorted(suffixes))
        raise DataError(f"No image found {place}; expected files ending in one of {endings}.")
    return images


def list_images(
    folder: Path, nested: bool = False, suffixes: frozenset[str] = IMAGE_SUFFIXES
) -> list[Path]:
    """Image files in a folder, by their endings, in natural order; hidden ones are passed over."""
    files: list[str] = []
    folders: list[str] = []
    with os.scandir(folder) as entries:  # tells folders from files without asking for each
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                folders.append(entry.name)
            elif _has_suffix(entry.name, suffixes):
                files.append(entry.name)
    images = [folder / name for name in sorted(files, key=natural_key)]
    if nested:
        for inner in sorted(folders, key=natural_key):
            images += list_images(folder / inner, nested=True, suffixes=suffixes)
    return images


def is_image(path: Path, suffixes: frozenset[str] = IMAGE_SUFFIXES) -> bool:
    """Whether the name is one of an image that is not hidden; the file is not opened."""
    return _has_suffix(path.name, suffixes) and not path.name.startswith(".")


def _has_suffix(name: str, suffixes: frozenset[str]) -> bool:
    return os.path.splitext(name)[1].lower() in suffixes  # noqa: PTH122  # faster, for many


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Key that sorts `image_2` before `image_10`."""
    parts = re.split(r"(\d+)", text.casefold())
    numbered = [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts]
    return (*numbered, (0, 0, text))


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Path beside `path` to write to; moved into place on success, removed on failure.

    Missing folders are made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.stem[:LONGEST_STEM]}.{secrets.token_hex(4)}{path.suffix}")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Folder beside `folder` to fill; moved into place unless that is there by then."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    beside.mkdir()
    try:
        yield beside
        if not folder.exists():  # another process may have been faster
            beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a text in UTF-8, whole or not at all."""
    with atomic_write(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file, whole or not at all."""
    with atomic_write(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
