"""What a run on regions learns from: data, labels, crops, segmenter and network."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from maskwright.config import RegionConfig
from maskwright.data import DataSet, open_dataset
from maskwright.errors import ConfigError
from maskwright.export.ensemble import model_files
from maskwright.imageio import atomic_write
from maskwright.model_card import SEGMENTER
from maskwright.models.blueprint import Blueprint
from maskwright.tasks.instances.segmenter import load_segmenter
from maskwright.tasks.provenance import learned_ids
from maskwright.tasks.regions.extraction.predicted_regions import found_regions
from maskwright.tasks.regions.learning import targets
from maskwright.tasks.regions.learning.bags import CropSpec
from maskwright.tasks.regions.learning.build_bags import Predict, full_scale, speck_px
from maskwright.tasks.regions.learning.targets import Labeling
from maskwright.tasks.settings import report_skipped


@dataclass(frozen=True, eq=False)
class RegionData:
    """What a run on regions learns from.

    Args:
        dataset: With splits.
        labeling: What is decided, and on what.
        view: How masks become crops.
        predict: Segmenter whose masks are learned from too; `None` for ground truth alone.
    """

    dataset: DataSet
    labeling: Labeling
    view: CropSpec
    predict: Predict | None = None


def open_region_data(
    config: RegionConfig, data: str | Path, on_message: Callable[[str], None]
) -> RegionData:
    """Open what the settings name; messages go to `on_message`."""
    dataset = open_regions(data, config)
    report_skipped(dataset, on_message, config.skip_unreadable)
    labeling = find_labeling(dataset, config)
    for note in labeling.notes:
        on_message(note)
    view = make_view(dataset, labeling, config)
    if config.segmenter is None:
        return RegionData(dataset, labeling, view)
    predict = region_finder(config.segmenter, view)
    if leak := _seen_before(config, data, dataset):
        on_message(leak)
    return RegionData(dataset, labeling, view, predict)


def open_regions(data: str | Path, config: RegionConfig) -> DataSet:
    """Data set divided as the settings say."""
    return open_dataset(data, scaled_masks=True, **config.division())


def find_labeling(dataset: DataSet, config: RegionConfig) -> Labeling:
    """What the settings say is to be decided, and what the data says where they do not."""
    return targets.find_labeling(
        dataset,
        positive=config.positive,
        classes=config.classes,
        unit=config.unit,
        by=config.label_by,
        table=config.label_table,
    )


def make_view(dataset: DataSet, labeling: Labeling, config: RegionConfig) -> CropSpec:
    """How regions are cut out; `ConfigError` where their labels would not be found."""
    kind = config.regions or labeling.regions
    if labeling.regions is not None and kind != labeling.regions:
        raise ConfigError(
            f"Labels are told apart by {labeling.regions}; expected regions={labeling.regions}, "
            f"received {kind}."
        )
    kind = kind or ("instances" if dataset.instances else "components")
    view = CropSpec(kind, config.size, config.context, config.min_area_px)
    speck = 1 if config.segmenter is None else speck_px(dataset, view)
    return replace(view, min_guess_px=speck, full_scale=full_scale(dataset))


def describe_classifier(
    config: RegionConfig,
    *,
    channels: int,
    num_measures: int,
    pixel_range: tuple[float, float],
    penalty: float,
    seed: int,
    synchronized: bool,
) -> Blueprint:
    """Network that the settings describe, as `training.prepare` asks for it."""
    shape = {"channels": channels, "pixel_range": pixel_range, "outside": config.outside}
    if config.preset == "reference_cnn":
        return Blueprint("classifier", {"name": "reference", "size": config.size, **shape})
    return Blueprint(
        "classifier",
        {
            **shape,
            **config.encoder_arguments(),
            "num_measures": num_measures,
            "pooling": config.pooling,
            "embedding": config.embedding,
            "dropout": config.dropout,
            "pixels": config.pixels,
        },
        {
            "weights": config.encoder_weights if config.pretrained else None,
            "penalty": penalty,
            "seed": seed,
            "synchronized": synchronized,
        },
    )


def region_finder(segmenter: str | Path, view: CropSpec) -> Predict:
    """Function that finds regions with a segmenter, cut as true ones are."""
    predictor = load_segmenter(segmenter)

    def predict(image: Any, image_id: str) -> Any:
        background = predictor.card.background
        return found_regions(view.cut, image, predictor(image), image_id, view.regions, background)

    return predict


def bundle_segmenter(segmenter: Path, run: Path) -> None:
    """Copy a segmenter into a run, so that the run alone is enough to predict."""

    (run / SEGMENTER).mkdir(exist_ok=True)
    for name in model_files(segmenter):  # the card last: with it the folder counts as whole
        with atomic_write(run / SEGMENTER / name) as beside:
            shutil.copyfile(segmenter / name, beside)


def _seen_before(config: RegionConfig, data: str | Path, dataset: DataSet) -> str | None:
    """Sentence on images that a segmenter learned from and that are not for learning here."""
    segmenter = Path(config.segmenter or "")
    if not (segmenter / "plan.yaml").is_file():
        return None
    learned = learned_ids(segmenter, data)
    seen = [s.id for s in dataset.samples if s.split != "train" and s.id in learned]
    if not seen:
        return None
    return (
        f"The segmenter may have learned from {len(seen)} images that are for validation or tests "
        f"here, such as {seen[0]}: its masks will look better there than on new images. Divide "
        f"both alike: train it with --set unite_duplicates=true."
    )
