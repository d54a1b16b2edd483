"""Reader of NIfTI volumes and their masks, which become slices once."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from maskwright.data.readers.base import Place, Reader, Recognition
from maskwright.data.readers.conversion import convert
from maskwright.data.readers.description import Description
from maskwright.data.readers.folders.pairs import Pair, Pairing, pair_folders
from maskwright.data.readers.folders.reader import labels_and_cases
from maskwright.data.readers.folders.roles import Folder, image_folders
from maskwright.data.readers.volumes.grid import Plane
from maskwright.data.readers.volumes.nifti import (
    NiftiFile,
    check_grid,
    is_nifti,
    nifti_stem,
    open_nifti,
)
from maskwright.data.readers.volumes.volume import Volume, write_volumes
from maskwright.data.samples import Doubt, Note, counted, first_few, grouped, unique_ids
from maskwright.errors import DataError
from maskwright.imageio import natural_key

_FORMAT = 1  # of the files written; another number has them written anew


def _recognize(place: Place) -> Recognition | None:
    description = place.description or Description()
    if not place.path.is_dir() or description.manifest is not None:
        return None
    pairing, real = _pair(place.path, description)
    if not pairing.pairs:
        return None
    is_stated = description.images is not None or description.masks is not None
    return Recognition(
        1.0 if is_stated else 0.9, pairing.style, partial(_read, place, pairing, real)
    )


NIFTI = Reader(
    "NIfTI volumes",
    "a folder of NIfTI volumes",
    "NIfTI volumes with masks of equal names",
    _recognize,
)


def _pair(root: Path, description: Description) -> tuple[Pairing, dict[Path, Path]]:
    """Pairs of names without `.gz`, whose stems tell what they are, and the file of each."""
    images, masks = description.images, description.masks
    if images is None and masks is None:
        folders = image_folders(root, is_nifti)
    else:
        inside = _stated(root, masks, "mask") if masks is not None else []
        taken = {file for folder in inside for file in folder.files}
        folders = [
            Folder(f.path, tuple(file for file in f.files if file not in taken), f.role, None, ())
            for f in _stated(root, images or ".", "image" if masks is not None else "")
        ]
        folders += inside
    real = {
        file.with_name(f"{nifti_stem(file)}.nii"): file
        for folder in folders
        for file in folder.files
    }
    bare = [
        Folder(
            f.path,
            tuple(file.with_name(f"{nifti_stem(file)}.nii") for file in f.files),
            f.role,
            f.split,
            f.rest,
        )
        for f in folders
    ]
    return pair_folders(bare), real


def _stated(root: Path, pattern: str, role: str) -> list[Folder]:
    """Folders of the volumes that a data.yaml states, in one role."""
    place = root / pattern
    files = place.rglob("*") if place.is_dir() else root.glob(pattern)
    volumes = sorted(filter(is_nifti, files), key=lambda file: natural_key(str(file)))
    by_folder = grouped(volumes, lambda file: file.parent)
    return [Folder(path, tuple(inside), role, None, ()) for path, inside in by_folder.items()]


def _read(place: Place, pairing: Pairing, real: dict[Path, Path]) -> Place:
    sources = [real[file] for pair in pairing.pairs for file in (pair.image, *pair.masks)]
    write = partial(_write, place, pairing, real)
    return convert(place, NIFTI.name, _FORMAT, sources, write, anonymous=True)


def _write(
    place: Place, pairing: Pairing, real: dict[Path, Path], folder: Path
) -> list[Note | Doubt]:
    pairs = pairing.pairs
    ids = unique_ids([(pair.split or "", *pair.rest, pair.image.stem) for pair in pairs])
    labels, cases = labels_and_cases([pair.rest for pair in pairs])
    description = place.description or Description()
    files = [open_nifti(real[pair.image]) for pair in pairs]
    plane, remarks = common_plane(files, description.plane)
    volumes = [
        volume_of([file], real[pair.masks[0]], id_, plane, case or id_, pair.split, label)
        for file, pair, id_, case, label in zip(files, pairs, ids, cases, labels, strict=True)
    ]
    stated = {"encoding": "indices"}  # values are classes, also where no file names them
    remarks += _several_masks(pairs)
    if alone := [real[file.path].name for file in pairing.skipped if file.path in real]:
        text = f"{counted(len(alone), 'volume')} in no pair: {first_few(alone, 4)}."
        remarks.append(Note("unpaired_volumes", text))
    return [
        *remarks,
        *write_volumes(folder, volumes, stated, [f"{plane} slices of NIfTI volumes."]),
    ]


def _several_masks(pairs: Sequence[Pair]) -> list[Doubt]:
    several = [pair for pair in pairs if len(pair.masks) > 1]
    if not several:
        return []
    names = first_few([mask.stem for mask in several[0].masks], 4)
    return [
        Doubt(
            "several_masks",
            f"{counted(len(several), 'volume')} {'has' if len(several) == 1 else 'have'} more than "
            f"one mask, as {several[0].image.stem} has {names}: of several annotators, or one for "
            f"each class.",
            "Write the pattern of those to use into data.yaml, as in `masks: '**/*_seg.nii.gz'`.",
        )
    ]


def common_plane(
    files: Sequence[NiftiFile], stated: Plane | None
) -> tuple[Plane, list[Note | Doubt]]:
    """Plane of the slices of all volumes, with a doubt where files differ in it."""
    remarks: list[Note | Doubt] = []
    if blind := [file for file in files if not file.oriented]:
        remarks.append(
            Note(
                "no_orientation",
                f"{counted(len(blind), 'volume')} {'states' if len(blind) == 1 else 'state'} no "
                f"orientation (qform and sform 0), the first {blind[0].path.name}: the axes are "
                f"taken as left, anterior and superior.",
            )
        )
    if stated is not None:
        return stated, remarks
    planes = Counter(file.plane for file in files)
    plane = max(planes, key=lambda name: (planes[name], name == "axial", name))
    if len(planes) > 1:
        shown = ", ".join(f"{name} ({count})" for name, count in planes.most_common())
        remarks.append(
            Doubt(
                "plane",
                f"The volumes have their largest voxels across different planes: {shown}. One "
                f"model learns from slices of one plane.",
                f"Write `plane: {plane}`, or another of axial, coronal and sagittal, into "
                f"data.yaml.",
            )
        )
    return plane, remarks


def volume_of(
    channels: Sequence[NiftiFile],
    mask: Path | None,
    id_: str,
    plane: Plane,
    case: str,
    split: str | None = None,
    label: str | None = None,
) -> Volume:
    """Volume of files, one for each channel, and of a mask on the same grid."""
    grid = channels[0].grid(plane)
    dtypes = [file.dtype for file in channels]
    return Volume(
        id_,
        case,
        partial(_read_volume, channels, mask, plane),
        dtypes[0] if len(set(dtypes)) == 1 else "float32",
        grid.spacing_mm,
        grid,
        split,
        label,
    )


def _read_volume(
    channels: Sequence[NiftiFile], mask: Path | None, plane: Plane
) -> tuple[np.ndarray, np.ndarray | None]:
    """Slices and labels, once it is sure that all lie on one grid."""
    labels = None
    if mask is not None:
        file = open_nifti(mask)
        check_grid(channels[0], file, plane)
        labels = file.labels(plane)
    for other in channels[1:]:
        if not channels[0].grid(plane).equals(other.grid(plane)):
            raise DataError(
                f"{other.path} lies on another grid than the first channel {channels[0].path}; "
                f"resample it."
            )
    return np.concatenate([file.slices(plane) for file in channels], axis=3), labels
