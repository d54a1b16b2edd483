"""Answers for a folder of images: tables, masks and pictures; what cannot be read is reported."""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.parallel import progress
from maskwright.data.to_rgb import as_picture
from maskwright.errors import ConfigError, DataError
from maskwright.imageio import MAX_PIXELS, atomic_write, read_image, write_image, write_mask
from maskwright.inference.output_paths import Failure, plan_files
from maskwright.tasks.regions.drawing import draw_decisions
from maskwright.tasks.regions.extraction.extract import Region
from maskwright.tasks.regions.extraction.ground_truth import read_region_mask
from maskwright.tasks.regions.extraction.table import write_table
from maskwright.tasks.regions.grad_cam import draw_heat, heat_map
from maskwright.tasks.regions.learning.bags import row
from maskwright.tasks.regions.learning.collate import as_inputs
from maskwright.tasks.regions.pipeline import CaseResult, Pipeline
from maskwright.types import RegionKind

COLUMNS = ("id", "images", "probability", "decision", "regions", "deciding", "weight")
"""Columns of `cases.csv`."""


@dataclass
class CasesResult:
    """What was decided, and images that failed."""

    results: list[CaseResult] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)

    def summary(self) -> str:
        """What was decided, in a sentence or two."""
        empty = sum(result.probability is None for result in self.results)
        text = f"Decided on {len(self.results) - empty}."
        return (
            f"{text} No region was found in {empty}: nothing is decided there." if empty else text
        )

    def output(self, folder: Path) -> Path:
        """Where to look first."""
        return folder / "cases.csv"


@dataclass(frozen=True)
class _Source:
    """One image, and where its pictures go; `mask` gives its true mask and background."""

    name: str
    case: str
    image: Path
    mask_file: Path
    overlay: Path | None
    mask: Callable[[], tuple[np.ndarray, int | None]] | None = None


def predict_cases(
    pipeline: Pipeline,
    images: str | Path | DataSet,
    out: str | Path,
    *,
    group_by: str | None = None,
    overlays: bool = True,
    heat: Callable[[], Any] | None = None,
    max_pixels: int = MAX_PIXELS,
) -> CasesResult:
    """Decide on every case of a folder and write `cases.csv` and `regions.csv`.

    Where the pipeline draws the masks, `out/NAME.png` is the mask of an image. `overlays/NAME.jpg`
    shows the regions with the probability beside each, `heat/NAME-NUMBER.png` where in a region it
    comes from.

    Args:
        pipeline: Segmenter and classifier.
        images: A file, a folder or a glob, for masks of the segmenter; or a data set, for its own.
        out: Folder for the results, made where it is missing.
        group_by: Pattern whose first group, searched in the path of an image, is its case; where
            it is left out, the folder that an image lies in. Of use where cases are decided on.
        overlays: Whether to draw them.
        heat: Gives the Keras model, for heat maps; `None` draws none.
        max_pixels: Larger images are refused.

    Raises:
        DataError: If no image is found, or a result cannot be written.
        ConfigError: If the pattern is wrong, or a folder cannot be used.
    """
    out = Path(out)
    sources = list(
        _of_dataset(images, out, overlays, pipeline.classifier.card.regions)
        if isinstance(images, DataSet)
        else _of_files(images, out, overlays, group_by)
    )
    network = heat() if heat else None
    done = CasesResult()
    if isinstance(images, DataSet):
        done.failed += [Failure(file.path, file.message) for file in images.skipped]
    with progress("Deciding", len(sources)) as advance:
        for group in _groups(sources, whole_cases=pipeline.classifier.card.unit == "case"):
            found: list[tuple[str, str, Sequence[Region]]] = []
            usable = []
            for source in group:
                try:
                    found.append((source.name, source.case, _look(pipeline, source, max_pixels)))
                    usable.append(source)
                except DataError as error:
                    done.failed.append(Failure(source.image, _about(source.image, str(error))))
                advance(1)
            made = pipeline.decide(found)
            _draw(pipeline, made, usable, max_pixels, out if network else None, network)
            done.results += [_without_crops(result) for result in made]
    write_results(done.results, out)
    return done


def write_results(results: Sequence[CaseResult], out: Path) -> None:
    """Write `cases.csv`, one row for each answer, and `regions.csv`, one for each region."""
    with (
        atomic_write(out / "cases.csv") as beside,
        beside.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for result in results:
            deciding, weight, probability = result.deciding, "", ""
            if deciding is not None and result.weights is not None:
                weight = f"{float(result.weights.max()):.4f}"
            if result.probability is not None:
                probability = f"{result.probability:.6f}"
            writer.writerow(
                [
                    result.id,
                    ";".join(result.images),
                    probability,
                    result.decision or "",
                    len(result.regions),
                    "" if deciding is None else deciding.name,
                    weight,
                ]
            )
    regions = [region for result in results for region in result.regions]
    columns: dict[str, list[Any]] = {"decided_on": [], "weight": [], "probability": []}
    for result in results:
        if result.weights is None or result.region_probabilities is None:
            continue
        columns["decided_on"] += [result.id] * len(result.regions)
        columns["weight"] += [f"{value:.4f}" for value in result.weights]
        columns["probability"] += [f"{value:.6f}" for value in result.region_probabilities]
    write_table(regions, out / "regions.csv", columns=columns)


def _of_files(
    images: str | Path, out: Path, overlays: bool, group_by: str | None
) -> Iterator[_Source]:
    pattern = None
    if group_by is not None:
        try:
            pattern = re.compile(group_by)
        except re.error as error:
            raise ConfigError(f"The pattern {group_by!r} to group by is wrong: {error}.") from None
        if pattern.groups < 1:
            raise ConfigError(
                f"Expected a pattern with a group in brackets, such as '(.+)_[0-9]+'; received "
                f"{group_by!r}."
            )
    for job in plan_files(images, out, overlays):
        name = job.mask.relative_to(out).with_suffix("").as_posix()
        # Folders of one name in different places are different cases.
        case = name.rpartition("/")[0] or job.image.parent.name
        if pattern is not None:
            found = pattern.search(job.image.as_posix())
            if found is None or not found[1]:
                raise ConfigError(f"The pattern {group_by!r} finds no case in {job.image}.")
            case = found[1]
        yield _Source(name, case, job.image, job.mask, job.overlay)


def _of_dataset(
    dataset: DataSet, out: Path, overlays: bool, regions: RegionKind
) -> Iterator[_Source]:
    out.mkdir(parents=True, exist_ok=True)
    for sample in dataset.samples:
        yield _Source(
            sample.id,
            sample.case,
            sample.image,
            out / f"{sample.id}.png",
            out / "overlays" / f"{sample.id}.jpg" if overlays else None,
            partial(read_region_mask, dataset, sample, regions),
        )


def _groups(sources: Sequence[_Source], whole_cases: bool) -> list[list[_Source]]:
    """What is decided together: the images of a case, else a few images."""
    if not whole_cases:
        return [[source] for source in sources]
    cases: dict[str, list[_Source]] = {}
    for source in sources:
        cases.setdefault(source.case, []).append(source)
    return list(cases.values())


def _look(pipeline: Pipeline, source: _Source, max_pixels: int) -> list[Region]:
    """Regions of an image; the mask is written where it is drawn."""
    image = read_image(source.image, max_pixels)
    if source.mask is not None:
        true, background = source.mask()
        return pipeline.regions(image, true, source.name, background)
    drawn = pipeline.segment(image)
    labels = None if pipeline.segmenter is None else pipeline.segmenter.card.labels
    if drawn.instances is None:
        write_mask(source.mask_file, drawn.labels, labels.colors if labels else None)
    else:
        write_image(source.mask_file, drawn.instances.astype(np.uint16))
    return pipeline.regions(image, drawn, source.name)


def _draw(
    pipeline: Pipeline,
    results: Sequence[CaseResult],
    sources: Sequence[_Source],
    max_pixels: int,
    heat_folder: Path | None,
    network: Any,
) -> None:
    """Overlays of the images, and heat maps of the regions, of one group."""
    card = pipeline.classifier.card
    told: dict[str, list[tuple[Region, float, float]]] = {source.name: [] for source in sources}
    for result in results:
        if result.weights is None or result.region_probabilities is None:
            continue
        # A bag of one region is decided as it is; others have their own probabilities.
        for region, weight, own in zip(
            result.regions, result.weights, result.region_probabilities, strict=True
        ):
            told[region.image_id].append((region, float(own), float(weight)))
    for source in sources:
        found = told[source.name]
        if source.overlay is not None:
            picture = as_picture(read_image(source.image, max_pixels))
            regions, probabilities, weights = zip(*found, strict=True) if found else ((), (), ())
            heaviest = weights if card.unit != "region" and found else None
            drawn = draw_decisions(picture, regions, probabilities, card.threshold, heaviest)
            write_image(source.overlay, drawn)
    if heat_folder is None:
        return
    for result in results:
        for region, picture in _heat(pipeline, result, network):
            name = f"{region.image_id}-{region.number}.png"
            write_image(heat_folder / "heat" / name, picture)


def _heat(
    pipeline: Pipeline, result: CaseResult, network: Any
) -> Iterator[tuple[Region, np.ndarray]]:
    """Heat map of each region of an answer."""
    if not result.regions:
        return
    card = pipeline.classifier.card
    crops, masks, vectors = zip(*(row(region) for region in result.regions), strict=True)
    inputs = as_inputs(crops, masks, vectors, [0] * len(crops), card.outside, card.value_range[1])
    heats = heat_map(network, inputs)
    for region, crop, mask, heat in zip(result.regions, crops, masks, heats, strict=True):
        yield region, draw_heat(as_picture(crop), heat, mask.astype(bool))


def _about(path: Path, reason: str) -> str:
    """Reason that names its file."""
    return reason if str(path) in reason else f"{path}: {reason}"


def _without_crops(result: CaseResult) -> CaseResult:
    """The same answer in less memory, for tables."""
    light = tuple(replace(region, crop=None, crop_mask=None) for region in result.regions)
    return replace(result, regions=light)
