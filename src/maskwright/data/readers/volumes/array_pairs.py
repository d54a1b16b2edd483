"""Arrays of images and masks that belong together, by their names and shapes, or as stated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

from maskwright.data.readers.base import Place
from maskwright.data.readers.description import Description
from maskwright.data.readers.folders.roles import parse_folder_name
from maskwright.data.readers.tables import GROUP_COLUMNS
from maskwright.data.readers.volumes.array_files import ArrayRef, list_arrays
from maskwright.data.readers.volumes.axes import Axes, readings
from maskwright.data.samples import Doubt, Note, first_few, grouped, yaml_line
from maskwright.errors import DataError

_IDS = {"id", "name", "filename"}
_CASES = {*GROUP_COLUMNS, *(f"{name}_id" for name in GROUP_COLUMNS)}


@dataclass(frozen=True)
class ArrayPair:
    """Arrays of images and masks, the ways to read their axes, and columns on the images.

    `rest` is what their names have in common.
    """

    images: ArrayRef
    masks: ArrayRef
    axes: tuple[Axes, ...]
    split: str | None
    rest: tuple[str, ...]
    columns: Mapping[str, ArrayRef] = field(default_factory=dict)


def pair_arrays(
    place: Place, files: Sequence[Path], description: Description
) -> tuple[list[ArrayPair], list[Note | Doubt]]:
    """Arrays that belong together, by their names and shapes; `DataError` without any."""
    listed = [ref for file in files for ref in list_arrays(file)]
    refs = [ref for ref in listed if len(ref.shape) > 1 and ref.dtype.kind in "biuf"]
    root = place.path if place.path.is_dir() else place.path.parent
    stated = [place for place in (description.images, description.masks_place) if place is not None]
    if len(stated) == 2:
        chosen = [_stated(root, name, refs) for name in stated]
        pair = _fit(chosen[:1], chosen[1:], description, None, ())
        if not pair:
            raise DataError(
                f"{chosen[0]} and {chosen[1]} do not fit together; expected images (n, h, w) or "
                f"(n, h, w, c) and masks (n, h, w)."
            )
        return pair, []
    by_words = grouped(refs, lambda ref: _words(root, ref)[1:])
    pairs: list[ArrayPair] = []
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
                    f"Name those to use in data.yaml, as in "
                    f"{yaml_line('images', _name(found[0].images))} and "
                    f"{yaml_line('masks', _name(found[0].masks))}.",
                )
            )
        pairs += found[:1]
    if not pairs:  # the names say nothing
        for file, inside in grouped(refs, lambda ref: ref.file).items():
            images, masks = _by_shape(inside)
            pairs += _fit(images, masks, description, None, (file.stem,))[:1]
    if not pairs:
        shown = "; ".join(map(str, refs[:6])) + ("; …" if len(refs) > 6 else "")
        raise DataError(
            f"{place.path} holds no arrays of images and masks that fit together; expected names "
            f"such as images and masks, with the shapes (n, h, w, c) and (n, h, w). It holds: "
            f"{shown or 'no array with two axes'}. Name them in a data.yaml, as in `images: "
            f"data.h5:x` and `masks: data.h5:y`."
        )
    pairs = [replace(pair, columns=_columns(root, listed, pair)) for pair in pairs]
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
        part_role, part_split, remains = parse_folder_name(part)
        role, split = part_role or role, part_split or split
        rest += [remains] if remains else []
    return role, split, tuple(rest)


def _columns(root: Path, listed: Sequence[ArrayRef], pair: ArrayPair) -> dict[str, ArrayRef]:
    """Arrays of the ids and the cases of the images in a stack, such as `ids` and `patients`."""
    columns: dict[str, ArrayRef] = {}
    for ref in listed:
        _, split, rest = _words(root, ref)
        if len(ref.shape) == 1 and rest and (split, rest[:-1]) == (pair.split, pair.rest):
            name = rest[-1].casefold().removesuffix("s")
            kind = "id" if name in _IDS else "case" if name in _CASES else ""
            columns |= {kind: ref} if kind else {}
    return columns


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
) -> list[ArrayPair]:
    """Pairs of arrays whose shapes fit."""
    candidates = (
        ArrayPair(i, m, tuple(readings(i.shape, m.shape, description.axes)), split, rest)
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
