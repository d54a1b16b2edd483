"""Inference on an uploaded image of any size: probabilities, mask, objects, decisions."""

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import ConfigError, DataError, ModelError, TooLargeError
from maskwright.imageio import atomic_write
from maskwright.imageio.gaps import fill_gaps
from maskwright.imageio.write import rows_of, write_large_mask
from maskwright.inference.large.stripes import sampled_pixels
from maskwright.inference.pixels import pixel_warnings, spread_bits
from maskwright.inference.prediction import Prediction
from maskwright.serving.jobs.fair_pool import need_pixels
from maskwright.serving.jobs.probability_grid import ProbabilityGrid
from maskwright.serving.store.upload import StoredAssessment, Upload
from maskwright.tasks.serving import AssessedMask, CaseImage, LargeImageJob, RegionDecisions


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
    masks = upload.masks
    with upload.open_windows(max_pixels) as stored:

        def read(*window: int) -> np.ndarray:
            return spread_bits(stored.read(*window), stored.white, upload.card)

        windows = replace(stored, read=read)
        if (sample := sampled_pixels(windows)).size:
            upload.warnings = pixel_warnings(sample, upload.card)
        for mask in masks:
            mask.geo = windows.geo
            mask.has_gaps = windows.nodata is not None and not segmenter.has_objects

        def add_probabilities(
            top: int, left: int, probabilities: np.ndarray, gap: np.ndarray | None
        ) -> None:
            for place, mask in enumerate(masks):
                of_mask, layer = probabilities, mask.layer
                if layer.name:
                    inside = probabilities[..., place]
                    of_mask = np.stack([1 - inside, inside], axis=-1)
                mask.planes.add_probabilities(
                    (top, left), of_mask, layer.settings.threshold, layer.background, gap
                )

        def write_mask(labels: np.ndarray) -> None:
            planes = np.moveaxis(np.atleast_3d(labels.astype(np.uint8)), -1, 0)
            for mask, plane in zip(masks, planes, strict=True):
                write_large_mask(
                    mask.decided,
                    rows_of(plane),
                    upload.size,
                    mask.layer.colors,
                    windows.geo,
                )

        job = LargeImageJob(
            upload.image,
            windows,
            max_pixels,
            tuple(mask.decided for mask in masks),
            upload.grid.scale > 1,
            add_probabilities,
            write_mask,
            advance,
        )
        predicted = segmenter.predict_large(segmenter.predictor, job)
        if segmenter.assess is not None and upload.pixels <= max_pixels:
            pixels = windows.read(0, windows.height, 0, windows.width)
            _assess(upload, segmenter.assess, fill_gaps(pixels, windows.nodata)[0])
    for mask in masks:
        mask.predicted = predicted
        settings = mask.layer.settings
        grid = ProbabilityGrid(upload.grid)
        if predicted is None:
            grid.add_planes(mask.planes)
        else:
            least = max(settings.min_area_px, 1)
            grid.add_objects(predicted.at_least(area_px=least), settings.threshold)
        with atomic_write(mask.probabilities) as beside:
            beside.write_bytes(grid.packed())
    if classifier is not None:
        decisions_now(upload, max_pixels)


def _assess(
    upload: Upload, assess: Callable[[Any, np.ndarray], AssessedMask], pixels: np.ndarray
) -> None:
    """Store what promises say of the masks, and of each class outer (1) and inner (2) as bits."""
    try:
        assessed = assess(upload.card, pixels)
    except (DataError, ModelError) as error:  # the mask is there all the same
        upload.warnings = [*upload.warnings, str(error)]
        return
    bounded = list(dict.fromkeys(name for _, name in assessed.bounds))
    planes = np.zeros((len(bounded), upload.grid.height, upload.grid.width), np.uint8)
    for (kind, name), mask in assessed.bounds.items():
        bit = np.uint8(1 if kind == "outer" else 2)
        planes[bounded.index(name)] |= (upload.grid.sample(mask) > 0) * bit
    with atomic_write(upload.bounds_file) as beside:
        beside.write_bytes(gzip.compress(planes.tobytes(), 1, mtime=0))
    upload.assessed = StoredAssessment(assessed.sentences, assessed.doubt, bounded)


def decisions_now(upload: Upload, max_pixels: int) -> RegionDecisions:
    """Decisions on the mask of an upload as it is now; `ConfigError` if its model makes none."""
    classifier = upload.served.classifier
    if classifier is None:
        raise ConfigError(f"The model {upload.served.name} decides on no regions.")
    if upload.decisions is not None and upload.decided_version == upload.mask.version:
        return upload.decisions
    need_pixels(upload.pixels)
    with upload.in_use():
        version, labels, objects = upload.mask.current()
        with upload.open_windows(max_pixels) as windows:
            pixels = windows.read(0, windows.height, 0, windows.width)
        ids = None if objects is None else objects.ids()
        mask = Prediction(labels.astype(np.int32), instances=ids)
        name = Path(upload.name).stem
        image = CaseImage(name, pixels, mask, is_edited=upload.mask.changed)
        decisions = classifier.decide([image], name)
    upload.decisions, upload.decided_version = decisions, version
    return decisions
