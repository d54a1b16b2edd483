"""Masks of classes, and lists of objects, drawn once from the annotations of any format."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from maskwright.data.parallel import in_threads
from maskwright.data.readers.annotations.base import (
    AnnotatedImage,
    AnnotatedObject,
    Annotations,
    is_background,
)
from maskwright.data.readers.annotations.doubts import note_overlaps
from maskwright.data.readers.annotations.shapes import Box, Polygons
from maskwright.data.readers.description import MULTILABEL, described_labels
from maskwright.data.readers.manifest import relative_path, write_described
from maskwright.data.samples import Doubt, Note, Sample, unique_ids
from maskwright.errors import ConfigError, DataError
from maskwright.imageio import read_header, write_mask, write_table, write_text
from maskwright.instances import Instances
from maskwright.labels import IGNORE_LABEL, Labels

FORMAT_VERSION = 11
"""Of the files written; another number has them written anew."""


def draw_all(
    folder: Path, source: Path, annotations: Annotations, labels: Labels
) -> list[Note | Doubt]:
    """Draw all masks and describe them; what is to be told of them."""
    images = [
        replace(image, objects=[o for o in image.objects if o.cuts or not is_background(o)])
        for image in annotations.images
    ]
    if all(each.crowd or each.cuts for image in images for each in image.objects):
        message = " ".join(map(str, [*annotations.remarks, *annotations.notes()]))
        raise DataError(
            f"{source} holds annotations, but no mask of an image: {message or 'it lists none.'}"
        )
    ids = unique_ids([(image.image.parent.name, image.image.stem) for image in images])
    work = list(zip(ids, images, strict=True))
    draw = partial(_draw, folder, labels, annotations)
    results = list(in_threads(draw, work, "Drawing masks"))
    samples, rows = [], []
    for image, result in zip(images, results, strict=True):
        if isinstance(result, DataError):
            annotations.skip("broken_annotations", str(result))
            continue
        samples.append(result.sample)
        for name in result.empty:
            annotations.skip("without_area", name)
        for number, each in enumerate(result.objects, start=1):
            if not each.crowd:  # they are last
                rows.append((relative_path(image.image, folder), number, each.class_name))
            elif not isinstance(each.shape, Box):
                annotations.skip("crowds", each.name)
    if not samples:
        message = " ".join(map(str, annotations.notes()))
        raise DataError(f"{source} holds no annotations that can be used: {message}")
    if annotations.separate:
        write_table(folder / "regions.csv", ("image", "region", "label"), rows)
    notes = [*annotations.remarks, *annotations.notes()]
    if annotations.overlap is None:
        overlaps = [each.overlaps for each in results if isinstance(each, _DrawnImage)]
        notes += note_overlaps(overlaps, _painted(labels))
    stated = described_labels(labels) | {"ignore": [IGNORE_LABEL]}
    remarks = [f"Drawn from {source}.", *map(str, notes)]
    write_described(folder, samples, stated, remarks)
    return notes


def _size(image: AnnotatedImage) -> tuple[int, int]:
    """Size to draw in: that of the image, displayed, or where the annotations say so, stored.

    `DataError` where they state another one.
    """
    header = read_header(image.image)
    size = (header.height, header.width)
    stored = size[::-1] if header.orientation >= 5 else size
    if image.size not in (None, size, stored):
        raise DataError(
            f"{image.image}: the annotations state {image.size[0]} x {image.size[1]} pixels, the "
            f"file has {size[0]} x {size[1]}; expected the annotations of this image."
        )
    return image.size or size


@dataclass
class _DrawnImage:
    """Sample of an image, its objects, names of those without a pixel.

    `overlaps` are the pixels that objects of one class lose to those of another on top of them, and
    those of each class with itself.
    """

    sample: Sample
    objects: list[AnnotatedObject]
    empty: list[str]
    overlaps: Counter[tuple[str, str]]


def _draw(
    folder: Path, labels: Labels, annotations: Annotations, work: tuple[str, AnnotatedImage]
) -> _DrawnImage | DataError:
    """Write classes and objects of an image.

    Later objects lie on top, those of later classes where their order is stated, crowds below all.
    """
    id_, image = work
    masks: list[_Drawn] = []
    empty, overlaps = [], Counter[tuple[str, str]]()
    ranks = _ranks(labels, annotations.overlap)
    try:
        size = _size(image)
        background = labels.background or 0
        classes = np.full(size, background, np.uint8)
        for each in sorted(image.objects, key=lambda each: each.crowd and bool(each.class_name)):
            try:
                inside = each.shape(size)
            except DataError as error:
                raise DataError(f"object {each.name}: {error}") from None
            if not inside.any():
                empty.append(each.name)
            elif not each.class_name:
                classes[inside] = IGNORE_LABEL
            elif each.cuts:
                classes[inside] = background
                for below in masks:
                    below.cut(inside)
            else:
                label = labels.names.index(each.class_name)
                if each.crowd:
                    classes[inside & (classes == background)] = IGNORE_LABEL
                else:
                    covered = np.bincount(classes[inside], minlength=256)
                    covered[[label, background, IGNORE_LABEL]] = 0
                    for other in np.flatnonzero(covered):
                        overlaps[labels.names[other], each.class_name] += int(covered[other])
                    overlaps[each.class_name, each.class_name] += int(np.count_nonzero(inside))
                    classes[inside & (ranks[classes] <= ranks[label])] = label
                masks.append(_Drawn(each, label, *_cropped(inside)))
    except DataError as error:
        return error
    masks = [each for each in masks if each.mask.any()]
    mask = folder / "masks" / f"{id_}.png"
    write_mask(mask, classes, labels.colors)
    listed = folder / "instances" / f"{id_}.json" if annotations.separate else None
    if listed is not None:
        write_text(listed, json.dumps(_listed(masks, size)))
    sample = Sample(id_, image.image, (mask,), image.case or id_, image.split, instances=listed)
    return _DrawnImage(sample, [each.source for each in masks], empty, overlaps)


def _ranks(labels: Labels, order: Sequence[str] | None) -> np.ndarray:
    """How high each of 256 labels lies, 0 for all without a stated order; `ConfigError` for others.

    `order` is that of `Annotations.overlap`.
    """
    ranks = np.zeros(256, np.uint8)
    if order is not None and order != MULTILABEL:
        names = _painted(labels)
        if sorted(order) != sorted(names):
            raise ConfigError(
                f"data.yaml states the order {', '.join(order)[:200]} under `overlap`; expected "
                f"each of the classes {', '.join(names)[:200]} once."
            )
        ranks[[labels.names.index(name) for name in order]] = np.arange(1, len(order) + 1)
    return ranks


def _painted(labels: Labels) -> list[str]:
    return [name for name in labels.names if name != labels.names[labels.background or 0]]


@dataclass
class _Drawn:
    """An object with its label, and its mask in a box whose first row and column are `corner`."""

    source: AnnotatedObject
    label: int
    mask: np.ndarray
    corner: tuple[int, int]
    whole: bool = True

    def cut(self, other: np.ndarray) -> None:
        """Take another mask, of the whole image, out of this one."""
        inside = self.mask & ~other[self.window]
        self.whole &= bool((inside == self.mask).all())
        self.mask = inside

    @property
    def window(self) -> tuple[slice, slice]:
        """Place of the box in the image."""
        top, left = self.corner
        return slice(top, top + len(self.mask)), slice(left, left + self.mask.shape[1])

    def in_image(self, size: tuple[int, int]) -> np.ndarray:
        """Mask in the whole image."""
        mask = np.zeros(size, bool)
        mask[self.window] = self.mask
        return mask


def _cropped(mask: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    return mask[top : top + height, left : left + width].copy(), (top, left)


def _listed(masks: Sequence[_Drawn], size: tuple[int, int]) -> Any:
    """Objects as JSON; beside the masks the polygons, so that they can be written as they were."""
    instances = Instances.from_masks(
        (each.in_image(size) for each in masks),
        size,
        [each.label for each in masks],
        crowd=[each.source.crowd for each in masks],
    )
    content = json.loads(instances.to_json())
    for written, each in zip(content["objects"], masks, strict=True):
        if each.whole and isinstance(each.source.shape, Polygons):
            written["polygons"] = each.source.shape.parts
    return content
