"""WRITERS, and the conversion of a data set by one of them."""

from collections.abc import Mapping
from pathlib import Path

from maskwright.data.dataset import DataSet
from maskwright.data.writers.base import Writer
from maskwright.data.writers.masks import MASKS
from maskwright.data.writers.published.ade20k import ADE20K
from maskwright.data.writers.published.cityscapes import CITYSCAPES
from maskwright.data.writers.volumes.arrays import HDF5, NPZ
from maskwright.data.writers.volumes.dicom_seg import DICOM_SEG
from maskwright.data.writers.volumes.nifti import NIFTI
from maskwright.data.writers.volumes.nnunet import NNUNET
from maskwright.errors import ConfigError
from maskwright.imageio import atomic_folder

_VOLUMES = (NIFTI, DICOM_SEG, NNUNET, NPZ, HDF5)
_PUBLISHED = (CITYSCAPES, ADE20K)
WRITERS: Mapping[str, Writer] = {writer.name: writer for writer in (MASKS, *_VOLUMES, *_PUBLISHED)}
"""Formats by the name that `maskwright convert --to` takes."""


def convert_dataset(dataset: DataSet, out: Path, to: str) -> None:
    """Write a data set in a format into a new folder, which appears when it is complete.

    Raises:
        ConfigError: If there is no such format, or the folder exists and is not empty.
        DataError: If the format cannot hold the data set, or a file of it cannot be read.
    """
    if to not in WRITERS:
        raise ConfigError(f"There is no format {to!r} to write; expected {', '.join(WRITERS)}.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} exists already; name a new folder for the converted data.")
    if out.is_dir():
        out.rmdir()
    with atomic_folder(out) as folder:
        WRITERS[to].write(dataset, folder)
