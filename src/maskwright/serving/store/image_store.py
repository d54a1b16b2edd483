"""The images that a page works on: so many and no more, and what became of each."""

import secrets
import shutil
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from maskwright.errors import MaskwrightError, TooLargeError
from maskwright.imageio import read_header
from maskwright.imageio.header import start_of
from maskwright.imageio.tiff import TIFF_MAGIC
from maskwright.imageio.windows import MOST_PIXELS, open_windows
from maskwright.inference.large.stripes import out_of_memory
from maskwright.serving.jobs.job_queue import BusyError
from maskwright.serving.jobs.models import Served
from maskwright.serving.jobs.run_inference import find
from maskwright.serving.limits import Limits
from maskwright.serving.store.tile_pyramid import draw_pyramid, safe_suffix
from maskwright.serving.store.upload import EvictedError, Upload, named

_RETRY_S = 5
_DRAWN = 0.2  # of the progress: when the picture is there
_CLOSED = "The server was shut down before the image was done; send it again."


class _StoppedError(Exception):
    """Work that nobody waits for any more."""


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
            raise EvictedError from None

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
            with named(folder, name):
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
            raise EvictedError
        upload.gone = True
        upload.fail("The image was dropped.")
        shutil.rmtree(upload.folder, ignore_errors=True)

    def stop(self) -> None:
        """Take on nothing more, stop what is under way, and answer who waits."""
        self._closed = True
        for upload in list(self._uploads.values()):
            if not upload.over:
                upload.fail(_CLOSED)

    def close(self) -> None:
        """Stop, and remove all files."""
        self.stop()
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
            with upload.in_use():
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
            except EvictedError:
                continue
