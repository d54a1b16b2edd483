"""A pipeline of regions in the folder pipeline: each image segmented, each case decided on."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data import DataSet, Sample
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
from maskwright.tasks.regions.drawing import draw_decisions
from maskwright.tasks.regions.extraction.extract import Region
from maskwright.tasks.regions.extraction.masks import read_region_mask
from maskwright.tasks.regions.grad_cam import heat_pictures
from maskwright.tasks.regions.pipeline import CaseResult, Pipeline
from maskwright.tasks.regions.tables import case_record


def case_model(
    pipeline: Pipeline,
    out: Path,
    options: FolderOptions,
    source: str | Path | DataSet,
    network: Any,
) -> FolderModel:
    """Functions of a pipeline for the folder pipeline.

    Args:
        pipeline: Classifier, and segmenter if masks are predicted.
        out: Folder of the results.
        options: Of the prediction.
        source: Data set whose masks are used; of other images, masks are predicted.
        network: Keras model of the classifier, for heat maps, or `None` for none.
    """
    dataset = source if isinstance(source, DataSet) else None
    samples = {} if dataset is None else {sample.id: sample for sample in dataset.samples}
    functions = _CaseFolder(pipeline, out, options.max_pixels, network, dataset, samples)
    return FolderModel(functions.prepare, functions.predict)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """An image, with its true mask and the label that is no region where masks are given."""

    image: np.ndarray
    mask: np.ndarray | None = None
    background: int | None = 0


@dataclass(frozen=True)
class _CaseFolder:
    """Functions of `FolderModel` for decisions, with the arguments of `case_model`."""

    pipeline: Pipeline
    out: Path
    max_pixels: int
    network: Any
    dataset: DataSet | None
    samples: Mapping[str, Sample]

    def prepare(self, image: np.ndarray, job: Job) -> _Prepared:
        if self.dataset is None:
            return _Prepared(image)
        kind = self.pipeline.classifier.card.regions
        return _Prepared(
            image, *read_region_mask(self.dataset, self.samples[job.name(self.out)], kind)
        )

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
                    mask, found = self._find_regions(image.prepared, name)
                except DataError as error:
                    advance(1)
                    yield Rejected(image, error)
                    continue
                advance(1)
                if mask is not None:
                    yield Work((), partial(self._write_mask, image.job, mask), 0, mask.nbytes)
                regions.append((name, image.case, found))
                images.append(replace(image, prepared=None))
            if images:
                yield self._decide(images, regions, started)

    def _find_regions(
        self, prepared: _Prepared, name: str
    ) -> tuple[np.ndarray | None, list[Region]]:
        """Mask to write, where it is predicted, and the regions of an image."""
        image, pipeline = prepared.image, self.pipeline
        if prepared.mask is not None:
            return None, pipeline.regions(image, prepared.mask, name, prepared.background)
        prediction = pipeline.segment(image)
        regions = pipeline.regions(image, prediction, name)
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
        heats = []
        if self.network is not None:
            heats = [heat for result in results for heat in self._heat(result)]
        seconds = (time.perf_counter() - started) / len(images)
        write = partial(self._write, images, results, heats)
        crops = [region.crop for _, _, cut in regions for region in cut]
        held = sum(crop.nbytes for crop in crops if crop is not None)
        return Work(tuple(images), write, seconds, held + sum(map(_overlay_bytes, images)))

    def _write(
        self,
        images: list[ReadImage],
        results: list[CaseResult],
        heats: list[tuple[str, np.ndarray]],
    ) -> Record:
        card = self.pipeline.classifier.card
        decided: dict[str, list[tuple[Region, float, float]]] = {}
        for result in results:
            if result.weights is None or result.region_probabilities is None:
                continue
            # A bag of one region is decided as it is; others have their own probabilities.
            for region, weight, probability in zip(
                result.regions, result.weights, result.region_probabilities, strict=True
            ):
                decided.setdefault(region.image_id, []).append(
                    (region, float(probability), float(weight))
                )
        for image in images:
            if image.job.overlay is None:
                continue
            pixels = image.pixels
            if pixels is None:
                pixels = read_image(image.job.image, self.max_pixels)
            shown = decided.get(image.job.name(self.out), [])
            regions, probabilities, weights = zip(*shown, strict=True) if shown else ((), (), ())
            heaviest = weights if card.unit != "region" and shown else None
            overlay = draw_decisions(
                as_picture(pixels), regions, probabilities, card.threshold, heaviest
            )
            write_image(image.job.overlay, overlay)
        for name, picture in heats:
            write_image(self.out / "heat" / name, picture)
        return case_record(results)

    def _heat(self, result: CaseResult) -> Iterator[tuple[str, np.ndarray]]:
        """File name and heat map of each region of a decision."""
        if not result.regions:
            return
        card = self.pipeline.classifier.card
        pictures = heat_pictures(self.network, result.regions, card)
        for region, picture in zip(result.regions, pictures, strict=True):
            yield f"{region.image_id}-{region.number}.png", picture


def _overlay_bytes(image: ReadImage) -> int:
    """Of an image and its overlay, roughly."""
    return 0 if image.job.overlay is None else 8 * image.size[0] * image.size[1]
