"""Masks of classes as the training loop learns them."""

from collections.abc import Callable, Mapping
from functools import partial
from importlib import metadata
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from maskwright.config import TrainConfig
from maskwright.data.dataset import DataSet
from maskwright.data.geometry import cut_image, cut_labels
from maskwright.data.layers import Combinations
from maskwright.data.pipeline.arrays import Arrays, class_weights, rare_class_weights
from maskwright.data.pipeline.batches import eval_batches, train_batches
from maskwright.data.pipeline.load_arrays import load
from maskwright.data.to_rgb import as_picture
from maskwright.errors import ConfigError
from maskwright.inference.pixels import pixel_percentiles
from maskwright.labels import Labels
from maskwright.losses import MaskLoss
from maskwright.metrics.confusion import scores
from maskwright.metrics.streaming import count
from maskwright.model_card import SemanticCard, postprocessing_of
from maskwright.tasks.semantic.custom_model import describe_network
from maskwright.tasks.settings import data_facts, make_augmentation, make_batching
from maskwright.training import (
    Batching,
    LearningTask,
    Scoring,
    TrainingSetup,
    TrainOptions,
    from_logits,
)
from maskwright.training.distribute import Shard
from maskwright.types import Alert

_MASK_SCORES = ("foreground_dice", "foreground_iou", "mean_dice", "mean_iou", "pixel_accuracy")


def segmentation(
    loss: MaskLoss,
    train: Arrays,
    validation: Arrays | None = None,
    *,
    scoring: Scoring,
    batching: Batching,
    favor: np.ndarray | None = None,
    class_weights: np.ndarray | None = None,
    auxiliary_weight: float = 0.0,
) -> LearningTask:
    """Masks from images; validation samples, if any, select the best weights, see `mask_scoring`.

    Other arguments are those of `train_batches`.
    """

    def batches(epoch: int, skip: int, shard: Shard) -> tf.data.Dataset:
        schedule = batching.schedule(epoch, skip, shard)
        augmentation, crop = batching.augmentation, batching.crop
        return train_batches(train, schedule, augmentation, crop, favor, class_weights)

    return LearningTask(
        objective=from_logits(loss, auxiliary_weight),
        scoring=scoring,
        train=batches,
        steps=batching.steps(len(train)),
        validation=partial(eval_batches, validation, batching.batch_size, batching.crop)
        if validation
        else None,
    )


def mask_scoring(num_classes: int, background: int | None) -> Scoring:
    """Scores while training; the best weights are those of the highest foreground Dice.

    `background` is the class that this leaves out, `None` for the mean of all. A model of one
    channel has two classes too.
    """
    num_classes = max(num_classes, 2)

    def named(counts: np.ndarray) -> dict[str, float]:
        result = scores(counts, background)
        return {name: float(getattr(result, name)) for name in _MASK_SCORES}

    return Scoring(
        count=partial(count, num_classes=num_classes),
        shape=(num_classes, num_classes),
        scores=named,
        titles=mask_titles(background),
        watch="foreground_dice",
    )


def mask_titles(background: int | None) -> dict[str, str]:
    """What scores are called that are shown while a model of masks trains."""
    which = "mean" if background is None else "foreground"
    return {"foreground_dice": f"{which} Dice", "foreground_iou": f"{which} IoU"}


def prepare(
    dataset: DataSet, config: TrainConfig, options: TrainOptions, synchronized: bool
) -> TrainingSetup:
    """Decode the `train` split and, if there is one, the `val` split; describe model and task."""
    train, validation = decode(dataset, config, options)
    labels = dataset.labels
    described = describe_network(dataset, config, options, train, synchronized)
    task = segmentation(
        described.loss,
        train,
        validation,
        scoring=mask_scoring(labels.num_classes, labels.background),
        batching=make_batching(config, options, len(train), config.crop),
        favor=rare_class_weights(train, labels.num_classes) if config.favor_rare else None,
        class_weights=_class_weights(config.class_weights, train, labels),
        auxiliary_weight=described.auxiliary_weight,
    )
    # Made before training, so that a value it refuses is reported at once.
    card = SemanticCard(labels=labels, threshold=config.threshold, **card_values(config, train))
    return TrainingSetup(
        task=task,
        network=described.network,
        initialize=described.initialize,
        earlier=config.weights,
        recipe=described.recipe,
        card=lambda _: card,
        data=data_facts(options, dataset, train, validation),
        settings=described.settings,
        dataset=dataset,
        previews=partial(_previews, validation or train, labels, config.crop),
        preview_columns=("image", "ground truth", "predicted"),
    )


def decode(
    dataset: DataSet,
    config: TrainConfig,
    options: TrainOptions,
    combinations: Combinations | None = None,
) -> tuple[Arrays, Arrays | None]:
    """Samples for training and, if there are any, for validation; arguments as of `load`."""
    size = None if config.size == "auto" else config.size
    arrays: dict[str, Arrays] = {}
    for split in ("train", "val"):
        samples = [s for s in dataset.samples if s.split == split]
        if split == "val" and not any(s.masks for s in samples):
            continue
        arrays[split] = load(
            dataset,
            samples,
            size,
            config.memory_limit_mb,
            skip_unreadable=config.skip_unreadable,
            combinations=combinations,
        )
        for reason in arrays[split].skipped:
            options.on_message(Alert(f"skipped: {reason}"))
    return arrays["train"], arrays.get("val")


def card_values(config: TrainConfig, train: Arrays) -> dict[str, Any]:
    """Fields of a card of masks but labels and thresholds."""
    return {
        "channels": train.channels,
        "dtype": train.dtype,
        "size": None if config.size == "auto" else config.size,
        "tile": None if config.size or not config.crop else max(config.crop),
        "value_range": train.value_range,
        "percentiles": pixel_percentiles(train.sample[0]),
        "symmetries": make_augmentation(config).symmetries,
        **postprocessing_of(config),
        "model_sha256": "",
        "version": metadata.version("maskwright"),
        "data": train.fingerprint(),
    }


def _previews(
    arrays: Arrays, labels: Labels, crop: tuple[int, int] | None, number: int
) -> Callable[[keras.Model], np.ndarray]:
    """Image, true and predicted mask of samples spread over a split, of large ones the middle."""
    images, known = [], []
    for place in np.linspace(0, len(arrays) - 1, min(number, len(arrays))).round().astype(int):
        image, mask = arrays[place]
        size = crop or (mask.shape[0], mask.shape[1])
        top, left = max((mask.shape[0] - size[0]) // 2, 0), max((mask.shape[1] - size[1]) // 2, 0)
        images.append(cut_image(image, top, left, size))
        true = labels.color(cut_labels(mask, top, left, size))
        known.append(np.hstack([as_picture(images[-1]), true]))
    batch = np.stack(images).astype(np.float32)

    def draw(model: keras.Model) -> np.ndarray:
        logits = np.asarray(model(batch, training=False))
        predicted = logits[..., 0] > 0 if logits.shape[-1] == 1 else logits.argmax(-1)
        rows = zip(known, map(labels.color, predicted), strict=True)
        return np.vstack([np.hstack(row) for row in rows])

    return draw


def _class_weights(
    balance: Mapping[str, float] | str | None, samples: Arrays, labels: Labels
) -> np.ndarray | None:
    """Weight of each class, or `None` for ones."""
    if balance is None:
        return None
    if isinstance(balance, str):  # "balanced"
        return class_weights(samples, labels.num_classes)
    if unknown := sorted(set(balance) - set(labels.names)):
        raise ConfigError(
            f"Class weights name {', '.join(unknown)}; the classes are {', '.join(labels.names)}."
        )
    return np.array([balance.get(name, 1.0) for name in labels.names])
