"""The images that a page works on: so many and no more, and what became of each."""

import asyncio
import gzip
import secrets
import shutil
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from maskwright.errors import DataError, MaskwrightError, TooLargeError
from maskwright.imageio import atomic_write, read_header
from maskwright.imageio.header import start_of
from maskwright.imageio.tiff import TIFF_MAGIC
from maskwright.imageio.windows import MOST_PIXELS, open_windows
from maskwright.inference.panels import out_of_memory
from maskwright.instances import Instances
from maskwright.serving.desk import BusyError
from maskwright.serving.evidence import Grid
from maskwright.serving.finding import Found, find, read_labels
from maskwright.serving.limits import Limits
from maskwright.serving.models import Served
from maskwright.serving.pictures import Pyramid, draw_pyramid, safe_suffix

Status = Literal["waiting", "working", "done", "failed"]

_RETRY_S = 5
_DRAWN = 0.2  # of the progress: when the picture is there
_CLOSED = "The server was shut down before the image was done; send it again."


class GoneError(MaskwrightError):
    """An image that is not kept, or no longer."""


class _StoppedError(Exception):
    """Work that nobody waits for any more."""


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
        self._corrected = folder / "corrected.gz"

    @property
    def over(self) -> bool:
        """Whether nothing more will become of it by itself."""
        return self.status in ("done", "failed")

    @property
    def changed(self) -> bool:
        """Whether its mask was corrected."""
        return self._corrected.exists()

    @property
    def objects(self) -> Instances | None:
        """As the model found them, those below the threshold too; `None` for other models."""
        return self.found.objects

    def correct(self, labels: bytes) -> None:
        """Keep a corrected mask: a byte for each pixel of the grid."""
        with atomic_write(self._corrected) as beside:
            beside.write_bytes(gzip.compress(labels, 1, mtime=0))

    def undo(self) -> None:
        """Go back to the mask of the model."""
        self._corrected.unlink(missing_ok=True)

    def labels(self) -> np.ndarray:
        """The mask as it is now, uint8 `(h, w)` in the size of the image.

        Of an image that is larger than its grid, what was not changed is as fine as it was.
        """
        drawn = read_labels(self.folder)
        try:
            data = gzip.decompress(self._corrected.read_bytes())
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


class Images:
    """Uploads by id: pictures are drawn in one thread, models run in another, in their order.

    Where there are too many, or they take too much of the disk, the oldest finished ones go.

    Args:
        limits: Of pixels, of the queue, and of what is kept.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._place = tempfile.TemporaryDirectory(prefix="maskwright-")  # goes with the process
        self.folder = Path(self._place.name)
        self._uploads: dict[str, Upload] = {}
        self._bytes: dict[str, int] = {}
        self._lock = threading.Lock()
        self._drawing = ThreadPoolExecutor(1, "pictures")
        self._finding = ThreadPoolExecutor(1, "finding")
        self._closed = False

    def __getitem__(self, id: str) -> Upload:
        try:
            return self._uploads[id]
        except KeyError:
            raise GoneError(
                "There is no such image here, or no longer: the oldest make room for new ones; "
                "send it again."
            ) from None

    def __len__(self) -> int:
        return len(self._uploads)

    def check(self) -> None:
        """Raise `BusyError` where as many wait as may."""
        waiting = sum(not upload.over for upload in list(self._uploads.values()))
        if waiting >= self.limits.queue or self._closed:
            raise BusyError(_RETRY_S)

    def add(self, name: str, served: Served, source: BinaryIO) -> Upload:
        """Take on an image: it is looked at now, and worked on later.

        Args:
            name: Of the file.
            served: The model, which draws masks.
            source: The file.

        Raises:
            BusyError: If enough is waiting.
            DataError: If it is no image, or too large.
        """
        self.check()
        id = secrets.token_urlsafe(16)
        folder = self.folder / id
        folder.mkdir()
        try:
            start = source.read(64)
            source.seek(0)
            file = folder / f"image{safe_suffix(name, start)}"
            with file.open("wb") as copy:
                shutil.copyfileobj(source, copy, 2**20)
            with _named(file, name):
                size = self._size(file)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        upload = Upload(id, name, served, folder, file, size)
        with self._lock:
            self._uploads[id] = upload
            self._bytes[id] = upload.bytes()
        self._make_room()
        self._submit(self._drawing, upload, self._draw)
        return upload

    def drop(self, id: str) -> None:
        """Forget an image and remove its files; what works on it stops."""
        with self._lock:
            upload = self._uploads.pop(id, None)
            self._bytes.pop(id, None)
        if upload is None:
            raise GoneError("There is no such image here, or no longer.")
        upload.gone = True
        upload.fail("The image was dropped.")
        shutil.rmtree(upload.folder, ignore_errors=True)

    def close(self) -> None:
        """Stop what is under way, answer who waits, and remove all files."""
        self._closed = True
        for upload in list(self._uploads.values()):
            if not upload.over:
                upload.fail(_CLOSED)
        for pool in (self._drawing, self._finding):
            pool.shutdown(wait=True, cancel_futures=True)
        self._place.cleanup()

    def _size(self, file: Path) -> tuple[int, int]:
        """Height and width of an image that is not too large for what its format allows."""
        header = read_header(file, MOST_PIXELS)
        size = (header.height, header.width)
        by_windows = start_of(file).startswith(TIFF_MAGIC)
        if size[0] * size[1] > self.limits.pixels and not by_windows:
            raise TooLargeError(
                f"{file} has {size[1]}x{size[0]} pixels; expected at most "
                f"{self.limits.pixels:,}, or a tiled TIFF, of which there may be more."
            )
        return size

    def _submit(
        self, pool: ThreadPoolExecutor, upload: Upload, work: Callable[[Upload], None]
    ) -> None:
        try:
            pool.submit(self._guarded, upload, work)
        except RuntimeError:  # the pool was shut down meanwhile
            upload.fail(_CLOSED)

    def _guarded(self, upload: Upload, work: Callable[[Upload], None]) -> None:
        """Do some work on an image; whatever goes wrong becomes the sentence it failed with."""
        if upload.over:
            return
        try:
            with _named(upload.file, upload.name):
                work(upload)
        except _StoppedError:
            pass
        except MaskwrightError as error:
            upload.fail(str(error))
        except Exception as error:
            if out_of_memory(error):
                upload.fail("The memory of the server does not suffice for this image.")
            elif not upload.gone:
                traceback.print_exc(file=sys.stderr)
                upload.fail("The server made a mistake with this image, which its log names.")
        if upload.gone:  # written to again while it was being removed
            shutil.rmtree(upload.folder, ignore_errors=True)
            return
        with self._lock:
            if upload.id in self._bytes:
                self._bytes[upload.id] = upload.bytes()
        self._make_room()

    def _draw(self, upload: Upload) -> None:
        with open_windows(upload.file, self.limits.pixels) as windows:
            advance = self._mover(upload, 0.0, _DRAWN)
            upload.pyramid = draw_pyramid(windows, upload.folder / "tiles", advance)
        upload.changes.tell()
        self._submit(self._finding, upload, self._find)

    def _find(self, upload: Upload) -> None:
        upload.begin()
        found = find(
            upload.served,
            upload.file,
            Path(upload.name).stem,
            upload.folder,
            self.limits.pixels,
            self._mover(upload, _DRAWN, 1.0),
        )
        if not upload.over:
            upload.finish(found)

    def _mover(self, upload: Upload, first: float, last: float) -> Callable[[float], None]:
        """Function that is told shares of a stage; it ends the stage where nobody waits for it."""
        done = 0.0

        def advance(share: float) -> None:
            nonlocal done
            if upload.over:
                raise _StoppedError
            done += share
            upload.move(first + (last - first) * min(done, 1.0))

        return advance

    def _make_room(self) -> None:
        """Drop the oldest finished images but the last, until the others fit."""
        while True:
            with self._lock:
                most, total = self.limits.images_kept, sum(self._bytes.values())
                if len(self._uploads) <= most and total <= self.limits.bytes_kept:
                    return
                *older, _ = self._uploads.values()
                over = [upload.id for upload in older if upload.over]
            if not over:
                return
            try:
                self.drop(over[0])
            except GoneError:
                continue


@contextmanager
def _named(file: Path, name: str) -> Iterator[None]:
    """Let errors call a file by the name that it was sent with, not by its place on the disk."""
    try:
        yield
    except DataError as error:
        raise type(error)(str(error).replace(str(file), name)) from error
