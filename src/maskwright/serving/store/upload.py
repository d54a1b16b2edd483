"""One image that was sent to the page, and what became of it."""

import asyncio
import gzip
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np

from maskwright.errors import DataError, MaskwrightError
from maskwright.imageio import atomic_write
from maskwright.instances import Instances
from maskwright.serving.jobs.models import Served
from maskwright.serving.jobs.run_inference import Found, read_labels
from maskwright.serving.store.probability_grid import Grid
from maskwright.serving.store.tile_pyramid import Pyramid

Status = Literal["waiting", "working", "done", "failed"]


class EvictedError(MaskwrightError):
    """An image that is not kept, or no longer."""

    def __init__(self) -> None:
        super().__init__(
            "There is no such image here, or no longer: the oldest make room for new ones; send it "
            "again."
        )


@contextmanager
def named(folder: Path, name: str) -> Iterator[None]:
    """Let errors call an upload by its name, and not by its place on the disk.

    Args:
        folder: Of its files.
        name: That it was sent with.
    """
    try:
        yield
    except DataError as error:
        place = re.escape(str(folder)) + r"/[^\s:;,]*"
        raise type(error)(re.sub(place, lambda _: name, str(error))) from error


class Changes:
    """Lets many wait on event loops, without asking again and again, for what threads do."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    async def wait(self, seconds: float) -> bool:
        """Whether something was told within a time."""
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

    def tell(self) -> None:
        """Wake all who wait; from any thread."""
        with self._lock:
            for loop, event in self._waiting:
                loop.call_soon_threadsafe(event.set)


class Upload:
    """An image that was sent, and what became of it.

    Args:
        id: In addresses; nobody can guess it.
        name: That of the file, for people.
        served: The model that works on it.
        folder: Of all its files; private.
        file: As it was sent.
        size: Height and width, px.
    """

    def __init__(
        self, id: str, name: str, served: Served, folder: Path, file: Path, size: tuple[int, int]
    ) -> None:
        self.id, self.name, self.served = id, name, served
        self.folder, self.file, self.size = folder, file, size
        self.grid = Grid.over(size)
        self.status: Status = "waiting"
        self.progress = 0.0
        self.reason: str | None = None
        self.pyramid: Pyramid | None = None
        self.found = Found()
        self.gone = False
        self.changes = Changes()
        self.corrected_file = folder / "corrected.gz"

    @property
    def over(self) -> bool:
        """Whether nothing more will become of it by itself."""
        return self.status in ("done", "failed")

    @property
    def changed(self) -> bool:
        """Whether its mask was corrected."""
        return self.corrected_file.exists()

    @property
    def objects(self) -> Instances | None:
        """As the model found them, those below the threshold too; `None` for other models."""
        return self.found.objects

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """To be held while its files are used; `GoneError` where they were removed meanwhile."""
        try:
            with named(self.folder, self.name):
                yield
        except (MaskwrightError, OSError):
            if self.gone:
                raise EvictedError from None
            raise

    def correct(self, labels: bytes) -> None:
        """Keep a corrected mask: a byte for each pixel of the grid."""
        with atomic_write(self.corrected_file) as beside:
            beside.write_bytes(gzip.compress(labels, 1, mtime=0))

    def undo(self) -> None:
        """Go back to the mask of the model."""
        self.corrected_file.unlink(missing_ok=True)

    def labels(self) -> np.ndarray:
        """The mask as it is now, uint8 `(h, w)` in the size of the image.

        Of an image that is larger than its grid, what was not changed is as fine as it was.
        """
        drawn = read_labels(self.folder)
        try:
            data = gzip.decompress(self.corrected_file.read_bytes())
        except FileNotFoundError:
            return drawn
        grid = self.grid
        corrected = np.frombuffer(data, np.uint8).reshape(grid.height, grid.width)
        if grid.scale == 1:
            return corrected
        other = grid.spread(corrected != grid.sample(drawn))
        return np.where(other, grid.spread(corrected), drawn)

    def bytes(self) -> int:
        """What its files take."""
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return sum(path.stat().st_size for path in files)

    def begin(self) -> None:
        """The model looks at it from now on."""
        if not self.over:
            self.status = "working"
            self.changes.tell()

    def move(self, progress: float) -> None:
        """Tell how much is done, 0 to 1; by hundredths, so that nobody is woken for nothing."""
        told = int(self.progress * 100) != int(progress * 100)
        self.progress = min(progress, 1.0)
        if told:
            self.changes.tell()

    def finish(self, found: Found) -> None:
        """All that the model has to say is there."""
        self.found, self.progress, self.status = found, 1.0, "done"
        self.changes.tell()

    def fail(self, reason: str) -> None:
        """Nothing will become of it, for a reason."""
        self.reason, self.status = reason, "failed"
        self.changes.tell()
