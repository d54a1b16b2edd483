"""Inference on an uploaded image of any size: probabilities, mask, objects, decisions."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from maskwright.errors import TooLargeError
from maskwright.imageio import atomic_write
from maskwright.imageio.windows import open_windows
from maskwright.imageio.write import write_large_mask
from maskwright.inference.predictor import Prediction
from maskwright.serving.jobs.job_queue import wait_if_large
from maskwright.serving.jobs.probability_grid import ProbabilityGrid
from maskwright.serving.store.upload import Upload, renumber_objects
from maskwright.tasks.serving import CaseImage, LargeImageJob, ServedClassifier


def run_inference(upload: Upload, max_pixels: int, advance: Callable[[float], None]) -> None:
    """Run the model of an upload, write probabilities and mask, and set objects and decisions.

    Raises `DataError` if the image cannot be read or does not suit the model.
    """
    segmenter, classifier = upload.served.masks, upload.served.classifier
    if (segmenter.has_objects or classifier is not None) and upload.pixels > max_pixels:
        raise TooLargeError(
            f"The image has {upload.size[1]}x{upload.size[0]} pixels, and this model takes images "
            f"as a whole, which is done up to {max_pixels:,} pixels; cut it into parts."
        )
    grid = ProbabilityGrid(upload.grid, segmenter.settings.threshold, upload.card.background)
    with open_windows(upload.image, max_pixels) as windows:

        def write_mask(labels: np.ndarray) -> None:
            write_large_mask(
                upload.mask,
                lambda top, bottom: labels[top:bottom].astype(np.uint8),
                upload.size,
                upload.card.labels.colors,
                windows.geo,
            )

        job = LargeImageJob(
            upload.image,
            windows,
            max_pixels,
            upload.mask,
            upload.grid.scale > 1,
            grid.add_probabilities,
            write_mask,
            advance,
        )
        upload.predicted = segmenter.predict_large(segmenter.predictor, job)
    if upload.predicted is not None:
        grid.add_objects(upload.predicted.objects)
    with atomic_write(upload.probabilities) as beside:
        beside.write_bytes(grid.packed())
    if classifier is not None:
        decide_regions(upload, classifier, max_pixels)


def decide_regions(upload: Upload, classifier: ServedClassifier, max_pixels: int) -> None:
    """Decide on the regions of the mask of an upload as it is now."""
    wait_if_large(upload.pixels)
    with upload.in_use():
        labels, objects = upload.labels(), upload.predicted
        with open_windows(upload.image, max_pixels) as windows:
            pixels = windows.read(0, windows.height, 0, windows.width)
        ids = None if objects is None else renumber_objects(labels, objects.objects)
        mask = Prediction(labels.astype(np.int32), instances=ids)
        name = Path(upload.name).stem
        upload.decisions = classifier.decide([CaseImage(name, pixels, mask)], name)
