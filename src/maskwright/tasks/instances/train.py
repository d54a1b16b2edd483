"""Images with single objects become a run: the training loop of masks, given heads for objects."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import keras
from keras.callbacks import Callback

from maskwright.data.dataset import DataSet
from maskwright.data.pipeline.augment import Augmentation
from maskwright.data.pipeline.batches import steps_per_epoch
from maskwright.errors import DataError
from maskwright.export.runtime import keras_objects
from maskwright.model_card import InstanceCard
from maskwright.models.blueprint import Blueprint
from maskwright.tasks.instances.predictor import InstancePredictor
from maskwright.tasks.instances.previews import PREVIEW_COLUMNS, ObjectPreviews
from maskwright.tasks.instances.targets import ObjectArrays, load_objects
from maskwright.tasks.instances.thresholds import tuned
from maskwright.training import Recipe, Run, Task
from maskwright.training.distribute import is_chief
from maskwright.training.run_training import passes, run_training, start_run
from maskwright.types import InstanceMethod

_MOST_TUNED = 40  # validation images that thresholds are chosen by


def train(
    dataset: DataSet,
    out: str | Path,
    *,
    method: InstanceMethod,
    model: Callable[..., Blueprint],
    task: Callable[..., Task],
    recipe: Recipe,
    augmentation: Augmentation,
    size: tuple[int, int] | None = None,
    crop: tuple[int, int] | None = None,
    epochs: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    previews: int = 4,
    tensorboard: bool = False,
    checkpoint_seconds: float = 20.0,
    skip_unreadable: bool = False,
    card: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    callbacks: Sequence[Callback] = (),
    on_message: Callable[[str], None] = lambda _: None,
    resume: bool = False,
) -> Run:
    """Train on the objects of the `train` split, choose weights and thresholds by the `val` split.

    Args:
        dataset: With splits, and masks that tell objects apart.
        out: Folder of the run.
        method: How objects are found.
        model: Describes the network; called with `num_classes`, `channels`, `pixel_range`,
            `seed` and `synchronized`.
        task: What it learns, `training.object_tasks.centers` or `detections` given its own
            arguments; called with the samples, the validation samples or `None`, and
            `batch_size`, `augmentation`, `seed`, `crop`, `passes`.
        recipe: How to train.
        augmentation: Of training samples.
        size: Height and width that images are stretched to; `None` keeps them, for crops.
        crop: Height and width of training crops.
        epochs: Passes over the samples; or
        minutes: Time to train for.
        seed: Of weights, order and augmentation.
        previews: Number of samples drawn every epoch.
        tensorboard: Write logs for TensorBoard into the run.
        checkpoint_seconds: Least time between checkpoints.
        skip_unreadable: Leave files out that cannot be read, instead of stopping.
        card: Values for the card; those that are there are not chosen by validation images.
        settings: What `plan.yaml` is to hold.
        callbacks: Further callbacks of Keras.
        on_message: Called with a sentence for every file that is left out, and on the thresholds.
        resume: Go on with the run in `out`.

    Raises:
        DataError: If a split is empty, objects are not told apart, or a file cannot be used.
        ConfigError: If settings contradict each other.
        TrainingError: If training cannot start or go on.
    """
    run, strategy = start_run(out, seed, resume)
    splits = {name: [s for s in dataset.samples if s.split == name] for name in ("train", "val")}
    samples = _decoded(dataset, splits["train"], size, skip_unreadable, on_message)
    if not any(len(labels) for labels in samples.labels):
        raise DataError(
            f"None of the {len(samples)} training images of {dataset.root} holds an object; "
            f"expected masks that tell objects apart."
        )
    validation = None
    if splits["val"]:
        validation = _decoded(dataset, splits["val"], size, skip_unreadable, on_message)
    labels, arrays = dataset.labels, samples.arrays
    fingerprint = samples.fingerprint()
    described = InstanceCard(
        labels=labels,
        method=method,
        channels=arrays.channels,
        dtype=arrays.dtype,
        size=size,
        tile=None if size or not crop else max(crop),
        **(card or {}),
        model_sha256="",
        version=metadata.version("maskwright"),
        data=fingerprint,
    )

    # Traced once for the pictures of every epoch and for the thresholds.
    ask = cache(keras_objects)

    def settled(network: keras.Model) -> InstanceCard:
        if validation is None or card:
            return described
        finder = InstancePredictor(ask(network), described)
        some = splits["val"][:_MOST_TUNED]
        read = ((dataset.read_image(sample), dataset.read_objects(sample)) for sample in some)
        chosen, worth = tuned(finder, read)
        told = f"foreground {chosen.foreground:g}, marker {chosen.marker:g}"
        told = told if method == "centers" else f"score {chosen.score:g}"
        on_message(
            f"Thresholds that suit {len(some)} validation images best: {told}, least area "
            f"{chosen.min_area_px} px; mean AP {worth:.3f} on these."
        )
        return chosen

    shown = list(callbacks)
    if previews and is_chief(strategy):
        shown.append(ObjectPreviews(run, validation or samples, described, previews, ask))
    per_epoch = passes(minutes, steps_per_epoch(len(samples), recipe.batch_size))
    return run_training(
        run,
        strategy,
        network=model(
            num_classes=labels.num_classes,
            channels=arrays.channels,
            pixel_range=arrays.value_range,
            seed=seed,
            synchronized=strategy.num_replicas_in_sync > 1,
        ),
        task=task(
            samples,
            validation,
            batch_size=recipe.batch_size,
            augmentation=augmentation,
            seed=seed,
            crop=crop,
            passes=per_epoch,
        ),
        recipe=recipe,
        card=settled,
        facts={
            "seed": seed,
            "data": fingerprint,
            "train": len(samples),
            "val": 0 if validation is None else len(validation),
            "skipped": list(arrays.skipped),
        },
        settings=settings or {},
        epochs=epochs,
        minutes=minutes,
        callbacks=shown,
        columns=PREVIEW_COLUMNS,
        tensorboard=tensorboard,
        checkpoint_seconds=checkpoint_seconds,
        resume=resume,
    )


def _decoded(
    dataset: DataSet,
    samples: Sequence[Any],
    size: tuple[int, int] | None,
    skip: bool,
    on_message: Callable[[str], None],
) -> ObjectArrays:
    found = load_objects(dataset, samples, size, skip)
    for reason in found.arrays.skipped:
        on_message(f"left out: {reason}")
    return found
