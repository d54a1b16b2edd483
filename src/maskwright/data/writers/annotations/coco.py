"""Writers of COCO's JSON: polygons or run lengths of objects, and panoptic masks."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.samples import Sample, grouped
from maskwright.data.writers.annotations.annotation_files import (
    class_ids,
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
from maskwright.imageio import write_image, write_text
from maskwright.rle import encode_rle

_IGNORED = "ignore"  # a category whose crowds are pixels that are ignored, see the reader


def _write(runs: bool, dataset: DataSet, folder: Path) -> None:
    ids = class_ids(dataset)

    def write_sample(sample: Sample, scene: ImageObjects) -> tuple[Sample, Any, list[Any]]:
        image = copy_image(sample, folder / "images" / split_of(sample))
        entries = [_entry(each, ids[each.label], scene.size, runs) for each in scene.objects]
        if scene.ignored.any():
            whole = ImageObject(0, scene.ignored, (0, 0), crowd=True)
            entries.append(_entry(whole, len(ids) + 1, scene.size, runs))
        return sample, _image_entry(image.name, scene), entries

    names = class_names(dataset)
    categories = [{"id": ids[n], "name": names[n], "supercategory": ""} for n in ids]
    written = for_each_image(dataset, "COCO", write_sample, ignored=True)
    if any(e["category_id"] > len(ids) for _, _, entries in written for e in entries):
        ignored = {"id": len(ids) + 1, "name": _IGNORED, "supercategory": ""}
        categories.append(ignored)
    for split, those in grouped(written, lambda each: split_of(each[0])).items():
        images, annotations = [], []
        for number, (_, image, entries) in enumerate(those, start=1):
            images.append({"id": number, **image})
            annotations += [{"image_id": number, **entry} for entry in entries]
        annotations = [{"id": n, **entry} for n, entry in enumerate(annotations, start=1)]
        content = {"images": images, "annotations": annotations, "categories": categories}
        write_text(folder / "annotations" / f"instances_{split}.json", json.dumps(content))
    write_settings(dataset, folder)


def _image_entry(name: str, scene: ImageObjects) -> dict[str, Any]:
    return {"file_name": name, "height": scene.size[0], "width": scene.size[1]}


def _entry(each: ImageObject, category: int, size: tuple[int, int], runs: bool) -> dict[str, Any]:
    """Annotation of an object: polygons where they hold it, else run lengths."""
    shape: Any = encode_rle(each.mask, each.corner, size)
    if not runs and not each.crowd and not each.holes:
        shape = [part[0] for part in each.parts]
    return {
        "category_id": category,
        "segmentation": shape,
        "area": int(np.count_nonzero(each.mask)),
        "bbox": list(each.box),
        "iscrowd": int(each.crowd),
    }


def _write_panoptic(dataset: DataSet, folder: Path) -> None:
    ids, names = class_ids(dataset), class_names(dataset)
    background = dataset.labels.background

    def write_sample(sample: Sample, scene: ImageObjects) -> tuple[Sample, Any, Any]:
        split = split_of(sample)
        image = copy_image(sample, folder / split)
        numbers = scene.ids("COCO panoptic")
        numbers[(numbers == 0) & ~scene.ignored] = len(scene.objects) + 1
        png = f"{sample.id}.png"
        colors = np.stack([numbers % 256, numbers // 256 % 256, numbers // 65536], axis=-1)
        write_image(folder / "annotations" / f"panoptic_{split}" / png, colors.astype(np.uint8))
        segments = [
            {"id": number, "category_id": ids[each.label], **_place(each)}
            for number, each in enumerate(scene.objects, start=1)
        ]
        if (numbers == len(scene.objects) + 1).any():
            whole = ImageObject(0, numbers == len(scene.objects) + 1, (0, 0))
            segments.append({"id": len(scene.objects) + 1, "category_id": 0, **_place(whole)})
        entry = {"file_name": png, "segments_info": segments}
        return sample, _image_entry(image.name, scene), entry

    categories = [{"id": ids[n], "name": names[n], "isthing": int(dataset.instances)} for n in ids]
    if background is not None:
        title = dataset.labels.names[background]
        categories.insert(0, {"id": 0, "name": title, "isthing": 0})
    written = for_each_image(dataset, "COCO panoptic", write_sample, ignored=True)
    for split, those in grouped(written, lambda each: split_of(each[0])).items():
        images = [{"id": n, **image} for n, (_, image, _) in enumerate(those, start=1)]
        entries = [{"image_id": n, **entry} for n, (_, _, entry) in enumerate(those, start=1)]
        content = {"images": images, "annotations": entries, "categories": categories}
        write_text(folder / "annotations" / f"panoptic_{split}.json", json.dumps(content))
    write_settings(dataset, folder)


def _place(each: ImageObject) -> dict[str, Any]:
    area = int(np.count_nonzero(each.mask))
    return {"area": area, "bbox": list(each.box), "iscrowd": int(each.crowd)}


COCO_WRITERS = (
    Writer(
        "coco",
        "COCO annotations, polygons, and run lengths of what has holes",
        partial(_write, False),
        objects=True,
        crowds=True,
        overlaps=True,
        shapes=True,
    ),
    Writer(
        "coco-rle",
        "COCO annotations, run lengths",
        partial(_write, True),
        objects=True,
        crowds=True,
        overlaps=True,
        shapes=True,
    ),
    Writer(
        "coco-panoptic",
        "COCO panoptic masks",
        _write_panoptic,
        objects=True,
        crowds=True,
        shapes=True,
    ),
)
