"""Classes that overlap as the training loop learns them."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import keras
import numpy as np

from maskwright.config import TrainConfig
from maskwright.data.dataset import DataSet
from maskwright.data.geometry import cut_image, cut_labels
from maskwright.data.layers import Combinations, find_combinations, layer_labels
from maskwright.data.pipeline.arrays import Arrays, rare_class_weights
from maskwright.data.to_rgb import as_picture
from maskwright.errors import ConfigError
from maskwright.labels import Labels
from maskwright.losses import Multilabel, loss
from maskwright.losses.multilabel import layers_of
from maskwright.metrics.confusion import tally_scores
from maskwright.metrics.streaming import count_layers
from maskwright.model_card import MultilabelCard
from maskwright.tasks.multilabel.thresholds import tune_thresholds
from maskwright.tasks.semantic.network import auxiliary_loss_weight, describe_model
from maskwright.tasks.semantic.training import card_values, decode, mask_titles, segmentation
from maskwright.tasks.settings import data_facts, make_batching
from maskwright.tasks.transfer import initializer
from maskwright.training import LearningTask, Recipe, Scoring, TrainingSetup, TrainOptions

_MEANS = ("foreground_dice", "foreground_iou", "mean_dice", "mean_iou")  # in pairs the same here


def prepare(
    dataset: DataSet, config: TrainConfig, options: TrainOptions, synchronized: bool
) -> TrainingSetup:
    """As that of semantic segmentation, of a data set whose classes overlap.

    Raises:
        ConfigError: For settings that have no meaning where classes overlap.
    """
    for name in ("class_weights", "one_logit"):
        if getattr(config, name):
            raise ConfigError(f"`{name}` has no meaning where classes overlap; leave it out.")
    combinations = find_combinations(dataset, dataset.samples)
    labels = layer_labels(dataset.labels)
    train, validation = decode(dataset, config, options, combinations)
    task = _overlapping(config, options, train, validation, combinations)
    card = MultilabelCard(
        labels=labels,
        threshold=None,
        thresholds=(config.threshold or 0.5,) * labels.num_classes,
        **card_values(config, train),
    )

    def final_card(network: keras.Model) -> MultilabelCard:
        if config.threshold is not None or validation is None:
            return card
        chosen = tune_thresholds(network, validation, config, combinations)
        return replace(card, thresholds=chosen)

    network = describe_model(config, train, labels.num_classes, synchronized)
    return TrainingSetup(
        task=task,
        network=network,
        initialize=initializer(config, dataset, labels, network, options),
        earlier=config.weights,
        recipe=Recipe(**config.recipe()),
        card=final_card,
        data=data_facts(options, dataset, train, validation),
        settings=config.effective(),
        dataset=dataset,
        previews=partial(_previews, validation or train, labels, combinations, config.crop),
        preview_columns=("image", "ground truth", "predicted"),
    )


def _overlapping(
    config: TrainConfig,
    options: TrainOptions,
    train: Arrays,
    validation: Arrays | None,
    combinations: Combinations,
) -> LearningTask:
    """Layers from images; validation samples, if any, select the best weights, by Dice."""
    layers = combinations.layers
    single = loss(config.loss, smoothing=config.smoothing)
    favor = rare_class_weights(train, len(layers)) if config.favor_rare else None
    scoring = Scoring(
        count=lambda numbers, logits: count_layers(layers_of(numbers, layers), logits),
        shape=(3, combinations.num_classes),
        scores=_mean_scores,
        titles=mask_titles(None),
        watch="foreground_dice",
    )
    return segmentation(
        Multilabel(single, layers),
        train,
        validation,
        scoring=scoring,
        batching=make_batching(config, options, len(train), config.crop),
        favor=favor,
        auxiliary_weight=auxiliary_loss_weight(config),
    )


def _mean_scores(tally: np.ndarray) -> dict[str, float]:
    scores = tally_scores(tally)
    return {name: float(getattr(scores, name)) for name in _MEANS}


def _previews(
    arrays: Arrays,
    labels: Labels,
    combinations: Combinations,
    crop: tuple[int, int] | None,
    number: int,
) -> Callable[[keras.Model], np.ndarray]:
    """As those of semantic segmentation, with layers over the images."""
    table = np.zeros((256, combinations.num_classes), np.uint8)
    table[: len(combinations.codes)] = combinations.layers
    images, known = [], []
    for place in np.linspace(0, len(arrays) - 1, min(number, len(arrays))).round().astype(int):
        image, numbers = arrays[place]
        height, width = numbers.shape
        size = crop or (height, width)
        top, left = max((height - size[0]) // 2, 0), max((width - size[1]) // 2, 0)
        images.append(cut_image(image, top, left, size))
        picture, true = as_picture(images[-1]), table[cut_labels(numbers, top, left, size)]
        known.append((picture, labels.overlay(picture, true)))
    batch = np.stack(images).astype(np.float32)

    def draw(model: keras.Model) -> np.ndarray:
        logits = np.asarray(model(batch, training=False))
        rows = [
            np.hstack([picture, true, labels.overlay(picture, layers.astype(np.uint8))])
            for (picture, true), layers in zip(known, logits >= 0, strict=True)
        ]
        return np.vstack(rows)

    return draw
