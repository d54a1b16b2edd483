"""Reader of arrays of images and masks: `.npy`, `.npz` and HDF5, stacks or a file for each case."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from maskwright.data.readers.base import Place, Reader, Recognition
from maskwright.data.readers.conversion import convert
from maskwright.data.readers.description import Description
from maskwright.data.readers.folders.roles import words_of
from maskwright.data.readers.volumes.array_files import ArrayRef, is_array_file, list_arrays
from maskwright.data.readers.volumes.axes import Axes, readings
from maskwright.data.readers.volumes.volume import Volume, integer_labels, write_volumes
from maskwright.data.samples import Doubt, Note, first_few, grouped, unique_ids
from maskwright.errors import DataError
from maskwright.imageio import natural_key

_FORMAT = 1  # of the files written; another number has them written anew
_CASE = re.compile(r"(?P<case>.+?)[_\-. ]*(slice|frame|z)[_\-. ]*\d+", re.IGNORECASE)
_PLACE = re.compile(r"(?P<file>.+\.(?:npz|h5|hdf5|hdf))(?::(?P<key>.+))?|(?P<npy>.+\.npy)")


@dataclass(frozen=True)
class _Pair:
    """Arrays of images and masks; `rest` is what their names have in common."""

    images: ArrayRef
    masks: ArrayRef
    axes: tuple[Axes, ...]
    split: str | None
    rest: tuple[str, ...]


def _recognize(place: Place) -> Recognition | None:
    path, description = place.path, place.description or Description()
    if path.is_file() and is_array_file(path):
        return Recognition(1.0, path.name, partial(_read, place, [path]))
    if not path.is_dir() or description.manifest is not None:
        return None
    stated = (description.images, description.masks)
    if any(name is not None for name in stated):
        if not all(name is not None and _PLACE.fullmatch(name) for name in stated):
            return None
        return Recognition(1.0, str(description.images), partial(_read, place, []))
    files = sorted(filter(is_array_file, path.rglob("*")), key=lambda file: natural_key(str(file)))
    # Arrays often lie beside images that were made of them, or from which they were.
    return Recognition(0.45, files[0].name, partial(_read, place, files)) if files else None


ARRAYS = Reader(
    "arrays",
    "an .npy, .npz or HDF5 file of images and masks",
    "images.npy with masks.npy, .npz or HDF5 files with both",
    _recognize,
)


def _read(place: Place, files: Sequence[Path]) -> Place:
    description = place.description or Description()
    if not files:
        names = [_PLACE.fullmatch(str(name)) for name in (description.images, description.masks)]
        found = [place.path / (name["file"] or name["npy"]) for name in names if name]
        files = list(dict.fromkeys(found))
    if missing := [file for file in files if not file.is_file()]:
        raise DataError(f"data.yaml names {missing[0]}, but there is no such file.")
    write = partial(_write, place, files, description)
    return convert(place, "Arrays", _FORMAT, files, write)


def _write(
    place: Place, files: Sequence[Path], description: Description, folder: Path
) -> list[Note | Doubt]:
    pairs, doubts = _pairs(place, files, description)
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
    ids = unique_ids([(pair.split or "", *pair.rest) for pair in pairs])
    stacks = Counter(pair.split for pair in pairs)
    volumes = [
        _volume(pair, re.sub(r"[^\w.\-]+", "_", id_) or "image", stacks[pair.split] > 1)
        for pair, id_ in zip(pairs, ids, strict=True)
    ]
    return [*doubts, *write_volumes(folder, volumes, {}, [f"From arrays in {place.path.name}."])]


def _pairs(
    place: Place, files: Sequence[Path], description: Description
) -> tuple[list[_Pair], list[Note | Doubt]]:
    """Arrays that belong together, by their names and shapes; `DataError` without any."""
    refs = [ref for file in files for ref in list_arrays(file)]
    root = place.path if place.path.is_dir() else place.path.parent
    if description.images is not None and description.masks is not None:
        chosen = [_stated(root, name, refs) for name in (description.images, description.masks)]
        pair = _fit(chosen[:1], chosen[1:], description, None, ())
        if not pair:
            raise DataError(
                f"{chosen[0]} and {chosen[1]} do not fit together; expected images (n, h, w) or "
                f"(n, h, w, c) and masks (n, h, w)."
            )
        return pair, []
    by_words = grouped(refs, lambda ref: _words(root, ref)[1:])
    pairs: list[_Pair] = []
    doubts: list[Note | Doubt] = []
    for (split, rest), members in by_words.items():
        roles = grouped(members, lambda ref: _words(root, ref)[0])
        images, masks = roles.get("image", []), [*roles.get("mask", []), *roles.get("objects", [])]
        found = _fit(images, masks, description, split, rest)
        if len(found) > 1:
            other = f"{found[1].images} with {found[1].masks}"
            doubts.append(
                Doubt(
                    "several_arrays",
                    f"{found[0].images} with {found[0].masks} fit together, and {other} too.",
                    f"Name those to use in data.yaml, as in `images: {_name(found[0].images)}` "
                    f"and `masks: {_name(found[0].masks)}`.",
                )
            )
        pairs += found[:1]
    if not pairs:  # the names say nothing
        for file, inside in grouped(refs, lambda ref: ref.file).items():
            images, masks = _by_shape(inside)
            pairs += _fit(images, masks, description, None, (file.stem,))[:1]
    if not pairs:
        listed = "; ".join(map(str, refs[:6])) + ("; …" if len(refs) > 6 else "")
        raise DataError(
            f"{place.path} holds no arrays of images and masks that fit together; expected names "
            f"such as images and masks, with the shapes (n, h, w, c) and (n, h, w). It holds: "
            f"{listed or 'no array with two axes'}. Name them in a data.yaml, as in `images: "
            f"data.h5:x` and `masks: data.h5:y`."
        )
    used = {id(ref) for pair in pairs for ref in (pair.images, pair.masks)}
    if spare := [str(ref) for ref in refs if id(ref) not in used]:
        doubts.append(Note("unused_arrays", f"Arrays in no pair: {first_few(spare, 4)}."))
    return pairs, doubts


def _words(root: Path, ref: ArrayRef) -> tuple[str, str | None, tuple[str, ...]]:
    """Role, split, and what remains of the names of folders, file and key."""
    file = ref.file.relative_to(root) if ref.file.is_relative_to(root) else Path(ref.file.name)
    parts = [*file.parent.parts, file.name.split(".")[0], *filter(None, ref.key.split("/"))]
    role, split, rest = "", None, []
    for part in parts:
        part_role, part_split, remains = words_of(part)
        role, split = part_role or role, part_split or split
        rest += [remains] if remains else []
    return role, split, tuple(rest)


def _by_shape(members: Sequence[ArrayRef]) -> tuple[list[ArrayRef], list[ArrayRef]]:
    """Of two arrays in a file, the one with an axis more holds the images."""
    if len(members) != 2:
        return [], []
    fewer, more = sorted(members, key=lambda ref: len(ref.shape))
    is_sure = len(more.shape) == len(fewer.shape) + 1 and fewer.dtype.kind in "biu"
    return ([more], [fewer]) if is_sure else ([], [])


def _fit(
    images: Sequence[ArrayRef],
    masks: Sequence[ArrayRef],
    description: Description,
    split: str | None,
    rest: tuple[str, ...],
) -> list[_Pair]:
    """Pairs of arrays whose shapes fit."""
    candidates = (
        _Pair(i, m, tuple(readings(i.shape, m.shape, description.axes)), split, rest)
        for i, m in product(images, masks)
    )
    return [pair for pair in candidates if pair.axes]


def _stated(root: Path, name: str, refs: Sequence[ArrayRef]) -> ArrayRef:
    file, _, key = name.partition(":")
    for ref in refs:
        if ref.file == root / file and ref.key == key.strip("/"):
            return ref
    here = first_few([_name(ref) for ref in refs if ref.file == root / file], 6)
    raise DataError(f"data.yaml names the array {name}; {file} has {here or 'none'}.")


def _name(ref: ArrayRef) -> str:
    return f"{ref.file.name}:{ref.key}" if ref.key else ref.file.name


def _volume(pair: _Pair, id_: str, is_case: bool) -> Volume:
    kind = pair.images.dtype.name
    dtype = kind if kind in ("uint8", "uint16") else "uint8" if kind == "bool" else "float32"
    case = _CASE.fullmatch(id_)
    return Volume(
        id_,
        (case["case"] if case else id_) if is_case else "",
        partial(_arrays, pair),
        dtype,
        split=pair.split,
    )


def _arrays(pair: _Pair) -> tuple[np.ndarray, np.ndarray]:
    axes = pair.axes[0]
    slices = axes.slices(pair.images.read())
    if slices.dtype == np.bool_:
        slices = slices * np.uint8(255)
    labels = axes.labels(pair.masks.read(), str(pair.masks))
    return slices, integer_labels(np.asarray(labels), pair.masks.file)
