"""Labeled regions become a run: the training loop of masks, given bags and decisions."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras.callbacks import Callback

from maskwright.data.dataset import DataSet
from maskwright.data.pipeline.arrays import MEMORY_LIMIT_MB
from maskwright.data.pipeline.augment import Augmentation
from maskwright.data.pipeline.batches import steps_per_epoch
from maskwright.data.samples import Sample, separated
from maskwright.errors import DataError
from maskwright.losses import MaskLoss
from maskwright.metrics import BINS, binned_scores, fit_temperature
from maskwright.metrics.streaming import count_scores
from maskwright.model_card import RegionCard
from maskwright.models import adapt_measures, start_from_measures
from maskwright.models.blueprint import Blueprint
from maskwright.tasks.regions.learning.bags import MEASURES, CropSpec, RegionArrays
from maskwright.tasks.regions.learning.batches import GUESSED, eval_batches, train_batches
from maskwright.tasks.regions.learning.build_bags import (
    Predict,
    prepare,
    segmenter_iou,
    to_full_mask,
    true_regions,
)
from maskwright.tasks.regions.learning.logistic import fit_logistic
from maskwright.tasks.regions.learning.mask_perturbation import DEFAULT, strength_for
from maskwright.tasks.regions.learning.previews import RegionPreviews
from maskwright.tasks.regions.learning.targets import Labeling
from maskwright.training import Recipe, Run, Scoring, Task
from maskwright.training.distribute import Shard, is_chief
from maskwright.training.objective import from_logits
from maskwright.training.run_training import passes, run_training, start_run
from maskwright.types import Outside

_JITTERED = 32  # masks tried to find the strength of jitter


def train(
    dataset: DataSet,
    out: str | Path,
    *,
    labeling: Labeling,
    view: CropSpec,
    model: Callable[..., Blueprint],
    measures: bool,
    outside: Outside,
    loss: MaskLoss,
    recipe: Recipe,
    augmentation: Augmentation,
    jitter: float | None = None,
    variants: int = 0,
    predict: Predict | None = None,
    balance: bool = True,
    max_regions: int = 64,
    calibrate: bool = True,
    threshold: float = 0.5,
    epochs: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    previews: int = 4,
    tensorboard: bool = False,
    memory_limit_mb: float = MEMORY_LIMIT_MB,
    checkpoint_seconds: float = 20.0,
    skip_unreadable: bool = False,
    settings: Mapping[str, Any] | None = None,
    callbacks: Sequence[Callback] = (),
    on_message: Callable[[str], None] = lambda _: None,
    resume: bool = False,
) -> Run:
    """Train on the `train` split, choose weights by the `val` split, write a run.

    Args:
        dataset: With splits.
        out: Folder of the run.
        labeling: What is decided, and on what.
        view: How masks become crops.
        model: Describes the network; called with `channels`, `num_measures`, `pixel_range`,
            `penalty`, `seed` and `synchronized`.
        measures: The model takes measures; it then starts as a logistic regression on them.
        outside: As in `treat`.
        loss: Of decisions; one of masks serves, whose masks are of one pixel.
        recipe: How to train.
        augmentation: Of training crops.
        jitter: Strength of the errors drawn into training masks; `None` for errors as large as the
            segmenter makes in validation images.
        variants: Such masks of every region.
        predict: Segmenter whose masks are learned from too.
        balance: Weigh both labels alike.
        max_regions: Drawn of a bag in a step.
        calibrate: Fit a temperature on the validation bags.
        threshold: For the card.
        epochs: Passes over the bags; or
        minutes: Time to train for.
        seed: Of weights, order, jitter and augmentation.
        previews: Number of regions drawn every epoch.
        tensorboard: Write logs for TensorBoard into the run.
        memory_limit_mb: Above it, crops lie on disk.
        checkpoint_seconds: Least time between checkpoints.
        skip_unreadable: Leave files out that cannot be read, instead of stopping.
        settings: What `plan.yaml` is to hold.
        callbacks: Further callbacks of Keras.
        on_message: Called with a sentence for every file that is left out.
        resume: Go on with the run in `out`.

    Raises:
        DataError: If a split is empty, holds one answer only or shares a case with another, or a
            file cannot be used.
        ConfigError: If settings contradict each other.
        TrainingError: If training cannot start or go on.
    """
    if reason := separated(dataset.samples):
        raise DataError(reason)
    run, strategy = start_run(out, seed, resume)

    def cut(split: str, **jittered: Any) -> RegionArrays:
        found = [s for s in dataset.samples if s.split == split and s.masks]
        arrays = prepare(
            dataset,
            found,
            labeling,
            view,
            seed=seed,
            memory_limit_mb=memory_limit_mb,
            skip_unreadable=skip_unreadable,
            **jittered,
        )
        for reason in arrays.skipped:
            on_message(f"left out: {reason}")
        return arrays

    unseen = [s for s in dataset.samples if s.split == "val" and s.masks]
    if jitter is None:
        jitter = segmenter_jitter(dataset, unseen, view, predict, seed)
        if predict is not None:
            on_message(f"Training masks are jittered by {jitter:.2f} of their diameter.")
    bags = cut("train", strength=jitter, variants=variants, predict=predict)
    validation = cut("val") if unseen else None
    weights = label_weights(bags, labeling, balance)
    fingerprint = bags.fingerprint()

    task = decisions(
        loss,
        bags,
        validation,
        batch_size=recipe.batch_size,
        augmentation=augmentation,
        outside=outside,
        label_weights=weights,
        max_regions=max_regions,
        seed=seed,
        passes=passes(minutes, steps_per_epoch(len(bags), recipe.batch_size)),
    )
    num_measures = len(MEASURES) if measures else 0

    def start_right(network: keras.Model) -> None:
        if measures:
            start(network, bags, weights, robust=predict is not None)

    def card(network: keras.Model) -> RegionCard:
        temperature = 1.0
        if calibrate and validation is not None:
            found = logits(network, validation, outside)
            temperature = fit_temperature(validation.labels, found)
        return RegionCard(
            names=labeling.names,
            unit=labeling.unit,
            regions=view.regions,
            size=view.size,
            context=view.context,
            min_area_px=view.min_area_px,
            min_guess_px=view.min_guess_px,
            full_scale=view.full_scale,
            outside=outside,
            channels=bags.crops.shape[-1],
            dtype=str(bags.crops.dtype),
            value_range=bags.value_range,
            measures=MEASURES if measures else (),
            threshold=threshold,
            temperature=temperature,
            model_sha256="",
            version=metadata.version("maskwright"),
            data=fingerprint,
        )

    shown = list(callbacks)
    if previews and is_chief(strategy):
        drawn = bags if validation is None else validation
        shown.append(RegionPreviews(run, drawn, labeling.names, outside, previews))
    return run_training(
        run,
        strategy,
        network=model(
            channels=bags.crops.shape[-1],
            num_measures=num_measures,
            pixel_range=bags.value_range,
            penalty=penalty(bags),
            seed=seed,
            synchronized=strategy.num_replicas_in_sync > 1,
        ),
        start=start_right,
        task=task,
        recipe=recipe,
        card=card,
        facts={
            "seed": seed,
            "data": fingerprint,
            "train": len(bags),
            "val": 0 if validation is None else len(validation),
            "regions": len(bags.names),
            "skipped": list(bags.skipped),
        },
        settings=settings or {},
        epochs=epochs,
        minutes=minutes,
        callbacks=shown,
        tensorboard=tensorboard,
        checkpoint_seconds=checkpoint_seconds,
        resume=resume,
    )


def decisions(
    loss: MaskLoss,
    train: RegionArrays,
    validation: RegionArrays | None = None,
    *,
    batch_size: int,
    augmentation: Augmentation,
    outside: Outside,
    label_weights: Sequence[float] = (1.0, 1.0),
    max_regions: int = 64,
    seed: int = 0,
    passes: int = 1,
) -> Task:
    """Decisions on bags of regions, as the training loop takes them."""

    def batches(epoch: int, skip: int, shard: Shard) -> Any:
        return train_batches(
            train,
            batch_size,
            seed,
            epoch * passes,
            augmentation,
            outside,
            label_weights,
            max_regions,
            skip=skip,
            shard=shard,
            epochs=passes,
        )

    return Task(
        objective=from_logits(loss),
        scoring=Scoring(
            count=count_scores,
            shape=(2, BINS),
            scores=binned_scores,
            titles={"roc_auc": "ROC AUC", "binary_accuracy": "accuracy"},
            watch="loss",
        ),
        train=batches,
        steps=steps_per_epoch(len(train), batch_size) * passes,
        validation=None
        if validation is None
        else partial(eval_batches, validation, outside, label_weights),
    )


def label_weights(bags: RegionArrays, labeling: Labeling, balance: bool) -> tuple[float, float]:
    """Weight of negative and positive bags; `DataError` where there is one kind only."""
    counts = np.bincount(bags.labels, minlength=2)
    if not counts.all():
        there = labeling.names[int(counts.argmax())]
        raise DataError(
            f"All {len(bags)} training {labeling.unit}s are {there}; expected both "
            f"{' and '.join(labeling.names)} to learn from."
        )
    if not balance:
        return 1.0, 1.0
    return tuple(float(len(bags) / (2 * count)) for count in counts)  # type: ignore[return-value]


def penalty(bags: RegionArrays) -> float:
    """Of the decision's kernel: as in `fit_logistic`, for a loss that is a mean over bags."""
    return 1 / (2 * len(bags))


def start(
    network: keras.Model, bags: RegionArrays, weights: Sequence[float], robust: bool = False
) -> None:
    """Make a model with measures a logistic regression on them, and on nothing else yet.

    Args:
        network: From `build_classifier`.
        bags: To learn from.
        weights: Of negative and positive bags.
        robust: Measures of jittered masks, and of what a segmenter finds, count as well.
    """
    rounds = max(len(own) for own in bags.rows) if robust else 1
    drawn = [[own[turn % len(own)] for own in bags.rows] for turn in range(rounds)]
    seen = adapt_measures(network, bags.vectors[np.concatenate(drawn)]).reshape(
        rounds, len(bags.rows), -1
    )
    means = np.stack([seen[:, list(bag.regions)].mean(axis=1) for bag in bags.bags], axis=1)
    values, labels = means.reshape(rounds * len(bags), -1), np.tile(bags.labels, rounds)
    each = np.array(weights)[labels] / rounds
    if robust and (guessed := [bag for bag in bags.bags if bag.guesses]):
        found = np.stack([seen[0, list(bag.guesses)].mean(axis=0) for bag in guessed])
        answers = np.array([bag.label for bag in guessed])
        values, labels = np.concatenate([values, found]), np.append(labels, answers)
        each = np.append(each, GUESSED / (1 - GUESSED) * np.array(weights)[answers])
    start_from_measures(network, *fit_logistic(values, labels, each))


def segmenter_jitter(
    dataset: DataSet,
    samples: Sequence[Sample],
    view: CropSpec,
    predict: Predict | None,
    seed: int,
) -> float:
    """Strength of jitter that errs as a segmenter does on samples it has not learned from."""
    iou = None if predict is None else segmenter_iou(dataset, samples, view, predict)
    if iou is None:
        return DEFAULT
    masks: list[np.ndarray] = []
    for sample in samples:
        if len(masks) >= _JITTERED:
            break
        with suppress(DataError):
            image, regions = true_regions(dataset, sample, view)
            masks += [to_full_mask(region, image.shape[:2]) for region in regions[:_JITTERED]]
    return strength_for(masks[:_JITTERED], iou, np.random.default_rng(seed))


def logits(network: keras.Model, bags: RegionArrays, outside: Outside) -> np.ndarray:
    """Logit of each bag with its true masks, float32 `(bags,)`."""
    batches = eval_batches(bags, outside)
    found = [np.asarray(network(inputs, training=False))[:, 0] for inputs, _, _ in batches]
    return np.concatenate(found)
