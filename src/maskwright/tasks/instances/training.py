"""From a data set with instances to the `TrainingSetup` of a run."""

from collections.abc import Callable
from dataclasses import asdict
from functools import cache, partial
from importlib import metadata

import keras
import numpy as np

from maskwright.config import TrainConfig
from maskwright.data.dataset import DataSet
from maskwright.data.samples import counted
from maskwright.data.to_rgb import as_picture
from maskwright.display.objects import draw_objects
from maskwright.errors import DataError
from maskwright.inference.pixels import pixel_percentiles
from maskwright.instances import Instances
from maskwright.losses import loss
from maskwright.model_card import InstanceCard
from maskwright.models.blueprint import Blueprint
from maskwright.models.condinst import CondInst
from maskwright.models.rcnn import Rcnn
from maskwright.tasks.instances.ground_truth import read_truth
from maskwright.tasks.instances.learning.objective import (
    centers,
    conditional,
    detections,
    learning_task,
)
from maskwright.tasks.instances.learning.targets import ObjectArrays, load_objects
from maskwright.tasks.instances.predictor import DetectorFn, InstancePredictor, keras_detector
from maskwright.tasks.instances.thresholds import tune_thresholds
from maskwright.tasks.semantic.network import auxiliary_loss_weight, describe_model
from maskwright.tasks.settings import data_facts, make_augmentation, make_batching
from maskwright.tasks.transfer import initializer
from maskwright.training import Recipe, TrainingSetup, TrainOptions
from maskwright.training.callbacks import stack_rows
from maskwright.types import Alert, InstanceMethod

_MAX_TUNED = 40  # validation images that thresholds are tuned on
_MAX_SIDE_PX = 384  # of a preview


def prepare(
    dataset: DataSet, config: TrainConfig, options: TrainOptions, synchronized: bool
) -> TrainingSetup:
    """Decode a data set, and describe model and task; settings are as they are used."""
    method: InstanceMethod = "centers"
    if config.objects is not None and config.objects != "auto":
        method = config.objects
    size = None if config.size == "auto" else config.size
    crop = config.crop if config.longer_side is None else (config.longer_side,) * 2

    def decode(split: str) -> ObjectArrays:
        samples = [s for s in dataset.samples if s.split == split]
        decoded = load_objects(dataset, samples, config.longer_side or size, config.skip_unreadable)
        for reason in decoded.arrays.skipped:
            options.on_message(Alert(f"skipped: {reason}"))
        return decoded

    train = decode("train")
    if not any(len(labels) for labels in train.labels):
        raise DataError(
            f"None of the {len(train)} training images of {dataset.root} holds an object; "
            f"expected instance masks with objects."
        )
    held_out = [s for s in dataset.samples if s.split == "val"]
    validation = decode("val") if held_out else None
    arrays = train.arrays
    tile = max(crop) if crop and method == "centers" and not (size or config.longer_side) else None
    card = InstanceCard(
        labels=dataset.labels,
        method=method,
        channels=arrays.channels,
        dtype=arrays.dtype,
        size=size,
        tile=tile,
        longer_side=config.longer_side,
        object_px=train.largest_px(),
        mask_iou=condinst_settings(config).mask_iou if config.objects == "condinst" else 0.5,
        min_area_px=config.min_area_px,
        value_range=arrays.value_range,
        percentiles=pixel_percentiles(arrays.sample[0]),
        symmetries=make_augmentation(config).symmetries,
        model_sha256="",
        version=metadata.version("maskwright"),
        data=train.fingerprint(),
    )
    trace = cache(keras_detector)  # once for all previews and the tuning of thresholds

    def final_card(network: keras.Model) -> InstanceCard:
        if validation is None:
            return card
        readable = [sample for sample in held_out if sample.id in validation.arrays.ids]
        images = [read_truth(dataset, sample) for sample in readable[:_MAX_TUNED]]
        tuned, mean_ap = tune_thresholds(InstancePredictor(trace(network), card), images)
        thresholds = f"foreground probability {tuned.foreground:g}, center {tuned.marker:g}"
        thresholds = thresholds if card.method == "centers" else f"score {tuned.score:g}"
        looked_at = counted(len(images), "validation image")
        if not mean_ap > 0:  # or nan, where there is nothing to find
            options.on_message(
                f"Thresholds remain {thresholds}: at none of them an object of {looked_at} was "
                f"found. Train longer, and read the report of `maskwright evaluate`."
            )
            return card
        options.on_message(
            f"Thresholds tuned on {looked_at}: {thresholds}, minimum area {tuned.min_area_px} px; "
            f"mean AP {mean_ap:.3f} on them."
        )
        return tuned

    num_classes = dataset.labels.num_classes
    if config.objects == "condinst":
        learned = conditional(condinst_settings(config))
    elif config.objects == "mask_rcnn":
        learned = detections(rcnn_settings(config))
    else:
        mask_loss = loss(config.loss, smoothing=config.smoothing)
        learned = centers(mask_loss, num_classes, auxiliary_loss_weight(config))
    batching = make_batching(config, options, len(train), crop)
    network = _network(config, train, num_classes, synchronized)
    return TrainingSetup(
        task=learning_task(learned, train, validation, batching),
        network=network,
        initialize=initializer(config, dataset, dataset.labels, network, options),
        earlier=config.weights,
        recipe=Recipe(**config.recipe()),
        card=final_card,
        data=data_facts(options, dataset, train, validation),
        settings=config.effective(),
        dataset=dataset,
        previews=partial(_previews, validation or train, card, trace),
        preview_columns=("image", "true objects", "predicted"),
    )


def rcnn_settings(config: TrainConfig) -> Rcnn:
    """Settings of the Mask R-CNN."""
    changes = dict(config.detector)
    return Rcnn.named(changes.pop("profile"), **changes)


def condinst_settings(config: TrainConfig) -> CondInst:
    """Settings of the CondInst."""
    return CondInst.named(**{k: v for k, v in config.detector.items() if k != "profile"})


def _previews(
    arrays: ObjectArrays,
    card: InstanceCard,
    trace: Callable[[keras.Model], DetectorFn],
    number: int,
) -> Callable[[keras.Model], np.ndarray]:
    """Image, true and predicted objects of the same samples; of large images, the center.

    `trace` is `keras_detector`, called anew for every epoch.
    """
    images, known = [], []
    for index in np.linspace(0, len(arrays) - 1, min(number, len(arrays))).round().astype(int):
        image, maps, _ = arrays[int(index)]
        starts = [max((side - _MAX_SIDE_PX) // 2, 0) for side in image.shape[:2]]
        center = tuple(slice(start, start + _MAX_SIDE_PX) for start in starts)
        images.append(image[center])
        picture = as_picture(image[center])
        true = Instances.from_ids(maps[center][..., 1].astype(np.int32))
        known.append(np.hstack([picture, draw_objects(picture, true)]))

    def draw(model: keras.Model) -> np.ndarray:
        predictor = InstancePredictor(trace(model), card)
        rows = []
        for image, row in zip(images, known, strict=True):
            objects = predictor.confident(predictor.predict_all(image))
            rows.append(np.hstack([row, draw_objects(as_picture(image), objects)]))
        return stack_rows(rows)

    return draw


def _network(
    config: TrainConfig, train: ObjectArrays, num_classes: int, synchronized: bool
) -> Blueprint:
    """Mask R-CNN, or the network of the settings with two more channels: depth and center."""
    arrays = train.arrays
    if config.objects not in ("condinst", "mask_rcnn"):
        return describe_model(config, arrays, num_classes + 2, synchronized)
    settings = (condinst_settings if config.objects == "condinst" else rcnn_settings)(config)
    return Blueprint(
        "condinst" if config.objects == "condinst" else "detector",
        {
            "num_classes": num_classes - 1,
            "channels": arrays.channels,
            "pixel_range": arrays.value_range,
            **config.encoder_arguments(),
            "numbers": asdict(settings),
        },
        {"weights": config.initial_encoder_weights, "synchronized": synchronized},
    )
