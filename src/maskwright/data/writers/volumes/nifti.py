"""Writer of NIfTI volumes of images and labels, on the grids that they were read from."""

from pathlib import Path

from maskwright.data.dataset import DataSet
from maskwright.data.readers.volumes.nifti import write_nifti
from maskwright.data.writers.base import Writer
from maskwright.data.writers.volumes.slices import sample_volumes, write_legend


def _write(dataset: DataSet, folder: Path) -> None:
    for volume in sample_volumes(dataset):
        name = f"{volume.id}.nii.gz"
        place = folder / volume.split
        write_nifti(place / "images" / name, volume.images(dataset), volume.grid)
        write_nifti(place / "labels" / name, volume.labels(dataset), volume.grid)
    write_legend(dataset, folder)


NIFTI = Writer("nifti", "NIfTI volumes of images and labels", _write, cases=True)
