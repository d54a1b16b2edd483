"""Jobs done: images read ahead in threads, predicted in batches, written behind in threads."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np

from maskwright.data.parallel import Room, behind, in_threads
from maskwright.errors import DataError
from maskwright.export.engines import cores
from maskwright.imageio import Header, read_header, read_image
from maskwright.inference.large.predict_large import predict_large
from maskwright.inference.manifest import ManifestEntry, described
from maskwright.inference.output_paths import Job, failure
from maskwright.inference.predictor import Flips, Prediction, Predictor
from maskwright.inference.writers import write_files

_BATCH_PIXELS = 2**20  # run at once at native scale: as many as four tiles of 512 px
_HELD_BATCHES = 4  # times the images of a batch, that wait for others of their shape
_HELD_BYTES = 2**26  # of images that wait for others of their shape
_READ_BYTES = 2**28  # of images that are decoded ahead
_BEHIND_BYTES = 2**28  # of predictions that are finished and written behind
_LEAST_BEHIND = 2**16  # that the smallest image counts for, so that not too many wait
_KEPT_BYTES = 2**22  # of an image that is kept for its overlay; larger ones are read again
_MOST_THREADS = 16


def _nobody(told: str) -> None:
    """Hears nothing."""


@dataclass(frozen=True)
class PredictOptions:
    """How jobs are done.

    Args:
        flips: As in `Predictor.__call__`.
        batch_size: Images run at once: where the model resizes them to one size, and at native
            scale where they are of one size after padding, and small.
        max_pixels: Larger images are refused where they can only be decoded whole.
        threads: That read, and that write; `None` takes one of each for every processor.
        on_message: Called with a sentence where a large image needs one.
    """

    flips: Flips
    batch_size: int
    max_pixels: int
    threads: int | None = None
    on_message: Callable[[str], None] = _nobody


@dataclass(frozen=True)
class _Read:
    """An image that was read.

    Args:
        job: Its job.
        known: Of its entry in the manifest.
        size: Its height and width, px.
        pixels: For `Predictor.probabilities` where it is `whole`, else for `Predictor.strips`.
        whole: Whether the model takes it in one piece.
        image: As it is, where it is drawn over and small.
        held: Bytes that it takes of the room for reading.
    """

    job: Job
    known: dict[str, Any]
    size: tuple[int, int]
    pixels: np.ndarray
    whole: bool
    image: np.ndarray | None
    held: int


Work = Callable[[], ManifestEntry]
Value = TypeVar("Value")


def do_jobs(
    predictor: Predictor,
    jobs: Sequence[Job],
    out: Path,
    settings: str,
    way: PredictOptions,
    advance: Callable[[float], None] = lambda _: None,
) -> Iterator[ManifestEntry]:
    """Predict and write the files of all jobs; gives an entry for each, in any order.

    Large images come after the others, one at a time.

    Args:
        predictor: Model and card.
        jobs: What to read and write.
        out: Folder that masks are named from in the entries.
        settings: For the entries.
        way: How.
        advance: Called with what was done, in images.

    Raises:
        DataError: If a result cannot be written. Images that cannot be used become entries.
    """
    small = [job for job in jobs if not job.large]
    if small:
        yield from _do_small(predictor, small, out, settings, way, advance)
    for job in jobs:
        if job.large:
            yield _do_large(predictor, job, described(job, out, settings), way, advance)


def _do_small(
    predictor: Predictor,
    jobs: Sequence[Job],
    out: Path,
    settings: str,
    way: PredictOptions,
    advance: Callable[[float], None],
) -> Iterator[ManifestEntry]:
    threads = way.threads or min(cores(), _MOST_THREADS)
    room = Room(_READ_BYTES)
    read = partial(_read, predictor, jobs, out, settings, way, room)
    reading = in_threads(read, range(len(jobs)), None, workers=threads)
    with _one_thread_in_opencv(), closing(reading), closing(room):
        works = _predict(predictor, _leaving(room, reading), way, advance)
        with closing(behind(works, threads, _BEHIND_BYTES)) as entries:
            yield from entries


def _do_large(
    predictor: Predictor,
    job: Job,
    known: Mapping[str, Any],
    way: PredictOptions,
    advance: Callable[[float], None],
) -> ManifestEntry:
    """All files of an image of any size."""
    started = time.perf_counter()
    try:
        if job.probabilities is not None:
            raise DataError(
                f"{job.image} is worked through by windows, and probabilities are not kept; leave "
                f"them out for this image, or cut it into parts."
            )
        size = predict_large(
            predictor,
            job.image,
            job.mask,
            flips=way.flips,
            preview=job.overlay,
            polygons=job.polygons,
            max_pixels=way.max_pixels,
            advance=advance,
            on_message=way.on_message,
        )
    except DataError as error:
        return ManifestEntry(**known, status="failed", reason=failure(job, error).reason)
    seconds = round(time.perf_counter() - started, 4)
    return ManifestEntry(**known, seconds=seconds, status="done", size=size)


def _read(
    predictor: Predictor,
    jobs: Sequence[Job],
    out: Path,
    settings: str,
    way: PredictOptions,
    room: Room,
    number: int,
) -> _Read | ManifestEntry:
    """The image of a job, as the model takes it; an entry where that cannot be."""
    started = time.perf_counter()
    job = jobs[number]
    known = described(job, out, settings)
    inside, held = False, 0
    try:
        header = read_header(job.image, way.max_pixels)
        held = _bytes_of(header)
        room.enter(number, held)
        inside = True
        image = read_image(job.image, way.max_pixels)
        size = image.shape[0], image.shape[1]
        small = predictor.card.size is not None or size[0] * size[1] <= _BATCH_PIXELS
        whole = predictor.whole(image) if small else None
        pixels = predictor.working(image) if whole is None else whole
        drawn = job.overlay is not None and image.nbytes <= _KEPT_BYTES
        known["seconds"] = time.perf_counter() - started
        return _Read(job, known, size, pixels, whole is not None, image if drawn else None, held)
    except DataError as error:
        if inside:
            room.leave(held)
        else:
            room.enter(number, 0)
        known["seconds"] = round(time.perf_counter() - started, 4)
        return _failed(known, job, error)


def _bytes_of(header: Header) -> int:
    """Of the decoded image."""
    return header.height * header.width * header.channels * np.dtype(header.dtype).itemsize


def _failed(known: dict[str, Any], job: Job, error: DataError) -> ManifestEntry:
    return ManifestEntry(
        **{**known, "beside": ()}, status="failed", reason=failure(job, error).reason
    )


def _leaving(
    room: Room, entries: Iterator[_Read | ManifestEntry]
) -> Iterator[_Read | ManifestEntry]:
    """The same entries, which no longer count as read ahead."""
    for entry in entries:
        if isinstance(entry, _Read):
            room.leave(entry.held)
        yield entry


def _predict(
    predictor: Predictor,
    entries: Iterator[_Read | ManifestEntry],
    way: PredictOptions,
    advance: Callable[[float], None],
) -> Iterator[tuple[Work, int]]:
    """Functions that finish and write what the model has seen, with the bytes that they hold."""
    for batch in _batches(entries, way.batch_size, native=predictor.card.size is None):
        if isinstance(batch, ManifestEntry):
            advance(1)
            yield partial(_itself, batch), 0
        elif not batch[0].whole:
            yield _tiled(predictor, batch[0], way, advance), _bytes_behind(predictor, batch[0], 0)
        else:
            started = time.perf_counter()
            values = predictor.probabilities(np.stack([one.pixels for one in batch]), way.flips)
            advance(len(batch))
            seconds = (time.perf_counter() - started) / len(batch)
            for one, own in zip(batch, values, strict=True):
                decide = partial(_decided, predictor, own, one)
                work = partial(_finish, predictor, one, decide, seconds, way.max_pixels)
                yield work, _bytes_behind(predictor, one, own.nbytes)


def _batches(
    entries: Iterator[_Read | ManifestEntry], batch_size: int, native: bool
) -> Iterator[ManifestEntry | list[_Read]]:
    """Images of one shape together, as many as the model takes at once; others alone.

    Images wait for others of their shape, but only so many: then the most that are alike go.
    """
    waiting: dict[tuple[int, ...], list[_Read]] = {}
    number = held = 0
    for entry in entries:
        if isinstance(entry, ManifestEntry) or not entry.whole:
            yield entry if isinstance(entry, ManifestEntry) else [entry]
            continue
        shape = entry.pixels.shape
        alike = waiting.setdefault(shape, [])
        alike.append(entry)
        number, held = number + 1, held + entry.pixels.nbytes
        most, full = batch_size, None
        if native:  # else all are of one shape
            most = max(1, min(batch_size, _BATCH_PIXELS // (shape[0] * shape[1])))
            if number >= _HELD_BATCHES * batch_size or held > _HELD_BYTES:
                full = max(waiting, key=lambda shape: len(waiting[shape]))
        if len(alike) == most:
            full = shape
        if full is not None:
            batch = waiting.pop(full)
            number -= len(batch)
            held -= sum(one.pixels.nbytes for one in batch)
            yield batch
    yield from waiting.values()


def _tiled(
    predictor: Predictor, one: _Read, way: PredictOptions, advance: Callable[[float], None]
) -> Work:
    """Predict a large image by itself; only writing is left for a thread."""
    started = time.perf_counter()
    strips = predictor.strips(one.pixels, one.size, way.flips)
    try:
        counted = _counted(strips, one.size[0], advance)
        done = predictor.decide(counted, one.size, one.job.probabilities is not None)
    except DataError as error:
        return partial(_itself, _failed(one.known, one.job, error))
    seconds = time.perf_counter() - started
    return partial(_finish, predictor, one, partial(_itself, done), seconds, way.max_pixels)


def _counted(
    strips: Iterator[np.ndarray], height: int, advance: Callable[[float], None]
) -> Iterator[np.ndarray]:
    """The same strips of one image; the bar moves on by the share of each."""
    for strip in strips:
        advance(len(strip) / height)
        yield strip


def _decided(predictor: Predictor, values: np.ndarray, one: _Read) -> Prediction:
    strips = predictor.spread(values, one.size)
    return predictor.decide(strips, one.size, one.job.probabilities is not None)


def _finish(
    predictor: Predictor,
    one: _Read,
    decide: Callable[[], Prediction],
    seconds: float,
    max_pixels: int,
) -> ManifestEntry:
    """Write all files of an image that took the model some seconds."""
    started = time.perf_counter()
    write_files(one.job, decide(), predictor.card.labels, one.image, max_pixels)
    seconds += one.known["seconds"] + time.perf_counter() - started
    known = {**one.known, "seconds": round(seconds, 4)}
    return ManifestEntry(**known, status="done", size=one.size)


def _bytes_behind(predictor: Predictor, one: _Read, values: int) -> int:
    """That finishing an image takes, roughly: values, labels, the image and what is drawn of it."""
    classes = predictor.card.labels.num_classes if one.job.probabilities is not None else 0
    return max(_LEAST_BEHIND, values + one.size[0] * one.size[1] * (16 + 8 * classes))


def _itself(value: Value) -> Value:
    return value


@contextmanager
def _one_thread_in_opencv() -> Iterator[None]:
    """Images are worked on in threads already; those of OpenCV would wait for each other."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
