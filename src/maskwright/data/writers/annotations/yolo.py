"""Writer of YOLO's segmentation: data.yaml, and a text file of polygons for each image."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.samples import Sample
from maskwright.data.writers.annotations.annotation_files import (
    class_ids,
    for_each_image,
    names_with_background,
    split_of,
    write_settings,
)
from maskwright.data.writers.annotations.image_objects import (
    ImageObject,
    ImageObjects,
    class_names,
)
from maskwright.data.writers.base import Writer
from maskwright.data.writers.images import copy_image, orientation_key
from maskwright.imageio import dump_yaml, write_text
from maskwright.rle import fill_polygons, one_ring

_SETTINGS = "settings.yaml"  # as data.yaml is YOLO's


def _write(dataset: DataSet, folder: Path) -> None:
    ids = class_ids(dataset)

    def write_sample(sample: Sample, scene: ImageObjects) -> None:
        split = split_of(sample)
        copy_image(sample, folder / "images" / split)
        lines = []
        for each in scene.objects:
            shares = np.reshape(_ring(each, scene.size), (-1, 2)) / scene.size[::-1]
            numbers = " ".join(f"{value:.10g}" for value in shares.ravel())
            lines.append(f"{ids[each.label] - 1} {numbers}\n")
        write_text(folder / "labels" / split / f"{sample.id}.txt", "".join(lines))

    for_each_image(dataset, "YOLO", write_sample)
    splits = {split: f"images/{split}" for split in dataset.splits}
    names = dict(enumerate(class_names(dataset).values()))
    # YOLO takes no notice of the task; here it says that rectangles are no oriented boxes.
    content = {"path": ".", "task": "segment", **splits, "names": names}
    write_text(folder / "data.yaml", dump_yaml(content))
    usual = names_with_background(dataset) == ["background", *names.values()]
    clear = len({name.casefold() for name in dataset.labels.names}) == dataset.labels.num_classes
    if dataset.multilabel or orientation_key(dataset) or not usual or not clear:
        write_settings(dataset, folder, _SETTINGS)


def _ring(each: ImageObject, size: tuple[int, int]) -> list[float]:
    """All parts and holes of an object in one ring, along its pixels where its parts overlap."""
    ring = one_ring([ring for part in each.parts for ring in part])
    if len(each.parts) == 1 or (fill_polygons([ring], size) == each.in_image(size)).all():
        return ring
    return one_ring([ring for part in replace(each, stated=None).parts for ring in part])


YOLO_WRITER = Writer(
    "yolo",
    "YOLO segmentation",
    _write,
    objects=True,
    overlaps=True,
    shapes=True,
    settings=_SETTINGS,
)
