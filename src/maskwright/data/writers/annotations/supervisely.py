"""Writer of Supervisely projects with bitmaps, in a data set for each split."""

import base64
import io
import json
import zlib
from pathlib import Path

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
    ImageObjects,
    class_names,
)
from maskwright.data.writers.base import Writer
from maskwright.data.writers.images import copy_image
from maskwright.imageio import write_text


def _write(dataset: DataSet, folder: Path) -> None:
    names, colors = class_names(dataset), dataset.labels.to_dict()["colors"]

    def write_sample(sample: Sample, scene: ImageObjects) -> None:
        place = folder / split_of(sample)
        image = copy_image(sample, place / "img")
        objects = [
            {
                "classTitle": names[each.label],
                "geometryType": "bitmap",
                "bitmap": {"data": _packed(each.mask), "origin": list(each.box[:2])},
                "description": "",
                "tags": [],
            }
            for each in scene.objects
        ]
        size = {"height": scene.size[0], "width": scene.size[1]}
        content = {"description": "", "tags": [], "size": size, "objects": objects}
        write_text(place / "ann" / f"{image.name}.json", json.dumps(content))

    for_each_image(dataset, "Supervisely", write_sample)
    classes = [
        {"title": name, "shape": "bitmap", "color": colors[label]} for label, name in names.items()
    ]
    meta = {"classes": classes, "tags": [], "projectType": "images"}
    write_text(folder / "meta.json", json.dumps(meta))
    write_settings(dataset, folder)


def _packed(mask: np.ndarray) -> str:
    """PNG of a mask, packed by zlib and written in base64."""
    file = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(file, "PNG")
    return base64.b64encode(zlib.compress(file.getvalue())).decode("ascii")


SUPERVISELY_WRITER = Writer(
    "supervisely",
    "Supervisely project with bitmaps",
    _write,
    objects=True,
    overlaps=True,
    shapes=True,
)
