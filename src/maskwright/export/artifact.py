"""An exported model: a folder, or one file, whose list says what is in it, and nothing else is."""

import json
import os
import stat
import zipfile
from pathlib import Path

from maskwright.errors import ModelError
from maskwright.export.formats.table import FORMATS
from maskwright.export.listing import (
    LIST_FILE,
    MAX_BYTES,
    MAX_FILES,
    MAX_LIST_BYTES,
    check_name,
    read_listing,
)
from maskwright.imageio import atomic_folder, atomic_write
from maskwright.model_card import checksum

SUFFIX = ".maskwright"
"""Ending of an artifact that is one file: a ZIP archive of the folder."""

PREPARED = "prepared"
"""Folder, in that of a run, of what was exported for the fastest engine."""

_MAX_RATIO = 200  # unpacked by packed; weights hardly shrink, and bombs swell a thousand times


def is_artifact(path: Path) -> bool:
    """Whether a path is that of an artifact, folder or file; what is in it may still be wrong."""
    return (path / LIST_FILE).is_file() or (path.is_file() and path.suffix == SUFFIX)


def model_folder(path: str | Path) -> Path:
    """Folder of a model: of a run or an artifact; an artifact that is a file is unpacked."""
    place = Path(path)
    return unpacked(place) if is_artifact(place) else place


def needs_tensorflow(path: Path) -> bool:
    """Whether a model needs TensorFlow: an artifact for it, or a run without a prepared engine."""
    try:
        if not is_artifact(path):
            return not is_artifact(path / PREPARED)
        if path.is_dir():
            text = (path / LIST_FILE).read_text(encoding="utf-8")
        else:
            with zipfile.ZipFile(path) as archive:
                text = archive.open(LIST_FILE).read(MAX_LIST_BYTES).decode()
        return FORMATS[json.loads(text)["format"]].tensorflow
    except Exception:
        return False  # opening it will say what is wrong


def pack(folder: Path, out: Path) -> None:
    """Write the folder of an artifact as one file, nothing but the files of its list."""
    listing = read_listing(folder)
    with atomic_write(out) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in (LIST_FILE, *listing.files):
            archive.write(folder / name, name)


def unpacked(path: Path) -> Path:
    """Folder of an artifact; one that is a file is unpacked beside other such, once.

    Raises `ModelError` if the archive holds links, names that lead elsewhere, too many or too large
    files, or unpacks to far more than it is.
    """
    if path.is_dir():
        return path
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "maskwright" / "artifacts" / checksum(path)
    if (folder / LIST_FILE).is_file():
        return folder
    with atomic_folder(folder) as beside:
        _unpack(path, beside)
        read_listing(beside)
    return folder


def _unpack(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check_entries(path, entries)
            room = MAX_BYTES
            for entry in entries:
                target = folder / entry.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                # What the archive says of sizes may be a lie: bytes are counted as they come.
                with archive.open(entry) as packed, target.open("xb") as plain:
                    while chunk := packed.read(1 << 20):
                        room -= len(chunk)
                        if room < 0 or plain.tell() + len(chunk) > entry.file_size:
                            raise ModelError(
                                f"{path} expands beyond its declared size; do not use it."
                            )
                        plain.write(chunk)
    except ModelError:
        raise
    except Exception as error:  # archives that are damaged raise almost anything
        raise ModelError(f"{path} cannot be unpacked ({error}); copy or export it again.") from None


def _check_entries(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MAX_FILES:
        raise ModelError(
            f"{path} contains {len(entries):,} files; expected an exported model with at most "
            f"{MAX_FILES}."
        )
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names):
        raise ModelError(f"{path} contains a file twice; export the model again.")
    packed = unpacked_bytes = 0
    for entry in entries:
        check_name(entry.filename, path)
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG) or entry.is_dir():
            raise ModelError(
                f"{path} contains a link or folder, {entry.filename}; expected regular files."
            )
        packed += entry.compress_size
        unpacked_bytes += entry.file_size
    if unpacked_bytes > MAX_BYTES or unpacked_bytes > _MAX_RATIO * max(packed, 1024):
        raise ModelError(
            f"{path} expands from {packed:,} to {unpacked_bytes:,} bytes, more than a model can; "
            f"do not use it."
        )
