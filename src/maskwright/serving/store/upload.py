"""One image that was sent to the page: its files, its state and its corrected mask."""

import asyncio
import gzip
import re
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from maskwright.errors import DataError, MaskwrightError
from maskwright.imageio import atomic_write
from maskwright.instances import Instances
from maskwright.labels import IGNORE_LABEL
from maskwright.model_card import InstanceCard, SemanticCard
from maskwright.serving.jobs.probability_grid import PixelGrid
from maskwright.serving.jobs.run_inference import ImageResult, UploadFiles, renumber_objects
from maskwright.serving.store.tile_pyramid import TilePyramid
from maskwright.tasks.serving import ServedModel

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


class ChangeEvent:
    """Event that coroutines wait for and threads set."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    async def wait(self, seconds: float) -> bool:
        """Whether there was a change within a time."""
        waiting = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._waiting.add(waiting)
        try:
            await asyncio.wait_for(waiting[1].wait(), seconds)
        except TimeoutError:
            return False
        finally:
            with self._lock:
                self._waiting.discard(waiting)
        return True

    def notify(self) -> None:
        """Wake all who wait; from any thread."""
        with self._lock:
            for loop, event in self._waiting:
                loop.call_soon_threadsafe(event.set)


class Upload:
    """An image that was sent, and what a model predicted for it.

    Args:
        id: Identifier in addresses, which nobody can guess.
        size: Height and width, px.
    """

    def __init__(
        self, id: str, name: str, served: ServedModel, files: UploadFiles, size: tuple[int, int]
    ) -> None:
        self.id, self.name, self.served = id, name, served
        self.files, self.size = files, size
        self.grid = PixelGrid.over(size)
        self.status: Status = "waiting"
        self.progress = 0.0
        self.reason: str | None = None
        self.pyramid: TilePyramid | None = None
        self.result = ImageResult()
        self.gone = False
        self.changes = ChangeEvent()

    @property
    def over(self) -> bool:
        """Whether the status is final."""
        return self.status in ("done", "failed")

    @property
    def corrected(self) -> bool:
        """Whether its mask was corrected."""
        return self.files.corrected.exists()

    @property
    def card(self) -> SemanticCard | InstanceCard:
        """Card of the model that predicted the mask; `ConfigError` if it predicts none."""
        return self.served.masks.predictor.card

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """To be held while its files are used; `EvictedError` if they were removed meanwhile."""
        try:
            with naming_errors(self.files.folder, self.name):
                yield
        except (MaskwrightError, OSError):
            if self.gone:
                raise EvictedError from None
            raise

    def correct(self, packed: bytes) -> None:
        """Check and store a corrected mask: a byte for each pixel of the grid, with gzip.

        Raises `DataError` if it has another size, or a class that the model does not have.
        """
        labels = self._unpack(packed)
        known = self.card.labels.num_classes
        counts = cv2.calcHist([np.frombuffer(labels, np.uint8)], [0], None, [256], [0, 256])
        unknown = np.flatnonzero(counts[known:IGNORE_LABEL])
        if unknown.size:
            raise DataError(
                f"Expected the classes 0 to {known - 1}, or {IGNORE_LABEL} for none; the mask "
                f"holds {known + unknown[0]}."
            )
        with atomic_write(self.files.corrected) as beside:
            beside.write_bytes(gzip.compress(labels, 1, mtime=0))

    def _unpack(self, packed: bytes) -> bytes:
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
        return labels

    def undo(self) -> None:
        """Go back to the mask of the model."""
        self.files.corrected.unlink(missing_ok=True)

    def labels(self) -> np.ndarray:
        """The mask as it is now, uint8 `(h, w)` in the size of the image.

        Of an image that is larger than its grid, pixels that were not corrected stay as fine as
        they were predicted.
        """
        predicted = self.files.read_mask()
        try:
            data = gzip.decompress(self.files.corrected.read_bytes())
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
        predicted = self.result.predicted
        if predicted is None or not self.corrected:
            return None if predicted is None else predicted.confident
        return Instances.from_ids(renumber_objects(labels, predicted.objects), labels)

    def bytes(self) -> int:
        """Bytes of its files."""
        files = (path for path in self.files.folder.rglob("*") if path.is_file())
        return sum(path.stat().st_size for path in files)

    def begin(self) -> None:
        """Report that the model works on it."""
        if not self.over:
            self.status = "working"
            self.changes.notify()

    def move(self, progress: float) -> None:
        """Report the progress, 0 to 1; changes below a hundredth wake nobody."""
        changed = int(self.progress * 100) != int(progress * 100)
        self.progress = min(progress, 1.0)
        if changed:
            self.changes.notify()

    def finish(self, result: ImageResult) -> None:
        """Report that the model is done."""
        self.result, self.progress, self.status = result, 1.0, "done"
        self.changes.notify()

    def fail(self, reason: str) -> None:
        """Report that it failed, and why."""
        self.reason, self.status = reason, "failed"
        self.changes.notify()
