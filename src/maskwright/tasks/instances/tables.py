"""Objects of images as tables: CSV, and JSON as COCO has instances and panoptic masks."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.samples import counted
from maskwright.imageio import atomic_write
from maskwright.inference.folder_plan import FolderResult
from maskwright.inference.manifest import Record
from maskwright.inference.output_paths import Job
from maskwright.instances import Instances
from maskwright.labels import Labels
from maskwright.model_card import InstanceCard
from maskwright.rle import encode_rle
from maskwright.tasks.instances.detections import scores_of
from maskwright.tasks.instances.panoptic import Merger
from maskwright.tasks.instances.predictor import tile_side
from maskwright.tasks.regions import CropSpec, extract
from maskwright.tasks.regions.extraction.table import region_row, write_rows


@dataclass(frozen=True)
class ObjectsResult(FolderResult):
    """What was written; `long_objects` are as long as the tiles of their image, or longer."""

    objects: int = 0
    table: Path = Path()
    coco: Path = Path()
    long_objects: int = 0

    def summary(self) -> str:
        """What was found, in a sentence."""
        images = len(self.written) + len(self.skipped)
        total = counted(images + len(self.failed), "image")
        text = (
            f"Processed {images:,} of {total} and found {counted(self.objects, 'object')}; see "
            f"{self.table} and {self.coco}."
        )
        if self.long_objects:
            text += (
                f" {counted(self.long_objects, 'object')} as long as a tile or longer, of which "
                f"no tile shows the whole: look at the overlays."
            )
        skipped = counted(len(self.skipped), "image")
        return f"{text} Skipped {skipped} done before." if self.skipped else text


def to_coco(
    images: Iterable[tuple[str, Instances]], labels: Labels, background: int | None = 0
) -> dict[str, Any]:
    """Content of an annotation file: images, categories, and an annotation for each instance.

    Masks are RLE. Category ids are class labels, without the background. Annotations have scores,
    so that their list is a COCO result list too.
    """
    records = (_coco_record(name, objects) for name, objects in images)
    return _join(records, labels, background)


def object_record(
    job: Job,
    image: np.ndarray,
    objects: Instances,
    names: Sequence[str],
    segments: dict[str, Any] | None,
) -> Record:
    """What the tables need of an image; of overlapping objects, what is seen is measured.

    `segments` is the entry of the image in COCO's panoptic JSON, without its number, or `None`.
    """
    scores, rows = scores_of(objects), []
    for region in extract(image, objects.ids(), CropSpec("instances"), image_id=job.mask.stem):
        index = region.value - 1
        row = region_row(replace(region, label=int(objects.labels[index])), names)
        rows.append(row | {"score": f"{float(scores[index]):.4f}"})
    return {**_coco_record(job.image.name, objects), "rows": rows, "panoptic": segments}


def write_tables(
    out: Path,
    card: InstanceCard,
    merger: Merger | None,
    result: FolderResult,
    records: list[Record],
) -> ObjectsResult:
    """Write the tables over all images from their records, which are in the order of the images."""
    rows = [row for record in records for row in record["rows"]]
    table, coco = out / "objects.csv", out / "objects.json"
    write_rows(rows, table, ["score"])
    content = _join(records, card.labels, 0)
    _write_json(coco, content)
    if merger is not None:
        segments = [
            {"image_id": number, **record["panoptic"]}
            for number, record in enumerate(records, start=1)
        ]
        panoptic = {"categories": merger.categories(), "annotations": segments}
        _write_json(out / "panoptic.json", {"images": content["images"], **panoptic})
    return ObjectsResult(
        result.written,
        result.failed,
        result.skipped,
        len(rows),
        table,
        coco,
        sum(_long_objects(record, card) for record in records),
    )


def _long_objects(record: Record, card: InstanceCard) -> int:
    """Number of objects of an image that are as long as its tiles, or longer."""
    image = record["image"]
    tile = tile_side(card, (image["height"], image["width"]))
    if tile is None:
        return 0
    return sum(max(annotation["bbox"][2:]) >= tile for annotation in record["annotations"])


def _coco_record(name: str, objects: Instances) -> Record:
    """Entry of an image and annotations of its objects, without numbers."""
    height, width = objects.size
    areas, annotations = objects.areas.tolist(), []
    for index, (top, left, bottom, right) in enumerate(objects.boxes.tolist()):
        annotation = {
            "category_id": int(objects.labels[index]),
            "iscrowd": int(objects.crowd[index]),
            "area": areas[index],
            "bbox": [left, top, right - left, bottom - top],
            "segmentation": encode_rle(objects.masks[index], (top, left), objects.size),
        }
        if objects.scores is not None:
            annotation["score"] = round(float(objects.scores[index]), 6)
        annotations.append(annotation)
    image = {"file_name": name, "height": height, "width": width}
    return {"image": image, "annotations": annotations}


def _join(records: Iterable[Record], labels: Labels, background: int | None) -> dict[str, Any]:
    """Content of an annotation file; images and annotations are numbered from 1."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, record in enumerate(records, start=1):
        images.append({"id": number, **record["image"]})
        for annotation in record["annotations"]:
            numbers = {"id": len(annotations) + 1, "image_id": number}
            annotations.append({**numbers, **annotation})
    classes = [(label, name) for label, name in enumerate(labels.names) if label != background]
    return {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": label, "name": name} for label, name in classes],
    }


def _write_json(path: Path, content: Any) -> None:
    with atomic_write(path) as beside:
        beside.write_text(json.dumps(content), encoding="utf-8")
