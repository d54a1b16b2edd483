"""Writer of LabelMe's JSON files, one beside each image, in a folder for each split."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from maskwright.data.dataset import DataSet
from maskwright.data.samples import Sample
from maskwright.data.writers.annotations.annotation_files import (
    for_each_image,
    split_of,
    write_settings,
)
from maskwright.data.writers.annotations.image_objects import (
    ImageObject,
    ImageObjects,
    class_names,
)
from maskwright.data.writers.base import Writer
from maskwright.data.writers.images import copy_image
from maskwright.imageio import write_text

_IGNORED, _BACKGROUND = "__ignore__", "_background_"


def _write(dataset: DataSet, folder: Path) -> None:
    names = class_names(dataset)

    def write_sample(sample: Sample, scene: ImageObjects) -> None:
        image = copy_image(sample, folder / split_of(sample))
        shapes: list[dict[str, Any]] = []
        for number, each in enumerate((o for o in scene.objects if not o.crowd), start=1):
            shapes += _shapes(each, names[each.label], number)
        if scene.void.any():
            shapes += _shapes(ImageObject(0, scene.void, (0, 0)), _IGNORED, 0)
        content: dict[str, Any] = {
            "version": "5.5.0",
            "flags": {},
            "shapes": shapes,
            "imagePath": image.name,
            "imageData": None,
            "imageHeight": scene.size[0],
            "imageWidth": scene.size[1],
        }
        write_text(image.with_suffix(".json"), json.dumps(content, indent=2))

    for_each_image(dataset, "LabelMe", write_sample, ignored=True)
    lines = [_IGNORED, _BACKGROUND, *names.values()]
    write_text(folder / "labels.txt", "".join(f"{line}\n" for line in lines))
    write_settings(dataset, folder)


def _shapes(each: ImageObject, label: str, group: int) -> list[dict[str, Any]]:
    """Polygons of an object, in a group where there are several; a mask where one has a hole."""
    common = {"label": label, "description": "", "flags": {}}
    if each.holes:
        left, top, width, height = each.box
        points = [[left, top], [left + width - 1, top + height - 1]]
        shape = {"points": points, "group_id": None, "shape_type": "mask"}
        return [common | shape | {"mask": _png(each.mask)}]
    group_id = group if len(each.parts) > 1 else None
    return [
        common
        | {"points": np.reshape(part[0], (-1, 2)).tolist(), "group_id": group_id}
        | {"shape_type": "polygon", "mask": None}
        for part in each.parts
    ]


def _png(mask: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode("ascii")


LABELME_WRITER = Writer(
    "labelme", "LabelMe annotations", _write, objects=True, overlaps=True, shapes=True
)
