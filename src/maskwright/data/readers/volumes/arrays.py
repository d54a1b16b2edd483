"""Reader of arrays of images and masks: `.npy`, `.npz` and HDF5, stacks or a file for each case."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from maskwright.data.readers.annotations.files import files_below
from maskwright.data.readers.base import Place, Reader, Recognition
from maskwright.data.readers.conversion import convert
from maskwright.data.readers.description import Description
from maskwright.data.readers.volumes.array_files import ARRAY_SUFFIXES, is_array_file
from maskwright.data.readers.volumes.array_pairs import ArrayPair, pair_arrays
from maskwright.data.readers.volumes.volume import (
    Volume,
    integer_labels,
    slice_names,
    write_volumes,
)
from maskwright.data.samples import Doubt, Note, unique_ids
from maskwright.errors import ConfigError, DataError
from maskwright.labels import BACKGROUND_NAMES

_FORMAT = 2  # of the files written; another number has them written anew
_CASE = re.compile(r"(?P<case>.+?)[_\-. ]*(slice|frame|z)[_\-. ]*\d+", re.IGNORECASE)
_PLACE = re.compile(r"(?P<file>.+\.(?:npz|h5|hdf5|hdf))(?::(?P<key>.+))?|(?P<npy>.+\.npy)")


def _recognize(place: Place) -> Recognition | None:
    path, description = place.path, place.description or Description()
    if path.is_file() and is_array_file(path):
        return Recognition(1.0, path.name, partial(_read, place, [path]))
    if not path.is_dir() or description.manifest is not None:
        return None
    stated = (description.images, description.masks_place)
    if any(name is not None for name in stated):
        if not all(name is not None and _PLACE.fullmatch(name) for name in stated):
            return None
        return Recognition(1.0, str(description.images), partial(_read, place, []))
    files = files_below(path, ARRAY_SUFFIXES)
    # Arrays often lie beside images that were made of them, or from which they were.
    return Recognition(0.45, files[0].name, partial(_read, place, files)) if files else None


ARRAYS = Reader(
    "arrays",
    "an .npy, .npz or HDF5 file of images and masks",
    _recognize,
)


def _read(place: Place, files: Sequence[Path]) -> Place:
    description = place.description or Description()
    if not files:
        names = [
            _PLACE.fullmatch(str(name)) for name in (description.images, description.masks_place)
        ]
        found = [place.path / (name["file"] or name["npy"]) for name in names if name]
        files = list(dict.fromkeys(found))
    if missing := [file for file in files if not file.is_file()]:
        raise DataError(f"data.yaml names {missing[0]}, but there is no such file.")
    write = partial(_write, place, files, description)
    return convert(place, "Arrays", _FORMAT, files, write)


def _write(
    place: Place, files: Sequence[Path], description: Description, folder: Path
) -> list[Note | Doubt]:
    pairs, doubts = pair_arrays(place, files, description)
    for pair in pairs:
        if len(pair.axes) > 1:
            first, second = (f"{axes.images}" for axes in pair.axes[:2])
            doubts.append(
                Doubt(
                    "axes",
                    f"{pair.images} and {pair.masks} fit the axes {first} as well as {second} "
                    f"(n: number, h: height, w: width, c: channels).",
                    f"Write `axes: {first}` or `axes: {second}` into data.yaml.",
                )
            )
            break
    ids = unique_ids([(pair.split or "", *map(_plain, pair.rest)) for pair in pairs])
    stacks = Counter(pair.split for pair in pairs)
    volumes = [
        _volume(pair, id_ or "image", stacks[pair.split] > 1, _planes(pair, description))
        for pair, id_ in zip(pairs, ids, strict=True)
    ]
    volumes = _with_unique_names(volumes)
    return [*doubts, *write_volumes(folder, volumes, {}, [f"From arrays in {place.path.name}."])]


def _plain(name: str) -> str:
    """Name that files can have."""
    return re.sub(r"[^\w.\-]+", "_", name)


def _with_unique_names(volumes: Sequence[Volume]) -> list[Volume]:
    """Volumes whose images have different names, also where stacks count from the same id."""
    listed = [[id_ for id_, _ in volume.members] or [volume.id] for volume in volumes]
    names = [(v.split or "", name) for v, ids in zip(volumes, listed, strict=True) for name in ids]
    unique = iter(unique_ids(names))
    return [
        replace(volume, members=[(next(unique), case) for _, case in volume.members])
        if volume.members
        else replace(volume, id=next(unique))
        for volume in volumes
    ]


def _planes(pair: ArrayPair, description: Description) -> tuple[str, ...]:
    """Classes of the planes of masks where data.yaml states how they overlap.

    `ConfigError` where it names another number of classes.
    """
    number = dict(zip(pair.axes[0].masks, pair.masks.shape, strict=True)).get("c", 1)
    if description.overlap is None or number == 1:
        return ()
    names = description.classes or [f"class {n + 1}" for n in range(number)]
    if len(names) == number + 1 and names[0].casefold() in BACKGROUND_NAMES:
        names = names[1:]
    if len(names) != number:
        raise ConfigError(
            f"data.yaml names {len(names)} classes, but {pair.masks} has {number} planes; "
            f"expected a class for each, and background before them where it has none."
        )
    return tuple(names)


def _volume(pair: ArrayPair, id_: str, is_case: bool, planes: tuple[str, ...]) -> Volume:
    kind = pair.images.dtype.name
    dtype = kind if kind in ("uint8", "uint16") else "uint8" if kind == "bool" else "float32"
    case = _CASE.fullmatch(id_)
    return Volume(
        id_,
        (case["case"] if case else id_) if is_case else "",
        partial(_arrays, pair, bool(planes)),
        dtype,
        split=pair.split,
        members=_members(pair, id_),
        planes=planes,
    )


def _members(pair: ArrayPair, id_: str) -> list[tuple[str, str]]:
    """Id and case of each image of a stack, as far as columns state them; `DataError` of others."""
    columns = {kind: np.asarray(ref.read()).astype(str) for kind, ref in pair.columns.items()}
    number = dict(zip(pair.axes[0].images, pair.images.shape, strict=True)).get("n", 1)
    for kind, values in columns.items():
        if len(values) != number or (kind == "id" and len(set(values.tolist())) < number):
            raise DataError(
                f"{pair.columns[kind]} does not fit the {number} images of {pair.images}; expected "
                f"one {kind} for each{', all different' if kind == 'id' else ''}."
            )
    if not columns:
        return []
    ids = columns.get("id", np.array([n.replace("/", "-") for n in slice_names(id_, number)]))
    cases = columns.get("case", np.full(number, ""))
    return [
        (_plain(id_) or "_", case) for id_, case in zip(ids.tolist(), cases.tolist(), strict=True)
    ]


def _arrays(pair: ArrayPair, apart: bool) -> tuple[np.ndarray, np.ndarray]:
    axes = pair.axes[0]
    slices = axes.slices(pair.images.read())
    if slices.dtype == np.bool_:
        slices = slices * np.uint8(255)
    if apart:
        return slices, axes.planes(pair.masks.read())
    labels = axes.labels(pair.masks.read(), str(pair.masks))
    return slices, integer_labels(np.asarray(labels), pair.masks.file)
