"""`manifest.jsonl`: what became of every image, one line each, so that a second run skips it."""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from maskwright.errors import ConfigError
from maskwright.imageio import atomic_write
from maskwright.inference.output_paths import Job, below
from maskwright.inference.predictor import Flips
from maskwright.model_card import SemanticCard

MANIFEST_FILE = "manifest.jsonl"
"""Name of the manifest in the folder of the masks."""

_BESIDE = ("overlay", "probabilities", "panoptic", "polygons")

Status = Literal["done", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestEntry:
    """One line of the manifest.

    Args:
        image: Full path of the image.
        mask: Path of its mask, seen from the folder of the manifest; no two lines have the same.
        status: `"done"`, or `"failed"` where there is no mask.
        reason: Sentence on why it failed.
        size: Height and width of the image, px.
        bytes: Length of the file of the image when it was read; `None` where there was no file.
        changed_ns: When that file was last changed, nanoseconds since 1970.
        settings: From `fingerprint`.
        beside: What was written beside the mask, by the names in `Job`.
        seconds: Reading, its share of the time of the model, finishing and writing.
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

    def to_json(self) -> str:
        """One line, without its end."""
        return json.dumps(asdict(self))

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


def fingerprint(card: SemanticCard, flips: Flips) -> str:
    """Short text that differs where masks may: model, threshold, tile, cleaning, flips."""
    return hashlib.sha256(f"{card.to_json()}{flips}".encode()).hexdigest()[:16]


def described(job: Job, out: Path, settings: str) -> dict[str, Any]:
    """What is known of the entry of a job before its image is opened, by the names of `Entry`."""
    length = changed = None
    try:
        found = os.stat(job.image)  # noqa: PTH116  # `Path` would take twice as long
        length, changed = found.st_size, found.st_mtime_ns
    except OSError:
        pass  # whoever opens the file says what is wrong
    return {
        "image": os.path.abspath(job.image),  # noqa: PTH100  # links stay as the user named them
        "mask": below(job.mask, out),
        "bytes": length,
        "changed_ns": changed,
        "settings": settings,
        "beside": tuple(name for name in _BESIDE if getattr(job, name) is not None),
    }


class Manifest:
    """The manifest of a folder of masks.

    Lines are added while masks are written, each in one step, and put in order at the end. Where a
    program is killed, the last line may be broken: it counts as not there. A later line on a mask
    takes the place of an earlier one. Lines on images of other runs into the same folder stay.

    Args:
        folder: Of the masks.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / MANIFEST_FILE
        self._folder = folder
        self._known = self._read()
        self._added: dict[str, ManifestEntry] = {}

    def is_done(self, job: Job, settings: str) -> bool:
        """Whether a job was done with the same settings, and neither image nor results changed.

        An image is the same where its path, its length and the time of its last change are; it is
        not opened. Results must be there; what is in them is not looked at.
        """
        entry = self._known.get(below(job.mask, self._folder))
        if entry is None or entry.status != "done" or entry.settings != settings:
            return False
        now = described(job, self._folder, settings)
        same = all(now[name] == getattr(entry, name) for name in ("image", "bytes", "changed_ns"))
        return (
            same
            and entry.bytes is not None
            and set(now["beside"]) <= set(entry.beside)
            and all(os.path.exists(path) for path in job.files)  # noqa: PTH110
        )

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
        own = [name for name in (below(job.mask, self._folder) for job in jobs) if name in known]
        others = known.keys() - set(own)
        with atomic_write(self.path) as beside, beside.open("w", encoding="utf-8") as file:
            for name in [*(name for name in known if name in others), *own]:
                file.write(known[name].to_json() + "\n")

    def _read(self) -> dict[str, ManifestEntry]:
        if not self.path.exists():
            return {}
        known: dict[str, ManifestEntry] = {}
        try:
            with self.path.open(encoding="utf-8", errors="replace") as file:
                for line in file:
                    entry = ManifestEntry.from_json(line)
                    if entry is not None:
                        known[entry.mask] = entry
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be read: {error.strerror}.") from None
        return known

    def _ends_well(self) -> bool:
        if not self.path.stat().st_size:
            return True
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read() == b"\n"
