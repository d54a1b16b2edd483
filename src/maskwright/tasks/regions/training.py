"""From a data set with labeled regions to the `TrainingSetup` of a run."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib import metadata

import keras

from maskwright.config import RegionConfig
from maskwright.data import Sample
from maskwright.data.samples import counted
from maskwright.inference.pixels import pixel_percentiles
from maskwright.losses import loss
from maskwright.metrics import fit_temperature
from maskwright.model_card import RegionCard
from maskwright.models.blueprint import Blueprint
from maskwright.tasks.regions.extraction.feature_vector import VECTOR_NAMES
from maskwright.tasks.regions.learning.bags import RegionArrays
from maskwright.tasks.regions.learning.build_bags import BagOptions, build_bags
from maskwright.tasks.regions.learning.mask_perturbation import segmenter_strength
from maskwright.tasks.regions.learning.objective import (
    decisions,
    initialize_from_measures,
    label_weights,
    logits,
    previews,
)
from maskwright.tasks.regions.setup import RegionData, bundle_segmenter
from maskwright.tasks.settings import (
    data_facts,
    make_augmentation,
    make_batching,
    stop_at_errors,
)
from maskwright.training import Recipe, TrainingSetup, TrainOptions
from maskwright.types import Alert

_MIN_BAGS = 3


def prepare(
    data: RegionData, config: RegionConfig, options: TrainOptions, synchronized: bool
) -> TrainingSetup:
    """Extract the regions of a data set and describe model and task.

    `synchronized` is whether workers share their batch statistics. `DataError` if a split is empty
    or holds one class only, or a file cannot be used.
    """
    bags, validation = _extract_bags(data, config, options)
    stop_at_errors(_errors(data, bags, validation), options)
    weights = label_weights(bags, data.labeling, config.balance)
    fingerprint = bags.fingerprint()

    def initialize(network: keras.Model) -> None:
        if config.measures:
            initialize_from_measures(network, bags, weights, robust=data.predict is not None)

    def final_card(network: keras.Model) -> RegionCard:
        temperature, spec = 1.0, data.crop_spec
        if config.calibrate and validation is not None:
            values = logits(network, validation, config.outside)
            temperature = fit_temperature(validation.labels, values)
        return RegionCard(
            names=data.labeling.names,
            unit=data.labeling.unit,
            regions=spec.kind,
            size=config.size,
            context=spec.context,
            min_area_px=spec.min_area_px,
            min_predicted_px=spec.min_predicted_px,
            full_scale=spec.full_scale,
            outside=config.outside,
            channels=bags.crops.shape[-1],
            dtype=str(bags.crops.dtype),
            value_range=bags.value_range,
            measures=VECTOR_NAMES if config.measures else (),
            threshold=config.threshold,
            percentiles=pixel_percentiles(bags.crops),
            symmetries=make_augmentation(config).symmetries,
            temperature=temperature,
            model_sha256="",
            version=metadata.version("maskwright"),
            data=fingerprint,
        )

    return TrainingSetup(
        task=decisions(
            loss(config.loss, smoothing=config.smoothing),
            bags,
            validation,
            batching=make_batching(config, options, len(bags)),
            outside=config.outside,
            label_weights=weights,
            max_regions=config.max_regions,
        ),
        network=describe_classifier(config, bags, options.seed, synchronized),
        recipe=Recipe(**config.recipe()),
        card=final_card,
        data={
            **data_facts(options, data.dataset, bags, validation),
            "regions": len(bags.names),
        },
        settings=config.effective(),
        dataset=data.dataset,
        initialize=initialize,
        complete=partial(bundle_segmenter, config.segmenter),
        previews=partial(previews, validation or bags, data.labeling.names, config.outside),
    )


def _errors(data: RegionData, bags: RegionArrays, validation: RegionArrays | None) -> list[str]:
    """Sentences on splits too small, or without one of the labels, to learn and to choose by."""
    unit, errors = data.labeling.unit, []
    if len(bags) < _MIN_BAGS:
        errors.append(f"The training split has only {counted(len(bags), unit)}.")
    if validation is not None:
        missing = {0, 1}.difference(validation.labels.tolist())
        errors += [f"No {unit} of validation is {data.labeling.names[m]}." for m in sorted(missing)]
    return errors


def describe_classifier(
    config: RegionConfig, bags: RegionArrays, seed: int, synchronized: bool
) -> Blueprint:
    """Network that the settings describe, for the images and measures of the training bags."""
    shape = {
        "channels": bags.crops.shape[-1],
        "pixel_range": bags.value_range,
        "outside": config.outside,
    }
    if config.preset == "reference_cnn":
        return Blueprint("classifier", {"name": "reference", "size": config.size, **shape})
    return Blueprint(
        "classifier",
        {
            **shape,
            **config.encoder_arguments(),
            "num_measures": len(VECTOR_NAMES) if config.measures else 0,
            "pooling": config.pooling,
            "embedding": config.embedding,
            "dropout": config.dropout,
            "pixels": config.pixels,
        },
        {
            "weights": config.initial_encoder_weights,
            # That of `fit_logistic`, for a mean over bags.
            "penalty": 1 / (2 * len(bags)),
            "seed": seed,
            "synchronized": synchronized,
        },
    )


def _extract_bags(
    data: RegionData, config: RegionConfig, options: TrainOptions
) -> tuple[RegionArrays, RegionArrays | None]:
    """Training bags with perturbed and predicted masks, and validation bags with true ones."""
    dataset, spec = data.dataset, data.crop_spec
    samples = [s for s in dataset.samples if s.masks]
    val_samples = [s for s in samples if s.split == "val"]
    bag_options = BagOptions(
        seed=options.seed,
        memory_limit_mb=config.memory_limit_mb,
        skip_unreadable=config.skip_unreadable,
    )

    def build(samples: Sequence[Sample], bag_options: BagOptions) -> RegionArrays:
        arrays = build_bags(dataset, samples, data.labeling, spec, bag_options)
        for reason in arrays.skipped:
            options.on_message(Alert(f"skipped: {reason}"))
        return arrays

    strength = config.mask_perturbation
    if strength is None:
        strength = segmenter_strength(dataset, val_samples, spec, data.predict, options.seed)
        if data.predict is not None:
            options.on_message(
                f"Training masks are perturbed by {strength:.2f} of the diameter of their region."
            )
    train_options = replace(
        bag_options, strength=strength, variants=config.variants, predict=data.predict
    )
    bags = build([s for s in samples if s.split == "train"], train_options)
    return bags, build(val_samples, bag_options) if val_samples else None
