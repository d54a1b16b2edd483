"""Writer of the raw data of nnU-Net, version 2."""

import json
from pathlib import Path

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.readers.description import FILE_NAMES, write_description
from maskwright.data.readers.stated_encoding import IGNORE
from maskwright.data.readers.volumes.nifti import write_nifti
from maskwright.data.readers.volumes.nnunet import DATASET_FILE
from maskwright.data.writers.base import Writer
from maskwright.data.writers.volumes.slices import SampleVolume, sample_volumes
from maskwright.errors import DataError
from maskwright.imageio import write_image, write_mask, write_text
from maskwright.labels import IGNORE_LABEL


def _write(dataset: DataSet, folder: Path) -> None:
    if dataset.labels.background != 0:
        raise DataError(
            f"nnU-Net expects the background as label 0, and the classes are "
            f"{', '.join(dataset.labels.names)}; state `classes: [background, ...]` in data.yaml."
        )
    volumes = sample_volumes(dataset)
    flat = all(len(v.samples) == 1 and v.samples[0].spacing_mm is None for v in volumes)
    in_png = flat and dataset.dtype == "uint8" and dataset.channels in (1, 3)
    ending = ".png" if in_png else ".nii.gz"
    ignored = [_write_volume(dataset, folder, volume, ending) for volume in volumes]
    named = enumerate(dataset.labels.names[1:], start=1)
    labels = {"background": 0, **{name: label for label, name in named}}
    if any(ignored):
        labels[IGNORE] = dataset.labels.num_classes
    content = {
        "channel_names": {str(n): f"channel {n}" for n in range(dataset.channels)},
        "labels": labels,
        "numTraining": sum(volume.split != "test" for volume in volumes),
        "file_ending": ending,
    }
    write_text(folder / DATASET_FILE, json.dumps(content, indent=2))
    splits: dict[str, list[str]] = {}
    for volume in volumes:
        pattern = volume.id if len(volume.samples) == 1 else f"{volume.id}-*"
        splits.setdefault(volume.split, []).append(pattern)
    write_description(folder / FILE_NAMES[0], {"splits": splits}, ["The splits, for Maskwright."])


def _write_volume(dataset: DataSet, folder: Path, volume: SampleVolume, ending: str) -> bool:
    """Write a file for each channel and one for the labels; whether pixels are ignored."""
    part = "Ts" if volume.split == "test" else "Tr"
    images, labels = volume.read(dataset)
    ignored = labels == IGNORE_LABEL
    values = np.where(ignored, dataset.labels.num_classes, labels)
    mask = folder / f"labels{part}" / f"{volume.id}{ending}"
    channel = f"{volume.id}_{{:04}}{ending}"
    if ending == ".png":  # which holds all channels
        write_image(folder / f"images{part}" / channel.format(0), images[0])
        write_mask(mask, values[0])
    else:
        for number in range(images.shape[3]):
            path = folder / f"images{part}" / channel.format(number)
            write_nifti(path, images[..., number], volume.grid)
        write_nifti(mask, values, volume.grid)
    return bool(ignored.any())


NNUNET = Writer("nnunet", "raw data of nnU-Net, version 2", _write, volumes=True, spacing=True)
