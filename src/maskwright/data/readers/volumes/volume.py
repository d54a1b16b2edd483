"""Volumes and stacks as 2-D samples: slices, masks and spacing in files with a manifest."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.parallel import in_threads
from maskwright.data.readers.manifest import write_described
from maskwright.data.readers.volumes.grid import Grid
from maskwright.data.samples import Note, Sample, counted
from maskwright.errors import DataError
from maskwright.imageio import write_image, write_mask, write_text

VOLUMES_FILE = "volumes.json"
"""Beside the manifest: grid and key of each volume whose slices it lists."""

DTYPES = ("uint8", "uint16", "float32")
"""Types of pixels, each of which holds all values of those before it."""

SliceReader = Callable[[], tuple[np.ndarray, np.ndarray | None]]
"""Gives slices `(n, h, w, c)`, and labels `(n, h, w)` where there are any, or planes of classes
`(n, h, w, classes)`, not 0 in the pixels of each."""


@dataclass(frozen=True)
class Volume:
    """Slices that belong together, not read yet.

    Args:
        id: Usable as the name of a folder.
        case: Of all slices; `""` where each is a case of its own.
        read: Reads slices and labels; `DataError` where they cannot be used.
        dtype: Least type of `DTYPES` that holds its pixels, known without reading them.
        spacing_mm: From row to row and from column to column; `None` where it is unknown.
        grid: Where the voxels lie, to write masks back; `None` of arrays.
        label: What all of it is, for classification.
        key: Tells what it was cut from, without naming it; see `digest`.
        members: Id and case of each slice, where the slices are images of their own.
        planes: Classes of the planes that `read` gives in place of labels, as they overlap.
    """

    id: str
    case: str
    read: SliceReader
    dtype: str
    spacing_mm: tuple[float, float] | None = None
    grid: Grid | None = None
    split: str | None = None
    label: str | None = None
    key: str = ""
    members: Sequence[tuple[str, str]] = ()
    planes: Sequence[str] = ()


def common_dtype(volumes: Iterable[Volume]) -> str:
    """Type that holds the pixels of all volumes."""
    return max((volume.dtype for volume in volumes), key=DTYPES.index, default=DTYPES[0])


def write_volumes(
    folder: Path,
    volumes: Sequence[Volume],
    stated: Mapping[str, Any],
    remarks: Sequence[str] = (),
) -> list[Note]:
    """Write the slices of all volumes with masks, and a manifest; tell of volumes left out.

    `DataError` where none can be used.
    """
    dtype = common_dtype(volumes)
    samples: list[Sample] = []
    origins: dict[str, Any] = {}
    faults: list[str] = []
    for volume in volumes:
        try:
            samples += write_slices(folder, volume, dtype)
        except DataError as error:
            faults.append(str(error))
        else:
            grid = None if volume.grid is None else volume.grid.to_dict()
            origins[volume.id] = {"grid": grid, "key": volume.key}
    if not samples:
        reason = f" The first: {faults[0]}" if faults else ""
        raise DataError(f"No volume of {len(volumes)} can be used.{reason}")
    write_text(folder / VOLUMES_FILE, json.dumps(origins))
    write_described(folder, samples, stated, remarks)
    if not faults:
        return []
    text = f"Skipped: {counted(len(faults), 'volume')} of {len(volumes)}, the first: {faults[0]}"
    return [Note("skipped_volumes", text, len(faults), len(volumes))]


def write_slices(folder: Path, volume: Volume, dtype: str) -> list[Sample]:
    """Write images and masks of a volume as `images/ID/000.png` and the like; see `slice_names`."""
    slices, labels = volume.read()
    if labels is not None and labels.shape[:3] != slices.shape[:3]:
        raise DataError(
            f"{volume.id} has slices of the shape {slices.shape[:3]} (number, height, width), but "
            f"its masks {labels.shape}; expected one mask of the same size for each."
        )
    slices = slices.astype(dtype, copy=False)
    plain = slices.shape[3] in (1, 3) and dtype != "float32"
    suffix = ".png" if plain else ".tif"
    names = slice_names(volume.id, len(slices))
    names = [id_ for id_, _ in volume.members] or names
    cases = [case for _, case in volume.members] or [volume.case] * len(slices)

    def write(number: int) -> Sample:
        image = folder / "images" / f"{names[number]}{suffix}"
        write_image(image, slices[number])
        masks: tuple[Path, ...] = ()
        if labels is not None and volume.planes:
            places = range(len(volume.planes))
            masks = tuple(folder / "masks" / f"{names[number]}-{n + 1}.png" for n in places)
            for n, mask in enumerate(masks):
                write_mask(mask, (labels[number, ..., n] != 0).astype(np.uint8))
        elif labels is not None:
            masks = (folder / "masks" / f"{names[number]}.png",)
            write_mask(masks[0], labels[number])
        id_ = names[number].replace("/", "-")
        return Sample(
            id_,
            image,
            masks,
            cases[number] or id_,
            volume.split,
            volume.label,
            spacing_mm=volume.spacing_mm,
            classes=tuple(volume.planes) if masks else (),
        )

    return list(in_threads(write, range(len(slices)), None))


def slice_names(id_: str, number: int) -> list[str]:
    """Names of the slices of a volume: `ID/000`, `ID/001` and so on; `ID` of a single one."""
    digits = max(3, len(str(number - 1)))
    return [id_] if number == 1 else [f"{id_}/{n:0{digits}}" for n in range(number)]


def read_grids(folder: Path) -> dict[str, Grid]:
    """Grids of the volumes whose slices lie in a folder, by their ids, where they are known."""
    grids = {id_: origin["grid"] for id_, origin in _read_origins(folder).items()}
    return {id_: Grid.from_dict(values) for id_, values in grids.items() if values is not None}


def read_keys(folder: Path) -> dict[str, str]:
    """Keys of the volumes whose slices lie in a folder, by their ids."""
    return {id_: origin["key"] for id_, origin in _read_origins(folder).items()}


def _read_origins(folder: Path) -> dict[str, Any]:
    path = folder / VOLUMES_FILE
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def digest(text: str) -> str:
    """Short text that differs where another does, and does not tell it."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def integer_labels(values: np.ndarray, path: Path) -> np.ndarray:
    """Labels int32 from values of any type; `DataError` of fractions and of negative values."""
    whole = values.dtype.kind in "iub" or np.isfinite(values).all()
    if not whole or (values != np.rint(values)).any():
        raise DataError(f"{path} holds fractions; expected whole numbers as labels of a mask.")
    lowest, highest = int(values.min(initial=0)), int(values.max(initial=0))
    if lowest < 0 or highest > np.iinfo(np.uint16).max:
        raise DataError(
            f"{path} holds labels from {lowest} to {highest}; expected 0 to 65535, with 255 or "
            f"another value for pixels to ignore."
        )
    return values.astype(np.int32)
