"""Find image files, and write files atomically."""

import io
import os
import re
import secrets
from collections.abc import Iterator
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
"""Suffixes of image files in a folder, in lower case."""

LONGEST_STEM = 100
"""Maximum length of the stem in the name of a temporary file."""

SLIDE_SUFFIXES = frozenset({".svs", ".ndpi", ".mrxs", ".scn", ".vms", ".vmu", ".bif", ".svslide"})
"""Suffixes of whole slides, which only `open_windows` reads."""
GEO_SUFFIXES = frozenset({".jp2", ".vrt", ".img"})
"""Suffixes of files that `open_windows` reads with GDAL; in folders, only `.jp2` is found."""


@dataclass(frozen=True, eq=False)
class NamedBytes:
    """A file in memory, for `read_image`, `read_mask` and `read_header`.

    Args:
        name: Name in error messages.
        data: Content of the file.
    """

    name: str
    data: bytes

    def open(self, mode: str = "rb") -> BinaryIO:
        """Open the file for reading."""
        return io.BytesIO(self.data)

    def read_bytes(self) -> bytes:
        """Content of the file."""
        return self.data

    def __str__(self) -> str:
        return self.name


def as_file(source: str | Path | NamedBytes) -> Path | NamedBytes:
    """Convert a path; a file in memory is returned unchanged."""
    return source if isinstance(source, NamedBytes) else Path(source)


def find_images(pattern: str | Path, suffixes: frozenset[str] = IMAGE_SUFFIXES) -> list[Path]:
    """Find image files by a path, a folder or a glob, in natural order.

    Images of a folder precede those of its subfolders. Hidden files are skipped.

    Args:
        pattern: File, folder or glob; a single file may have any suffix.
        suffixes: Suffixes of image files.

    Raises:
        DataError: If there is no image.
    """
    path = Path(pattern)
    if path.is_file():
        return [path]
    if path.is_dir():
        images = list_images(path, nested=True, suffixes=suffixes)
        place = f"in the folder {path}"
    else:
        matches = (Path(name) for name in iglob(str(pattern), recursive=True))  # noqa: PTH207
        images = sorted(
            (p for p in matches if is_image(p, suffixes)), key=lambda p: natural_key(str(p))
        )
        place = f"for {pattern}"
    if not images:
        raise DataError(
            f"No image found {place}; expected files with one of the suffixes "
            f"{', '.join(sorted(suffixes))}."
        )
    return images


def list_images(
    folder: Path, nested: bool = False, suffixes: frozenset[str] = IMAGE_SUFFIXES
) -> list[Path]:
    """Image files in a folder by suffix, in natural order; hidden files are skipped."""
    files: list[str] = []
    folders: list[str] = []
    with os.scandir(folder) as entries:  # file types without a system call per entry
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
    """Whether the name is that of an image and not hidden; the file is not opened."""
    return _has_suffix(path.name, suffixes) and not path.name.startswith(".")


def _has_suffix(name: str, suffixes: frozenset[str]) -> bool:
    return os.path.splitext(name)[1].lower() in suffixes  # noqa: PTH122  # faster than pathlib


_DIGITS = re.compile(r"(\d+)")


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Key that sorts `image_2` before `image_10`."""
    parts = _DIGITS.split(text.casefold())
    numbered = [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts]
    return (*numbered, (0, 0, text))


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Temporary path in the same folder, renamed to `path` on success and removed on failure.

    An interrupted program therefore never replaces a file by a partial one. Missing folders are
    created.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem[:LONGEST_STEM]}.{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file, whole or not at all, as `atomic_write`."""
    with atomic_write(path) as beside:
        beside.write_text(text, encoding="utf-8")
