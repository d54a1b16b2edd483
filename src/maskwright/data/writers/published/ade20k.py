"""Writer of folders like those of ADE20K, with the classes in its table."""

from pathlib import Path

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.readers.description import FILE_NAMES, write_description
from maskwright.data.readers.published.ade20k import LEGEND
from maskwright.data.samples import Sample
from maskwright.data.writers.base import Writer
from maskwright.data.writers.images import copy_image, for_each_sample, orientation_key
from maskwright.imageio import write_mask, write_text
from maskwright.labels import IGNORE_LABEL

_FOLDERS = {"train": "training", "val": "validation"}


def _write(dataset: DataSet, folder: Path) -> None:
    def write(sample: Sample) -> None:
        split = _FOLDERS.get(sample.split or "train", sample.split or "train")
        copy_image(sample, folder / "images" / split)
        labels = dataset.read_mask(sample)
        values = np.where(labels == IGNORE_LABEL, 0, labels + 1)
        write_mask(folder / "annotations" / split / f"{sample.id}.png", values)

    for_each_sample(dataset, write)
    rows = [f"{number}\t{name}" for number, name in enumerate(dataset.labels.names, start=1)]
    write_text(folder / LEGEND, "\n".join(["Idx\tName", *rows]) + "\n")
    if turned := orientation_key(dataset):
        write_description(folder / FILE_NAMES[0], turned, [f"Converted from {dataset.layout}."])


ADE20K = Writer("ade20k", "images and annotations of ADE20K, with its table of classes", _write)
