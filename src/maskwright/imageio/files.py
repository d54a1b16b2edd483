"""Find image files, and write files and folders atomically."""

import io
import os
import re
import secrets
import shutil
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from glob import escape, iglob
from pathlib import Path
from typing import BinaryIO

from maskwright.errors import ConfigError, DataError

if sys.platform != "win32":
    import fcntl

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".bmp", ".gif", ".webp"}
    | {".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".dcm", ".npy", ".npz"}
)
"""Suffixes of image files in a folder, in lower case."""

LONGEST_STEM = 100
"""Maximum length of the stem in the name of a temporary file."""
_LEFTOVER = re.compile(r"\.(?P<stem>.+)\.[0-9a-f]{8}(?P<suffix>\.\w+)")  # of `atomic_write`

SLIDE_SUFFIXES = frozenset({".svs", ".ndpi", ".mrxs", ".scn", ".vms", ".vmu", ".bif", ".svslide"})
"""Suffixes of whole slides, which only `open_windows` reads."""
GEO_SUFFIXES = frozenset({".jp2", ".vrt", ".img"})
"""Suffixes of files that `open_windows` reads with GDAL; in folders, only `.jp2` is found."""


@dataclass(frozen=True, eq=False)
class NamedBytes:
    """A file in memory, with a name for error messages."""

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


def find_images(pattern: str | Path, suffixes: frozenset[str] = IMAGE_SUFFIXES) -> list[Path]:
    """Find image files by a path, a folder or a glob, in natural order; `DataError` if none.

    A single file may have any suffix. Images of a folder precede those of its subfolders. Hidden
    files are skipped.
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


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Key that sorts `image_2` before `image_10`."""
    parts = ((part, part.lstrip("0")) for part in re.split(r"(\d+)", text.casefold()))
    numbered = ((1, len(n), n) if part.isdecimal() else (0, 0, part) for part, n in parts)
    return (*numbered, (0, 0, text))


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Temporary path in the same folder, renamed to `path` on success and removed on failure.

    An interrupted program therefore never replaces a file by a partial one. Missing folders are
    created.
    """
    path = Path(path)
    if path.is_dir():
        raise ConfigError(f"Expected the name of a file; {path} is a folder: name a file in it.")
    make_folder(path.parent)
    temporary = path.with_name(f".{path.stem[:LONGEST_STEM]}.{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder, and those that it lies in; `ConfigError` where that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        reason = error.strerror if isinstance(error, PermissionError) else "a file is in its place"
        raise ConfigError(f"The folder {folder} cannot be made: {reason}; name another.") from None


def sweep(folder: Path, names: Collection[str] | None = None) -> None:
    """Remove temporary files that killed programs left in a folder; only those of `names`, if any.

    No other process may be writing these files.
    """
    for path in folder.glob(".*"):
        match = _LEFTOVER.fullmatch(path.name)
        if match and (names is None or match["stem"] + match["suffix"] in names):
            path.unlink(missing_ok=True)


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Temporary folder, renamed to `folder` on success unless another process was faster."""
    with scratch_folder(folder) as temporary:
        yield temporary
        if not folder.exists():
            temporary.rename(folder)


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Hidden folder beside a path, for what will be moved there; removed at the end.

    Those that killed processes left beside this path are removed, too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{escape(path.name)}.{'[0-9a-f]' * 8}"):
        with suppress(ConfigError), lock_folder(left) as locked:
            if locked:
                shutil.rmtree(left, ignore_errors=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    unlocked = path.with_name(f"{temporary.name}.new")  # a name that no other process removes
    with lock_folder(unlocked):
        unlocked.rename(temporary)
        try:
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file in UTF-8 atomically, names of files that are not UTF-8 with escapes."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


@contextmanager
def lock_folder(folder: Path, wait: bool = False) -> Iterator[bool]:
    """Hold a folder, made if missing, against other processes; `ConfigError` where one holds it.

    With `wait`, it waits until no other process holds the folder.
    Gives whether the system has locks. The lock leaves no file and ends with the process, however
    that ends. A folder that was made and is still empty is removed.
    """
    made = not folder.exists()
    make_folder(folder)
    if sys.platform == "win32":
        yield False
        return
    descriptor, locked = os.open(folder, os.O_RDONLY), True
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise ConfigError(
                f"Another process is at work in {folder}; wait for its end, or name another folder."
            ) from None
        except OSError:  # of the file system
            locked = False
        yield locked
    finally:
        os.close(descriptor)
        if made:
            with suppress(OSError):
                folder.rmdir()


def check_start(folder: Path, kinds: Mapping[str, str], resume: bool = False) -> None:
    """Check that long work can start, or be resumed, in a folder; else `ConfigError`.

    `kinds` are what the folder holds where it has a file, by its name; the first is to be started.
    """
    held = [kind for name, kind in kinds.items() if (folder / name).exists()]
    started = next(iter(kinds.values()))
    if resume and started not in held:
        raise ConfigError(
            f"There is no {started} to resume in {folder}; leave out --resume to start one."
        )
    if held and not resume:
        raise ConfigError(
            f"{folder} already holds a {held[0]}; name another folder, or add --resume to a "
            f"command that takes it."
        )
