"""The verbs on single objects: train, evaluate, predict."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskwright.api.from_config import (
    auxiliary_loss_weight,
    describe_model,
    encoder_arguments,
    make_augmentation,
    opened,
)
from maskwright.api.provenance import division_of
from maskwright.config import TrainConfig
from maskwright.data import open_dataset
from maskwright.errors import ConfigError, DataError

if TYPE_CHECKING:
    from maskwright.models.blueprint import Blueprint
    from maskwright.models.rcnn import Rcnn
    from maskwright.tasks.instances.folder import ObjectsResult
    from maskwright.tasks.instances.scorer import ObjectEvaluation
    from maskwright.training import Run

_CROP_PX = 256


def train(
    config: TrainConfig,
    data: str | Path,
    out: str | Path,
    *,
    resume: bool = False,
    on_message: Callable[[str], None] = lambda _: None,
) -> "Run":
    """Train a model that finds single objects; what `masks.train` does with `objects` set.

    Images keep their scale, and crops of 256 px are shown, unless a size or a crop is set.

    Raises:
        MaskwrightError: One sentence on what is wrong and what to do.
    """
    from maskwright.losses import loss
    from maskwright.models.rcnn import Rcnn
    from maskwright.tasks.instances.objectives import centers, detections
    from maskwright.tasks.instances.train import train as train_on
    from maskwright.training import Recipe

    for name, unfit in (
        ("class_weights", config.class_weights),
        ("favor_rare", config.favor_rare or None),
        ("one_logit", config.one_logit or None),
        ("fill_holes_px", config.fill_holes_px or None),
        ("keep_largest", config.keep_largest or None),
        ("threshold", config.threshold),
    ):
        if unfit is not None:
            raise ConfigError(f"`{name}` is of no use to single objects; leave it out.")
    augmentation = make_augmentation(config)
    size, crop = config.size, config.crop
    if size == "auto":
        size, crop = None, config.crop or (_CROP_PX, _CROP_PX)
        config = config.model_copy(update={"size": size, "crop": crop})
    # What a setting gets wrong is told of before any data is read.
    criterion = loss(config.loss, smoothing=config.smoothing)
    numbers = dict(config.detector)
    settings = Rcnn.named(numbers.pop("profile"), **numbers)
    dataset = opened(config, data, on_message)
    if dataset.labels.background != 0:
        raise DataError(
            f"Expected a background as the first class, beside the classes of objects; the classes "
            f"of {dataset.root} are {', '.join(dataset.labels.names)}: name the first background "
            f"in data.yaml."
        )
    if config.objects == "centers":
        model = partial(_centers, config)
        task = partial(
            centers,
            criterion,
            num_classes=dataset.labels.num_classes,
            auxiliary_weight=auxiliary_loss_weight(config),
        )
    else:
        model = partial(_detector, config, settings)
        task = partial(detections, settings)
    return train_on(
        dataset,
        out,
        method=config.objects or "centers",
        model=model,
        task=task,
        recipe=Recipe(**config.recipe()),
        augmentation=augmentation,
        size=size,
        crop=crop,
        epochs=config.epochs,
        minutes=config.minutes,
        seed=config.seed,
        previews=config.previews,
        tensorboard=config.tensorboard,
        checkpoint_seconds=config.checkpoint_seconds,
        skip_unreadable=config.skip_unreadable,
        card={"min_area_px": config.min_area_px} if config.min_area_px else None,
        settings=config.model_dump(mode="json"),
        on_message=on_message,
        resume=resume,
    )


def evaluate(
    run: str | Path,
    data: str | Path,
    *,
    split: str = "test",
    out: str | Path | None = None,
    **options: Any,
) -> "ObjectEvaluation":
    """Score a model of single objects on a split, and write table, cases and report.

    Args:
        run: Folder of the run.
        data: What `open_dataset` takes.
        split: To score.
        out: Folder for the results; `evaluation/SPLIT` in the run when left out.
        options: Of `evaluation.evaluate_objects`.
    """
    from maskwright.tasks.instances import InstancePredictor
    from maskwright.tasks.instances.report import write as write_objects
    from maskwright.tasks.instances.scorer import evaluate_objects

    folder = Path(run)
    finder = InstancePredictor.load(folder)
    dataset = open_dataset(data, **division_of(folder))
    found = evaluate_objects(finder, dataset, split, **options)
    write_objects(found, out or folder / "evaluation" / split, run=folder)
    return found


def predict(
    model: str | Path,
    images: str | Path,
    out: str | Path,
    *,
    overlays: bool = True,
    classes: str | Path | None = None,
    **adjustments: Any,
) -> "ObjectsResult":
    """Find the objects of every image, number, draw and measure them.

    Args:
        model: Folder of a run.
        images: A file, a folder or a glob.
        out: Folder for the results.
        overlays: Draw the objects over the images too.
        classes: Folder of a run that draws masks, for panoptic masks of both.
        adjustments: Values for the card: `threshold`, the least score of an object, or with centers
            the least probability of its pixels; `min_area_px`, `tile`, `marker`.
    """
    from maskwright.inference.predictor import Predictor
    from maskwright.tasks.instances import InstancePredictor
    from maskwright.tasks.instances.folder import find_in_folder
    from maskwright.tasks.instances.panoptic import Merger
    from maskwright.tasks.instances.segmenter import ObjectSegmenter

    segmenter = ObjectSegmenter(InstancePredictor.load(model)).adjusted(**adjustments)
    merger = None
    if classes is not None:
        drawing = Predictor.load(classes)
        card = drawing.card
        merger = Merger(segmenter.card.labels, drawing, card.labels, card.background)
    return find_in_folder(segmenter.finder, images, out, overlays=overlays, merger=merger)


def _centers(config: TrainConfig, *, num_classes: int, **options: Any) -> "Blueprint":
    """Network of the settings with two more channels: depth, and nearness to a center."""
    return describe_model(config, num_classes=num_classes + 2, **options)


def _detector(
    config: TrainConfig,
    settings: "Rcnn",
    *,
    num_classes: int,
    channels: int,
    pixel_range: tuple[float, float],
    seed: int,
    synchronized: bool,
) -> "Blueprint":
    """Mask R-CNN on the encoder of the settings."""
    from maskwright.models.blueprint import Blueprint

    return Blueprint(
        "detector",
        {
            "num_classes": num_classes - 1,
            "channels": channels,
            "pixel_range": pixel_range,
            **encoder_arguments(config),
            "numbers": asdict(settings),
        },
        {
            "weights": config.encoder_weights if config.pretrained else None,
            "synchronized": synchronized,
        },
    )
