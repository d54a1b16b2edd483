"""Writer of NIfTI volumes of images and labels, on the grids that they were read from."""

from pathlib import Path

from maskwright.data.dataset import DataSet
from maskwright.data.readers.volumes.nifti import write_nifti
from maskwright.data.writers.base import Writer
from maskwright.data.writers.images import require_usual_splits
from maskwright.data.writers.volumes.slices import sample_volumes, write_legend


def _write(dataset: DataSet, folder: Path) -> None:
    require_usual_splits(dataset, "NIfTI")
    for volume in sample_volumes(dataset):
        name = f"{volume.id}.nii.gz"
        place = folder / volume.split
        for kind, values in zip(("images", "labels"), volume.read(dataset), strict=True):
            write_nifti(place / kind / name, values, volume.grid)
    write_legend(dataset, folder)


NIFTI = Writer("nifti", "NIfTI volumes of images and labels", _write, volumes=True, spacing=True)
