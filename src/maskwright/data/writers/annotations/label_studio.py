"""Writers of Label Studio's JSON: polygons, or brushes, and the configuration of its project."""

import json
import xml.etree.ElementTree as ET
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.readers.annotations.tools.brush import encode_brush
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


def _write(brushes: bool, dataset: DataSet, folder: Path) -> None:
    names = class_names(dataset)

    def write_sample(sample: Sample, scene: ImageObjects) -> dict[str, Any]:
        split = split_of(sample)
        image = copy_image(sample, folder / "images" / split)
        results = [
            _result(each, names[each.label], scene.size, brushes) | {"id": f"{sample.id}-{number}"}
            for number, each in enumerate(scene.objects, start=1)
        ]
        where = f"/data/local-files/?d=images/{split}/{quote(image.name)}"
        return {"data": {"image": where}, "annotations": [{"result": results}]}

    tasks = for_each_image(dataset, "Label Studio", write_sample)
    for number, task in enumerate(tasks, start=1):
        task["id"] = number
    write_text(folder / "annotations.json", json.dumps(tasks))
    write_text(folder / "label_config.xml", _config(dataset, names))
    write_settings(dataset, folder)


def _result(each: ImageObject, name: str, size: tuple[int, int], brushes: bool) -> dict[str, Any]:
    """Region of an object: a polygon where a single one holds it, else a brush."""
    height, width = size
    common = {
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "to_name": "image",
    }
    if brushes or each.holes or len(each.parts) > 1:
        brush = encode_brush(each.in_image(size))
        painted = {"format": "rle", "rle": brush, "brushlabels": [name]}
        return common | {"from_name": "brush", "type": "brushlabels", "value": painted}
    points = np.reshape(each.parts[0][0], (-1, 2)) * (100 / width, 100 / height)
    value: dict[str, Any] = {"points": points.tolist(), "polygonlabels": [name]}
    value["closed"] = True
    return common | {"from_name": "polygon", "type": "polygonlabels", "value": value}


def _config(dataset: DataSet, names: dict[int, str]) -> str:
    """Labeling configuration, to be pasted into the settings of a project."""
    view = ET.Element("View")
    ET.SubElement(view, "Image", name="image", value="$image")
    colors = dataset.labels.to_dict()["colors"]
    for tag, name in (("PolygonLabels", "polygon"), ("BrushLabels", "brush")):
        element = ET.SubElement(view, tag, name=name, toName="image")
        for label, value in names.items():
            ET.SubElement(element, "Label", value=value, background=colors[label])
    ET.indent(view)
    return ET.tostring(view, encoding="unicode") + "\n"


LABEL_STUDIO_WRITERS = (
    Writer(
        "label-studio",
        "Label Studio annotations, polygons, and brushes of what has holes or parts",
        partial(_write, False),
        objects=True,
        overlaps=True,
        shapes=True,
    ),
    Writer(
        "label-studio-brush",
        "Label Studio annotations, brushes",
        partial(_write, True),
        objects=True,
        overlaps=True,
        shapes=True,
    ),
)
