"""Outer and inner masks for the images of a folder, and trust.csv, from promises of a model."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import DataError, ModelError
from maskwright.export.artifact import is_artifact, model_folder
from maskwright.imageio import write_image, write_table
from maskwright.inference.folder_plan import (
    Advance,
    FolderModel,
    FolderOptions,
    FolderResult,
    ReadImage,
    Rejected,
    Work,
)
from maskwright.inference.manifest import Record
from maskwright.inference.output_paths import Job, folder_names
from maskwright.inference.predictor import Flips
from maskwright.labels import IGNORE_LABEL, layer_values
from maskwright.model_card import TRUST_FILE
from maskwright.reliability.assessment import (
    MaskAssessment,
    assess,
    bound_promises,
    shift_message,
    without_promise,
)
from maskwright.reliability.observations import ObservedPrediction
from maskwright.reliability.record import TrustRecord
from maskwright.tasks.semantic.calibration.observe import ObservingPredictor
from maskwright.tasks.semantic.large_bounds import predict_large_bounds
from maskwright.tasks.semantic.mask_model import large_options
from maskwright.tasks.semantic.writing import write_files
from maskwright.types import Alert, OnMessage

TABLE_FILE = "trust.csv"
"""Name of the table in the folder of the masks."""

_COLUMNS = (
    *("image", "class", "expected_dice", "lower_bound", "unfamiliar_p"),
    *("decision", "reason"),
)


def read_promises(model: str | Path, card: Any, flips: Flips) -> TrustRecord:
    """Promises of a model, which hold for its adjusted card and flips.

    Raises `ModelError` where there are none, or they were made for another way to predict.
    """
    folder = model_folder(model)
    if not (folder / TRUST_FILE).is_file():
        how = f"run `maskwright trust {model} DATA`"
        if is_artifact(folder):
            how = "run `maskwright trust` on its run, and export it again"
        raise ModelError(f"{model} has no promises from which bounds are made: {how} first.")
    return TrustRecord.valid(folder, card, flips)


def with_bounds(jobs: Sequence[Job], record: TrustRecord, out: Path) -> list[Job]:
    """The same jobs, with `out/outer/CLASS/NAME.png` and `out/inner/CLASS/NAME.png` to write."""
    folders = dict(zip(record.classes, folder_names(list(record.classes)), strict=True))
    places = [out / p.mask_name / folders[name] for name, p in bound_promises(record)]
    return [
        replace(job, bounds=tuple(place / job.mask.relative_to(out) for place in places))
        for job in jobs
    ]


def bounds_model(
    predictor: ObservingPredictor, record: TrustRecord, out: Path, options: FolderOptions
) -> FolderModel:
    """Functions that predict each image alone, as the calibration images were."""
    functions = _BoundsFolder(predictor, record, out, options)
    return FolderModel(
        predictor.card, functions.prepare, functions.predict, functions.predict_large
    )


class _BoundsFolder:
    """Functions of `FolderModel` for masks with bounds."""

    def __init__(
        self, predictor: ObservingPredictor, record: TrustRecord, out: Path, options: FolderOptions
    ) -> None:
        self.predictor, self.record, self.out, self.options = predictor, record, out, options
        self.labels = predictor.card.labels
        self._promises = list(bound_promises(record))

    def prepare(self, image: np.ndarray, job: Job) -> np.ndarray:
        return image

    def predict(
        self, groups: Iterator[Iterable[ReadImage]], advance: Advance
    ) -> Iterator[Work | Rejected]:
        for image in chain.from_iterable(groups):
            started = time.perf_counter()
            try:
                prediction = self.predictor(image.prepared, flips=self.options.flips)
            except DataError as error:
                yield Rejected(image, error)
                continue
            finally:
                advance(1)
            yield self._work(image, prediction, time.perf_counter() - started)

    def predict_large(self, job: Job, advance: Advance) -> tuple[tuple[int, int], Record]:
        passes = 1 + self.predictor.sees_mirrored
        options = large_options(self.options, job, lambda share: advance(share / passes))
        size, assessed = predict_large_bounds(self.predictor, self.record, job, options)
        return size, self._record(job, assessed)

    def _record(self, job: Job, assessed: Sequence[MaskAssessment]) -> Record:
        return {"image": job.name(self.out), "masks": [asdict(each) for each in assessed]}

    def _work(self, image: ReadImage, prediction: ObservedPrediction, seconds: float) -> Work:
        def write() -> Record:
            assessed = assess(self.record, prediction, self.labels.names)
            if image.gap is not None:
                prediction.labels[image.gap] = IGNORE_LABEL
            job = image.job
            write_files(job, prediction, self.labels, image.pixels, self.options.max_pixels)
            probabilities: Any = prediction.probabilities
            for path, (name, promise) in zip(job.bounds, self._promises, strict=True):
                values = probabilities[..., self.labels.names.index(name)]
                mask = promise.mask(values).astype(np.uint8)
                if image.gap is not None:
                    mask[image.gap] = IGNORE_LABEL
                write_image(path, layer_values(mask))
            return self._record(job, assessed)

        # Labels and probabilities of the image and its mirror image, the image and its overlay.
        pixels = image.size[0] * image.size[1]
        return Work((image,), write, seconds, pixels * (16 + 8 * self.labels.num_classes))


def write_trust_table(
    jobs: Sequence[Job],
    record: TrustRecord,
    out: Path,
    on_message: OnMessage,
    result: FolderResult,
    records: Sequence[Record],
) -> FolderResult:
    """Write trust.csv from the records of all images that are done.

    Where more of them are unlike the training images than chance explains, the promises are
    withheld: their outer and inner masks are removed again, and that is said. A table says less
    than numbers of 32 bits do, so that a run that was stopped gives the same.
    """
    images = [
        (values["image"], [MaskAssessment(**mask) for mask in values["masks"]])
        for values in records
    ]
    p_values = [masks[0].unfamiliar_p for _, masks in images if masks]
    if (message := shift_message(p_values, record)) is not None:
        on_message(Alert(message))
        images = [(name, [without_promise(mask) for mask in masks]) for name, masks in images]
        for path in chain.from_iterable(job.bounds for job in jobs):
            path.unlink(missing_ok=True)
        folders = {each for job in jobs for path in job.bounds for each in path.parents}
        for folder in sorted(folders - {out, *out.parents}, reverse=True):  # the deepest first
            with suppress(OSError):  # where others lie in it
                folder.rmdir()
    rows = [_row(name, mask) for name, masks in images for mask in masks]
    write_table(out / TABLE_FILE, _COLUMNS, rows)
    return result


def _row(image: str, mask: MaskAssessment) -> list[str]:
    values = (mask.expected_dice, mask.lower_bound, mask.unfamiliar_p)
    numbers = ["" if value is None else f"{value:.3f}" for value in values]
    return [image, mask.class_name, *numbers, mask.decision or "", mask.reason]
