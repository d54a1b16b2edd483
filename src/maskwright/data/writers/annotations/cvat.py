"""Writer of CVAT's XML for images: polygons, and masks of what has holes."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np

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

_SUBSETS = {"train": "Train", "val": "Validation", "test": "Test"}


def _write(dataset: DataSet, folder: Path) -> None:
    names = class_names(dataset)

    def write_sample(sample: Sample, scene: ImageObjects) -> ET.Element:
        image = copy_image(sample, folder / "images")
        element = ET.Element(
            "image",
            name=image.name,
            width=str(scene.size[1]),
            height=str(scene.size[0]),
            subset=_SUBSETS[split_of(sample)],
        )
        for number, each in enumerate(scene.objects, start=1):
            common = {"label": names[each.label], "source": "manual", "occluded": "0"}
            common["z_order"] = str(number)
            if each.holes:
                place = dict(
                    zip(("left", "top", "width", "height"), map(str, each.box), strict=True)
                )
                runs = ", ".join(map(str, _rows(each.mask)))
                ET.SubElement(element, "mask", common | {"rle": runs} | place)
                continue
            for part in each.parts:
                points = ";".join(f"{x:.8g},{y:.8g}" for x, y in np.reshape(part[0], (-1, 2)))
                group = {"group_id": str(number)} if len(each.parts) > 1 else {}
                ET.SubElement(element, "polygon", common | {"points": points} | group)
        return element

    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    task = ET.SubElement(ET.SubElement(root, "meta"), "task")
    labels = ET.SubElement(task, "labels")
    colors = dataset.labels.to_dict()["colors"]
    for label, name in names.items():
        element = ET.SubElement(labels, "label")
        for tag, text in (("name", name), ("color", colors[label].lower()), ("type", "any")):
            ET.SubElement(element, tag).text = text
        ET.SubElement(element, "attributes")
    for number, image in enumerate(for_each_image(dataset, "CVAT", write_sample)):
        image.set("id", str(number))
        root.append(image)
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    write_text(folder / "annotations.xml", f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n')
    write_settings(dataset, folder, unannotated="background")


def _rows(mask: np.ndarray) -> list[int]:
    """Run lengths of a mask row by row, background first."""
    flat = np.concatenate([[False], mask.ravel()])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    runs: list[int] = np.diff(changes, prepend=0, append=mask.size).tolist()
    return runs


CVAT_WRITER = Writer(
    "cvat", "CVAT for images 1.1", _write, objects=True, overlaps=True, shapes=True
)
