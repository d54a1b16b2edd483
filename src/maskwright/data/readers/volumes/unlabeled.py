"""Volumes without masks, cut into slices to be predicted: NIfTI files and DICOM series."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from glob import iglob
from pathlib import Path

import numpy as np

from maskwright.data.readers.base import Place
from maskwright.data.readers.conversion import convert
from maskwright.data.readers.volumes.dicom_reader import read_slices
from maskwright.data.readers.volumes.dicom_series import Series, dicom_files, list_series
from maskwright.data.readers.volumes.grid import Grid
from maskwright.data.readers.volumes.nifti import NiftiFile, is_nifti, nifti_stem, open_nifti
from maskwright.data.readers.volumes.nifti_reader import common_plane, volume_of
from maskwright.data.readers.volumes.nnunet import CHANNEL
from maskwright.data.readers.volumes.volume import Volume, slice_names, write_volumes
from maskwright.data.samples import Doubt, Note, grouped, unique_ids
from maskwright.errors import DataError
from maskwright.imageio import IMAGE_SUFFIXES, list_images, natural_key

_FORMAT = 1  # of the files written; another number has them written anew
_RASTER = IMAGE_SUFFIXES - {".dcm"}


@dataclass(frozen=True)
class CutVolumes:
    """Slices of volumes in a folder, and where labels of them belong.

    Args:
        images: Folder of the slices.
        number: Of the slices of each volume, by its id.
        origins: Grid of a NIfTI volume, or the series of DICOM, by id.
        sources: First file of each volume, by id.
        notes: Sentences for the user.
    """

    images: Path
    number: Mapping[str, int]
    origins: Mapping[str, Grid | Series]
    sources: Mapping[str, Path]
    notes: tuple[str, ...]

    def names(self, id_: str) -> list[str]:
        """Names of the slices of a volume, below `images`, without their ending."""
        return slice_names(id_, self.number[id_])


def cut_volumes(images: str | Path) -> CutVolumes | None:
    """Cut NIfTI or DICOM files into slices in the cache; `None` where there are other images.

    `images` is a file, a folder or a glob; a folder of both is one of images.
    """
    path = Path(images)
    if path.is_dir():
        if list_images(path, nested=True, suffixes=_RASTER):
            return None
        inside = sorted(path.rglob("*"), key=lambda file: natural_key(str(file)))
    else:
        names = [str(path)] if path.is_file() else sorted(iglob(str(images), recursive=True))  # noqa: PTH207
        inside = [Path(name) for name in names]
    if nifti := [file for file in inside if is_nifti(file) and file.is_file()]:
        return _cut_nifti(Place(str(images)), nifti)
    dicom = [file for each in inside if each.is_file() for file in dicom_files(each)]
    return _cut_dicom(Place(str(images)), dicom) if dicom else None


def _cut_nifti(place: Place, files: Sequence[Path]) -> CutVolumes:
    matches = [CHANNEL.fullmatch(nifti_stem(file)) for file in files]
    channels = [
        match["case"] if match and all(matches) else nifti_stem(file)
        for match, file in zip(matches, files, strict=True)
    ]
    by_case = grouped(range(len(files)), lambda n: (files[n].parent, channels[n]))
    opened = {case: [open_nifti(files[n]) for n in inside] for case, inside in by_case.items()}
    ids = unique_ids([(folder.name, name) for folder, name in opened])
    plane, remarks = common_plane([each[0] for each in opened.values()], None)
    if doubt := next((remark for remark in remarks if isinstance(remark, Doubt)), None):
        raise DataError(f"{doubt.text} Predict those of one plane at a time.")
    volumes = [
        volume_of(each, (), id_, plane, id_) for id_, each in zip(ids, opened.values(), strict=True)
    ]
    number = {
        volume.id: _number(each[0], volume.grid)
        for volume, each in zip(volumes, opened.values(), strict=True)
    }
    origins = {volume.id: volume.grid for volume in volumes if volume.grid is not None}
    sources = dict(zip(ids, (each[0].path for each in opened.values()), strict=True))
    notes = (f"The volumes are cut into {plane} slices.", *map(str, remarks))
    return CutVolumes(_write(place, files, volumes), number, origins, sources, notes)


def _number(file: NiftiFile, grid: Grid | None) -> int:
    return 1 if grid is None else file.shape[grid.order[2][0]]


def _cut_dicom(place: Place, files: Sequence[Path]) -> CutVolumes:
    series, faults = list_series(files)
    if not series:
        raise DataError(faults[0] if faults else f"{place.source} holds no DICOM image.")
    ids = [f"series{number:04}" for number in range(1, len(series) + 1)]
    volumes = [
        Volume(id_, id_, partial(_unlabeled, each), each.dtype, each.spacing_mm, each.grid())
        for id_, each in zip(ids, series, strict=True)
    ]
    number = {id_: len(each.frames) for id_, each in zip(ids, series, strict=True)}
    sources = {id_: each.frames[0].path for id_, each in zip(ids, series, strict=True)}
    notes = (f"{len(faults)} DICOM files are skipped, the first: {faults[0]}",) if faults else ()
    origins = dict(zip(ids, series, strict=True))
    return CutVolumes(_write(place, files, volumes), number, origins, sources, notes)


def _unlabeled(series: Series) -> tuple[np.ndarray, None]:
    return read_slices(series), None


def _write(place: Place, files: Sequence[Path], volumes: Sequence[Volume]) -> Path:
    """Folder of the slices, all of which must be readable."""

    def write(folder: Path) -> list[Note]:
        notes = write_volumes(folder, volumes, {})
        if notes:
            raise DataError(str(notes[0]))
        return notes

    return convert(place, "Volumes", _FORMAT, files, write, anonymous=True).path / "images"
