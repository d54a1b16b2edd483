"""What a run is made of: what is learned from which batches, the recipe, and its options."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from maskwright.data import DataSet
from maskwright.data.pipeline.augmentation import Augmentation
from maskwright.data.pipeline.epochs import EpochSchedule, steps_per_epoch
from maskwright.losses import MaskLoss
from maskwright.model_card import ModelCard
from maskwright.models.blueprint import Blueprint
from maskwright.training.distribute import Shard, add_up
from maskwright.types import OnMessage, Tracker, ignore_message

Tensor = Any
Objective = Callable[[keras.Model, Any, bool], tuple[Tensor, Any]]
"""From a model, a batch and whether in training to the loss of each sample, `(b,)`, and the output
of the model, which `Scoring.count` compares with the labels."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train; the settings of each kind of run have values that are known to train well.

    Args:
        batch_size: Images or bags in a step, of all workers together.
        learning_rate: At the peak, of everything but a pretrained encoder.
        encoder_rate: Of the encoder, as a share of `learning_rate`.
        weight_decay: Per step, times the rate; biases and normalizations are spared.
        clip_norm: Maximum norm of the gradients; `None` for no clipping.
        warmup: Share of the run in which the rate climbs.
        freeze: Share of the run, from its start, in which the encoder does not learn; for half as
            long after it, the encoder's rate climbs.
        fix_statistics: The encoder's batch normalizations stay as pretrained.
        freeze_stem: The encoder's layers before its features at stride 4 stay as pretrained.
        average: Share of the steps so far that the moving average of weights looks back on.
        patience: Validations without a better score after which training stops; `None` for never.
    """

    batch_size: int
    optimizer: str
    learning_rate: float
    encoder_rate: float
    weight_decay: float
    clip_norm: float | None
    schedule: str
    warmup: float
    freeze: float
    fix_statistics: bool
    freeze_stem: bool
    average: float
    patience: int | None


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """How a run is carried out, whatever the task.

    Args:
        minutes: Training budget in minutes, compilation and validation included.
        checkpoint_seconds: Minimum time between two checkpoints.
        force: Train although the data has errors, as `check` tells them.
        model: A Keras model of the user's to train in place of a network of ours.
        loss: A loss of the user's, in place of that of the settings.
    """

    seed: int = 0
    epochs: int | None = None
    minutes: float | None = None
    resume: bool = False
    previews: int = 4
    track: Tracker | None = None
    checkpoint_seconds: float = 20.0
    force: bool = False
    callbacks: tuple[Any, ...] = ()
    model: keras.Model | None = None
    loss: Any = None
    on_message: OnMessage = ignore_message


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """Scores of many batches: integers that add up, divided at the end.

    `count` makes integers of `shape` from the labels of a batch and the output of the model,
    `titles` name the scores that are shown while training; the best score `watch`, or the lowest
    `"loss"`, selects the weights.
    """

    count: Callable[[Any, Any], Tensor]
    shape: tuple[int, ...]
    scores: Callable[[np.ndarray], dict[str, float]]
    titles: Mapping[str, str] = field(default_factory=dict)
    watch: str = "loss"

    def nothing(self) -> np.ndarray:
        """Counts of no batch, int64."""
        return np.zeros(self.shape, np.int64)


@dataclass(frozen=True, kw_only=True)
class LearningTask:
    """What a model learns.

    `train` gives the batches of an epoch, from its number, the batches to skip and the shard:
    inputs of the model, labels and weights; `validation` those that select the best weights.
    """

    objective: Objective
    scoring: Scoring
    train: Callable[[int, int, Shard], tf.data.Dataset]
    steps: int
    validation: Callable[[], tf.data.Dataset] | None = None


@dataclass(frozen=True, kw_only=True)
class Batching:
    """How samples become the training batches of an epoch.

    Args:
        batch_size: Samples in a step, of all workers together.
        crop: Height and width of training crops and validation tiles, px; `None` for whole images.
        passes: Passes over the samples that make an epoch.
    """

    batch_size: int
    augmentation: Augmentation
    seed: int = 0
    crop: tuple[int, int] | None = None
    passes: int = 1

    def schedule(self, epoch: int, skip: int, shard: Shard) -> EpochSchedule:
        """Order and size of the batches of an epoch."""
        first = epoch * self.passes
        return EpochSchedule(self.batch_size, self.seed, first, skip, shard, self.passes)

    def steps(self, num_samples: int) -> int:
        """Batches in an epoch."""
        return steps_per_epoch(num_samples, self.batch_size) * self.passes


@dataclass(frozen=True, kw_only=True)
class TrainingSetup:
    """What `run_training` needs of a task, made once its data is decoded.

    Args:
        network: Description of the network, built under the strategy of the workers.
        card: From the trained model to its card, without checksum.
        data: Facts on the data for `environment.json`; the fingerprints `data` and `val_data` must
            be the same when a run is resumed.
        dataset: What it learns from and is selected by, for the record; `None` for no record.
        initialize: Called with the network before training.
        earlier: Run whose weights the network starts from, which has learned from images, too.
        previews: From a number of samples to a function that draws the predictions of the model
            for them, called after every epoch; `None` for none.
        complete: Adds to the folder of a run what its model needs besides network and card.
    """

    task: LearningTask
    network: Blueprint
    recipe: Recipe
    card: Callable[[keras.Model], ModelCard]
    data: Mapping[str, Any]
    settings: Mapping[str, Any]
    dataset: DataSet | None = None
    initialize: Callable[[keras.Model], None] | None = None
    earlier: str | Path | None = None
    previews: Callable[[int], Callable[[keras.Model], np.ndarray]] | None = None
    preview_columns: Sequence[str] = ()
    complete: Callable[[Path], None] = lambda run: None


def from_logits(loss: MaskLoss, auxiliary_weight: float = 0.0) -> Objective:
    """Objective of a model that gives logits, scored by these.

    The model may give auxiliary logits behind the main ones; the loss is then the mean of theirs
    and its own, in which theirs weigh `auxiliary_weight` each.
    """

    def objective(model: keras.Model, batch: Any, training: bool) -> tuple[Tensor, Tensor]:
        inputs, labels, weights = batch
        gather = add_up if training else None
        logits, *auxiliary = tf.nest.flatten(model(inputs, training=training))
        values = loss.per_image(labels, logits, weights, gather)
        for more in auxiliary:
            values += auxiliary_weight * loss.per_image(labels, more, weights, gather)
        return values / (1.0 + auxiliary_weight * len(auxiliary)), logits

    return objective
