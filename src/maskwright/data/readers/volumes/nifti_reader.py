"""Reader of NIfTI volumes and their masks, which become slices once."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from maskwright.data.readers.base import Place, Reader, Recognition
from maskwright.data.readers.conversion import convert
from maskwright.data.readers.description import Description
from maskwright.data.readers.folders.marks import glob_of
from maskwright.data.readers.folders.paths import labels_and_cases
from maskwright.data.readers.volumes.grid import Plane
from maskwright.data.readers.volumes.nifti import (
    NiftiFile,
    check_grid,
    nifti_stem,
    open_nifti,
)
from maskwright.data.readers.volumes.nifti_pairs import VolumePair, VolumePairs, pair_nifti
from maskwright.data.readers.volumes.volume import Volume, write_volumes
from maskwright.data.samples import (
    Doubt,
    Note,
    counted,
    first_few,
    missing_classes,
    unique_ids,
    yaml_line,
)
from maskwright.errors import DataError

_FORMAT = 4  # of the files written; another number has them written anew
_MOST_CLASSES = 8  # in a line of data.yaml that is suggested


def _recognize(place: Place) -> Recognition | None:
    description = place.description or Description()
    if not place.path.is_dir() or description.manifest is not None:
        return None
    found = pair_nifti(place.path, description)
    if not found.pairs:
        return None
    is_stated = description.images is not None or description.masks is not None
    return Recognition(1.0 if is_stated else 0.9, found.style, partial(_read, place, found))


NIFTI = Reader(
    "NIfTI volumes",
    "a folder of NIfTI volumes",
    _recognize,
)


def _read(place: Place, found: VolumePairs) -> Place:
    sources = [file for pair in found.pairs for file in (*pair.images, *pair.masks)]
    sources += found.alone  # of which a note tells
    write = partial(_write, place, found)
    return convert(place, NIFTI.name, _FORMAT, sources, write, anonymous=True)


def _write(place: Place, found: VolumePairs, folder: Path) -> list[Note | Doubt]:
    pairs = found.pairs
    ids = unique_ids([(pair.split or "", *pair.rest, pair.name) for pair in pairs])
    labels, cases = labels_and_cases([(pair.split, pair.rest) for pair in pairs])
    description = place.description or Description()
    files = [[open_nifti(path) for path in pair.images] for pair in pairs]
    plane, remarks = common_plane([each[0] for each in files], description.plane)
    volumes = [
        volume_of(each, pair.masks, id_, plane, case or id_, pair.split, label, pair.classes)
        for each, pair, id_, case, label in zip(files, pairs, ids, cases, labels, strict=True)
    ]
    # Values are classes, also where no file names them.
    stated = {} if any(pair.classes for pair in pairs) else {"encoding": "indices"}
    remarks += [*_several_masks(pairs, place.path), *_channels(pairs)]
    remarks += missing_classes([pair.classes for pair in pairs], "volume")
    if alone := [path.name for path in found.alone]:
        text = f"{counted(len(alone), 'volume')} in no pair: {first_few(alone, 4)}."
        folders = {path.parent for pair in pairs for path in pair.images}
        left = sum(path.parent in folders and _is_volume(path) for path in found.alone)
        remarks.append(Note("unpaired_volumes", text, left, len(pairs) + left))
    comments = [f"{plane} slices of NIfTI volumes."]
    return [*remarks, *write_volumes(folder, volumes, stated, comments)]


def _is_volume(path: Path) -> bool:
    """Whether a file holds one volume: no series, which have no masks, nor a hidden file."""
    try:
        open_nifti(path)
    except DataError:
        return False
    return not path.name.startswith(".")


def _channels(pairs: Sequence[VolumePair]) -> list[Note]:
    """A note on volumes of several files; `DataError` where they are not the same for all."""
    kinds = Counter(pair.modalities for pair in pairs)
    if len(kinds) > 1:
        usual, other = (", ".join(kind) or "one file" for kind, _ in kinds.most_common(2))
        odd = next(pair for pair in pairs if pair.modalities != kinds.most_common(1)[0][0])
        raise DataError(
            f"Most volumes have the channels {usual}, but {odd.images[0]} has {other}; expected "
            f"the same files for each, or a pattern of one of them under `images` in data.yaml."
        )
    (kind,) = kinds
    text = f"The files of a volume are its channels: {', '.join(kind)}."
    return [Note("channels", text)] if kind else []


def _several_masks(pairs: Sequence[VolumePair], root: Path) -> list[Doubt]:
    """Doubt about several masks of a volume whose classes data.yaml does not state."""
    several = [pair for pair in pairs if len(pair.masks) > 1 and not pair.classes]
    if not several:
        return []
    of_name: dict[str, list[Path]] = {}
    for pair in several:
        for mask, name in zip(pair.masks, pair.mask_names, strict=True):
            of_name.setdefault(name, []).append(mask)
    globs = {name: glob_of(masks, root) for name, masks in of_name.items()}
    settle = "Write the pattern of those to use into data.yaml, as in `masks: '**/*_seg.nii.gz'`."
    if globs:
        some = dict(list(globs.items())[:_MOST_CLASSES])
        others = ", with the others to use in the same way" if len(some) < len(globs) else ""
        one = yaml_line("masks", next(iter(globs.values())))
        settle = f"Write {yaml_line('masks', some)} into data.yaml for a class each{others}, or "
        settle += f"{one} for one of them."
    names = first_few([nifti_stem(mask) for mask in several[0].masks], 4)
    return [
        Doubt(
            "several_masks",
            f"{counted(len(several), 'volume')} {'has' if len(several) == 1 else 'have'} more than "
            f"one mask, as {several[0].name} has {names}: of several annotators, or one for "
            f"each class.",
            settle,
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
    masks: Sequence[Path],
    id_: str,
    plane: Plane,
    case: str,
    split: str | None = None,
    label: str | None = None,
    classes: Sequence[str] = (),
) -> Volume:
    """Volume of files, one for each channel, and of a mask, or one for each class, on its grid."""
    grid = channels[0].grid(plane)
    dtypes = [file.dtype for file in channels]
    return Volume(
        id_,
        case,
        partial(_read_volume, channels, masks, plane, bool(classes)),
        dtypes[0] if len(set(dtypes)) == 1 else "float32",
        grid.spacing_mm,
        grid,
        split,
        label,
        planes=tuple(classes),
    )


def _read_volume(
    channels: Sequence[NiftiFile], masks: Sequence[Path], plane: Plane, apart: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Slices, and labels or a plane for each class, once it is sure that all lie on one grid."""
    labels = [_read_labels(channels[0], mask, plane) for mask in masks[: None if apart else 1]]
    for mask, values in zip(masks, labels, strict=False):
        if apart and len(np.unique(values[values > 0])) > 1:
            raise DataError(f"{mask} holds several values besides 0; expected a mask of one class.")
    for other in channels[1:]:
        if not channels[0].grid(plane).equals(other.grid(plane)):
            raise DataError(
                f"{other.path} lies on another grid than the first channel {channels[0].path}; "
                f"resample it."
            )
    slices = np.concatenate([file.slices(plane) for file in channels], axis=3)
    if apart:
        return slices, np.stack([values > 0 for values in labels], axis=3)
    return slices, labels[0] if labels else None


def _read_labels(image: NiftiFile, mask: Path, plane: Plane) -> np.ndarray:
    file = open_nifti(mask)
    check_grid(image, file, plane)
    return file.labels(plane)
