"""Objects as COCO's JSON holds them."""

from collections.abc import Iterable
from typing import Any

from maskwright.instances import Instances
from maskwright.labels import Labels
from maskwright.rle import encode_rle


def to_coco(
    images: Iterable[tuple[str, Instances]], labels: Labels, background: int | None = 0
) -> dict[str, Any]:
    """Content of a file of annotations: images, categories, and an annotation for each object.

    Masks are run lengths, which lose nothing. Categories have the numbers of the classes, without
    the background. Scores are kept, so that the list of annotations serves as results too.

    Args:
        images: File names with their objects.
        labels: Names of the classes.
        background: Label of what is no object, or `None`.
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
        for place, box in enumerate(objects.boxes.tolist()):
            top, left, bottom, right = box
            annotation = {
                "id": len(content["annotations"]) + 1,
                "image_id": number,
                "category_id": int(objects.labels[place]),
                "iscrowd": int(objects.crowd[place]),
                "area": areas[place],
                "bbox": [left, top, right - left, bottom - top],
                "segmentation": encode_rle(objects.masks[place], (top, left), objects.size),
            }
            if objects.scores is not None:
                annotation["score"] = round(float(objects.scores[place]), 6)
            content["annotations"].append(annotation)
    return content
