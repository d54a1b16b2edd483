"""What a run on regions is made of: data, labeling, crops and segmenter."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maskwright.config import RegionConfig
from maskwright.data import DataSet, open_dataset
from maskwright.data.layers import require_one_class
from maskwright.export.ensemble import model_files
from maskwright.imageio import atomic_write, sweep
from maskwright.model_card import SEGMENTER
from maskwright.tasks.loading import load_segmenter
from maskwright.tasks.provenance import learned_images
from maskwright.tasks.regions import CropSpec, Region
from maskwright.tasks.regions.extraction.masks import (
    RegionPredictorFn,
    extract_predicted,
    full_scale,
    min_component_px,
)
from maskwright.tasks.regions.learning.labeling import Labeling, find_labeling
from maskwright.tasks.regions.statistics import region_kind, suited
from maskwright.tasks.settings import report_skipped
from maskwright.types import Alert


@dataclass(frozen=True, eq=False)
class RegionData:
    """Training data of a run; `predict` is a segmenter whose masks are learned from too."""

    dataset: DataSet
    labeling: Labeling
    crop_spec: CropSpec
    predict: RegionPredictorFn | None = None


def open_region_data(
    config: RegionConfig, data: str | Path, on_message: Callable[[str], None]
) -> tuple[RegionData, RegionConfig]:
    """Open what the settings name, and complete them by `suited`; messages go to `on_message`."""
    dataset = open_regions(data, config)
    report_skipped(dataset, on_message, config.skip_unreadable)
    labeling = labeling_of(dataset, config)
    for note in labeling.notes:
        on_message(note)
    config = suited(config, dataset, labeling, on_message)
    spec, predict = make_crop_spec(dataset, labeling, config), None
    if config.segmenter is not None:
        predict = region_predictor(config.segmenter, spec)
        _report_leak(Path(config.segmenter), dataset, on_message)
    return RegionData(dataset, labeling, spec, predict), config


def open_regions(data: str | Path, config: RegionConfig) -> DataSet:
    """Data set with the splits of the settings."""
    dataset = open_dataset(data, scaled_masks=True, **config.division())
    return require_one_class(dataset, "cutting it into regions")


def labeling_of(dataset: DataSet, config: RegionConfig) -> Labeling:
    """What is decided: as set, and inferred from the data where it is not."""
    return find_labeling(
        dataset,
        positive=config.positive,
        classes=config.classes,
        unit=config.unit,
        by=config.label_by,
        table=config.label_table,
    )


def make_crop_spec(dataset: DataSet, labeling: Labeling, config: RegionConfig) -> CropSpec:
    """How regions are extracted; `ConfigError` for a kind of regions that labels do not fit."""
    kind = region_kind(dataset, labeling, config.regions)
    return CropSpec(
        kind=kind,
        size=config.size,
        context=config.context,
        min_area_px=config.min_area_px,
        min_predicted_px=1 if config.segmenter is None else min_component_px(dataset, kind),
        full_scale=full_scale(dataset),
    )


def region_predictor(segmenter: str | Path, spec: CropSpec) -> RegionPredictorFn:
    """Function from an image to the regions that a segmenter predicts, cropped as true ones."""
    predictor = load_segmenter(segmenter)

    def predict(image: np.ndarray, image_id: str) -> list[Region]:
        background = predictor.card.background
        return extract_predicted(
            image, predictor(image), spec, image_id=image_id, background=background
        )

    return predict


def bundle_segmenter(segmenter: str | None, run: Path) -> None:
    """Copy a segmenter, if any, into a run, so that the run alone is enough to predict."""
    if segmenter is None:
        return
    sweep(run / SEGMENTER)
    for name in model_files(Path(segmenter)):  # the card last: with it the folder is whole
        with atomic_write(run / SEGMENTER / name) as temporary:
            shutil.copyfile(Path(segmenter) / name, temporary)


def _report_leak(segmenter: Path, dataset: DataSet, on_message: Callable[[str], None]) -> None:
    """Report validation and test images that the segmenter was trained on."""
    learned = learned_images(segmenter).train
    others = [s for s in dataset.samples if learned and s.split != "train"]
    if leaked := [s.id for s in others if dataset.content_hash(s) in learned]:
        message = (
            f"The segmenter was trained on {len(leaked)} validation or test images of "
            f"this run, such as {leaked[0]}: its masks will be better there than on new images. "
            f"Use the same splits for both: train it with --set unite_duplicates=true."
        )
        on_message(Alert(message))
