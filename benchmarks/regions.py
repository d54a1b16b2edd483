"""Decisions on masked regions: ours, the reference CNN and measures alone, on the same folds.

    python benchmarks/regions.py DATA --seconds 60 --encoder-weights FILE

Every fold is trained on the others, with whole cases and near-duplicates together, and answers once
on images it never saw. The answers of all folds are scored together. Ours and the reference train
for the same seconds, in turn; the measures are a logistic regression, which takes no time to speak
of. One JSON line goes to standard output. With `--pipeline-seconds` a segmenter is trained on every
fold too, and a classifier that learns from its masks; `"pipeline"` holds the Dice score of the
segmenter, and the decisions with true and with predicted masks.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import keras
import numpy as np
import typer

from maskwright.config import RegionConfig, TrainConfig, read_config
from maskwright.data import DataSet, open_dataset
from maskwright.data.samples import Sample
from maskwright.data.splits import assign_splits, folds
from maskwright.evaluation import EvaluateOptions
from maskwright.inference.predictor import Predictor
from maskwright.losses import loss
from maskwright.metrics import decision_intervals, decision_scores, fit_temperature, tally_scores
from maskwright.tasks.regions.classifier import Classifier
from maskwright.tasks.regions.evaluation.scorer import RegionScorer, evaluate_regions
from maskwright.tasks.regions.evaluation.scores import RegionEvaluation
from maskwright.tasks.regions.learning.bags import RegionArrays
from maskwright.tasks.regions.learning.build_bags import BagOptions, build_bags
from maskwright.tasks.regions.learning.labeling import Labeling
from maskwright.tasks.regions.learning.mask_perturbation import DEFAULT_STRENGTH
from maskwright.tasks.regions.learning.objective import (
    decisions,
    fit_logistic,
    initialize_from_measures,
    label_weights,
    logits,
)
from maskwright.tasks.regions.pipeline import Pipeline
from maskwright.tasks.regions.setup import (
    RegionData,
    labeling_of,
    make_crop_spec,
    region_predictor,
)
from maskwright.tasks.regions.training import describe_classifier
from maskwright.tasks.regions.training import prepare as prepare_regions
from maskwright.tasks.semantic.training import prepare as prepare_masks
from maskwright.tasks.settings import make_augmentation, train_options
from maskwright.training import Batching, Recipe, TrainingLoop, run_training

_FOLDS = 5
_VAL_SHARE = 0.1
_SEGMENTED_PX = 192
# As it is given in tutorials: whole images of 256 px with the outside removed, Adam at its default
# rate, no augmentation.
_REFERENCE = {
    "preset": "reference_cnn",
    "size": 256,
    "context": None,
    "outside": "removed",
    "regions": "whole",
    "measures": False,
    "variants": 0,
    "augmentation": "none",
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "weight_decay": 0.0,
    "schedule": "constant",
    "warmup": 0.0,
    "average": 0.0,
    "batch_size": 32,
}

Answer = Callable[[Sequence[Sample], Sequence[Sample], Sequence[Sample]], dict[str, float]]
"""From training, validation and test samples to a logit for each thing decided on."""


def main(
    data: Annotated[str, typer.Argument(help="A labeled data set.")],
    encoder_weights: Annotated[str | None, typer.Option(help="Of MobileNetV2.")] = None,
    seconds: Annotated[float, typer.Option(help="Of training, for each fold and rival.")] = 60.0,
    seed: Annotated[int, typer.Option(help="Of folds and training.")] = 0,
    pipeline_seconds: Annotated[
        float, typer.Option(help="Of training a segmenter on each fold; 0 leaves it out.")
    ] = 0.0,
    only: Annotated[str | None, typer.Option(help="ours, reference, measures or pipeline.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="Of ours.")] = None,
) -> None:
    """Race on the folds of a data set."""
    from maskwright.config import parse_settings

    given = {"encoder_weights": encoder_weights, **parse_settings(settings or [])}
    configs = {
        "ours": read_config(None, {**given, "seed": seed}, RegionConfig),
        "reference": read_config(None, {**_REFERENCE, "seed": seed}, RegionConfig),
    }
    dataset = open_dataset(data, unite_duplicates=True)
    labeling = labeling_of(dataset, configs["ours"])
    for note in labeling.notes:
        print(note, file=sys.stderr)
    samples = [
        replace(sample, split="train")
        for sample in dataset.samples
        if labeling.targets.get(sample.label or "") is not None
    ]
    contents = {sample.id: {sample.label} for sample in samples}
    rivals: dict[str, Answer] = {
        name: lambda *parts, config=config: _trained(dataset, labeling, config, seconds, *parts)
        for name, config in configs.items()
    }
    rivals["measures"] = lambda *parts: _measured(dataset, labeling, configs["ours"], *parts)
    told: dict[str, dict[str, float]] = {name: {} for name in rivals if only in (None, name)}
    piped: list[RegionEvaluation] = []
    spent = dict.fromkeys(told, 0.0)
    for number, fold in enumerate(folds(samples, contents, _FOLDS, seed)):
        held = set(fold)
        test = [samples[i] for i in fold]
        rest = [sample for i, sample in enumerate(samples) if i not in held]
        rest = assign_splits(rest, contents, _VAL_SHARE, 0, seed)
        parts = [[s for s in rest if s.split == split] for split in ("train", "val")]
        for name in told:
            began = time.monotonic()
            told[name].update(rivals[name](*parts, test))
            spent[name] += time.monotonic() - began
            print(f"fold {number + 1}: {name} done", file=sys.stderr)
        if pipeline_seconds:
            divided = replace(dataset, samples=(*rest, *(replace(s, split="test") for s in test)))
            seconds_of = (pipeline_seconds, seconds)
            piped.append(_piped(divided, labeling, configs["ours"], seconds_of))
            print(f"fold {number + 1}: pipeline done", file=sys.stderr)
    result = {name: _score(found, samples, spent[name]) for name, found in told.items()}
    print(json.dumps(result | ({"pipeline": _pooled(piped)} if piped else {})))


def _trained(
    dataset: DataSet,
    labeling: Labeling,
    config: RegionConfig,
    seconds: float,
    *parts: Sequence[Sample],
) -> dict[str, float]:
    keras.utils.set_random_seed(config.seed)
    spec = make_crop_spec(dataset, labeling, config)
    strength = DEFAULT_STRENGTH if config.mask_perturbation is None else config.mask_perturbation
    options = BagOptions(strength=strength, variants=config.variants, seed=config.seed)
    known = build_bags(dataset, parts[0], labeling, spec, options)
    val, test = (build_bags(dataset, part, labeling, spec) for part in parts[1:])
    weights = label_weights(known, labeling, config.balance)
    model = describe_classifier(config, known, config.seed, synchronized=False).build()
    if config.measures:
        initialize_from_measures(model, known, weights)
    task = decisions(
        loss(config.loss, smoothing=config.smoothing),
        known,
        val,
        batching=Batching(
            batch_size=config.batch_size,
            augmentation=make_augmentation(config),
            seed=config.seed,
        ),
        outside=config.outside,
        label_weights=weights,
        max_regions=config.max_regions,
    )
    state = TrainingLoop(model, task, recipe=Recipe(**config.recipe()), seconds=seconds).run()
    print(f"  {state.step} steps, best after epoch {state.best_epoch}", file=sys.stderr)
    temperature = fit_temperature(val.labels, logits(model, val, config.outside))
    return _by_id(test, logits(model, test, config.outside) / temperature)


def _piped(
    dataset: DataSet, labeling: Labeling, config: RegionConfig, seconds: tuple[float, float]
) -> RegionEvaluation:
    """A segmenter and a classifier that learns from its masks, scored on the test split."""
    shared = {"seed": config.seed, "previews": 0}
    masks = read_config(
        None,
        {
            "encoder_weights": config.encoder_weights,
            "size": (_SEGMENTED_PX, _SEGMENTED_PX),
            "minutes": seconds[0] / 60,
            **shared,
        },
        TrainConfig,
    )
    with TemporaryDirectory() as place:
        segmenter, run = Path(place) / "segmenter", Path(place) / "run"
        options = train_options(masks)
        run_training(partial(prepare_masks, dataset, masks, options), segmenter, options)
        config = config.model_copy(
            update={"segmenter": str(segmenter), "minutes": seconds[1] / 60, **shared}
        )
        spec = make_crop_spec(dataset, labeling, config)
        data = RegionData(dataset, labeling, spec, region_predictor(str(segmenter), spec))
        options = train_options(config)
        run_training(partial(prepare_regions, data, config, options), run, options)
        pipeline = Pipeline(Classifier.load(run), Predictor.load(segmenter))
        scored = EvaluateOptions(examples=0)
        return evaluate_regions(RegionScorer(pipeline, dataset, labeling, scored))


def _pooled(found: Sequence[RegionEvaluation]) -> dict[str, object]:
    """Scores of the decisions of all folds together, and of all their pixels."""
    labels = np.concatenate([one.labels for one in found])
    cases = [case for one in found for case in one.cases]
    tallies = [one.segmentation.tallies for one in found if one.segmentation is not None]
    told: dict[str, object] = {
        "dice": round(float(tally_scores(np.concatenate(tallies).sum(axis=0)).dice[-1]), 4),
        "missed": sum(one.num_missed for one in found),
    }
    for name, field in (
        ("true_masks", "probabilities"),
        ("predicted_masks", "predicted_probabilities"),
    ):
        values = np.concatenate([getattr(one, field) for one in found])
        ends = decision_intervals(labels, values, cases)["roc_auc"]
        told[name] = {
            "roc_auc": round(decision_scores(labels, values).roc_auc, 4),
            "interval": [round(float(end), 4) for end in ends],
        }
    return told


def _measured(
    dataset: DataSet, labeling: Labeling, config: RegionConfig, *parts: Sequence[Sample]
) -> dict[str, float]:
    """Logistic regression on the measures, fitted on training and validation samples."""
    spec = make_crop_spec(dataset, labeling, config)
    known = build_bags(dataset, [*parts[0], *parts[1]], labeling, spec)
    test = build_bags(dataset, parts[2], labeling, spec)
    mean, std = known.vectors.mean(axis=0), known.vectors.std(axis=0)

    def means(bags: RegionArrays) -> np.ndarray:
        values = np.clip((bags.vectors - mean) / np.maximum(std, 1e-6), -5, 5)
        rows = [[bags.rows[region][0] for region in bag.regions] for bag in bags.bags]
        return np.stack([values[own].mean(axis=0) for own in rows])

    weights = np.array(label_weights(known, labeling, config.balance))[known.labels]
    kernel, bias = fit_logistic(means(known), known.labels, weights)
    return _by_id(test, means(test) @ kernel + bias)


def _by_id(bags: RegionArrays, found: np.ndarray) -> dict[str, float]:
    return {f"{bag.id}\n{bag.label}": float(x) for bag, x in zip(bags.bags, found, strict=True)}


def _score(found: dict[str, float], samples: Sequence[Sample], seconds: float) -> dict[str, object]:
    case_of = {sample.id: sample.together for sample in samples}
    keys = [key.split("\n") for key in found]
    labels = np.array([int(label) for _, label in keys])
    values = np.array(list(found.values()))
    cases = [case_of.get(id_.partition("#")[0], id_) for id_, _ in keys]
    probabilities = 1 / (1 + np.exp(-values))
    ends = decision_intervals(labels, probabilities, cases)
    return {
        "roc_auc": round(decision_scores(labels, probabilities).roc_auc, 4),
        "interval": [round(float(end), 4) for end in ends["roc_auc"]],
        "seconds": round(seconds, 1),
        "decided": len(labels),
    }


if __name__ == "__main__":
    typer.run(main)
