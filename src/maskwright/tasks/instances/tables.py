"""Tables of the objects of all images of a folder: CSV, COCO and panoptic JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.imageio import atomic_write
from maskwright.inference.folder_plan import FolderResult
from maskwright.inference.manifest import Record
from maskwright.instances import Instances
from maskwright.labels import Labels
from maskwright.tasks.instances.coco_json import annotations, categories, image_entry, join_coco
from maskwright.tasks.instances.detections import scores_of
from maskwright.tasks.instances.panoptic import Merger
from maskwright.tasks.regions.extraction.crops import CropSpec
from maskwright.tasks.regions.extraction.extract import Region, extract
from maskwright.tasks.regions.extraction.table import region_row, write_rows


@dataclass(frozen=True)
class ObjectsResult(FolderResult):
    """What was written."""

    objects: int = 0
    table: Path = Path()
    coco: Path = Path()

    def summary(self) -> str:
        """What was found, in a sentence."""
        images = len(self.written) + len(self.skipped)
        text = (
            f"Found {self.objects:,} objects in {images} of {images + len(self.failed)} images; "
            f"see {self.table} and {self.coco}."
        )
        return f"{text} Skipped {len(self.skipped)} that are done." if self.skipped else text


def object_record(
    name: str,
    regions: Sequence[Region],
    objects: Instances,
    names: Sequence[str],
    segments: dict[str, Any] | None,
) -> Record:
    """What the tables need of an image.

    Args:
        segments: Entry of the image in COCO's panoptic JSON, without its number, or `None`.
    """
    scores = scores_of(objects)
    return {
        "image": image_entry(name, objects),
        "annotations": annotations(objects),
        "rows": [
            region_row(region, names) | {"score": f"{float(scores[region.value - 1]):.4f}"}
            for region in regions
        ],
        "panoptic": segments,
    }


def measured(image: np.ndarray, objects: Instances, image_id: str) -> list[Region]:
    """Regions of objects, with their classes and measures; of overlapping ones, what is seen."""
    regions = extract(image, objects.ids(), CropSpec("instances"), image_id=image_id)
    labels = objects.labels.tolist()
    return [replace(region, label=labels[region.value - 1]) for region in regions]


def write_tables(
    out: Path, labels: Labels, merger: Merger | None, result: FolderResult, records: list[Record]
) -> ObjectsResult:
    """Write the tables over all images from their records, which are in the order of the images."""
    rows = [row for record in records for row in record["rows"]]
    table, coco = out / "objects.csv", out / "objects.json"
    write_rows(rows, table, ["score"])
    content = join_coco((record["image"], record["annotations"]) for record in records)
    _write_json(coco, content | {"categories": categories(labels)})
    if merger is not None:
        segments = [
            {"image_id": number, **record["panoptic"]}
            for number, record in enumerate(records, start=1)
        ]
        panoptic = {"categories": merger.categories(), "annotations": segments}
        _write_json(out / "panoptic.json", {"images": content["images"], **panoptic})
    return ObjectsResult(result.written, result.failed, result.skipped, len(rows), table, coco)


def _write_json(path: Path, content: Any) -> None:
    with atomic_write(path) as beside:
        beside.write_text(json.dumps(content), encoding="utf-8")
