"""A data set and a model become a run: the one function that joins data, model and loop."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from keras.callbacks import Callback

from maskwright.data.dataset import DataSet
from maskwright.data.geometry import cut_image, cut_labels
from maskwright.data.pipeline.arrays import MEMORY_LIMIT_MB, Arrays, load
from maskwright.data.pipeline.augment import Augmentation
from maskwright.data.pipeline.batches import class_weights, rare_class_weights, steps_per_epoch
from maskwright.errors import ConfigError
from maskwright.losses import MaskLoss
from maskwright.model_card import SemanticCard
from maskwright.models.blueprint import Blueprint
from maskwright.training.callbacks import PREVIEW_COLUMNS, Previews
from maskwright.training.distribute import is_chief
from maskwright.training.objective import Task, segmentation
from maskwright.training.recipe import Recipe
from maskwright.training.run import Run
from maskwright.training.run_training import passes, run_training, start_run


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What a run learns from, in memory.

    Args:
        task: What the model learns.
        samples: Of the `train` split.
        validation: Of the `val` split; `None` where it is absent or not wanted.
    """

    task: Task
    samples: Arrays
    validation: Arrays | None


def prepare(
    dataset: DataSet,
    *,
    loss: MaskLoss,
    recipe: Recipe,
    augmentation: Augmentation,
    size: tuple[int, int] | None = None,
    crop: tuple[int, int] | None = None,
    balance: Mapping[str, float] | str | None = None,
    favor_rare: bool = False,
    minutes: float | None = None,
    auxiliary_weight: float = 0.0,
    seed: int = 0,
    memory_limit_mb: float = MEMORY_LIMIT_MB,
    skip_unreadable: bool = False,
    validate: bool = True,
    on_message: Callable[[str], None] = lambda _: None,
) -> Prepared:
    """Decode the `train` split, and to `validate` the `val` split, and make a task of them.

    Other arguments, and errors, are those of `train`.
    """

    def decode(split: str) -> Arrays:
        found = [s for s in dataset.samples if s.split == split and s.masks]
        read = load(dataset, found, size, memory_limit_mb, skip_unreadable=skip_unreadable)
        for reason in read.skipped:
            on_message(f"left out: {reason}")
        return read

    samples = decode("train")
    has_validation = validate and any(s.split == "val" and s.masks for s in dataset.samples)
    validation = decode("val") if has_validation else None
    num_classes = dataset.labels.num_classes
    task = segmentation(
        loss,
        samples,
        validation,
        num_classes=max(num_classes, 2),
        batch_size=recipe.batch_size,
        augmentation=augmentation,
        seed=seed,
        crop=crop,
        favor=rare_class_weights(samples, num_classes) if favor_rare else None,
        class_weights=_weights(balance, samples, dataset),
        passes=passes(minutes, steps_per_epoch(len(samples), recipe.batch_size)),
        auxiliary_weight=auxiliary_weight,
    )
    return Prepared(task=task, samples=samples, validation=validation)


def train(
    dataset: DataSet,
    out: str | Path,
    *,
    model: Callable[..., Blueprint],
    loss: MaskLoss,
    recipe: Recipe,
    augmentation: Augmentation,
    size: tuple[int, int] | None = None,
    crop: tuple[int, int] | None = None,
    balance: Mapping[str, float] | str | None = None,
    favor_rare: bool = False,
    epochs: int | None = None,
    minutes: float | None = None,
    auxiliary_weight: float = 0.0,
    seed: int = 0,
    previews: int = 4,
    tensorboard: bool = False,
    memory_limit_mb: float = MEMORY_LIMIT_MB,
    checkpoint_seconds: float = 20.0,
    skip_unreadable: bool = False,
    card: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    callbacks: Sequence[Callback] = (),
    on_message: Callable[[str], None] = lambda _: None,
    resume: bool = False,
) -> Run:
    """Train on the `train` split, choose weights by the `val` split, write a run.

    Args:
        dataset: With splits.
        out: Folder of the run.
        model: Describes the network; called with `num_classes`, `channels`, `pixel_range`,
            `seed` and `synchronized`.
        loss: Of a batch.
        recipe: How to train.
        augmentation: Of training samples.
        size: Height and width that images are stretched to; `None` keeps them, for crops.
        crop: Height and width of training crops.
        balance: Weight by class name, `"balanced"` for weights by median frequency, or `None`.
        favor_rare: Put rare classes into the middle of crops more often.
        epochs: Passes over the samples; or
        minutes: Time to train for.
        auxiliary_weight: Of the loss of each auxiliary output of the model, where it has any.
        seed: Of weights, order and augmentation.
        previews: Number of samples drawn every epoch.
        tensorboard: Write logs for TensorBoard into the run.
        memory_limit_mb: Above it, decoded images lie on disk.
        checkpoint_seconds: Least time between checkpoints.
        skip_unreadable: Leave files out that cannot be read, instead of stopping.
        card: Post-processing to be written on the card.
        settings: What `plan.yaml` is to hold.
        callbacks: Further callbacks of Keras.
        on_message: Called with a sentence for every file that is left out.
        resume: Go on with the run in `out`.

    Raises:
        DataError: If a split is empty or a file cannot be used.
        ConfigError: If settings contradict each other.
        TrainingError: If training cannot start or go on.
    """
    run, strategy = start_run(out, seed, resume)
    prepared = prepare(
        dataset,
        loss=loss,
        recipe=recipe,
        augmentation=augmentation,
        size=size,
        crop=crop,
        balance=balance,
        favor_rare=favor_rare,
        minutes=minutes,
        auxiliary_weight=auxiliary_weight,
        seed=seed,
        memory_limit_mb=memory_limit_mb,
        skip_unreadable=skip_unreadable,
        on_message=on_message,
    )
    samples, validation = prepared.samples, prepared.validation
    labels = dataset.labels
    fingerprint = samples.fingerprint()
    facts = {
        "seed": seed,
        "data": fingerprint,
        "train": len(samples),
        "val": 0 if validation is None else len(validation),
        "skipped": list(samples.skipped),
    }
    # Made before training, so that a value it refuses is told of at once.
    described = SemanticCard(
        labels=labels,
        channels=samples.channels,
        dtype=samples.dtype,
        size=size,
        **{"tile": None if size or not crop else max(crop), "threshold": None, **(card or {})},
        model_sha256="",
        version=metadata.version("maskwright"),
        data=fingerprint,
    )
    shown = list(callbacks)
    if previews and is_chief(strategy):
        drawn = samples if validation is None else validation
        shown.append(Previews(run, *_examples(drawn, previews, crop), labels))
    return run_training(
        run,
        strategy,
        network=model(
            num_classes=labels.num_classes,
            channels=samples.channels,
            pixel_range=samples.value_range,
            seed=seed,
            synchronized=strategy.num_replicas_in_sync > 1,
        ),
        task=prepared.task,
        recipe=recipe,
        card=lambda _: described,
        facts=facts,
        settings=settings or {},
        epochs=epochs,
        minutes=minutes,
        callbacks=shown,
        columns=PREVIEW_COLUMNS,
        tensorboard=tensorboard,
        checkpoint_seconds=checkpoint_seconds,
        resume=resume,
    )


def _examples(
    drawn: Arrays, number: int, crop: tuple[int, int] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Images and masks spread over the samples, of large ones the middle."""
    places = np.linspace(0, len(drawn) - 1, min(number, len(drawn))).round().astype(int)
    images, masks = [], []
    for image, mask in (drawn[place] for place in places):
        height, width = crop or mask.shape
        top, left = max((mask.shape[0] - height) // 2, 0), max((mask.shape[1] - width) // 2, 0)
        images.append(cut_image(image, top, left, (height, width)))
        masks.append(cut_labels(mask, top, left, (height, width)))
    return np.stack(images), np.stack(masks)


def _weights(
    balance: Mapping[str, float] | str | None, samples: Arrays, dataset: DataSet
) -> np.ndarray | None:
    """Weight of each class, or `None` for ones."""
    names = dataset.labels.names
    if balance is None:
        return None
    if isinstance(balance, str):
        if balance != "balanced":
            raise ConfigError(
                'Expected class weights "balanced", one number for each class name, or none; '
                f"received {balance!r}."
            )
        return class_weights(samples, len(names))
    unknown = sorted(set(balance) - set(names))
    if unknown:
        raise ConfigError(
            f"Class weights name {', '.join(unknown)}; the classes are {', '.join(names)}."
        )
    return np.array([balance.get(name, 1.0) for name in names])
