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

    Args:
        images: File names with their instances.
        labels: Names of the classes.
        background: Background label, or `None`.
    """
    content: dict[str, Any] = {
        "images": [],
        "annotations": [],
        "categories": [
            {"id": label, "name": name}
            for label, name in enumerate(labels.names)
            if label != background
        ],
    }
    for number, (name, objects) in enumerate(images, start=1):
        height, width = objects.size
        areas = objects.areas.tolist()
        content["images"].append(
            {"id": number, "file_name": name, "height": height, "width": width}
        )
        for index, box in enumerate(objects.boxes.tolist()):
            top, left, bottom, right = box
            annotation = {
                "id": len(content["annotations"]) + 1,
                "image_id": number,
                "category_id": int(objects.labels[index]),
                "iscrowd": int(objects.crowd[index]),
                "area": areas[index],
                "bbox": [left, top, right - left, bottom - top],
                "segmentation": encode_rle(objects.masks[index], (top, left), objects.size),
            }
            if objects.scores is not None:
                annotation["score"] = round(float(objects.scores[index]), 6)
            content["annotations"].append(annotation)
    return content
