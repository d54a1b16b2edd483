"""What the mask files of a data set hold; a file is read once, and not again until it changes."""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

import maskwright.data.encodings
import maskwright.imageio
from maskwright.data.encodings.contents import MaskContents, read_contents
from maskwright.data.parallel import in_threads
from maskwright.data.readers.manifest import cache_folder
from maskwright.errors import DataError, MaskwrightError
from maskwright.imageio import write_text

_MAX_VALUES = 2_000_000  # of all masks together, about 200 MB; what has more is no set of classes
_MAX_REMEMBERED = 1000  # values of a mask; one with more is read again
_WORTH_S = 1.0  # of reading; what takes less is not remembered
_RECENT_NS = 2 * 10**9  # a file that is so young may change without a new time of change
_COUNTS = ("values", "mixed", "thin")  # of `MaskContents`, by value or color
_MAX_FILES = 100  # in the cache folder; the oldest are removed


def read_all_contents(root: Path, paths: Sequence[Path]) -> dict[Path, MaskContents | str]:
    """What each mask file holds, or why it cannot be read; by path, in order.

    What is read is remembered in one file per data set in `cache_folder("masks")`, by path, size
    and time of change, and read again where these differ. Where masks hold too many values to keep,
    as they do where values number objects, a random part of the files is read.
    """
    cache = cache_folder("masks") / f"{_digest([os.fsencode(root.resolve())])}.json"
    before = _load(cache)
    states = {path: _state(path) for path in paths}
    known = {
        path: _unpacked(entry[1])
        for path, state in states.items()
        if state is not None and (entry := before.get(str(path.absolute()))) and entry[0] == state
    }
    missing = [path for path in paths if path not in known]
    outcomes: dict[Path, MaskContents | str] = dict(known)
    held = sum(len(contents.values) for contents in known.values())
    order = [missing[place] for place in np.random.default_rng(0).permutation(len(missing))]
    began = time.perf_counter()
    for path, outcome in zip(order, in_threads(_read, order, "Probing masks"), strict=True):
        outcomes[path] = outcome
        held += 0 if isinstance(outcome, str) else len(outcome.values)
        if held > _MAX_VALUES:
            break
    if time.perf_counter() - began > _WORTH_S:
        now = time.time_ns()
        _save(
            cache,
            {
                str(path.absolute()): (state, _packed(contents))
                for path, state in states.items()
                if state is not None and state[1] < now - _RECENT_NS
                if isinstance(contents := outcomes.get(path), MaskContents)
                if len(contents.values) <= _MAX_REMEMBERED
            },
        )
    return {path: outcomes[path] for path in paths if path in outcomes}


def _read(path: Path) -> MaskContents | str:
    try:
        return read_contents(path)
    except DataError as error:
        return str(error)


def _state(path: Path) -> list[int] | None:
    """Size in bytes and time of change of a file; `None` where there is none."""
    with suppress(OSError):
        state = path.stat()
        return [state.st_size, state.st_mtime_ns]
    return None


def _load(cache: Path) -> dict[str, Any]:
    """Entries of a cache file; none where it is absent, damaged, or written by other code."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        content = json.loads(cache.read_text(encoding="utf-8"))
        if content["reader"] == _reader():
            return dict(content["masks"])
    return {}


def _save(cache: Path, masks: Mapping[str, Any]) -> None:
    """Write a cache file; where that is not possible, masks are read again the next time."""
    with suppress(OSError, MaskwrightError):
        write_text(cache, json.dumps({"reader": _reader(), "masks": masks}))
        files = sorted(cache.parent.glob("*.json"), key=lambda file: file.stat().st_mtime)
        for file in files[:-_MAX_FILES]:
            file.unlink(missing_ok=True)


def _packed(contents: MaskContents) -> dict[str, Any]:
    """Contents of a mask, fit for JSON."""
    palette = None if contents.palette is None else contents.palette.hex()
    counts = {name: list(getattr(contents, name).items()) for name in _COUNTS}
    return {**vars(contents), **counts, "palette": palette}


def _unpacked(entry: Mapping[str, Any]) -> MaskContents:
    palette = None if entry["palette"] is None else bytes.fromhex(entry["palette"])
    counts = {
        name: {tuple(v) if isinstance(v, list) else v: count for v, count in entry[name]}
        for name in _COUNTS
    }
    tuples = {name: tuple(entry[name]) for name in ("blobs", "rims")}
    return MaskContents(**{**entry, **counts, **tuples, "palette": palette})


def _reader() -> str:
    """Hash of the code that reads masks: what other code has read may differ."""
    packages = (maskwright.imageio, maskwright.data.encodings)
    folders = [Path(package.__path__[0]) for package in packages]
    return _digest(file.read_bytes() for folder in folders for file in sorted(folder.rglob("*.py")))


def _digest(parts: Iterable[bytes]) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()[:24]
