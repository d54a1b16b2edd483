"""Inference on an uploaded image of any size: probabilities, mask, objects, decisions."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from maskwright.errors import TooLargeError
from maskwright.imageio import atomic_write, read_mask
from maskwright.imageio.windows import MOST_PIXELS, open_windows
from maskwright.imageio.write import write_large_mask
from maskwright.inference.postprocess import OBJECTS, components_of
from maskwright.inference.predictor import Prediction
from maskwright.instances import Instances
from maskwright.labels import IGNORE_LABEL
from maskwright.serving.jobs.probability_grid import PixelGrid, ProbabilityGrid
from maskwright.serving.limits import check_deadline
from maskwright.tasks.serving import (
    CaseImage,
    LargeImageJob,
    PredictedObjects,
    RegionDecisions,
    ServedClassifier,
    ServedModel,
)

_SAME_SHARE = 0.5  # of an object that must be left for it to be the same after a correction


@dataclass(frozen=True, eq=False)
class ImageResult:
    """What a model predicted for an image, besides what it wrote.

    Args:
        predicted: Objects; `None` for a model without.
        decisions: Decisions on its regions; `None` where the model decides on nothing.
    """

    predicted: PredictedObjects | None = None
    decisions: RegionDecisions | None = None


@dataclass(frozen=True)
class UploadFiles:
    """Names of the files of one upload."""

    folder: Path
    image: Path

    @property
    def probabilities(self) -> Path:
        """Class and probability of every pixel, as `ProbabilityGrid.packed`."""
        return self.folder / "evidence.gz"

    @property
    def mask(self) -> Path:
        """The mask that the model predicted: a label TIFF."""
        return self.folder / "mask.tif"

    @property
    def corrected(self) -> Path:
        """The corrected mask: labels of the pixels of the grid, compressed with gzip."""
        return self.folder / "corrected.gz"

    def read_mask(self) -> np.ndarray:
        """Read the predicted mask, uint8 `(h, w)` in the size of the image."""
        return read_mask(self.mask, MOST_PIXELS).values.astype(np.uint8, copy=False)


def run_inference(
    served: ServedModel,
    files: UploadFiles,
    name: str,
    max_pixels: int,
    advance: Callable[[float], None],
) -> ImageResult:
    """Run a model on an image of any size, and write probabilities and mask.

    Args:
        name: Name of the image, of which the names of regions are made.

    Raises:
        DataError: If the image cannot be read or does not suit the model.
    """
    segmenter = served.masks
    with open_windows(files.image, max_pixels) as windows:
        size = (windows.height, windows.width)
        if segmenter.has_objects or served.classifier is not None:
            _check_whole(size, max_pixels)
        card = segmenter.predictor.card
        pixels = PixelGrid.over(size)
        grid = ProbabilityGrid(pixels, segmenter.settings.threshold, card.background)

        def write_mask(labels: np.ndarray) -> None:
            def rows(top: int, bottom: int) -> np.ndarray:
                return labels[top:bottom].astype(np.uint8)

            write_large_mask(files.mask, rows, size, card.labels.colors, windows.geo)

        job = LargeImageJob(
            files.image,
            windows,
            max_pixels,
            files.mask,
            pixels.scale > 1,
            grid.add_probabilities,
            write_mask,
            advance,
        )
        predicted = segmenter.predict_large(segmenter.predictor, job)
    if predicted is not None:
        grid.add_objects(predicted.objects)
    with atomic_write(files.probabilities) as beside:
        beside.write_bytes(grid.packed())
    result = ImageResult(predicted)
    if served.classifier is None:
        return result
    classifier = served.classifier
    return decide_regions(classifier, files, name, result, files.read_mask(), max_pixels)


def decide_regions(
    classifier: ServedClassifier,
    files: UploadFiles,
    name: str,
    result: ImageResult,
    labels: np.ndarray,
    max_pixels: int,
) -> ImageResult:
    """Decide on the regions of a mask that may have been corrected.

    Args:
        labels: The mask, uint8 `(h, w)`, in the classes of the segmenter.

    Returns:
        The result with these decisions.
    """
    with open_windows(files.image, max_pixels) as windows:
        pixels = windows.read(0, windows.height, 0, windows.width)
    predicted = result.predicted
    ids = None if predicted is None else renumber_objects(labels, predicted.objects)
    mask = Prediction(labels.astype(np.int32), instances=ids)
    decisions = classifier.decide([CaseImage(name, pixels, mask)], name)
    return ImageResult(predicted, decisions)


def renumber_objects(labels: np.ndarray, objects: Instances) -> np.ndarray:
    """Number of the object of each pixel, int32 `(h, w)`, of a mask that may have been corrected.

    An object of which at least half is left keeps its number. A component that was drawn elsewhere
    belongs to the object of its class that it touches most; it is a new object if it touches none.

    Args:
        labels: Classes uint8 `(h, w)`, background 0.
        objects: As they were predicted, also those without a place in the mask.
    """
    foreground = (labels != 0) & (labels != IGNORE_LABEL)
    ids = objects.ids()
    shown, remaining = (
        np.bincount(numbers, minlength=len(objects) + 1)
        for numbers in (ids.ravel(), ids[foreground])
    )
    stays = remaining >= np.maximum(_SAME_SHARE * shown, 1)
    stays[0] = False
    ids[~(stays[ids] & foreground)] = 0
    number = len(objects)
    fresh = foreground & (ids == 0)
    for label in np.unique(labels[fresh]).tolist():
        count, components, statistics, _ = components_of(fresh & (labels == label), OBJECTS)
        for component, box in zip(range(1, count), statistics[1:].tolist(), strict=True):
            check_deadline()
            left, top, width, height = box[:4]
            rows = slice(max(0, top - 1), top + height + 1)
            window = (rows, slice(max(0, left - 1), left + width + 1))
            inside = components[window] == component
            near = cv2.dilate(inside.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
            touched = ids[window][near & ~inside & (labels[window] == label)]
            touched = touched[touched > 0]
            if touched.size:
                ids[window][inside] = np.bincount(touched).argmax()
            else:
                number += 1
                ids[window][inside] = number
    return ids


def _check_whole(size: tuple[int, int], max_pixels: int) -> None:
    if size[0] * size[1] > max_pixels:
        raise TooLargeError(
            f"The image has {size[1]}x{size[0]} pixels, and this model takes images as a whole, "
            f"which is done up to {max_pixels:,} pixels; cut it into parts."
        )
