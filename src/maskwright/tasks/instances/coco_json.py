"""Instances as COCO JSON."""

from collections.abc import Iterable
from typing import Any

from maskwright.instances import Instances
from maskwright.labels import Labels
from maskwright.rle import encode_rle


def to_coco(
    images: Iterable[tuple[str, Instances]], labels: Labels, background: int | None = 0
) -> dict[str, Any]:
    """Content of an annotation file: images, categories, and an annotation for each instance.

    Masks are RLE. Category ids are class labels, without the background. Annotations have scores,
    so that their list is a COCO result list too.
    """
    return join_coco(
        (image_entry(name, objects), annotations(objects)) for name, objects in images
    ) | {"categories": categories(labels, background)}


def join_coco(images: Iterable[tuple[dict[str, Any], Iterable[dict[str, Any]]]]) -> dict[str, Any]:
    """Images and annotations of a file, numbered from 1, from entries of each image."""
    content: dict[str, Any] = {"images": [], "annotations": []}
    for number, (image, found) in enumerate(images, start=1):
        content["images"].append({"id": number, **image})
        for annotation in found:
            place = len(content["annotations"]) + 1
            content["annotations"].append({"id": place, "image_id": number, **annotation})
    return content


def categories(labels: Labels, background: int | None = 0) -> list[dict[str, Any]]:
    """Categories with the numbers of the classes, without the background."""
    return [
        {"id": label, "name": name}
        for label, name in enumerate(labels.names)
        if label != background
    ]


def image_entry(name: str, objects: Instances) -> dict[str, Any]:
    """Entry of an image, without its number."""
    height, width = objects.size
    return {"file_name": name, "height": height, "width": width}


def annotations(objects: Instances) -> list[dict[str, Any]]:
    """Annotations of the objects of an image, without numbers."""
    areas = objects.areas.tolist()
    entries = []
    for place, (top, left, bottom, right) in enumerate(objects.boxes.tolist()):
        annotation = {
            "category_id": int(objects.labels[place]),
            "iscrowd": int(objects.crowd[place]),
            "area": areas[place],
            "bbox": [left, top, right - left, bottom - top],
            "segmentation": encode_rle(objects.masks[place], (top, left), objects.size),
        }
        if objects.scores is not None:
            annotation["score"] = round(float(objects.scores[place]), 6)
        entries.append(annotation)
    return entries
