"""Formats that are converted once to masks with a manifest, in a folder of the cache."""

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from maskwright.data.readers.base import Place
from maskwright.data.readers.description import FILE_NAMES, PLACES, read_description
from maskwright.data.readers.manifest import MANIFEST_NAME, cache_folder
from maskwright.data.samples import Doubt, Note
from maskwright.imageio import atomic_folder, write_text

_REMARKS = "remarks.json"


def convert(
    place: Place,
    title: str,
    version: int,
    sources: Sequence[Path],
    write: Callable[[Path], Iterable[Note | Doubt]],
    anonymous: bool = False,
    settled: Collection[str] = (),
) -> Place:
    """Place of the converted files of a data set, which are written unless they are there already.

    Args:
        title: Name of the format, for people.
        version: Of the files that `write` makes; another one has them written again.
        sources: Files whose names, sizes and times decide what is written.
        write: Writes a manifest with its data.yaml and masks into an empty folder, see
            `write_described`, and returns what is to be told of them.
        anonymous: Whether the folder must not be named after the data, as that of patients.
        settled: Keys of data.yaml that `write` has followed; others hold for what it wrote.
    """
    root = (place.path if place.path.is_dir() else place.path.parent).resolve()
    origin = root if place.path.exists() else place.source
    key = _key(f"{title} {version} {origin} {place.description!r}", sources)
    kind = title.split()[0].lower()
    name = re.sub(r"[^\w.\-]+", "_", Path(origin).name)
    folder = cache_folder(kind) / (key if anonymous else f"{name}-{key}")
    if not (folder / MANIFEST_NAME).is_file():
        with atomic_folder(folder) as beside:
            remarks = list(write(beside))
            write_text(beside / _REMARKS, json.dumps([asdict(remark) for remark in remarks]))
    remarks = json.loads((folder / _REMARKS).read_text(encoding="utf-8"))
    stated = {}
    if place.description is not None:
        keys = place.description.model_fields_set - {"root", *settled} - PLACES
        stated = {key: getattr(place.description, key) for key in keys}
        if (splits := place.description.splits) is not None:
            stated["splits"] = {
                split: str(root / names)
                if isinstance(names, str)
                else [str(root / n) if (root / n).is_file() else n for n in names]
                for split, names in splits.items()
            }
    return Place(
        str(folder),
        read_description(folder / FILE_NAMES[0]).model_copy(update=stated),
        title,
        tuple(Note(**remark) for remark in remarks if "settle" not in remark),
        tuple(Doubt(**remark) for remark in remarks if "settle" in remark),
    )


def _key(text: str, sources: Sequence[Path]) -> str:
    """Hash of all that decides what is written, without reading it."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape"))
    for path in sources:
        state = path.stat()
        digest.update(
            f"{path} {state.st_size} {state.st_mtime_ns}".encode("utf-8", "surrogateescape")
        )
    return digest.hexdigest()[:12]
