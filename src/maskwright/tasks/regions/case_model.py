"""A pipeline of regions in the folder pipeline: each image segmented, each case decided on."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data import DataSet
from maskwright.data.to_rgb import as_picture
from maskwright.errors import DataError
from maskwright.imageio import read_image, write_image, write_mask
from maskwright.inference.folder_plan import (
    Advance,
    FolderModel,
    FolderOptions,
    ReadImage,
    Rejected,
    Work,
)
from maskwright.inference.manifest import Record
from maskwright.inference.output_paths import Job
from maskwright.tasks.regions import Region
from maskwright.tasks.regions.drawing import draw_decisions
from maskwright.tasks.regions.extraction.masks import read_region_mask
from maskwright.tasks.regions.extraction.table import region_row
from maskwright.tasks.regions.grad_cam import heat_pictures
from maskwright.tasks.regions.pipeline import CaseResult, Pipeline
from maskwright.tasks.regions.trust.answer_sets import AnswerSets

COLUMNS = ("id", "images", "probability", "decision", "regions", "deciding", "weight")
"""Columns of `cases.csv`."""
ANSWER = "answer"
"""Column after these, of a model whose answers are calibrated."""
REGION_COLUMNS = ("decided_on", "weight", "probability")
"""Columns of `regions.csv` after the measures."""

_Prepared = tuple[np.ndarray, np.ndarray | None, int | None]
"""An image, its ground truth mask where masks are given, and the label that is no region."""


def case_model(
    pipeline: Pipeline,
    out: Path,
    options: FolderOptions,
    source: str | Path | DataSet,
    network: Any = None,
    answers: AnswerSets | None = None,
) -> FolderModel:
    """Functions of a pipeline for the folder pipeline.

    Masks of a data set are used, of other images they are predicted. `network` is the Keras model
    of the classifier, for heat maps, or `None` for none; with `answers`, rows have an `ANSWER`.
    """
    functions = _CaseFolder(pipeline, out, options.max_pixels, source, network)
    functions.answers = answers
    return FolderModel(pipeline.classifier.card, functions.prepare, functions.predict)


class _CaseFolder:
    """Functions of `FolderModel` for decisions, with the arguments of `case_model`."""

    def __init__(
        self,
        pipeline: Pipeline,
        out: Path,
        max_pixels: int,
        source: str | Path | DataSet,
        network: Any,
    ) -> None:
        self.pipeline, self.out, self.network = pipeline, out, network
        self.answers: AnswerSets | None = None
        self.max_pixels, self.card = max_pixels, pipeline.classifier.card
        self.dataset = source if isinstance(source, DataSet) else None
        self.samples = {s.id: s for s in self.dataset.samples} if self.dataset else {}

    def prepare(self, image: np.ndarray, job: Job) -> _Prepared:
        if self.dataset is None:
            return image, None, 0
        sample = self.samples[job.name(self.out)]
        return image, *read_region_mask(self.dataset, sample, self.card.regions)

    def predict(
        self, groups: Iterator[Iterable[ReadImage]], advance: Advance
    ) -> Iterator[Work | Rejected]:
        for group in groups:
            regions: list[tuple[str, str, Sequence[Region]]] = []
            images: list[ReadImage] = []
            started = time.perf_counter()
            for image in group:
                name = image.job.name(self.out)
                try:
                    mask, extracted = self._extract(image.prepared, name)
                except DataError as error:
                    advance(1)
                    yield Rejected(image, error)
                    continue
                advance(1)
                if mask is not None:
                    yield Work((), partial(self._write_mask, image.job, mask), 0, mask.nbytes)
                regions.append((name, image.case, extracted))
                images.append(replace(image, prepared=None))
            if images:
                yield self._decide(images, regions, started)

    def _extract(self, prepared: _Prepared, name: str) -> tuple[np.ndarray | None, list[Region]]:
        """Mask to write, where it is predicted, and the regions of an image."""
        image, mask, background = prepared
        if mask is not None:
            return None, self.pipeline.regions(image, mask, name, background)
        prediction = self.pipeline.segment(image)
        regions = self.pipeline.regions(image, prediction, name)
        if prediction.instances is None:
            return prediction.labels.astype(np.uint8), regions
        return prediction.instances.astype(np.uint16), regions

    def _write_mask(self, job: Job, mask: np.ndarray) -> None:
        segmenter = self.pipeline.segmenter
        if mask.dtype == np.uint16:  # numbers of objects
            write_image(job.mask, mask)
        else:
            write_mask(job.mask, mask, None if segmenter is None else segmenter.card.labels.colors)

    def _decide(
        self,
        images: list[ReadImage],
        regions: list[tuple[str, str, Sequence[Region]]],
        started: float,
    ) -> Work:
        """Decide on the images of an item; the pictures are left for a thread."""
        results = self.pipeline.decide(regions)
        heats: dict[str, np.ndarray] = {}
        for result in results:
            if self.network is None or not result.regions:
                continue
            pictures = heat_pictures(self.network, result.regions, self.card)
            for region, picture in zip(result.regions, pictures, strict=True):
                heats[f"{region.image_id}-{region.number}.png"] = picture
        seconds = (time.perf_counter() - started) / len(images)
        write = partial(self._write, images, results, heats)
        crops = [region.crop for _, _, cut in regions for region in cut]
        held = sum(crop.nbytes for crop in crops if crop is not None)
        # Of an image and its overlay, roughly.
        held += sum(8 * image.size[0] * image.size[1] for image in images if image.job.overlay)
        return Work(tuple(images), write, seconds, held)

    def _write(
        self, images: list[ReadImage], results: list[CaseResult], heats: dict[str, np.ndarray]
    ) -> Record:
        members = [member for result in results for member in result.members]
        for image in images:
            if image.job.overlay is None:
                continue
            pixels = image.pixels
            if pixels is None:
                pixels = read_image(image.job.image, self.max_pixels)
            name = image.job.name(self.out)
            shown = [member for member in members if member[0].image_id == name]
            regions, weights, probabilities = zip(*shown, strict=True) if shown else ((), (), ())
            overlay = draw_decisions(
                as_picture(pixels),
                regions,
                probabilities,
                self.card.threshold,
                weights if self.card.unit != "region" and shown else None,
            )
            write_image(image.job.overlay, overlay)
        for name, picture in heats.items():
            write_image(self.out / "heat" / name, picture)
        return case_record(results, self.answers)


def case_record(results: Sequence[CaseResult], answers: AnswerSets | None = None) -> Record:
    """Rows of the tables for the decisions on one item; with `answers`, they have an `ANSWER`."""
    regions = [
        region_row(region)
        | {"decided_on": result.id, "weight": f"{weight:.4f}", "probability": f"{probability:.6f}"}
        for result in results
        for region, weight, probability in result.members
    ]
    rows = [_case_row(result) for result in results]
    if answers is not None:
        for row, result in zip(rows, results, strict=True):
            row[ANSWER] = answers.answer(result.probability)
    return {"cases": rows, "regions": regions}


def _case_row(result: CaseResult) -> dict[str, Any]:
    deciding = result.deciding
    values = (
        result.id,
        ";".join(result.images),
        "" if result.probability is None else f"{result.probability:.6f}",
        result.decision or "",
        len(result.regions),
        "" if deciding is None else deciding.name,
        "" if result.weights is None else f"{float(result.weights.max()):.4f}",
    )
    return dict(zip(COLUMNS, values, strict=True))
