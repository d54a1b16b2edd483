"""`manifest.jsonl`: one line on each image, so that a second run skips what is done."""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from maskwright.errors import ConfigError
from maskwright.imageio import atomic_write
from maskwright.inference.output_paths import Job, WorkItem, below

MANIFEST_FILE = "manifest.jsonl"
"""Name of the manifest in the folder of the results."""

Record = dict[str, Any]
"""What a task adds to its tables for one item, as JSON holds it."""

_BESIDE = ("overlay", "probabilities", "panoptic", "polygons", "bounds")

Status = Literal["done", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestEntry:
    """One line of the manifest.

    Args:
        mask: Path of its mask, seen from the folder of the manifest; no two lines have the same.
        size: Height and width of the image, px.
        bytes: Length of the file of the image when it was read; `None` where there was no file.
        changed_ns: When that file was last changed, nanoseconds since 1970.
        beside: What was written beside the mask, by the names in `Job`.
        seconds: Reading, its share of the time of the model, finishing and writing.
        record: Record of its item, on the first image of an item; `None` for others.
    """

    image: str
    mask: str
    status: Status
    reason: str | None = None
    size: tuple[int, int] | None = None
    bytes: int | None = None
    changed_ns: int | None = None
    settings: str
    beside: tuple[str, ...] = ()
    seconds: float = 0.0
    record: Record | None = None

    def to_json(self) -> str:
        """One line, without its end."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def from_json(cls, line: str) -> "ManifestEntry | None":
        """Entry of a line; `None` where it is broken, as the last one of a killed program."""
        try:
            values = json.loads(line)
            size, beside = values["size"], values["beside"]
            values |= {"size": None if size is None else tuple(size), "beside": tuple(beside)}
            entry = cls(**values)
        except (ValueError, TypeError, KeyError):
            return None
        known = isinstance(entry.mask, str) and entry.status in get_args(Status)
        return entry if known else None


def fingerprint(*parts: object) -> str:
    """Short text that differs where a part does: model cards, test-time augmentation, cases."""
    return hashlib.sha256("".join(map(str, parts)).encode()).hexdigest()[:16]


def described(job: Job, out: Path, settings: str) -> dict[str, Any]:
    """Fields of the `ManifestEntry` of a job that are known before its image is opened."""
    length = changed = None
    try:
        status = os.stat(job.image)  # noqa: PTH116  # `Path` would take twice as long
        length, changed = status.st_size, status.st_mtime_ns
    except OSError:
        pass  # whoever opens the file says what is wrong
    return {
        "image": os.path.abspath(job.image),  # noqa: PTH100  # links stay as the user named them
        "mask": below(job.mask, out),
        "bytes": length,
        "changed_ns": changed,
        "settings": settings,
        "beside": tuple(name for name in _BESIDE if getattr(job, name)),
    }


class Manifest:
    """The manifest of a folder of results.

    Lines are added while results are written, and put in order at the end; a broken last line, of a
    killed program, counts as not there. A later line on a mask replaces an earlier one; lines on
    images of other runs into the same folder stay.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / MANIFEST_FILE
        self._folder = folder
        self._known = self._read()
        self._added: dict[str, ManifestEntry] = {}

    def is_done(self, item: WorkItem) -> bool:
        """Whether an item was done with the same settings, and neither images nor results changed.

        Images are compared by path, length and time of change; results must only exist.
        """
        return all(self._is_done(job, item.settings) for job in item.jobs)

    def records(self, items: Iterable[WorkItem]) -> list[Record]:
        """Records of all items that are done, by this run or an earlier one, in their order."""
        entries = (self._entry(job) for item in items for job in item.jobs)
        return [entry.record for entry in entries if entry is not None and entry.record is not None]

    def _entry(self, job: Job) -> ManifestEntry | None:
        name = below(job.mask, self._folder)
        return self._added.get(name) or self._known.get(name)

    def _is_done(self, job: Job, settings: str) -> bool:
        entry = self._known.get(below(job.mask, self._folder))
        if entry is None or entry.status != "done" or entry.settings != settings:
            return False
        now = described(job, self._folder, settings)
        same = all(now[name] == getattr(entry, name) for name in ("image", "bytes", "changed_ns"))
        known = same and entry.bytes is not None and set(now["beside"]) <= set(entry.beside)
        return known and all(map(os.path.exists, job.files))

    def add(self, entry: ManifestEntry) -> None:
        """Write a line; the file is opened anew, so that several programs may add to it."""
        self._added[entry.mask] = entry
        try:
            with self.path.open("ab") as file:
                # A program that was killed may have left half a line without an end.
                start = b"" if len(self._added) > 1 or self._ends_well() else b"\n"
                file.write(start + entry.to_json().encode() + b"\n")
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be written: {error.strerror}.") from None

    def finish(self, jobs: Iterable[Job]) -> None:
        """Put the lines in the order of the jobs, after those on other images."""
        if not self._added:
            return
        known = self._read() | self._added  # read again: another program may have added to it
        named = [name for name in (below(job.mask, self._folder) for job in jobs) if name in known]
        others = known.keys() - set(named)
        with atomic_write(self.path) as beside, beside.open("w", encoding="utf-8") as file:
            for name in [*(name for name in known if name in others), *named]:
                file.write(known[name].to_json() + "\n")

    def _read(self) -> dict[str, ManifestEntry]:
        if not self.path.exists():
            return {}
        try:
            with self.path.open(encoding="utf-8", errors="replace") as file:
                entries = map(ManifestEntry.from_json, file)
                return {entry.mask: entry for entry in entries if entry is not None}
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be read: {error.strerror}.") from None

    def _ends_well(self) -> bool:
        size = self.path.stat().st_size
        with self.path.open("rb") as file:
            file.seek(max(0, size - 1))
            return file.read() in (b"", b"\n")
