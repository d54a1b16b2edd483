"""What is written of an image: its objects in the order in which they lie on each other."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.layers import split_layers
from maskwright.data.object_files import number_components
from maskwright.data.readers.annotations.shapes import Polygons
from maskwright.data.samples import Sample
from maskwright.errors import DataError
from maskwright.instances import Instances
from maskwright.labels import IGNORE_LABEL
from maskwright.rle import outlines

Parts = Sequence[Sequence[Sequence[float]]]
"""Polygons, each the ring around it and the rings of its holes, `x, y, x, y, …` in px."""


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


def objects_of(dataset: DataSet, sample: Sample) -> ImageObjects:
    """Objects of a sample, and of what no object covers the components of each class."""
    labels = dataset.read_mask(sample)
    size = labels.shape[:2]
    listed = _listed_objects(dataset, sample, size) if dataset.instances else []
    objects = [each for each in listed if not each.crowd]
    if dataset.multilabel:
        layers = split_layers(dataset, sample, labels)
        ignored = layers[..., 0] == IGNORE_LABEL
        for place, label in enumerate(class_names(dataset)):
            rest = layers[..., place] == 1
            for each in objects:
                if each.label == label:
                    _window(rest, each)[each.mask] = False
            objects += _components(label, rest)
    else:
        ignored, background = labels == IGNORE_LABEL, dataset.labels.background
        painted = np.full(size, -1 if background is None else background)
        for each in objects:
            _window(painted, each)[each.mask] = each.label
        rest = (painted != labels) & ~ignored
        for label in np.unique(labels[rest]).tolist():
            if label == background:
                raise _disagreement(dataset, sample)
            objects += _components(label, rest & (labels == label))
    crowds = [each for each in listed if each.crowd and _window(ignored, each)[each.mask].any()]
    uncovered = ignored.copy()
    for each in crowds:
        _window(uncovered, each)[each.mask] = False
    for each in objects:  # they lie on crowds
        _window(uncovered, each)[each.mask] |= _window(ignored, each)[each.mask]
    return ImageObjects(size, [*objects, *crowds], ignored, uncovered)


def count_unlisted(dataset: DataSet, sample: Sample) -> tuple[int, int]:
    """Number of components of classes in no object, and of crowds, of a data set with objects."""
    scene = objects_of(dataset, sample)
    listed = _listed_objects(dataset, sample, scene.size)
    crowds = sum(each.crowd for each in listed)
    return sum(not each.crowd for each in scene.objects) - len(listed) + crowds, crowds


def _listed_objects(dataset: DataSet, sample: Sample, size: tuple[int, int]) -> list[ImageObject]:
    """Objects as the data set has them; where it states an order of classes, in that order."""
    listed, stated = dataset.read_objects(sample), _stated_polygons(dataset, sample)
    objects = []
    for place, label in enumerate(listed.labels.tolist()):
        parts, mask = stated.get(place), listed.masks[place]
        if parts is not None and (Polygons(parts)(size) != listed.mask(place)).any():
            parts = None
        top, left = listed.boxes[place, :2].tolist()
        if label != IGNORE_LABEL:
            crowd = bool(listed.crowd[place])
            objects.append(ImageObject(label, mask, (top, left), parts, crowd))
    order, names = dataset.stated.get("overlap"), class_names(dataset)
    if any(each.label not in names for each in objects):
        raise _disagreement(dataset, sample)
    if isinstance(order, list):
        objects.sort(key=lambda each: order.index(names[each.label]))
    return objects


def _components(label: int, mask: np.ndarray) -> list[ImageObject]:
    """Connected components of a class, bool `(h, w)`."""
    parts = Instances.from_ids(number_components(mask.astype(np.int32)), mask.astype(np.int32))
    corners = parts.boxes[:, :2].tolist()
    return [
        ImageObject(label, inside, (top, left))
        for inside, (top, left) in zip(parts.masks, corners, strict=True)
    ]


def _disagreement(dataset: DataSet, sample: Sample) -> DataError:
    name = dataset.labels.names[dataset.labels.background or 0]
    where = f"{sample.image}: an object lies where its mask of classes is {name}"
    return DataError(f"{where}; expected both to agree.")


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
