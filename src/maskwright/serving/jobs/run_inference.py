"""What a model makes of an upload: evidence, the mask, objects, and decisions on regions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from maskwright.errors import ModelError, TooLargeError
from maskwright.imageio import atomic_write, read_mask
from maskwright.imageio.geotags import GeoTags
from maskwright.imageio.windows import MOST_PIXELS, Windows, open_windows
from maskwright.imageio.write import write_large_mask
from maskwright.inference.large.partial_mask import LargeOptions
from maskwright.inference.large.predict_large import predict_large
from maskwright.inference.postprocess import OBJECTS, components_of
from maskwright.inference.predictor import Flips, Prediction, Predictor
from maskwright.instances import Instances
from maskwright.labels import IGNORE_LABEL, Labels
from maskwright.serving.jobs.models import Served
from maskwright.serving.limits import check_time
from maskwright.serving.routes import responses as answers
from maskwright.serving.store.probability_grid import Evidence, Grid, levels_of
from maskwright.tasks.instances import InstancePredictor
from maskwright.tasks.regions.pipeline import Pipeline

MOST_OBJECTS = 65535
"""Objects of an image that 16 bits tell apart; the surest are kept."""

_SAME = 0.5  # share of an object that must be left of it for it to be the same still


@dataclass(frozen=True, eq=False)
class Found:
    """What a model found in an image, besides what it wrote.

    Args:
        objects: All, whatever their score, the surest first; `None` where it tells none apart.
        decisions: As `answers.decisions` gives them; `None` where it decides on nothing.
        regions: What was looked at, as `answers.regions` gives it.
    """

    objects: Instances | None = None
    decisions: list[dict[str, Any]] | None = None
    regions: list[dict[str, Any]] | None = None


def evidence_file(folder: Path) -> Path:
    """Where the evidence of an upload lies, as `Evidence.packed` gives it."""
    return folder / "evidence.gz"


def mask_file(folder: Path) -> Path:
    """Where the mask of an upload lies, as the model drew it: a label TIFF."""
    return folder / "mask.tif"


def find(
    served: Served,
    image: Path,
    name: str,
    folder: Path,
    max_pixels: int,
    advance: Callable[[float], None],
) -> Found:
    """Run a model on an image of any size, and write evidence and mask.

    Args:
        served: The model; it draws masks.
        image: File of the image.
        name: Of the image.
        folder: For both.
        max_pixels: Of images that must be decoded whole.
        advance: Called with the share of the image that was done.

    Raises:
        DataError: If the image cannot be read or does not suit the model.
    """
    segmenter = served.segmenter
    if segmenter is None:
        raise ModelError(f"The model {served.name} decides on given masks and draws none.")
    deciding = isinstance(served.model, Pipeline)
    objects = None
    with open_windows(image, max_pixels) as windows:
        if deciding or isinstance(segmenter, InstancePredictor):
            _check_whole((windows.height, windows.width), max_pixels)
        if isinstance(segmenter, InstancePredictor):
            objects = _find_objects(segmenter, windows, folder)
        else:
            flips = served.model.flips if isinstance(served.model, Pipeline) else False
            predictor = cast(Predictor, segmenter)
            _find_masks(predictor, image, windows, folder, flips, max_pixels, advance)
    if not deciding:
        return Found(objects)
    return decide(served, image, name, read_labels(folder), objects, max_pixels)


def read_labels(folder: Path) -> np.ndarray:
    """The mask that a model drew, uint8 `(h, w)` in the size of the image."""
    return read_mask(mask_file(folder), MOST_PIXELS).values.astype(np.uint8, copy=False)


def decide(
    served: Served,
    image: Path,
    name: str,
    labels: np.ndarray,
    objects: Instances | None,
    max_pixels: int,
) -> Found:
    """Decisions of a pipeline on the regions of a mask.

    Args:
        served: The pipeline, with a segmenter.
        image: File of the image.
        name: Of the image.
        labels: uint8 `(h, w)`, in the classes of the segmenter.
        objects: As the segmenter found them, where it tells them apart.
        max_pixels: As in `find`.

    Raises:
        ModelError: If the model decides on nothing, or draws nothing.
    """
    pipeline = served.model
    if not isinstance(pipeline, Pipeline) or pipeline.segmenter is None:
        raise ModelError(f"The model {served.name} draws no masks that it could decide on.")
    with open_windows(image, max_pixels) as windows:
        pixels = windows.read(0, windows.height, 0, windows.width)
    ids = None if objects is None else numbered(labels, objects)
    drawn = Prediction(labels.astype(np.int32), instances=ids)
    made = pipeline.decide([(name, name, pipeline.regions(pixels, drawn, name))])
    looked_at = answers.regions(made, {name: drawn}, pipeline.segmenter.card.labels)
    return Found(objects, answers.decisions(made), looked_at)


def numbered(labels: np.ndarray, objects: Instances) -> np.ndarray:
    """Number of the object of each pixel, int32 `(h, w)`, of a mask that may have been corrected.

    An object of which at least half is left keeps its number. What was drawn elsewhere belongs to
    the object of its class that it touches most, and is a new one where it touches none.

    Args:
        labels: Classes uint8 `(h, w)`, background 0.
        objects: As they were found, those without a place in the mask too.
    """
    drawn = (labels != 0) & (labels != IGNORE_LABEL)
    ids = objects.ids()
    shown, kept = (
        np.bincount(some, minlength=len(objects) + 1) for some in (ids.ravel(), ids[drawn])
    )
    stays = kept >= np.maximum(_SAME * shown, 1)
    stays[0] = False
    ids[~(stays[ids] & drawn)] = 0
    number = len(objects)
    fresh = drawn & (ids == 0)
    for label in np.unique(labels[fresh]).tolist():
        count, pieces, statistics, _ = components_of(fresh & (labels == label), OBJECTS)
        for piece, box in zip(range(1, count), statistics[1:].tolist(), strict=True):
            check_time()
            left, top, width, height = box[:4]
            rows = slice(max(0, top - 1), top + height + 1)
            window = (rows, slice(max(0, left - 1), left + width + 1))
            own = pieces[window] == piece
            near = cv2.dilate(own.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
            touched = ids[window][near & ~own & (labels[window] == label)]
            touched = touched[touched > 0]
            if touched.size:
                ids[window][own] = np.bincount(touched).argmax()
            else:
                number += 1
                ids[window][own] = number
    return ids


def _find_masks(
    predictor: Predictor,
    image: Path,
    windows: Windows,
    folder: Path,
    flips: Flips,
    max_pixels: int,
    advance: Callable[[float], None],
) -> None:
    card = predictor.card
    size = (windows.height, windows.width)
    evidence = Evidence(Grid.over(size), card.threshold, card.background)
    if windows.nodata is not None or evidence.grid.scale > 1:
        predict_large(
            predictor,
            image,
            mask_file(folder),
            options=LargeOptions(
                flips=flips,
                max_pixels=max_pixels,
                advance=advance,
                on_probabilities=evidence.see,
            ),
        )
    else:

        def watched(strips: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
            top = 0
            for strip in strips:
                evidence.see(top, 0, strip)
                top += len(strip)
                advance(len(strip) / size[0])
                yield strip

        working = predictor.working(windows.read(0, size[0], 0, size[1]))
        made = predictor.decide(watched(predictor.strips(working, size, flips)), size)
        _write_mask(folder, made.labels, card.labels, windows.geo)
    _write_evidence(folder, evidence)


def _find_objects(segmenter: InstancePredictor, windows: Windows, folder: Path) -> Instances:
    card, size = segmenter.card, (windows.height, windows.width)
    every = segmenter.every(windows.read(0, size[0], 0, size[1]))
    every = every.at_least(area_px=max(card.min_area_px, 1))
    scores = np.ones(len(every)) if every.scores is None else every.scores
    objects = every.take(np.argsort(-scores, kind="stable")[:MOST_OBJECTS])
    scores = np.sort(scores)[::-1][:MOST_OBJECTS].astype(np.float32)
    levels = levels_of(scores, scores >= card.score, card.score)
    evidence = Evidence(Grid.over(size), card.score, card.background)
    ids = evidence.grid.sample(objects.ids())
    evidence.labels = np.append(0, objects.labels).astype(np.uint8)[ids]
    evidence.levels = np.append(0, levels).astype(np.uint8)[ids]
    evidence.objects = ids
    _write_mask(folder, segmenter.kept(objects).classes(), card.labels, windows.geo)
    _write_evidence(folder, evidence)
    return objects


def _write_mask(folder: Path, mask: np.ndarray, labels: Labels, geo: GeoTags | None) -> None:
    def rows(top: int, bottom: int) -> np.ndarray:
        return mask[top:bottom].astype(np.uint8)

    size = (mask.shape[0], mask.shape[1])
    write_large_mask(mask_file(folder), rows, size, labels.colors, geo)


def _write_evidence(folder: Path, evidence: Evidence) -> None:
    with atomic_write(evidence_file(folder)) as beside:
        beside.write_bytes(evidence.packed())


def _check_whole(size: tuple[int, int], max_pixels: int) -> None:
    if size[0] * size[1] > max_pixels:
        raise TooLargeError(
            f"The image has {size[1]}x{size[0]} pixels, and this model looks at images as a whole, "
            f"which is done up to {max_pixels:,} pixels; cut it into parts."
        )
