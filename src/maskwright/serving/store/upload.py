"""One image that was sent to the page: its files, its state and its corrected mask."""

import asyncio
import gzip
import re
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from maskwright.errors import DataError, MaskwrightError
from maskwright.imageio import atomic_write, read_mask
from maskwright.imageio.windows import MOST_PIXELS
from maskwright.inference.postprocess import OBJECTS, components_of
from maskwright.instances import Instances
from maskwright.labels import IGNORE_LABEL
from maskwright.model_card import InstanceCard, SemanticCard
from maskwright.serving.jobs.probability_grid import PixelGrid
from maskwright.serving.limits import check_deadline
from maskwright.serving.store.tile_pyramid import TilePyramid
from maskwright.tasks.serving import PredictedObjects, RegionDecisions, ServedModel

_SAME_SHARE = 0.5  # of an object that must be left for it to be the same after a correction
_LONGEST_STEM_BYTES = 160  # most file systems take 255 for a whole name
_LOOK_S = 0.05  # between looks for changes that somebody waits for

Status = Literal["waiting", "working", "done", "failed"]


class EvictedError(MaskwrightError):
    """An image that is not stored, or no longer."""

    def __init__(self) -> None:
        super().__init__(
            "There is no such image here, or no longer: the oldest make room for new ones; send it "
            "again."
        )


class NotDoneError(MaskwrightError):
    """An image that the model is not done with, or that failed for a `reason`."""

    def __init__(self, reason: str | None) -> None:
        super().__init__(reason or "The model has not done with this image yet; ask again later.")


@contextmanager
def naming_errors(folder: Path, name: str) -> Iterator[None]:
    """Let errors name an upload by its file name, and not by its place on the disk."""
    try:
        yield
    except DataError as error:
        place = re.escape(str(folder)) + r"/[^\s:;,]*"
        raise type(error)(re.sub(place, lambda _: name, str(error))) from error


class Upload:
    """An image that was sent, in a folder of its own, and what a model predicted for it.

    Nobody can guess its `id`; `size` is height and width, px.
    """

    def __init__(
        self, id: str, name: str, served: ServedModel, image: Path, size: tuple[int, int]
    ) -> None:
        self.id, self.name, self.served = id, name, served
        self.image, self.size = image, size
        self.folder = image.parent
        self.probabilities = self.folder / "evidence.gz"  # as `ProbabilityGrid.packed`
        self.mask = self.folder / "mask.tif"  # as predicted
        self.correction = self.folder / "corrected.gz"  # labels of the grid
        self.grid = PixelGrid.over(size)
        self.status: Status = "waiting"
        self.progress = 0.0
        self.reason: str | None = None
        self.pyramid: TilePyramid | None = None
        self.predicted: PredictedObjects | None = None  # for a model of objects
        self.decisions: RegionDecisions | None = None  # for a model that decides on regions
        self.gone = False
        self.stored_bytes = 0  # of its files

    @property
    def pixels(self) -> int:
        """Number of pixels of the image."""
        return self.size[0] * self.size[1]

    @property
    def stem(self) -> str:
        """Name without its suffix, as every file system takes it, and not hidden."""
        stem = re.sub(r'[\\/:*?"<>|\x00-\x1f]', "_", Path(self.name).stem)
        short = stem.encode()[:_LONGEST_STEM_BYTES].decode(errors="ignore")
        return short.strip(" .") or "image"

    @property
    def over(self) -> bool:
        """Whether the status is final."""
        return self.status in ("done", "failed")

    @property
    def corrected(self) -> bool:
        """Whether its mask was corrected."""
        return self.correction.exists()

    @property
    def card(self) -> SemanticCard | InstanceCard:
        """Card of the model that predicted the mask; `ConfigError` if it predicts none."""
        return self.served.masks.predictor.card

    async def changes(self, seconds: float) -> bool:
        """Whether status, tiles or a hundredth of the progress change within a time."""

        def state() -> tuple[Status, TilePyramid | None, int]:
            return self.status, self.pyramid, int(self.progress * 100)

        before, ends = state(), time.monotonic() + seconds
        while state() == before and time.monotonic() < ends:
            await asyncio.sleep(_LOOK_S)
        return state() != before

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """To be held while its files are used; `EvictedError` if they were removed meanwhile."""
        try:
            with naming_errors(self.folder, self.name):
                yield
        except (MaskwrightError, OSError):
            if self.gone:
                raise EvictedError from None
            raise

    def correct(self, packed: bytes) -> None:
        """Check and store a corrected mask: a byte for each pixel of the grid, with gzip.

        Raises `DataError` if it has another size, or a class that the model does not have.
        """
        size = self.grid.height * self.grid.width
        decompressor = zlib.decompressobj(wbits=31)  # of gzip
        try:
            labels = decompressor.decompress(packed, size + 1)
        except zlib.error:
            raise DataError("Expected the mask to be packed with gzip.") from None
        if len(labels) != size or not decompressor.eof:
            raise DataError(
                f"Expected a byte for each of {self.grid.width}x{self.grid.height} pixels, "
                f"{size:,} in all, packed with gzip; received another number."
            )
        known = self.card.labels.num_classes
        counts = cv2.calcHist([np.frombuffer(labels, np.uint8)], [0], None, [256], [0, 256])
        unknown = np.flatnonzero(counts[known:IGNORE_LABEL])
        if unknown.size:
            raise DataError(
                f"Expected the classes 0 to {known - 1}, or {IGNORE_LABEL} for none; the mask "
                f"holds {known + unknown[0]}."
            )
        with atomic_write(self.correction) as beside:
            beside.write_bytes(gzip.compress(labels, 1, mtime=0))

    def labels(self) -> np.ndarray:
        """The mask as it is now, uint8 `(h, w)` in the size of the image.

        Of an image that is larger than its grid, pixels that were not corrected stay as fine as
        they were predicted.
        """
        predicted = read_mask(self.mask, MOST_PIXELS).values.astype(np.uint8, copy=False)
        try:
            data = gzip.decompress(self.correction.read_bytes())
        except FileNotFoundError:
            return predicted
        grid = self.grid
        corrected = np.frombuffer(data, np.uint8).reshape(grid.height, grid.width)
        if grid.scale == 1:
            return corrected
        other = grid.upsample(corrected != grid.sample(predicted))
        return np.where(other, grid.upsample(corrected), predicted)

    def objects(self, labels: np.ndarray) -> Instances | None:
        """Objects of the mask as it is now; `None` for a model without objects.

        Predicted objects overlap and have scores, those of a corrected mask do not.
        """
        if self.predicted is None or not self.corrected:
            return None if self.predicted is None else self.predicted.confident
        return Instances.from_ids(renumber_objects(labels, self.predicted.objects), labels)

    def fail(self, reason: str) -> None:
        """Report that it failed, and why."""
        self.reason, self.status = reason, "failed"


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
