"""Masks of classes, and lists of objects, drawn once from the annotations of any format."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from maskwright.data.parallel import in_threads
from maskwright.data.readers.annotations.base import (
    AnnotatedImage,
    AnnotatedObject,
    Annotations,
    is_background,
)
from maskwright.data.readers.annotations.shapes import Box, Polygons
from maskwright.data.readers.description import described_labels
from maskwright.data.readers.manifest import write_described
from maskwright.data.samples import Doubt, Note, Sample, unique_ids
from maskwright.errors import DataError
from maskwright.imageio import read_header, write_mask, write_table, write_text
from maskwright.instances import Instances
from maskwright.labels import IGNORE_LABEL, Labels

FORMAT_VERSION = 5
"""Of the files written; another number has them written anew."""


def draw_all(folder: Path, source: Path, annotations: Annotations) -> list[Note | Doubt]:
    """Draw all masks and describe them; what is to be told of them."""
    images = [
        replace(image, objects=[each for each in image.objects if not is_background(each)])
        for image in annotations.images
    ]
    if all(each.crowd for image in images for each in image.objects):
        told = " ".join(map(str, [*annotations.remarks, *annotations.notes()]))
        raise DataError(
            f"{source} holds annotations, but no mask of an image: {told or 'it lists none.'}"
        )
    labels = annotations.labels(source)
    ids = unique_ids([(image.image.parent.name, image.image.stem) for image in images])
    work = list(zip(ids, images, strict=True))
    drawn = list(in_threads(partial(_draw, folder, labels), work, "Drawing masks"))
    samples, rows = [], []
    for image, result in zip(images, drawn, strict=True):
        if isinstance(result, DataError):
            annotations.skip("broken_annotations", str(result))
            continue
        sample, objects, empty = result
        samples.append(sample)
        for name in empty:
            annotations.skip("without_area", name)
        for number, each in enumerate(objects, start=1):
            if not each.crowd:  # they are last
                rows.append((str(image.image.resolve()), number, each.class_name))
            elif not isinstance(each.shape, Box):
                annotations.skip("crowds", each.name)
    write_table(folder / "regions.csv", ("image", "region", "label"), rows)
    notes = [*annotations.remarks, *annotations.notes()]
    stated = described_labels(labels) | {"ignore": [IGNORE_LABEL]}
    remarks = [f"Drawn from {source}.", *map(str, notes)]
    write_described(folder, samples, stated, remarks)
    return notes


def _size(image: AnnotatedImage) -> tuple[int, int]:
    """Size to draw in; `DataError` for a stated one that is not that of the image file."""
    header = read_header(image.image)
    size = (header.height, header.width)
    if image.size is not None and image.size != size:
        hint = ""
        if image.size == size[::-1] and header.orientation > 1:
            hint = "; the image lies on its side by its EXIF orientation, its annotations do not"
        raise DataError(
            f"{image.image}: the annotations state {image.size[0]} x {image.size[1]} pixels, the "
            f"file has {size[0]} x {size[1]}; expected the annotations of this image{hint}."
        )
    return size


def _draw(
    folder: Path, labels: Labels, work: tuple[str, AnnotatedImage]
) -> tuple[Sample, list[AnnotatedObject], list[str]] | DataError:
    """Write classes and objects of an image; its sample, its objects, names of empty ones.

    Later objects lie on top, crowds below all.
    """
    id_, image = work
    objects = sorted(image.objects, key=lambda each: each.crowd)
    masks = []
    try:
        size = _size(image)
        for each in objects:
            try:
                masks.append(each.shape(size))
            except DataError as error:
                raise DataError(f"object {each.name}: {error}") from None
    except DataError as error:
        return error
    pairs = list(zip(objects, masks, strict=True))
    empty = [each.name for each, mask in pairs if not mask.any()]
    objects, masks = [e for e, mask in pairs if mask.any()], [m for m in masks if m.any()]
    numbers = [labels.names.index(each.class_name) for each in objects]
    classes = np.zeros(size, np.uint8)
    for inside, each, label in zip(masks, objects, numbers, strict=True):
        if each.crowd:
            classes[inside & (classes == 0)] = IGNORE_LABEL
        else:
            classes[inside] = label
    crowd = [each.crowd for each in objects]
    instances = Instances.from_masks(masks, size, numbers, crowd=crowd)
    mask = folder / "masks" / f"{id_}.png"
    write_mask(mask, classes, labels.colors)
    listed = folder / "instances" / f"{id_}.json"
    # Polygons beside the masks made of them, so that they can be written again as they were.
    shapes = [each.shape for each in objects]
    more = [{"polygons": s.parts} if isinstance(s, Polygons) else {} for s in shapes]
    content = json.loads(instances.to_json())
    content["objects"] = [a | b for a, b in zip(content["objects"], more, strict=True)]
    write_text(listed, json.dumps(content))
    sample = Sample(id_, image.image, (mask,), image.case or id_, image.split, instances=listed)
    return sample, objects, empty
