"""Items of a folder: images read ahead in threads, predicted, written behind in threads."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from math import prod
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from maskwright.data.parallel import Room, behind, in_threads
from maskwright.errors import DataError
from maskwright.export.engines import cores, first_line
from maskwright.imageio import MAX_PIXELS, read_header, read_with_gaps
from maskwright.imageio.header import start_of
from maskwright.imageio.isolated import DecoderPool
from maskwright.imageio.tiff import TIFF_MAGIC
from maskwright.inference.folder_plan import Advance, FolderModel, ReadImage, Rejected, Work
from maskwright.inference.manifest import ManifestEntry, described
from maskwright.inference.output_paths import Job, WorkItem, describe
from maskwright.inference.pixels import check_pages, spread_bits

_READ_BYTES = 2**28  # of images that are decoded ahead
_BEHIND_BYTES = 2**28  # of predictions that are finished and written behind
_LEAST_BEHIND = 2**16  # that the smallest image counts for, so that not too many wait
_OVERLAY_BYTES = 2**22  # of an image that is kept for its overlay; larger ones are read again
_MOST_THREADS = 16
_HEADER_S = 60.0  # that reading the directories of a TIFF may take
_FAULTS = (DataError, MemoryError, cv2.error)  # of one image; the others go on


@dataclass(frozen=True)
class PipelineOptions:
    """How the pipeline works; `threads` read, and as many write, `None` one for each processor."""

    out: Path
    max_pixels: int = MAX_PIXELS
    threads: int | None = None


def predict_items(
    model: FolderModel, items: Sequence[WorkItem], options: PipelineOptions, advance: Advance
) -> Iterator[ManifestEntry]:
    """Predict and write all items; gives an entry for each image, in any order.

    Large images come after the others, one at a time. Raises `DataError` if a result cannot be
    written; images that cannot be used become entries.
    """
    small = [item for item in items if not item.jobs[0].large]
    if small:
        yield from _predict_small(model, small, options, advance)
    for item in items:
        if item.jobs[0].large:
            yield _predict_large(model, item, options, advance)


def _predict_small(
    model: FolderModel, items: Sequence[WorkItem], options: PipelineOptions, advance: Advance
) -> Iterator[ManifestEntry]:
    threads = options.threads or min(cores(), _MOST_THREADS)
    room = Room(_READ_BYTES)
    jobs = [(item, job) for item in items for job in item.jobs]
    decoders = DecoderPool(threads, seconds=_HEADER_S)
    read = partial(_read, model, jobs, options, room, decoders)
    reading = in_threads(read, range(len(jobs)), None, workers=threads)
    failed: deque[ManifestEntry] = deque()
    with _one_thread_in_opencv(), closing(decoders), closing(reading), closing(room):
        groups = _groups(items, room, reading, failed, advance)
        works = _works(model.predict(groups, advance), failed)
        with closing(behind(works, threads, _BEHIND_BYTES)) as written:
            for entries in written:
                yield from entries


def _predict_large(
    model: FolderModel, item: WorkItem, options: PipelineOptions, advance: Advance
) -> ManifestEntry:
    """All files of an image of any size."""
    (job,) = item.jobs
    entry = described(job, options.out, item.settings)
    started = time.perf_counter()
    try:
        if model.predict_large is None:
            raise DataError(f"{job.image} has too many pixels for this model; cut it into parts.")
        size, record = model.predict_large(job, advance)
    except _FAULTS as error:
        return _failed(entry, job, error)
    seconds = round(time.perf_counter() - started, 4)
    return ManifestEntry(**entry, seconds=seconds, status="done", size=size, record=record)


def _read(
    model: FolderModel,
    jobs: Sequence[tuple[WorkItem, Job]],
    options: PipelineOptions,
    room: Room,
    decoders: DecoderPool,
    number: int,
) -> ReadImage | ManifestEntry:
    """An image as the model takes it; an entry where that cannot be."""
    started = time.perf_counter()
    item, job = jobs[number]
    entry = described(job, options.out, item.settings)
    inside, held = False, 0
    try:
        if start_of(job.image).startswith(TIFF_MAGIC):  # whose directories may never end
            header = decoders.call(0, read_header, job.image, options.max_pixels)
        else:
            header = read_header(job.image, options.max_pixels)
        check_pages(job.image, header, model.card)
        sides = (header.height, header.width, header.channels)
        held = prod(sides) * np.dtype(header.dtype).itemsize
        room.enter(number, held)
        inside = True
        image, gap = read_with_gaps(job.image, options.max_pixels)
        image = spread_bits(image, header.white, model.card)
        prepared = model.prepare(image, job)
    except _FAULTS as error:
        if inside:
            room.leave(held)
        else:
            room.enter(number, 0)
        entry["seconds"] = round(time.perf_counter() - started, 4)
        return _failed(entry, job, error)
    pixels = image if job.overlay is not None and image.nbytes <= _OVERLAY_BYTES else None
    entry["seconds"] = time.perf_counter() - started
    return ReadImage(job, item.case, image.shape[:2], prepared, pixels, entry, held, gap)


def _failed(entry: dict[str, Any], job: Job, error: Exception) -> ManifestEntry:
    reason = describe(job.image, first_line(error))
    return ManifestEntry(**{**entry, "beside": ()}, status="failed", reason=reason)


def _groups(
    items: Sequence[WorkItem],
    room: Room,
    results: Iterator[ReadImage | ManifestEntry],
    failed: deque[ManifestEntry],
    advance: Advance,
) -> Iterator[Iterable[ReadImage]]:
    """Images of each item as they are read; entries of those that failed go aside."""

    def images(number: int) -> Iterator[ReadImage]:
        for result in islice(results, number):
            if isinstance(result, ReadImage):
                room.leave(result.bytes)  # no longer read ahead
                yield result
            else:
                failed.append(result)
                advance(1)

    return (images(len(item.jobs)) for item in items)


def _works(
    works: Iterator[Work | Rejected], failed: deque[ManifestEntry]
) -> Iterator[tuple[Callable[[], list[ManifestEntry]], int]]:
    """Functions that write and give entries, with the bytes that they hold."""
    for work in works:
        if isinstance(work, Rejected):
            image = work.image
            entry = {**image.entry, "seconds": round(image.entry["seconds"], 4)}
            failed.append(_failed(entry, image.job, work.error))
        else:
            yield partial(_written, work), max(_LEAST_BEHIND, work.bytes)
        while failed:
            yield partial(list, [failed.popleft()]), 0
    while failed:
        yield partial(list, [failed.popleft()]), 0


def _written(work: Work) -> list[ManifestEntry]:
    """Entries of images once their files are written; the first has the record."""
    started = time.perf_counter()
    try:
        record = work.write()
    except OSError as error:
        name = work.images[0].job.image if work.images else "an image"
        raise DataError(f"The results for {name} cannot be written: {error}.") from error
    seconds = work.seconds + (time.perf_counter() - started) / max(1, len(work.images))
    return [
        ManifestEntry(
            **{**image.entry, "seconds": round(image.entry["seconds"] + seconds, 4)},
            status="done",
            size=image.size,
            record=None if place else record,
        )
        for place, image in enumerate(work.images)
    ]


@contextmanager
def _one_thread_in_opencv() -> Iterator[None]:
    """Images are worked on in threads already; those of OpenCV would wait for each other."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
