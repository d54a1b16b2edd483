"""What all writers of annotations do: a function for each image, and a data.yaml."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from maskwright.data.dataset import DataSet
from maskwright.data.parallel import in_threads
from maskwright.data.readers.description import FILE_NAMES, MULTILABEL, write_description
from maskwright.data.samples import Item, Sample
from maskwright.data.writers.annotations.image_objects import ImageObjects, class_names, objects_of
from maskwright.data.writers.images import orientation_key, require_usual_splits
from maskwright.errors import DataError


def for_each_image(
    dataset: DataSet,
    about: str,
    write: Callable[[Sample, ImageObjects], Item],
    *,
    ignored: bool = False,
) -> list[Item]:
    """What a function that writes one image returns for all of them, in order.

    `DataError` where the format, named by `about`, cannot hold a split, or pixels that are
    ignored; `ignored` says that it can.
    """
    require_usual_splits(dataset, about)

    def write_sample(sample: Sample) -> Item:
        scene = objects_of(dataset, sample)
        if not ignored and scene.void.any():
            raise DataError(
                f"{sample.image} has pixels that are ignored, which {about} cannot hold; write "
                f"masks, coco or labelme, or write them as background with "
                f"--ignored-as-background."
            )
        return write(sample, scene)

    return list(in_threads(write_sample, dataset.samples, "Converting images"))


def class_ids(dataset: DataSet) -> dict[int, int]:
    """Numbers from 1 of the classes that objects have, by label."""
    return {label: number for number, label in enumerate(class_names(dataset), start=1)}


def write_settings(
    dataset: DataSet, folder: Path, file: str = FILE_NAMES[0], **stated: Any
) -> None:
    """Write a YAML file with the order and colors of the classes, and what else is `stated`."""
    names, colors = names_with_background(dataset), dataset.labels.to_dict()["colors"]
    colors = ["#000000"] * (len(names) - len(colors)) + colors
    if dataset.multilabel:
        stated["overlap"] = MULTILABEL
    content = {"classes": names, "colors": colors, **orientation_key(dataset), **stated}
    write_description(folder / file, content, [f"Converted from {dataset.layout}."])


def names_with_background(dataset: DataSet) -> list[str]:
    """Names of the classes, and of one for what is in no object."""
    added = ["background"] if dataset.labels.background is None else []
    return [*added, *dataset.labels.names]


def split_of(sample: Sample) -> str:
    """Split of a sample."""
    return sample.split or "train"
