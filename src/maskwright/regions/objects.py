"""Objects for a file, a folder or a glob; what cannot be read is reported and passed over."""

import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from maskwright.data.parallel import in_threads, progress
from maskwright.data.pictures import as_picture
from maskwright.errors import DataError
from maskwright.imageio import MAX_PIXELS, atomic_write, read_image, write_image
from maskwright.inference.folder import Failure, Job, failure, plan_files
from maskwright.instances import Instances
from maskwright.objects.coco import to_coco
from maskwright.objects.drawing import draw_objects
from maskwright.objects.finder import ObjectFinder
from maskwright.regions.extract import Region, extract
from maskwright.regions.table import write_table

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


def find_in_folder(
    finder: ObjectFinder,
    images: str | Path,
    out: str | Path,
    *,
    overlays: bool = True,
    max_pixels: int = MAX_PIXELS,
) -> ObjectsResult:
    """Write `out/NAME.png`, 16 bits with the number of the object in each pixel, for every image.

    Beside them go `overlays/NAME.jpg` with the outlines, `objects.csv` with the class, the score,
    the place and the measures of each object, and `objects.json` as COCO has it, where masks may
    overlap. Names are those of `inference.folder.predict_folder`.

    Args:
        finder: Model and card.
        images: A file, a folder with all folders in it, or a glob.
        out: Folder for the results, made where it is missing.
        overlays: Whether to draw.
        max_pixels: Larger images are refused.

    Raises:
        DataError: If no image is found, or a result cannot be written.
        ConfigError: If a file in a folder of the images would be overwritten, or `out` cannot be
            made.
    """
    out = Path(out)
    jobs = plan_files(images, out, overlays, probabilities=False)
    labels = finder.card.labels
    written: list[Path] = []
    failed: list[Failure] = []
    found: list[tuple[str, Instances]] = []
    regions: list[Region] = []
    scores: list[float] = []
    reading = in_threads(partial(_read, max_pixels), jobs, None, workers=1, ahead=1)
    with progress("Finding objects", len(jobs)) as advance:
        for job, image in zip(jobs, reading, strict=True):
            try:
                if isinstance(image, DataError):
                    raise image
                objects = finder(image)
                objects = objects.take(np.argsort(-_scores(objects), kind="stable")[:_MOST_OBJECTS])
            except DataError as error:
                failed.append(failure(job, error))
            else:
                _save(job, image, objects)
                written.append(job.mask)
                found.append((str(job.image.name), objects))
                some = measured(image, objects, job.mask.stem)
                regions += some
                scores += [float(_scores(objects)[region.value - 1]) for region in some]
            advance(1)
    table, coco = out / "objects.csv", out / "objects.json"
    write_table(regions, table, names=labels.names, columns={"score": [f"{s:.4f}" for s in scores]})
    with atomic_write(coco) as beside:
        beside.write_text(json.dumps(to_coco(found, labels)), encoding="utf-8")
    return ObjectsResult(tuple(written), tuple(failed), len(regions), table, coco)


def measured(image: np.ndarray, objects: Instances, image_id: str) -> list[Region]:
    """Regions of objects, with their classes and measures; of overlapping ones, what is seen."""
    found = extract(image, objects.ids(), image_id=image_id, kind="instances", context=None)
    labels = objects.labels.tolist()
    return [replace(region, label=labels[region.value - 1]) for region in found]


def _scores(objects: Instances) -> np.ndarray:
    return np.ones(len(objects)) if objects.scores is None else objects.scores


def _read(max_pixels: int, job: Job) -> np.ndarray | DataError:
    try:
        return read_image(job.image, max_pixels)
    except DataError as error:
        return error


def _save(job: Job, image: np.ndarray, objects: Instances) -> None:
    try:
        write_image(job.mask, objects.ids().astype(np.uint16))
        if job.overlay:
            write_image(job.overlay, draw_objects(as_picture(image), objects))
    except OSError as error:
        raise DataError(f"The results for {job.image} cannot be written: {error}.") from error
