"""Masks for the images of a folder: batches of one shape, large images by windows."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import DataError
from maskwright.export.artifact import needs_tensorflow
from maskwright.export.engines import Threads
from maskwright.export.export_task import ExportTask
from maskwright.export.runtime import load_card
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
from maskwright.inference.manifest import fingerprint
from maskwright.inference.output_paths import Job, WorkItem, folder_names, plan_files
from maskwright.inference.predictor import Prediction, Predictor, check_flips
from maskwright.labels import IGNORE_LABEL
from maskwright.model_card import SemanticCard
from maskwright.tasks.semantic.batching import BATCH_PIXELS, PreparedPixels, batches
from maskwright.tasks.semantic.export import EXPORT, open_masks
from maskwright.tasks.semantic.writing import write_files
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
    return plan_masks(EXPORT, model, images, out, options)


def plan_masks(
    task: ExportTask, model: str | Path, images: str | Path, out: Path, options: FolderOptions
) -> FolderPlan[FolderResult]:
    """As `plan_folder`, of a model of a task; of classes that overlap, each has a mask.

    They are `out/CLASS/NAME.png`, or `.tif` by windows: 255 in pixels of the class, 0 elsewhere,
    and 128 where the image has no data.
    """
    if options.engine == "ray":
        card = adjusted_card(load_card(Path(model), _card_of(task)), options.adjustments)
        worker = replace(options, on_message=ignore_message)
        plan = _plan(card, images, out, options, partial(_open, task, Path(model), worker))
        return replace(plan, on_gpu=needs_tensorflow(Path(model)))
    # Of a single image, however large, little is read or written beside the engine.
    shared = not Path(images).is_file()
    threads = Threads(shared=shared, allow_code=options.allow_code)

    def many() -> bool:
        return len(find_images(images)) >= _WORTH_PREPARING

    predictor = open_masks(Path(model), threads, many, options.on_message, task)
    return plan_predictor(predictor.adjusted(**options.adjustments), images, out, options)


def plan_predictor(
    predictor: Predictor, images: str | Path, out: Path, options: FolderOptions
) -> FolderPlan[FolderResult]:
    """As `plan_folder`, with a model that is open; `options.adjustments` are not looked at."""
    folder_model = _folder_model(predictor, options)
    return _plan(predictor.card, images, out, options, lambda _: folder_model)


def _plan(
    card: SemanticCard,
    images: str | Path,
    out: Path,
    options: FolderOptions,
    open_model: Callable[[Threads], FolderModel],
) -> FolderPlan[FolderResult]:
    """As `plan_folder`, from the adjusted card and a function that opens the model."""
    check_flips(card, options.flips)
    windows = (lambda _: True) if options.large or options.polygons else is_large
    jobs = plan_files(
        images,
        out,
        options.overlays,
        options.probabilities,
        polygons=options.polygons,
        is_large=windows,
    )
    if card.overlapping:
        names = folder_names(card.labels.names)
        jobs = [replace(job, layers=_layer_files(job, out, names)) for job in jobs]
    settings = fingerprint(card.to_json(), options.flips)
    items = [WorkItem((job,), settings) for job in jobs]
    return FolderPlan(items, open_model, lambda result, _: result)  # masks have no tables


def _layer_files(job: Job, out: Path, names: Sequence[str]) -> tuple[Path, ...]:
    return tuple(out / name / job.mask.relative_to(out) for name in names)


def _card_of(task: ExportTask) -> Any:
    return task.card


def _open(task: ExportTask, model: Path, options: FolderOptions, threads: Threads) -> FolderModel:
    threads = replace(threads, allow_code=options.allow_code)
    predictor = Predictor.load(model, threads, _card_of(task))
    return _folder_model(predictor.adjusted(**options.adjustments), options)


def _folder_model(predictor: Predictor, options: FolderOptions) -> FolderModel:
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
            layers=job.layers,
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


def _counted(strips: Iterator[np.ndarray], height: int, advance: Advance) -> Iterator[np.ndarray]:
    """The same strips of an image; the bar moves on by the share of each."""
    for strip in strips:
        advance(len(strip) / height)
        yield strip
