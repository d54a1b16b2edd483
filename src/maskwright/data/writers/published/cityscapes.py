"""Writer of folders like those of Cityscapes."""

from pathlib import Path

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.readers.published.cityscapes import (
    CLASSES,
    IMAGES_ENDING,
    LABELS_ENDING,
    OBJECTS_ENDING,
    PER_CLASS,
)
from maskwright.data.samples import Sample
from maskwright.data.writers.base import Writer
from maskwright.data.writers.images import for_each_sample
from maskwright.errors import DataError
from maskwright.imageio import write_image, write_mask
from maskwright.labels import IGNORE_LABEL


def _write(dataset: DataSet, folder: Path) -> None:
    others = [name for name in dataset.labels.names if name not in CLASSES]
    if others:
        raise DataError(
            f"Cityscapes has no class {', '.join(others)}; expected some of {', '.join(CLASSES)}."
        )
    id_of = np.zeros(IGNORE_LABEL + 1, np.int32)  # 0 is unlabeled
    id_of[: len(dataset.labels.names)] = [CLASSES[name][0] for name in dataset.labels.names]

    def write(sample: Sample) -> None:
        split, name = sample.split or "train", sample.id.removesuffix(Path(IMAGES_ENDING).stem)
        city = name.split("_")[0]
        image, labels = dataset.read(sample)
        if (labels == IGNORE_LABEL).all():
            raise DataError(f"{sample.image} is ignored as a whole; Cityscapes has no such image.")
        write_image(folder / "leftImg8bit" / split / city / f"{name}{IMAGES_ENDING}", image)
        place = folder / "gtFine" / split / city
        ids = id_of[labels]
        write_mask(place / f"{name}{LABELS_ENDING}", ids)
        if dataset.instances:
            numbers = dataset.read_instances(sample)
            if numbers.max(initial=0) > PER_CLASS:
                raise DataError(f"{sample.image} has more than {PER_CLASS} objects.")
            objects = dataset.read_objects(sample)
            areas = [np.count_nonzero(mask) for mask in objects.take(~objects.crowd).masks]
            if sum(areas) > np.count_nonzero(numbers):
                raise DataError(f"{sample.image} has objects that overlap; COCO holds them.")
            objects = np.where(numbers > 0, ids * PER_CLASS + numbers - 1, ids)
            write_mask(place / f"{name}{OBJECTS_ENDING}", objects)

    for_each_sample(dataset, write)


CITYSCAPES = Writer(
    "cityscapes",
    "leftImg8bit and gtFine of Cityscapes, of its 19 classes",
    _write,
    objects=True,
    classes=tuple(CLASSES),
)
