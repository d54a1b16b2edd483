"""Masks of images as the folder pipeline takes them: batches of one shape, others in tiles."""

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain

import numpy as np

from maskwright.errors import DataError
from maskwright.inference.folder_plan import (
    Advance,
    FolderModel,
    FolderOptions,
    ReadImage,
    Rejected,
    Work,
)
from maskwright.inference.large.partial_mask import LargeOptions
from maskwright.inference.large.predict_large import predict_large
from maskwright.inference.output_paths import Job
from maskwright.inference.prediction import Prediction
from maskwright.inference.predictor import Predictor
from maskwright.labels import IGNORE_LABEL
from maskwright.tasks.semantic.batching import BATCH_PIXELS, PreparedPixels, batches
from maskwright.tasks.semantic.writing import write_files


def mask_model(predictor: Predictor, options: FolderOptions) -> FolderModel:
    """Functions that predict masks with an open model."""
    functions = _MaskFolder(predictor, options)
    return FolderModel(
        predictor.card, functions.prepare, functions.predict, functions.predict_large
    )


class _MaskFolder:
    """Functions of `FolderModel` for masks."""

    def __init__(self, predictor: Predictor, options: FolderOptions) -> None:
        self.predictor = predictor
        self.options = options

    def prepare(self, image: np.ndarray, job: Job) -> PreparedPixels:
        predictor, pixels = self.predictor, image.shape[0] * image.shape[1]
        if predictor.card.size is not None or pixels <= BATCH_PIXELS:
            whole = predictor.whole(image)
            if whole is not None:
                return PreparedPixels(whole, True)
        return PreparedPixels(predictor.working(image), False)

    def predict(
        self, groups: Iterator[Iterable[ReadImage]], advance: Advance
    ) -> Iterator[Work | Rejected]:
        predictor, flips = self.predictor, self.options.flips
        images = chain.from_iterable(groups)
        for batch in batches(images, self.options.batch_size, predictor.card.size is None):
            if not batch[0].prepared.whole:
                yield self._predict_tiled(batch[0], advance)
                continue
            started = time.perf_counter()
            pixels = np.stack([image.prepared.values for image in batch])
            probabilities = predictor.probabilities(pixels, flips)
            advance(len(batch))
            seconds = (time.perf_counter() - started) / len(batch)
            for image, values in zip(batch, probabilities, strict=True):
                decide = partial(self._decide, image, values)
                yield self._work(image, decide, seconds, values.nbytes)

    def predict_large(self, job: Job, advance: Advance) -> tuple[tuple[int, int], None]:
        options = large_options(self.options, job, advance)
        size = predict_large(
            self.predictor,
            job.image,
            job.mask,
            layers=job.layers,
            preview=job.overlay,
            polygons=job.polygons,
            options=options,
        )
        return size, None

    def _predict_tiled(self, image: ReadImage, advance: Advance) -> Work | Rejected:
        """Predict an image in tiles; only writing is left for a thread."""
        started = time.perf_counter()
        strips = self.predictor.strips(image.prepared.values, image.size, self.options.flips)
        try:
            counted = _counted(strips, image.size[0], advance)
            wanted = image.job.probabilities is not None
            prediction = self.predictor.decide(counted, image.size, wanted)
        except DataError as error:
            return Rejected(image, error)
        return self._work(image, lambda: prediction, time.perf_counter() - started, 0)

    def _decide(self, image: ReadImage, values: np.ndarray) -> Prediction:
        strips = self.predictor.spread(values, image.size)
        return self.predictor.decide(strips, image.size, image.job.probabilities is not None)

    def _work(
        self, image: ReadImage, decide: Callable[[], Prediction], seconds: float, held: int
    ) -> Work:
        labels = self.predictor.card.labels
        classes = labels.num_classes if image.job.probabilities is not None else 0
        # Roughly: values, labels, the image and its overlay.
        bytes_behind = held + image.size[0] * image.size[1] * (16 + 8 * classes)

        def write() -> None:
            prediction = decide()
            if image.gap is not None:
                prediction.labels[image.gap] = IGNORE_LABEL
            write_files(image.job, prediction, labels, image.pixels, self.options.max_pixels)

        return Work((image,), write, seconds, bytes_behind)


def large_options(options: FolderOptions, job: Job, advance: Advance) -> LargeOptions:
    """How an image of a folder is predicted by windows; `DataError` if probabilities are wanted."""
    if job.probabilities is not None:
        raise DataError(
            f"{job.image} is predicted by windows, and probabilities are not kept; leave them out "
            f"for this image, or cut it into parts."
        )
    return LargeOptions(
        flips=options.flips,
        max_pixels=options.max_pixels,
        advance=advance,
        on_message=options.on_message,
    )


def _counted(strips: Iterator[np.ndarray], height: int, advance: Advance) -> Iterator[np.ndarray]:
    """The same strips of an image; the bar moves on by the share of each."""
    for strip in strips:
        advance(len(strip) / height)
        yield strip
