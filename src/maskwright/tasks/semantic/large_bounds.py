"""Outer and inner masks of images of any size, by windows, with probabilities kept on disk."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from maskwright.errors import DataError
from maskwright.imageio import make_folder
from maskwright.imageio.windows import Windows, image_size
from maskwright.imageio.write import Rows, write_large_mask
from maskwright.inference.large.partial_mask import LargeOptions
from maskwright.inference.large.predict_large import predict_large
from maskwright.inference.output_paths import Job
from maskwright.labels import IGNORE_LABEL
from maskwright.reliability.assessment import MaskAssessment, assess_features, bound_promises
from maskwright.reliability.mask_quality import MaskSums
from maskwright.reliability.promises import Promise
from maskwright.reliability.record import TrustRecord
from maskwright.tasks.semantic.calibration.observe import ObservingPredictor

_BAND_PIXELS = 2**22  # of a class, looked at together


def predict_large_bounds(
    observing: ObservingPredictor, record: TrustRecord, job: Job, options: LargeOptions
) -> tuple[tuple[int, int], list[MaskAssessment]]:
    """Write all files of an image of any size; its height and width, and what is known of masks.

    Bounds and mask are those of `ObservingPredictor` on the whole image. Meanwhile there are five
    bytes on disk beside the mask for each pixel and class with promises; an image that was stopped
    begins anew. Pixels that hold no data count in no mask.

    Raises:
        DataError: If the model sees images of any size whole, or memory does not suffice.
    """
    card = observing.card
    if card.size is None and card.tile is None:
        raise DataError(
            f"{job.image} is predicted by windows, and the model of these promises sees images "
            f"whole; cut it into parts."
        )
    names = card.labels.names
    labels = [names.index(name) for name in record.classes]
    with _spool_folder(job.mask) as folder:
        spool = _Spool(folder, image_size(job.image), labels, card.overlapping)

        def draw(finished: Sequence[Rows], windows: Windows) -> None:
            spool.take_masks(finished)
            places = [list(record.classes).index(name) for name, _ in bound_promises(record)]
            promises = [promise for _, promise in bound_promises(record)]
            for path, place, promise in zip(job.bounds, places, promises, strict=True):
                rows = partial(spool.bound, place, promise, finished[0])
                has_gaps = windows.nodata is not None
                write_large_mask(path, rows, spool.size, None, windows.geo, has_gaps)

        given = replace(options, exact=True, on_probabilities=spool.take_values, on_masks=draw)
        observing.start()
        size = predict_large(
            observing.predictor,
            job.image,
            job.mask,
            layers=job.layers,
            preview=job.overlay,
            polygons=job.polygons,
            options=given,
        )
        seen = observing.seen()
        sums = [MaskSums() for _ in labels]

        def count(finished: Sequence[Rows] | None = None, _: Windows | None = None) -> None:
            spool.count(sums, finished)

        if observing.sees_mirrored:
            predict_large(
                observing.predictor,
                job.image,
                folder / job.mask.name,
                layers=[folder / f"{n}.tif" for n, _ in enumerate(job.layers)],
                options=replace(
                    given, mirrored=True, on_probabilities=spool.average_values, on_masks=count
                ),
            )
        else:
            count()
        features = {
            name: of_class.features if of_class.area else None
            for name, of_class in zip(record.classes, sums, strict=True)
        }
    return size, assess_features(record, features, seen)


@contextmanager
def _spool_folder(mask: Path) -> Iterator[Path]:
    """An empty folder beside a mask, which is removed at the end, or by the next call."""
    folder = mask.with_name(f".{mask.name}.bounds")
    shutil.rmtree(folder, ignore_errors=True)
    make_folder(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Spool:
    """Probabilities and masks of some classes of an image, on disk.

    Args:
        size: Height and width, px.
        labels: Of the classes.
        overlapping: Whether masks are layers, one for each class.
    """

    def __init__(
        self, folder: Path, size: tuple[int, int], labels: Sequence[int], overlapping: bool
    ) -> None:
        self.size, self.labels, self.overlapping = size, labels, overlapping
        shape = (len(labels), *size)
        self.values = np.memmap(folder / "values", np.float32, "w+", shape=shape)
        self.masks = np.memmap(folder / "masks", np.bool_, "w+", shape=shape)

    def take_values(
        self, top: int, left: int, probabilities: np.ndarray, gap: np.ndarray | None
    ) -> None:
        """Keep probabilities, at most 1, and 0 where there is no data, as `on_probabilities`."""
        part = np.s_[top : top + len(probabilities), left : left + probabilities.shape[1]]
        for values, label in zip(self.values, self.labels, strict=True):
            values[part] = np.minimum(probabilities[..., label], 1)
            if gap is not None:
                values[part][gap] = 0

    def average_values(
        self, top: int, left: int, probabilities: np.ndarray, gap: np.ndarray | None
    ) -> None:
        """Average what is kept with the probabilities of the mirror image."""
        right = self.size[1] - left
        part = np.s_[top : top + len(probabilities), right - probabilities.shape[1] : right]
        for values, label in zip(self.values, self.labels, strict=True):
            other = np.minimum(probabilities[:, ::-1, label], 1)
            if gap is not None:
                other[gap[:, ::-1]] = 0
            values[part] = (values[part] + other) / 2

    def take_masks(self, finished: Sequence[Rows]) -> None:
        """Keep masks after post-processing."""
        for top, bottom in self._bands():
            self.masks[:, top:bottom] = self._masks(finished, top, bottom)

    def bound(
        self, place: int, promise: Promise, finished: Rows, top: int, bottom: int
    ) -> np.ndarray:
        """Rows of the mask of a promise, uint8, with no data where `finished` has none."""
        mask: np.ndarray = promise.mask(self.values[place, top:bottom]).astype(np.uint8)
        mask[finished(top, bottom) == IGNORE_LABEL] = IGNORE_LABEL
        return mask

    def count(self, sums: Sequence[MaskSums], mirrored: Sequence[Rows] | None) -> None:
        """Add all pixels to the sums of each class; `mirrored` are labels of the mirror image."""
        for top, bottom in self._bands():
            masks = others = self.masks[:, top:bottom]
            if mirrored is not None:
                others = self._masks(mirrored, top, bottom)[..., ::-1]
            for place, of_class in enumerate(sums):
                of_class.add(self.values[place, top:bottom], masks[place], others[place])

    def _masks(self, finished: Sequence[Rows], top: int, bottom: int) -> np.ndarray:
        if self.overlapping:
            return np.stack([finished[label](top, bottom) == 1 for label in self.labels])
        rows = finished[0](top, bottom)
        return np.stack([rows == label for label in self.labels])

    def _bands(self) -> Iterator[tuple[int, int]]:
        height, width = self.size
        step = max(1, _BAND_PIXELS // width)
        for top in range(0, height, step):
            yield top, min(top + step, height)
