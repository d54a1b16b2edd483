"""The images that the page works on: a bounded number of them, on disk."""

import contextlib
import math
import secrets
import shutil
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

from maskwright.errors import DataError, MaskwrightError, TooLargeError
from maskwright.imageio import read_header
from maskwright.imageio.isolated import DecoderPool
from maskwright.imageio.windows import MOST_PIXELS
from maskwright.inference.large.stripes import out_of_memory
from maskwright.serving.jobs.fair_pool import FairPool
from maskwright.serving.jobs.job_queue import BusyError
from maskwright.serving.jobs.run_inference import run_inference
from maskwright.serving.limits import Deadline, ServerLimits, check_deadline
from maskwright.serving.problems import DISK_FULL, is_disk_full
from maskwright.serving.store.temporary import naming_errors, remove_leftovers, temporary_folder
from maskwright.serving.store.tile_pyramid import safe_suffix, write_pyramid
from maskwright.serving.store.upload import EvictedError, NotDoneError, Upload
from maskwright.tasks.serving import ServedModel

_RETRY_S = 5
_DICOM = (b"DICM", 128)  # where the format has its name, and from which byte
_TILES_SHARE = 0.2  # of the progress, when the tiles are there
_TIMES = 10  # an image of the page may take so much longer than one of a request
_SECONDS_PER_PIXEL = 4e-6  # beside that
_CLIENTS = 4  # whose images are worked on at a time
_CLOSED = "The server was shut down before the image was done; send it again."


class StoreFullError(MaskwrightError):
    """An image for which there is no room, as `number` images have edits not yet saved."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"There is no room for more images: {number} have corrections or settings that were "
            f"not saved yet; download their masks, add them to the training data, or remove them."
        )


class _StoppedError(Exception):
    """Work that nobody waits for any more."""


class ImageStore:
    """Uploads by id. Of each client, one thread writes tiles and one runs models, in its order.

    Beyond the limits of number and bytes, the oldest finished uploads are removed, but for those
    with edits that were not downloaded or kept.
    """

    def __init__(self, limits: ServerLimits, decoders: DecoderPool) -> None:
        self.limits, self.decoders = limits, decoders
        remove_leftovers()
        self._place = contextlib.ExitStack()
        self.folder = self._place.enter_context(temporary_folder())
        self._uploads: dict[str, Upload] = {}  # from several threads, by atomic operations alone
        self._tiling = FairPool("tiles", _CLIENTS, 1)
        self._inference = FairPool("inference", _CLIENTS, 1)
        self.closed = False

    def __getitem__(self, id: str) -> Upload:
        try:
            return self._uploads[id]
        except KeyError:
            raise EvictedError from None

    def finished(self, id: str) -> Upload:
        """An upload that the model is done with; `NotDoneError` if it is not, or failed."""
        upload = self[id]
        if upload.status != "done":
            raise NotDoneError(upload.reason)
        return upload

    def stored(self, ids: Sequence[str]) -> list[Upload]:
        """Those of some uploads that are still stored; `EvictedError` if none is."""
        uploads = [self.finished(id) for id in ids if id in self._uploads]
        if not uploads:
            raise EvictedError
        return uploads

    def check(self) -> None:
        """Raise `BusyError` if as many wait as may, `StoreFullError` if none can make room."""
        waiting = sum(not upload.over for upload in list(self._uploads.values()))
        if waiting >= self.limits.queue or self.closed:
            raise BusyError(_RETRY_S)
        unsaved = [upload for upload in list(self._uploads.values()) if upload.unsaved]
        stored_bytes = sum(upload.stored_bytes for upload in unsaved)
        if len(unsaved) >= self.limits.images_kept or stored_bytes >= self.limits.bytes_kept:
            raise StoreFullError(len(unsaved))

    def add(self, name: str, served: ServedModel, source: BinaryIO) -> Upload:
        """Store an image; a model works on it later.

        Raises `BusyError` if enough images wait, `DataError` if it is no image, or too large.
        """
        self.check()
        id = secrets.token_urlsafe(16)
        folder = self.folder / id
        folder.mkdir()
        try:
            start = source.read(_DICOM[1] + len(_DICOM[0]))
            source.seek(0)
            if start.endswith(_DICOM[0]):
                raise DataError(
                    f"{name} is a DICOM file, which the page does not read; convert it to TIFF or "
                    f"PNG with the window that the model was trained with."
                )
            file = folder / f"image{safe_suffix(name, start)}"
            with file.open("wb") as copy:
                shutil.copyfileobj(source, copy, 2**20)
            with naming_errors(folder, name):
                size = self._size(file)
            upload = Upload(id, name, served, file, size, self.decoders)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._uploads[id] = upload
        self._make_room(upload)
        self._submit(self._tiling, upload, self._write_tiles)
        return upload

    def drop(self, id: str) -> None:
        """Remove an image and its files; work on it stops."""
        upload = self._uploads.pop(id, None)
        if upload is None:
            raise EvictedError
        upload.gone = True
        upload.fail("The server no longer has this image; add it again.")
        shutil.rmtree(upload.folder, ignore_errors=True)

    @property
    def is_stuck(self) -> bool:
        """Whether work does not come to an end."""
        return self._tiling.is_stuck or self._inference.is_stuck

    def stop(self) -> None:
        """Accept nothing more, stop what runs, and answer who waits."""
        self.closed = True
        for upload in list(self._uploads.values()):
            if not upload.over:
                upload.fail(_CLOSED)

    def close(self) -> None:
        """Stop, and remove all files."""
        self.stop()
        for pool in (self._tiling, self._inference):
            pool.close()
        self._place.close()

    def _size(self, file: Path) -> tuple[int, int]:
        """Height and width of an image; `TooLargeError` beyond the limit of its format."""
        header = self.decoders.call(0, read_header, file, MOST_PIXELS)
        size = (header.height, header.width)
        if math.prod(size) > self.limits.pixels and header.format != "TIFF":
            raise TooLargeError(
                f"{file} has {size[1]}x{size[0]} pixels; expected at most "
                f"{self.limits.pixels:,}, or a tiled TIFF, of which there may be more."
            )
        return size

    def _submit(self, pool: FairPool, upload: Upload, work: Callable[[Upload], None]) -> None:
        served, deadline = upload.served, Deadline(math.inf)  # until it begins
        whole = pool is self._inference and (served.classifier or served.masks.has_objects)
        pixels = upload.pixels if whole or not upload.is_tiff else 0
        pool.submit(deadline, pixels, self._guarded, upload, work, deadline)
        if self.closed:
            upload.fail(_CLOSED)

    def _guarded(self, upload: Upload, work: Callable[[Upload], None], deadline: Deadline) -> None:
        """Work on an image; an error becomes the reason that it failed with."""
        if upload.over:
            return
        deadline.limit(_TIMES * self.limits.seconds + _SECONDS_PER_PIXEL * upload.pixels)
        try:
            with upload.in_use():
                work(upload)
        except _StoppedError:
            pass
        except MaskwrightError as error:
            upload.fail(DISK_FULL if is_disk_full(error) else str(error))
        except Exception as error:
            if out_of_memory(error):
                upload.fail("The memory of the server does not suffice for this image.")
            elif is_disk_full(error):
                upload.fail(DISK_FULL)
            elif not upload.gone:
                traceback.print_exc(file=sys.stderr)
                upload.fail("Internal server error; the log of the server names the reason.")
        if upload.gone:  # written to again while it was removed
            shutil.rmtree(upload.folder, ignore_errors=True)
            return
        self._make_room(upload)

    def _write_tiles(self, upload: Upload) -> None:
        with upload.open_windows(self.limits.pixels) as windows:
            advance = partial(_advance, upload, _TILES_SHARE)
            upload.pyramid = write_pyramid(windows, upload.folder / "tiles", advance)
        self._submit(self._inference, upload, self._run)

    def _run(self, upload: Upload) -> None:
        if not upload.over:
            upload.status = "working"
        advance = partial(_advance, upload, 1 - _TILES_SHARE)
        run_inference(upload, self.limits.pixels, advance)
        if not upload.over:
            upload.progress, upload.status = 1.0, "done"

    def _make_room(self, changed: Upload) -> None:
        """Remove the oldest finished images but the last, until the others fit."""
        files = (path for path in changed.folder.rglob("*") if path.is_file())
        changed.stored_bytes = sum(path.stat().st_size for path in files)
        while True:
            uploads = list(self._uploads.values())
            total = sum(upload.stored_bytes for upload in uploads)
            if len(uploads) <= self.limits.images_kept and total <= self.limits.bytes_kept:
                return
            oldest = next((u for u in uploads[:-1] if u.over and not u.unsaved), None)
            if oldest is None:
                return
            with contextlib.suppress(EvictedError):
                self.drop(oldest.id)


def _advance(upload: Upload, part: float, share: float) -> None:
    """Add a share of a part of the work to the progress; it stops work on failed uploads."""
    if upload.over:
        raise _StoppedError
    check_deadline()
    upload.progress = min(upload.progress + part * share, 1.0)
