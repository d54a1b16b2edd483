"""The list of files of an exported model, and all that is checked of them before they are trusted.

Reading runs no code that an artifact names. Models that are made of others hold these as folders
within, each an artifact for the same engine: members of an ensemble, the segmenter of regions.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, get_args

from maskwright.errors import ModelError
from maskwright.imageio import atomic_write
from maskwright.model_card import (
    CARD_FILE,
    LEARNED_FILE,
    MODEL_FILE,
    TRUST_ARRAYS_FILE,
    TRUST_FILE,
    checksum,
)
from maskwright.types import Format

LIST_FILE = "artifact.json"
"""Name of the list of files, in the folder of an artifact."""

SELFTEST_FILE = "selftest.npz"
"""Name of what an artifact tests itself with, and the answer that it must give."""

MAX_BYTES = 8 * 2**30
MAX_FILES = 500
MAX_LIST_BYTES = 2**20

_VERSION = 1
_BESIDE = {CARD_FILE, SELFTEST_FILE, LIST_FILE, LEARNED_FILE, TRUST_FILE, TRUST_ARRAYS_FILE}
"""Files of an artifact that are no part of its network."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What an artifact holds.

    Args:
        files: SHA-256 of every file but the list itself, by its path.
        kept_in_float: Names of layers that are not of 8 bits, though `int8` says so.
        made_with: Versions of what made it.
        source: Checksum of the model that it was made from, as on the card of its run.
        parity: As `Parity.to_dict` gives it.
    """

    format: Format
    files: Mapping[str, str]
    int8: bool = False
    kept_in_float: Sequence[str] = ()
    made_with: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    parity: Mapping[str, Any] = field(default_factory=dict)
    version: int = _VERSION


def write_listing(folder: Path, **facts: Any) -> Listing:
    """List all files of a folder with their checksums; `facts` are other fields of `Listing`."""
    listing = Listing(files=_files(folder), **facts)
    with atomic_write(folder / LIST_FILE) as beside:
        beside.write_text(json.dumps(asdict(listing), indent=2) + "\n", encoding="utf-8")
    return listing


def _files(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    return {name: checksum(path) for name, path in names.items() if name != LIST_FILE}


def written_digest(folder: Path) -> str:
    """`network_digest` of a folder that has no list yet."""
    return network_digest(_files(folder))


def network_digest(files: Mapping[str, str]) -> str:
    """What the card of an artifact holds as the checksum of its model, from those of its files.

    Those of artifacts within do not count: they have cards of their own. It is the SHA-256 of a
    single file; of several that of their sorted names and checksums.
    """
    within = inner_artifacts(files)
    checksums = {
        name: digest
        for name, digest in files.items()
        if name not in _BESIDE and not any(name.startswith(f"{inner}/") for inner in within)
    }
    if len(checksums) == 1:
        return next(iter(checksums.values()))
    lines = "".join(f"{checksums[name]}  {name}\n" for name in sorted(checksums))
    return hashlib.sha256(lines.encode()).hexdigest()


def inner_artifacts(files: Iterable[str]) -> list[str]:
    """Folders within an artifact that are artifacts themselves, from the paths of its files."""
    lists = [PurePosixPath(name) for name in files if PurePosixPath(name).name == LIST_FILE]
    return [path.parent.as_posix() for path in lists if len(path.parts) > 1]


def read_listing(folder: Path) -> Listing:
    """List of an artifact, checked against what is there.

    Raises `ModelError` if the list is missing or of another version, names a file that leads
    elsewhere, is missing, changed or too large; or if there is a link, a file that is not listed,
    or a model within that is no artifact for the same engine.
    """
    path = folder / LIST_FILE
    if path.is_symlink() or not path.is_file():
        raise ModelError(f"{folder} is not an exported model; expected a folder with {LIST_FILE}.")
    listing = _parsed(path)
    there = set()
    for entry in folder.rglob("*"):
        name = entry.relative_to(folder).as_posix()
        if entry.is_symlink():
            raise ModelError(
                f"The exported model {folder} contains a link, {name}; expected regular files: "
                f"export it again."
            )
        if entry.is_file() and name != LIST_FILE:
            there.add(name)
    if unlisted := sorted(there - listing.files.keys()):
        raise ModelError(
            f"The exported model {folder} contains {unlisted[0]}, which {LIST_FILE} does not list; "
            f"remove it, or export the model again."
        )
    total = 0
    for name, expected in listing.files.items():
        check_name(name, folder)
        if name not in there:
            raise ModelError(
                f"The exported model {folder} lacks {name}, which {LIST_FILE} lists; copy or "
                f"export it again."
            )
        total += (folder / name).stat().st_size
        if total > MAX_BYTES:
            raise ModelError(
                f"The exported model {folder} is larger than the limit of {MAX_BYTES / 2**30:.0f} "
                f"GiB."
            )
        if checksum(folder / name) != expected:
            raise ModelError(
                f"The checksum of {folder / name} differs from that in {LIST_FILE}; "
                f"copy or export the model again."
            )
    _check_inner(folder, listing)
    return listing


def _check_inner(folder: Path, listing: Listing) -> None:
    """Refuse models within that would be opened by anything but the engine that was asked for."""
    within = inner_artifacts(listing.files)
    for name in listing.files:
        place = PurePosixPath(name)
        folders = [".", *within]  # the artifact itself and those in it
        stray_card = place.name == CARD_FILE and place.parent.as_posix() not in folders
        if place.name == MODEL_FILE or stray_card:
            raise ModelError(
                f"The exported model {folder} contains {name}, a file of a run; export it again."
            )
    for inner in within:
        if _parsed(folder / inner / LIST_FILE).format != listing.format:
            raise ModelError(
                f"The exported model {folder} is for {listing.format}, but its part {inner} is for "
                f"another engine; export it again."
            )


def _parsed(path: Path) -> Listing:
    try:
        if path.stat().st_size > MAX_LIST_BYTES:
            raise ValueError("longer than any list")
        values = json.loads(path.read_text(encoding="utf-8"))
        version = values.get("version")
        if version != _VERSION:
            raise ModelError(
                f"{path} has version {version}, but this Maskwright reads version {_VERSION}: "
                f"update Maskwright, or export the model again."
            )
        listing = Listing(**values)
        right = (
            listing.format in get_args(Format)
            and CARD_FILE in listing.files
            and len(listing.files) <= MAX_FILES
            and all(isinstance(v, str) and len(v) == 64 for v in listing.files.values())
        )
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        right = False
    if not right:
        raise ModelError(
            f"{path} is not the file list of an exported model; export the model again."
        )
    return listing


def check_name(name: str, where: Path) -> None:
    """Refuse a path that leads out of its folder, or that other systems read otherwise."""
    path = PurePosixPath(name)
    plain = (
        not path.is_absolute()
        and name == path.as_posix()
        and not any(part in ("..", ".", "") for part in path.parts)
        and not any(sign in name for sign in "\\:\0")
    )
    if not plain:
        raise ModelError(
            f"The exported model {where} lists the file {name!r} outside its folder; do not use it."
        )
