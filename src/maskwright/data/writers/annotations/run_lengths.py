"""Writer of run lengths in CSV files, as Kaggle's competitions publish them."""

from pathlib import Path

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.samples import Sample, grouped
from maskwright.data.writers.annotations.annotation_files import (
    class_ids,
    for_each_image,
    split_of,
    write_settings,
)
from maskwright.data.writers.annotations.image_objects import (
    ImageObject,
    ImageObjects,
)
from maskwright.data.writers.base import Writer
from maskwright.data.writers.images import copy_image
from maskwright.imageio import write_table

_HEADER = ("ImageId", "ClassId", "EncodedPixels")


def _write(dataset: DataSet, folder: Path) -> None:
    ids = class_ids(dataset)

    def write_sample(
        sample: Sample, scene: ImageObjects
    ) -> tuple[Sample, list[tuple[str, int, str]]]:
        image = copy_image(sample, folder / split_of(sample))
        rows = [(image.name, ids[o.label], _runs(o, scene.size)) for o in scene.objects]
        absent = set(ids.values()) - {number for _, number, _ in rows}
        return sample, [*rows, *((image.name, number, "") for number in sorted(absent))]

    written = for_each_image(dataset, "a CSV file of run lengths", write_sample)
    for split, those in grouped(written, lambda each: split_of(each[0])).items():
        write_table(folder / f"{split}.csv", _HEADER, [row for _, rows in those for row in rows])
    names = ["background"] * (dataset.labels.background is None) + list(dataset.labels.names)
    values = {number: dataset.labels.names[label] for label, number in ids.items()}
    background = names[dataset.labels.background or 0]
    write_settings(dataset, folder, values={0: background} | values, run_order="columns")


def _runs(each: ImageObject, size: tuple[int, int]) -> str:
    """First pixel, from 1, and length of each run, column by column."""
    flat = np.concatenate([[False], each.in_image(size).T.ravel(), [False]])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    starts, ends = changes[::2], changes[1::2]
    pairs = zip((starts + 1).tolist(), (ends - starts).tolist(), strict=True)
    return " ".join(f"{start} {length}" for start, length in pairs)


RUN_LENGTHS_WRITER = Writer(
    "kaggle",
    "run lengths in CSV files, column by column",
    _write,
    objects=True,
    overlaps=True,
    shapes=True,
)
