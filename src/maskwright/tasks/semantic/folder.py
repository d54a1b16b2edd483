"""Masks for the images of a folder: batches of one shape, large images by windows."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from maskwright.errors import DataError
from maskwright.export.artifact import needs_tensorflow
from maskwright.export.engines import ALONE, SHARED, Threads
from maskwright.export.logits import load_card
from maskwright.imageio import find_images
from maskwright.inference.adjustments import adjusted_card
from maskwright.inference.folder_plan import (
    Advance,
    FolderModel,
    FolderOptions,
    FolderPlan,
    FolderResult,
    ReadImage,
    Rejected,
    Work,
)
from maskwright.inference.large.partial_mask import LargeOptions
from maskwright.inference.large.predict_large import is_large, predict_large
from maskwright.inference.manifest import Record, fingerprint
from maskwright.inference.output_paths import Job, WorkItem, plan_files
from maskwright.inference.predictor import Prediction, Predictor
from maskwright.model_card import SemanticCard
from maskwright.tasks.semantic.batching import BATCH_PIXELS, PreparedPixels, batches
from maskwright.tasks.semantic.load import open_masks
from maskwright.tasks.semantic.writer import write_files
from maskwright.tasks.settings import refuse_options
from maskwright.types import ignore_message

_WORTH_PREPARING = 16  # images; preparing takes about as long as Keras takes for a hundred


def plan_folder(
    model: str | Path, images: str | Path, out: Path, options: FolderOptions
) -> FolderPlan[FolderResult]:
    """Plan of `out/NAME.png` for each image, or `out/NAME.tif` for a large one.

    Masks are 8-bit PNGs of labels with the colors of the classes as their palette. Images of more
    than 2**25 pixels, or all with `large` or `polygons`, are predicted by `predict_large`: their
    overlay is a reduced one, and they have no probabilities. Beside the masks go
    `overlays/NAME.jpg`, the classes over the image; `probabilities/NAME.npz` with `probabilities`,
    float16 `(h, w, classes)`, before threshold and post-processing, and `names` of the classes;
    and `polygons/NAME.geojson`.
    """
    refuse_options(SemanticCard.task, ("flips", "probabilities", "large", "polygons"), options)
    if options.engine == "ray":
        card = adjusted_card(load_card(Path(model)), options.adjustments)
        worker = replace(options, on_message=ignore_message)
        plan = plan_masks(card, images, out, options, partial(_open, Path(model), worker))
        return replace(plan, on_gpu=needs_tensorflow(Path(model)))
    # Of a single image, however large, little is read or written beside the engine.
    threads = ALONE if Path(images).is_file() else SHARED
    predictor = open_masks(
        Path(model),
        threads,
        lambda: len(find_images(images)) >= _WORTH_PREPARING,
        options.on_message,
    )
    return plan_predictor(predictor.adjusted(**options.adjustments), images, out, options)


def plan_predictor(
    predictor: Predictor, images: str | Path, out: Path, options: FolderOptions
) -> FolderPlan[FolderResult]:
    """As `plan_folder`, with a model that is open; `options.adjustments` are not looked at."""
    folder_model = folder_model_of(predictor, options)
    return plan_masks(predictor.card, images, out, options, lambda _: folder_model)


def plan_masks(
    card: SemanticCard,
    images: str | Path,
    out: Path,
    options: FolderOptions,
    open_model: Callable[[Threads], FolderModel],
) -> FolderPlan[FolderResult]:
    """As `plan_folder`, from the adjusted card and a function that opens the model."""
    by_windows = (lambda _: True) if options.large or options.polygons else is_large
    jobs = plan_files(
        images,
        out,
        options.overlays,
        options.probabilities,
        polygons=options.polygons,
        is_large=by_windows,
    )
    settings = fingerprint(card.to_json(), options.flips)
    return FolderPlan([WorkItem((job,), settings) for job in jobs], open_model, _finish)


def _finish(result: FolderResult, records: list[Record]) -> FolderResult:
    """Masks have no tables."""
    return result


def _open(model: Path, options: FolderOptions, threads: Threads) -> FolderModel:
    predictor = Predictor.load(model, threads).adjusted(**options.adjustments)
    return folder_model_of(predictor, options)


def folder_model_of(predictor: Predictor, options: FolderOptions) -> FolderModel:
    """Functions of a predictor for the folder pipeline."""
    functions = _MaskFolder(predictor, options)
    return FolderModel(functions.prepare, functions.predict, functions.predict_large)


class _MaskFolder:
    """Functions of `FolderModel` for masks."""

    def __init__(self, predictor: Predictor, options: FolderOptions) -> None:
        self.predictor = predictor
        self.options = options

    def prepare(self, image: np.ndarray, job: Job) -> PreparedPixels:
        predictor = self.predictor
        height, width = image.shape[:2]
        small = predictor.card.size is not None or height * width <= BATCH_PIXELS
        whole = predictor.whole(image) if small else None
        return PreparedPixels(
            predictor.working(image) if whole is None else whole, whole is not None
        )

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
                yield self._work(
                    image, partial(self._decide, image, values), seconds, values.nbytes
                )

    def predict_large(self, job: Job, advance: Advance) -> tuple[int, int]:
        if job.probabilities is not None:
            raise DataError(
                f"{job.image} is predicted by windows, and probabilities are not kept; leave them "
                f"out for this image, or cut it into parts."
            )
        options = LargeOptions(
            flips=self.options.flips,
            max_pixels=self.options.max_pixels,
            advance=advance,
            on_message=self.options.on_message,
        )
        return predict_large(
            self.predictor,
            job.image,
            job.mask,
            preview=job.overlay,
            polygons=job.polygons,
            options=options,
        )

    def _predict_tiled(self, image: ReadImage, advance: Advance) -> Work | Rejected:
        """Predict an image in tiles; only writing is left for a thread."""
        started = time.perf_counter()
        strips = self.predictor.strips(image.prepared.values, image.size, self.options.flips)
        try:
            counted = _counted(strips, image.size[0], advance)
            prediction = self.predictor.decide(
                counted, image.size, image.job.probabilities is not None
            )
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
            write_files(image.job, decide(), labels, image.pixels, self.options.max_pixels)

        return Work((image,), write, seconds, bytes_behind)


def _counted(strips: Iterator[np.ndarray], height: int, advance: Advance) -> Iterator[np.ndarray]:
    """The same strips of an image; the bar moves on by the share of each."""
    for strip in strips:
        advance(len(strip) / height)
        yield strip
