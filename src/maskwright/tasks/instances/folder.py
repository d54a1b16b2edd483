"""Objects for a file, a folder or a glob; what cannot be read is reported and passed over."""

import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.parallel import in_threads, progress
from maskwright.data.to_rgb import as_picture
from maskwright.errors import DataError
from maskwright.imageio import MAX_PIXELS, atomic_write, read_image, write_image
from maskwright.inference.output_paths import Failure, Job, failure, plan_files
from maskwright.instances import Instances
from maskwright.tasks.instances.coco_json import to_coco
from maskwright.tasks.instances.drawing import draw_objects
from maskwright.tasks.instances.panoptic import Merger, Panoptic, as_colors
from maskwright.tasks.instances.panoptic import to_coco as to_panoptic_coco
from maskwright.tasks.instances.predictor import InstancePredictor
from maskwright.tasks.regions.extraction.crop_spec import CropSpec
from maskwright.tasks.regions.extraction.extract import Region, extract
from maskwright.tasks.regions.extraction.table import write_table

_MOST_OBJECTS = 65535  # that 16 bits tell apart


@dataclass(frozen=True)
class ObjectsResult:
    """What was written.

    Args:
        written: Label images, in the order of the images.
        failed: Images without one.
        objects: Found in all images.
        table: CSV with a row for each object.
        coco: JSON of all objects.
    """

    written: tuple[Path, ...]
    failed: tuple[Failure, ...]
    objects: int
    table: Path
    coco: Path

    def output(self, folder: Path) -> Path:
        """Where to look first."""
        return folder

    def summary(self) -> str:
        """What was found, in a sentence."""
        images, total = len(self.written), len(self.written) + len(self.failed)
        return (
            f"Found {self.objects:,} objects in {images} of {total} images; see {self.table} and "
            f"{self.coco}."
        )


def find_in_folder(
    finder: InstancePredictor,
    images: str | Path,
    out: str | Path,
    *,
    overlays: bool = True,
    merger: Merger | None = None,
    max_pixels: int = MAX_PIXELS,
) -> ObjectsResult:
    """Write `out/NAME.png`, 16 bits with the number of the object in each pixel, for every image.

    Beside them go `overlays/NAME.jpg` with the outlines, `objects.csv` with the class, the score,
    the place and the measures of each object, and `objects.json` as COCO has it, where masks may
    overlap. Names are those of `inference.folder.predict_folder`. With a merger there are
    `panoptic/NAME.png` and `panoptic.json` too, as COCO has panoptic masks, and overlays show them.

    Args:
        finder: Model and card.
        images: A file, a folder with all folders in it, or a glob.
        out: Folder for the results, made where it is missing.
        overlays: Whether to draw.
        merger: Adds the classes of a model of masks.
        max_pixels: Larger images are refused.

    Raises:
        DataError: If no image is found, or a result cannot be written.
        ConfigError: If a file in a folder of the images would be overwritten, or `out` cannot be
            made.
    """
    out = Path(out)
    jobs = plan_files(images, out, overlays, panoptic=merger is not None)
    labels = finder.card.labels
    written: list[Path] = []
    failed: list[Failure] = []
    found: list[tuple[str, Instances]] = []
    regions: list[Region] = []
    scores: list[float] = []
    panoptic: list[dict[str, Any]] = []
    reading = in_threads(partial(_read, max_pixels), jobs, None, workers=1, ahead=1)
    with progress("Finding objects", len(jobs)) as advance:
        for job, image in zip(jobs, reading, strict=True):
            try:
                if isinstance(image, DataError):
                    raise image
                objects = finder(image)
                objects = objects.take(np.argsort(-_scores(objects), kind="stable")[:_MOST_OBJECTS])
                merged = None if merger is None else merger(image, objects)
            except DataError as error:
                failed.append(failure(job, error))
            else:
                _save(job, image, objects, merged)
                if merged is not None:
                    name = job.mask.relative_to(out).as_posix()
                    panoptic.append(to_panoptic_coco(name, len(panoptic) + 1, merged))
                written.append(job.mask)
                found.append((str(job.image.name), objects))
                some = measured(image, objects, job.mask.stem)
                regions += some
                scores += [float(_scores(objects)[region.value - 1]) for region in some]
            advance(1)
    table, coco = out / "objects.csv", out / "objects.json"
    write_table(regions, table, names=labels.names, columns={"score": [f"{s:.4f}" for s in scores]})
    listed = to_coco(found, labels)
    _write_json(coco, listed)
    if merger is not None:
        content = {"categories": merger.categories(), "annotations": panoptic}
        _write_json(out / "panoptic.json", {"images": listed["images"], **content})
    return ObjectsResult(tuple(written), tuple(failed), len(regions), table, coco)


def measured(image: np.ndarray, objects: Instances, image_id: str) -> list[Region]:
    """Regions of objects, with their classes and measures; of overlapping ones, what is seen."""
    found = extract(image, objects.ids(), CropSpec("instances"), image_id=image_id)
    labels = objects.labels.tolist()
    return [replace(region, label=labels[region.value - 1]) for region in found]


def _scores(objects: Instances) -> np.ndarray:
    return np.ones(len(objects)) if objects.scores is None else objects.scores


def _read(max_pixels: int, job: Job) -> np.ndarray | DataError:
    try:
        return read_image(job.image, max_pixels)
    except DataError as error:
        return error


def _write_json(path: Path, content: Any) -> None:
    with atomic_write(path) as beside:
        beside.write_text(json.dumps(content), encoding="utf-8")


def _save(job: Job, image: np.ndarray, objects: Instances, merged: Panoptic | None) -> None:
    try:
        write_image(job.mask, objects.ids().astype(np.uint16))
        if merged is not None and job.panoptic is not None:
            write_image(job.panoptic, as_colors(merged.ids))
        if job.overlay:
            drawn = objects if merged is None else merged.instances()
            write_image(job.overlay, draw_objects(as_picture(image), drawn))
    except OSError as error:
        raise DataError(f"The results for {job.image} cannot be written: {error}.") from error
