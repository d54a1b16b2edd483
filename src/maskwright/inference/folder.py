"""Masks for a file, a folder or a glob; what cannot be read is reported and passed over."""

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from maskwright.data.parallel import in_threads, progress
from maskwright.data.pictures import as_picture
from maskwright.errors import ConfigError, DataError
from maskwright.imageio import (
    MAX_PIXELS,
    atomic_write,
    find_images,
    read_image,
    write_image,
    write_mask,
)
from maskwright.inference.predictor import Flips, Prediction, Predictor, resized_strips
from maskwright.labels import Labels

_OVERLAY_ROWS = 512  # drawn at once, because drawing takes many times the bytes of the image


@dataclass(frozen=True)
class Failure:
    """An image without a mask; `reason` is a sentence that names the file."""

    image: Path
    reason: str


@dataclass(frozen=True)
class FolderResult:
    """Masks that were written and images that failed, both in the order of the images."""

    written: tuple[Path, ...]
    failed: tuple[Failure, ...]


@dataclass(frozen=True)
class Job:
    """One image and the files to write for it; `None` for those not asked for."""

    image: Path
    mask: Path
    overlay: Path | None
    probabilities: Path | None
    panoptic: Path | None


@dataclass(frozen=True)
class _Ready:
    """An image as the model takes it, and its own height and width."""

    job: Job
    working: np.ndarray
    size: tuple[int, int]


def predict_folder(
    predictor: Predictor,
    images: str | Path,
    out: str | Path,
    *,
    flips: Flips = False,
    overlays: bool = False,
    probabilities: bool = False,
    batch_size: int = 8,
    max_pixels: int = MAX_PIXELS,
) -> FolderResult:
    """Write `out/NAME.png`, a mask in the size of the image, for every image.

    Masks are 8-bit PNGs of labels with the colours of the classes as their palette. Folders within
    the folder of images, or below what the matches of a glob have in common, are kept. Images of
    one folder that differ only in their ending keep it: `cell.jpg.png`, `cell.tif.png`.

    Args:
        predictor: Model and card; see `Predictor.adjusted` for thresholds and cleaning.
        images: A file, a folder with all folders in it, or a glob. A folder `out` inside the
            folder of images is left out, so that masks are not taken for images the next time.
        out: Folder for the masks, made where it is missing.
        flips: As in `Predictor.__call__`.
        overlays: Whether to write `out/overlays/NAME.jpg`, the classes laid over the image.
        probabilities: Whether to write `out/probabilities/NAME.npz` with `probabilities`, float16
            `(h, w, classes)`, before threshold and cleaning, and `names`, one for each class.
        batch_size: Images run at once where the model resizes them to one size.
        max_pixels: Larger images are refused.

    Raises:
        DataError: If no image is found, or a result cannot be written.
        ConfigError: If a file in a folder of the images would be overwritten, or `out` cannot be
            made.
    """
    jobs = plan_files(images, Path(out), overlays, probabilities)
    # One image ahead and one behind at native scale, where a single one can fill the memory.
    native = predictor.card.size is None
    batch_size = 1 if native else batch_size
    read = partial(_read, predictor, max_pixels)
    written: list[Path] = []
    failed: list[Failure] = []
    readers = {"workers": 1, "ahead": 1} if native else {"ahead": 2}
    with (
        closing(in_threads(read, jobs, None, **readers)) as entries,
        _one_thread_behind(batch_size) as behind,
        progress("Predicting", len(jobs)) as advance,
    ):
        for outcome in _predict(predictor, entries, flips, probabilities, batch_size, advance):
            if isinstance(outcome, Failure):
                failed.append(outcome)
                continue
            behind(partial(_save, *outcome, predictor.card.labels, max_pixels, written))
    return FolderResult(tuple(written), tuple(failed))


def plan_files(
    images: str | Path,
    out: Path,
    overlays: bool,
    probabilities: bool = False,
    panoptic: bool = False,
) -> list[Job]:
    """Files to write for every image, all different and none of them an image itself."""
    paths = find_images(images)
    root = Path(images)
    if not root.is_dir():
        root = Path(os.path.commonpath([path.parent for path in paths]))
    elif out.resolve() != root.resolve():
        paths = [path for path in paths if not path.resolve().is_relative_to(out.resolve())]
        if not paths:
            raise DataError(f"All images of {root} lie in {out}, the folder for the masks.")
    jobs = [
        Job(
            image=path,
            mask=out / f"{name}.png",
            overlay=out / "overlays" / f"{name}.jpg" if overlays else None,
            probabilities=out / "probabilities" / f"{name}.npz" if probabilities else None,
            panoptic=out / "panoptic" / f"{name}.png" if panoptic else None,
        )
        for path, name in zip(paths, _names([p.relative_to(root) for p in paths]), strict=True)
    ]
    folders = {path.resolve().parent for path in paths}
    for job in jobs:
        for target in (job.mask, job.overlay, job.probabilities, job.panoptic):
            if target and target.exists() and target.resolve().parent in folders:
                raise ConfigError(
                    f"{target} lies among the images and would be overwritten; "
                    f"choose another folder for the masks."
                )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"The folder {out} cannot be made: {error.strerror}.") from None
    return jobs


def _names(paths: list[Path]) -> list[str]:
    """Paths without their endings; where two would be the same, both keep them."""
    names = [str(path.with_suffix("")) for path in paths]
    while True:
        counts = Counter(names)
        longer = [
            str(path) if counts[name] > 1 else name for path, name in zip(paths, names, strict=True)
        ]
        if longer == names:
            return names
        names = longer


def _read(predictor: Predictor, max_pixels: int, job: Job) -> _Ready | Failure:
    try:
        image = read_image(job.image, max_pixels)
        return _Ready(job, predictor.working(image), (image.shape[0], image.shape[1]))
    except DataError as error:
        return failure(job, error)


def failure(job: Job, error: DataError) -> Failure:
    """What went wrong with an image, in a sentence that names its file."""
    reason = str(error)
    return Failure(job.image, reason if str(job.image) in reason else f"{job.image}: {reason}")


def _predict(
    predictor: Predictor,
    entries: Iterator[_Ready | Failure],
    flips: Flips,
    probabilities: bool,
    batch_size: int,
    advance: Callable[[float], None],
) -> Iterator[Failure | tuple[Job, Callable[[], Prediction]]]:
    """Failures, and functions that finish a prediction once the model has run, in order."""
    while batch := list(islice(entries, batch_size)):
        ready = [entry for entry in batch if isinstance(entry, _Ready)]
        yield from (entry for entry in batch if isinstance(entry, Failure))
        advance(len(batch) - len(ready))
        if predictor.card.size is not None and ready:
            values = predictor.probabilities(np.stack([entry.working for entry in ready]), flips)
            advance(len(ready))
            for entry, own in zip(ready, values, strict=True):
                strips = resized_strips(own, entry.size)
                yield entry.job, partial(predictor.decide, strips, entry.size, probabilities)
            continue
        for entry in ready:
            strips = predictor.strips(entry.working, entry.size, flips)
            try:
                done = predictor.decide(
                    _counted(strips, entry.size[0], advance), entry.size, probabilities
                )
            except DataError as error:
                yield failure(entry.job, error)
            else:
                yield entry.job, partial(_itself, done)


def _counted(
    strips: Iterator[np.ndarray], height: int, advance: Callable[[float], None]
) -> Iterator[np.ndarray]:
    """The same strips of one image; the bar moves on by the share of each."""
    for strip in strips:
        advance(len(strip) / height)
        yield strip


def _itself(prediction: Prediction) -> Prediction:
    return prediction


@contextmanager
def _one_thread_behind(limit: int) -> Iterator[Callable[[Callable[[], None]], None]]:
    """Function that runs work in one thread, in order; at most `limit` pieces of work wait.

    An exception in the work is raised at a later call, or at the end. Where the block is left by
    an exception, work that has not begun is dropped.
    """
    pool = ThreadPoolExecutor(1)
    waiting: deque[Future[None]] = deque()

    def submit(work: Callable[[], None]) -> None:
        waiting.append(pool.submit(work))
        while len(waiting) > limit:
            waiting.popleft().result()

    try:
        yield submit
        while waiting:
            waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _save(
    job: Job,
    predict: Callable[[], Prediction],
    labels: Labels,
    max_pixels: int,
    written: list[Path],
) -> None:
    """Write all files of an image and note its mask in `written`."""
    prediction = predict()
    try:
        write_mask(job.mask, prediction.labels, labels.colours)
        if job.overlay:
            # Read once more: keeping every original of a batch could fill the memory.
            image = as_picture(read_image(job.image, max_pixels))
            write_image(job.overlay, _overlay(image, prediction.labels, labels))
        if job.probabilities and prediction.probabilities is not None:
            with atomic_write(job.probabilities) as beside:
                np.savez_compressed(
                    beside,
                    probabilities=prediction.probabilities.astype(np.float16),
                    names=np.array(labels.names),
                )
    except OSError as error:
        raise DataError(f"The results for {job.image} cannot be written: {error}.") from error
    written.append(job.mask)


def _overlay(image: np.ndarray, mask: np.ndarray, labels: Labels) -> np.ndarray:
    """`Labels.overlay` in bands of rows, each with a row of its neighbours for the outlines."""
    drawn = np.empty_like(image)
    for top in range(0, len(image), _OVERLAY_ROWS):
        first, last = max(0, top - 1), top + _OVERLAY_ROWS + 1
        band = labels.overlay(image[first:last], mask[first:last])
        drawn[top : top + _OVERLAY_ROWS] = band[top - first :][:_OVERLAY_ROWS]
    return drawn
