"""A data set with masks of classes becomes what `run_training` takes."""

from collections.abc import Mapping
from importlib import metadata

import numpy as np

from maskwright.config import TrainConfig
from maskwright.data.dataset import DataSet
from maskwright.data.geometry import cut_image, cut_labels
from maskwright.data.pipeline.arrays import Arrays
from maskwright.data.pipeline.class_balance import class_weights, rare_class_weights
from maskwright.data.pipeline.epochs import steps_per_epoch
from maskwright.data.pipeline.load_arrays import load
from maskwright.errors import ConfigError
from maskwright.losses import loss
from maskwright.model_card import SemanticCard, postprocessing_of
from maskwright.tasks.semantic.learning import segmentation
from maskwright.tasks.semantic.network import auxiliary_loss_weight, describe_model
from maskwright.tasks.semantic.previews import PREVIEW_COLUMNS, Previews
from maskwright.tasks.settings import data_facts, make_augmentation
from maskwright.training import Batching, Recipe, Run, TrainingSetup, TrainOptions
from maskwright.training.run_training import passes


def prepare(
    dataset: DataSet, config: TrainConfig, options: TrainOptions, synchronized: bool
) -> TrainingSetup:
    """Decode the `train` split and, if there is one, the `val` split; describe model and task."""
    size = None if config.size == "auto" else config.size

    def decode(split: str) -> Arrays:
        samples = [s for s in dataset.samples if s.split == split and s.masks]
        limit, skip = config.memory_limit_mb, config.skip_unreadable
        arrays = load(dataset, samples, size, limit, skip_unreadable=skip)
        for reason in arrays.skipped:
            options.on_message(f"skipped: {reason}")
        return arrays

    train = decode("train")
    has_validation = any(s.split == "val" and s.masks for s in dataset.samples)
    validation = decode("val") if has_validation else None
    num_classes = dataset.labels.num_classes
    task = segmentation(
        loss(config.loss, smoothing=config.smoothing),
        train,
        validation,
        num_classes=max(num_classes, 2),
        batching=Batching(
            batch_size=config.batch_size,
            augmentation=make_augmentation(config),
            seed=options.seed,
            crop=config.crop,
            passes=passes(options.minutes, steps_per_epoch(len(train), config.batch_size)),
        ),
        favor=rare_class_weights(train, num_classes) if config.favor_rare else None,
        class_weights=_class_weights(config.class_weights, train, dataset),
        auxiliary_weight=auxiliary_loss_weight(config),
    )
    labels, fingerprint = dataset.labels, train.fingerprint()
    # Made before training, so that a value it refuses is reported at once.
    card = SemanticCard(
        labels=labels,
        channels=train.channels,
        dtype=train.dtype,
        size=size,
        tile=None if config.size or not config.crop else max(config.crop),
        threshold=config.threshold,
        **postprocessing_of(config),
        model_sha256="",
        version=metadata.version("maskwright"),
        data=fingerprint,
    )

    def previews(run: Run, number: int) -> Previews:
        shown = train if validation is None else validation
        return Previews(run, *_examples(shown, number, config.crop), labels)

    return TrainingSetup(
        task=task,
        network=describe_model(
            config,
            num_classes=num_classes,
            channels=train.channels,
            pixel_range=train.value_range,
            seed=options.seed,
            synchronized=synchronized,
        ),
        recipe=Recipe(**config.recipe()),
        card=lambda _: card,
        data=data_facts(options, fingerprint, train, validation, train.skipped),
        settings=config.model_dump(mode="json"),
        previews=previews,
        preview_columns=PREVIEW_COLUMNS,
    )


def _examples(
    arrays: Arrays, number: int, crop: tuple[int, int] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Images and masks spread over the samples, of large ones the middle."""
    places = np.linspace(0, len(arrays) - 1, min(number, len(arrays))).round().astype(int)
    images, masks = [], []
    for image, mask in (arrays[place] for place in places):
        height, width = crop or mask.shape
        top, left = max((mask.shape[0] - height) // 2, 0), max((mask.shape[1] - width) // 2, 0)
        images.append(cut_image(image, top, left, (height, width)))
        masks.append(cut_labels(mask, top, left, (height, width)))
    return np.stack(images), np.stack(masks)


def _class_weights(
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
