"""What is written of an image: its objects in the order in which they lie on each other."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.object_files import number_components
from maskwright.data.parallel import in_threads
from maskwright.data.readers.annotations.shapes import Polygons
from maskwright.data.readers.description import FILE_NAMES, write_description
from maskwright.data.samples import Item, Sample
from maskwright.data.writers.images import orientation_key
from maskwright.errors import DataError
from maskwright.instances import Instances
from maskwright.labels import IGNORE_LABEL
from maskwright.rle import outlines

Parts = Sequence[Sequence[Sequence[float]]]
"""Polygons, each the ring around it and the rings of its holes, `x, y, x, y, …` in px."""

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class ImageObject:
    """An object of an image.

    Args:
        mask: Within its box, bool `(bottom - top, right - left)`.
        corner: First row and column of the box.
        stated: Polygons that its mask was drawn from, or `None`.
    """

    label: int
    mask: np.ndarray
    corner: tuple[int, int]
    stated: Parts | None = None
    crowd: bool = False

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, width and height, px."""
        return self.corner[1], self.corner[0], self.mask.shape[1], self.mask.shape[0]

    @cached_property
    def parts(self) -> Parts:
        """Polygons of the mask: those it was drawn from, else along the edges of its pixels."""
        if self.stated is not None:
            return self.stated
        shift = np.array([self.corner[1], self.corner[0]], float)
        return [
            [(np.reshape(ring, (-1, 2)) + shift).ravel().tolist() for ring in part]
            for part in outlines(self.mask)
        ]

    def in_image(self, size: tuple[int, int]) -> np.ndarray:
        """Mask of the whole image, bool `(h, w)`."""
        whole = np.zeros(size, bool)
        _window(whole, self)[self.mask] = True
        return whole

    @property
    def holes(self) -> bool:
        """Whether a polygon of it has a hole."""
        return any(len(part) > 1 for part in self.parts)


@dataclass(frozen=True)
class ImageObjects:
    """Objects of an image, later ones on top, crowds last.

    Args:
        void: Pixels that are ignored, bool `(h, w)`; `ignored` are those in no crowd.
    """

    size: tuple[int, int]
    objects: list[ImageObject]
    void: np.ndarray
    ignored: np.ndarray

    def ids(self, about: str) -> np.ndarray:
        """Number of the object at each pixel, from 1, int32 `(h, w)`; crowds below all.

        `DataError` naming the format where one hides a part of another.
        """
        numbers = np.zeros(self.size, np.int32)
        for number, each in enumerate(self.objects, start=1):
            window = _window(numbers, each)
            if not each.crowd and window[each.mask].any():
                raise DataError(f"{about} cannot hold objects that overlap; COCO can.")
            window[each.mask & (window == 0)] = number
        return numbers


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
    if others := [name for name in dataset.splits if name not in SPLITS]:
        raise DataError(f"{about} cannot hold the split {others[0]}; expected {', '.join(SPLITS)}.")

    def write_sample(sample: Sample) -> Item:
        scene = objects_of(dataset, sample)
        if not ignored and scene.void.any():
            raise DataError(
                f"{sample.image} has pixels that are ignored, which {about} cannot hold; write "
                f"masks, voc, coco or labelme, or write them as background with "
                f"--ignored-as-background."
            )
        return write(sample, scene)

    return list(in_threads(write_sample, dataset.samples, "Converting images"))


def objects_of(dataset: DataSet, sample: Sample) -> ImageObjects:
    """Objects of a sample, and of what no object covers the components of each class."""
    labels, background = dataset.read_mask(sample), dataset.labels.background
    size = labels.shape[:2]
    painted = np.full(size, -1 if background is None else background, np.int32)
    objects = []
    if dataset.instances:
        listed = dataset.read_objects(sample)
        stated = _stated_polygons(dataset, sample)
        order = np.argsort(listed.crowd, kind="stable").tolist()
        for place in order:
            each = _object(listed, place, stated.get(place), size)
            window = _window(painted, each)
            if not each.crowd:
                window[each.mask] = each.label
            if not each.crowd or (_window(labels, each)[each.mask] == IGNORE_LABEL).any():
                objects.append(each)
    counts = labels != IGNORE_LABEL
    if ((painted != labels) & (labels == background) & counts).any():
        raise DataError(
            f"{sample.image}: an object lies where its mask of classes is "
            f"{dataset.labels.names[background or 0]}; expected both to agree."
        )
    rest = np.where((painted != labels) & counts, labels + 1, 0)  # class 0 is one as well
    numbers = number_components(rest)
    parts = Instances.from_ids(numbers, rest)
    crowds = [each for each in objects if each.crowd]
    objects = [each for each in objects if not each.crowd]
    for place in range(len(parts)):
        each = _object(parts, place, None, size)
        objects.append(ImageObject(each.label - 1, each.mask, each.corner))
    ignored = labels == IGNORE_LABEL
    covered = np.zeros(size, bool)
    for each in crowds:
        _window(covered, each)[each.mask] = True
    for each in objects:
        _window(covered, each)[each.mask] = False
    return ImageObjects(size, [*objects, *crowds], ignored, ignored & ~covered)


def _object(
    objects: Instances, place: int, parts: Parts | None, size: tuple[int, int]
) -> ImageObject:
    top, left = objects.boxes[place, :2].tolist()
    if parts is not None and (Polygons(parts)(size) != objects.mask(place)).any():
        parts = None
    crowd = bool(objects.crowd[place])
    return ImageObject(int(objects.labels[place]), objects.masks[place], (top, left), parts, crowd)


def _window(whole: np.ndarray, each: ImageObject) -> np.ndarray:
    """Part of an image-sized array in the box of an object."""
    left, top, width, height = each.box
    return whole[top : top + height, left : left + width]


def _stated_polygons(dataset: DataSet, sample: Sample) -> dict[int, Any]:
    """Polygons that objects were drawn from, by their places, where they were."""
    if sample.instances is None or sample.instances.suffix != ".json":
        return {}
    content = json.loads(sample.instances.read_text(encoding="utf-8"))["objects"]
    return {n: each["polygons"] for n, each in enumerate(content) if "polygons" in each}


def class_names(dataset: DataSet) -> dict[int, str]:
    """Names of the classes that objects have, by label: all but the background."""
    names = dict(enumerate(dataset.labels.names))
    return {n: name for n, name in names.items() if n != dataset.labels.background}


def class_ids(dataset: DataSet) -> dict[int, int]:
    """Numbers from 1 of the classes that objects have, by label."""
    return {label: number for number, label in enumerate(class_names(dataset), start=1)}


def write_settings(dataset: DataSet, folder: Path, **stated: Any) -> None:
    """Write a data.yaml with the order and colors of the classes, and what else is `stated`."""
    names, colors = list(dataset.labels.names), dataset.labels.to_dict()["colors"]
    if dataset.labels.background is None:
        names, colors = ["background", *names], ["#000000", *colors]
    content = {"classes": names, "colors": colors, **orientation_key(dataset), **stated}
    write_description(folder / FILE_NAMES[0], content, [f"Converted from {dataset.layout}."])


def split_of(sample: Sample) -> str:
    """Split of a sample."""
    return sample.split or "train"
