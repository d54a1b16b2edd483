"""A data set and a model become a run: the one function that joins data, model and loop."""

from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras.callbacks import Callback

from maskwright.card import Card
from maskwright.data.arrays import MEMORY_LIMIT_MB, Arrays, load
from maskwright.data.augment import Augmentation
from maskwright.data.batches import class_weights, rare_class_weights, steps_per_epoch
from maskwright.data.dataset import DataSet
from maskwright.data.geometry import cut_image, cut_labels
from maskwright.errors import ConfigError, TrainingError
from maskwright.imageio import atomic_write, write_image
from maskwright.labels import Labels
from maskwright.losses import MaskLoss
from maskwright.training.callbacks import Curves, Previews, ProgressBar
from maskwright.training.diagram import diagram, summary
from maskwright.training.distribute import find_strategy, is_chief
from maskwright.training.fit import Fit, Recipe
from maskwright.training.run import Run

_STEPS_PER_EPOCH = 20  # at least, of a run measured in minutes, so that ten images do for an epoch


def train(
    dataset: DataSet,
    out: str | Path,
    *,
    model: Callable[..., keras.Model],
    loss: MaskLoss,
    recipe: Recipe,
    augmentation: Augmentation,
    size: tuple[int, int] | None = None,
    crop: tuple[int, int] | None = None,
    balance: Mapping[str, float] | str | None = None,
    favour_rare: bool = False,
    epochs: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    previews: int = 4,
    tensorboard: bool = False,
    memory_limit_mb: float = MEMORY_LIMIT_MB,
    checkpoint_seconds: float = 20.0,
    skip_unreadable: bool = False,
    card: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    callbacks: Sequence[Callback] = (),
    tell: Callable[[str], None] = lambda _: None,
    resume: bool = False,
) -> Run:
    """Train on the `train` split, choose weights by the `val` split, write a run.

    Args:
        dataset: With splits.
        out: Folder of the run.
        model: Builder of the network; called with `num_classes`, `channels`, `pixel_range`,
            `seed` and `synchronised`, under the strategy of the workers.
        loss: Of a batch.
        recipe: How to train.
        augmentation: Of training samples.
        size: Height and width that images are stretched to; `None` keeps them, for crops.
        crop: Height and width of training crops.
        balance: Weight by class name, `"balanced"` for weights by median frequency, or `None`.
        favour_rare: Put rare classes into the middle of crops more often.
        epochs: Passes over the samples; or
        minutes: Time to train for.
        seed: Of weights, order and augmentation.
        previews: Number of samples drawn every epoch.
        tensorboard: Write logs for TensorBoard into the run.
        memory_limit_mb: Above it, decoded images lie on disk.
        checkpoint_seconds: Least time between checkpoints.
        skip_unreadable: Leave files out that cannot be read, instead of stopping.
        card: Post-processing to be written on the card.
        settings: What `plan.yaml` is to hold.
        callbacks: Further callbacks of Keras.
        tell: Called with a sentence for every file that is left out.
        resume: Go on with the run in `out`.

    Raises:
        DataError: If a split is empty or a file cannot be used.
        ConfigError: If settings contradict each other.
        TrainingError: If training cannot start or go on.
    """
    strategy = find_strategy()
    keras.utils.set_random_seed(seed)
    run = Run(Path(out))
    chief = is_chief(strategy)
    if chief:
        run.start(resume)

    def decode(split: str) -> Arrays:
        found = [s for s in dataset.samples if s.split == split and s.masks]
        read = load(dataset, found, size, memory_limit_mb, skip_unreadable=skip_unreadable)
        for reason in read.skipped:
            tell(f"left out: {reason}")
        return read

    samples = decode("train")
    has_validation = any(s.split == "val" and s.masks for s in dataset.samples)
    validation = decode("val") if has_validation else None
    labels = dataset.labels
    fingerprint = samples.fingerprint()
    facts = {
        "seed": seed,
        "data": fingerprint,
        "train": len(samples),
        "val": 0 if validation is None else len(validation),
        "skipped": list(samples.skipped),
    }
    if resume:
        _same_data(run, facts)

    weights = _weights(balance, samples, dataset)
    # Made before training, so that a value it refuses is told of at once.
    described = Card(
        labels=labels,
        channels=samples.channels,
        dtype=samples.dtype,
        size=size,
        **{"tile": None if size or not crop else max(crop), "threshold": None, **(card or {})},
        model_sha256="",
        version=metadata.version("maskwright"),
        data=fingerprint,
    )
    with strategy.scope():
        network = model(
            num_classes=labels.num_classes,
            channels=samples.channels,
            pixel_range=samples.value_range,
            seed=seed,
            synchronised=strategy.num_replicas_in_sync > 1,
        )
    if chief:
        run.write_settings(settings or {})
        run.write_environment(facts)
        with atomic_write(run.folder / "model.txt") as beside:
            beside.write_text(summary(network), encoding="utf-8")
        write_image(run.folder / "model.png", diagram(network))

    work = Fit(
        network,
        loss,
        samples,
        validation,
        num_classes=max(labels.num_classes, 2),
        recipe=recipe,
        augmentation=augmentation,
        epochs=epochs,
        seconds=None if minutes is None else minutes * 60,
        seed=seed,
        crop=crop,
        favour=rare_class_weights(samples, labels.num_classes) if favour_rare else None,
        class_weights=weights,
        passes=_passes(minutes, samples, recipe),
        strategy=strategy,
        checkpoints=run.checkpoint_file.parent,
        checkpoint_seconds=checkpoint_seconds,
    )
    if resume:
        work.resume()
    shown: list[Callback] = list(callbacks)
    if chief:
        drawn = samples if validation is None else validation
        shown += _callbacks(run, work, drawn, dataset.labels, crop, previews)
        if tensorboard:
            shown.append(_tensorboard(run))
    state = work.run(shown)
    if chief:
        run.write_history(state.history)
        run.write_model(network, described)
    return run


def _callbacks(
    run: Run,
    work: Fit,
    drawn: Arrays,
    labels: Labels,
    crop: tuple[int, int] | None,
    previews: int,
) -> list[Callback]:
    """Progress, curves, and previews of the first few samples."""
    made: list[Callback] = [ProgressBar(work.share_done), Curves(run, work.state.history)]
    if previews:
        made.append(Previews(run, *_examples(drawn, previews, crop), labels))
    return made


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


def _passes(minutes: float | None, samples: Arrays, recipe: Recipe) -> int:
    if minutes is None:
        return 1
    return -(-_STEPS_PER_EPOCH // steps_per_epoch(len(samples), recipe.batch_size))


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


def _same_data(run: Run, facts: Mapping[str, Any]) -> None:
    before = run.read_environment()
    if before.get("data") != facts["data"]:
        raise TrainingError(
            f"The training data of {run.folder} has changed since the run was started; start a "
            "new run in another folder."
        )


def _tensorboard(run: Run) -> Callback:
    if find_spec("tensorboard") is None:
        raise ConfigError(
            'TensorBoard is not installed; install it with: pip install "maskwright[track]"'
        )
    return keras.callbacks.TensorBoard(run.folder / "tensorboard", write_graph=False)
