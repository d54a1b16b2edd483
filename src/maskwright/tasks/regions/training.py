"""A data set with labeled regions becomes what `run_training` takes."""

from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata
from typing import Any

import keras
import numpy as np

from maskwright.config import RegionConfig
from maskwright.data.pipeline.epochs import steps_per_epoch
from maskwright.data.samples import Sample
from maskwright.errors import DataError
from maskwright.losses import loss
from maskwright.metrics import fit_temperature
from maskwright.model_card import RegionCard
from maskwright.tasks.regions.learning.bags import MEASURES, RegionArrays
from maskwright.tasks.regions.learning.build_bags import (
    build_bags,
    segmenter_iou,
    to_full_mask,
    true_regions,
)
from maskwright.tasks.regions.learning.mask_perturbation import DEFAULT, strength_for
from maskwright.tasks.regions.learning.objective import (
    decisions,
    label_weights,
    logits,
    penalty,
    start,
)
from maskwright.tasks.regions.learning.previews import RegionPreviews
from maskwright.tasks.regions.setup import RegionData, describe_classifier
from maskwright.tasks.settings import make_augmentation
from maskwright.training.objective import Batching, TrainingSetup
from maskwright.training.options import Recipe, TrainOptions
from maskwright.training.run import Run
from maskwright.training.run_training import passes

_MAX_PERTURBED = 32  # masks that the strength of the perturbation is fitted on


def prepare(
    data: RegionData, config: RegionConfig, options: TrainOptions, synchronized: bool
) -> TrainingSetup:
    """Cut out the regions of a data set and describe model and task.

    Args:
        data: Data set, what its labels say, and how masks become crops.
        config: Settings.
        options: How the run is carried out.
        synchronized: Whether workers share their batch statistics.

    Raises:
        DataError: If a split is empty, holds one answer only, or a file cannot be used.
        ConfigError: If settings contradict each other.
    """
    samples = {
        split: [s for s in data.dataset.samples if s.split == split and s.masks]
        for split in ("train", "val")
    }

    def cut(split: str, **perturbation: Any) -> RegionArrays:
        arrays = build_bags(
            data.dataset,
            samples[split],
            data.labeling,
            data.view,
            seed=options.seed,
            memory_limit_mb=config.memory_limit_mb,
            skip_unreadable=config.skip_unreadable,
            **perturbation,
        )
        for reason in arrays.skipped:
            options.on_message(f"left out: {reason}")
        return arrays

    strength = config.jitter
    if strength is None:
        strength = _segmenter_strength(data, samples["val"], options.seed)
        if data.predict is not None:
            options.on_message(f"Training masks are jittered by {strength:.2f} of their diameter.")
    bags = cut("train", strength=strength, variants=config.variants, predict=data.predict)
    validation = cut("val") if samples["val"] else None
    weights = label_weights(bags, data.labeling, config.balance)
    fingerprint = bags.fingerprint()

    def initialize(network: keras.Model) -> None:
        if config.measures:
            start(network, bags, weights, robust=data.predict is not None)

    def final_card(network: keras.Model) -> RegionCard:
        temperature = 1.0
        if config.calibrate and validation is not None:
            values = logits(network, validation, config.outside)
            temperature = fit_temperature(validation.labels, values)
        return _card(data, config, bags, temperature, fingerprint)

    def previews(run: Run, number: int) -> RegionPreviews:
        shown = bags if validation is None else validation
        return RegionPreviews(run, shown, data.labeling.names, config.outside, number)

    return TrainingSetup(
        task=decisions(
            loss(config.loss, smoothing=config.smoothing),
            bags,
            validation,
            batching=Batching(
                batch_size=config.batch_size,
                augmentation=make_augmentation(config),
                seed=options.seed,
                passes=passes(options.minutes, steps_per_epoch(len(bags), config.batch_size)),
            ),
            outside=config.outside,
            label_weights=weights,
            max_regions=config.max_regions,
        ),
        network=describe_classifier(
            config,
            channels=bags.crops.shape[-1],
            num_measures=len(MEASURES) if config.measures else 0,
            pixel_range=bags.value_range,
            penalty=penalty(bags),
            seed=options.seed,
            synchronized=synchronized,
        ),
        recipe=Recipe(**config.recipe()),
        card=final_card,
        data={
            "seed": options.seed,
            "data": fingerprint,
            "train": len(bags),
            "val": 0 if validation is None else len(validation),
            "regions": len(bags.names),
            "skipped": list(bags.skipped),
        },
        settings=config.model_dump(mode="json"),
        initialize=initialize,
        previews=previews,
    )


def _card(
    data: RegionData,
    config: RegionConfig,
    bags: RegionArrays,
    temperature: float,
    fingerprint: str,
) -> RegionCard:
    view = data.view
    return RegionCard(
        names=data.labeling.names,
        unit=data.labeling.unit,
        regions=view.regions,
        size=view.size,
        context=view.context,
        min_area_px=view.min_area_px,
        min_guess_px=view.min_guess_px,
        full_scale=view.full_scale,
        outside=config.outside,
        channels=bags.crops.shape[-1],
        dtype=str(bags.crops.dtype),
        value_range=bags.value_range,
        measures=MEASURES if config.measures else (),
        threshold=config.threshold,
        temperature=temperature,
        model_sha256="",
        version=metadata.version("maskwright"),
        data=fingerprint,
    )


def _segmenter_strength(data: RegionData, samples: Sequence[Sample], seed: int) -> float:
    """Strength of perturbation that errs as the segmenter does on samples it was not trained on."""
    iou = None
    if data.predict is not None:
        iou = segmenter_iou(data.dataset, samples, data.view, data.predict)
    if iou is None:
        return DEFAULT
    masks: list[np.ndarray] = []
    for sample in samples:
        if len(masks) >= _MAX_PERTURBED:
            break
        with suppress(DataError):
            image, regions = true_regions(data.dataset, sample, data.view)
            masks += [to_full_mask(region, image.shape[:2]) for region in regions[:_MAX_PERTURBED]]
    return strength_for(masks[:_MAX_PERTURBED], iou, np.random.default_rng(seed))
