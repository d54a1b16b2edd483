"""Export of models of single objects."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from maskwright.errors import ModelError
from maskwright.export.export_task import Example, ExportTask, Parity, ParityLimits
from maskwright.metrics.confusion import confusion, scores
from maskwright.metrics.instances import FN, FP, TP, tally_objects
from maskwright.model_card import InstanceCard
from maskwright.tasks.image_examples import drawn_examples, original_sizes, samples, whole_network
from maskwright.tasks.instances.predictor import (
    DetectorFn,
    InstancePredictor,
    artifact_detector,
    keras_detector,
)
from maskwright.tasks.instances.trust.exported import export_promises

# An object that lies on a threshold counts for many pixels.
_LIMITS = ParityLimits(difference=1e-3, agreement=0.98, dice=0.01)


def compare_objects(
    model: DetectorFn, exported: DetectorFn, card: InstanceCard, examples: Sequence[Example]
) -> Parity:
    """Parity of two models of single objects; `ModelError` where a Mask R-CNN finds none at all."""
    plain = replace(card, size=None, tile=None)  # images are as large as they are wanted
    predictors = [InstancePredictor(run, plain) for run in (model, exported)]
    num_classes = card.labels.num_classes
    table = np.zeros((num_classes, num_classes), np.int64)
    counts = np.zeros(3, np.int64)
    largest = 0.0
    for image in (example["image"] for example in examples):
        first, second = (predictor.predict_all(image) for predictor in predictors)
        counts += tally_objects(second, first, num_classes).counts[0].sum(axis=0)
        table += confusion(first.classes(), second.classes(), num_classes)
        pairs = [(first.scores, second.scores)]
        if card.method == "centers":
            pairs = list(zip(*(predictor.maps(image) for predictor in predictors), strict=True))
        largest = max(largest, *(_apart(*pair) for pair in pairs))
    both, more, fewer = (int(counts[column]) for column in (TP, FP, FN))
    objects = both + fewer
    if card.method != "centers" and not objects:
        raise ModelError(
            "The model finds no object in drawn images, so that there is nothing to compare; give "
            "images that have some: --data DATA."
        )
    return Parity(
        sizes=original_sizes(examples),
        images=len(examples),
        difference=largest,
        agreement=2 * both / (2 * both + more + fewer) if both + more + fewer else 1.0,
        dice_change=float(scores(table).mean_dice) - 1,
        against="model",
        agreement_of="objects",
        compared=objects,
    )


def _apart(first: np.ndarray | None, second: np.ndarray | None) -> float:
    """Largest difference of two maps, or of the scores of the best objects that both have."""
    if first is None or second is None:
        return 0.0
    if first.ndim == 1:
        number = min(len(first), len(second))
        first, second = (np.sort(scores)[::-1][:number] for scores in (first, second))
    return float(np.abs(first - second).max(initial=0.0))


def _networks(model: Any, card: InstanceCard) -> Mapping[str, Any]:
    return whole_network(model, card) if card.method == "centers" else {"": model}


def _classes(run: DetectorFn, card: InstanceCard, example: Example) -> np.ndarray:
    return InstancePredictor(run, card)(example["image"]).labels.astype(np.uint8)


EXPORT = ExportTask(
    card=InstanceCard,
    limits=_LIMITS,
    from_keras=keras_detector,
    from_artifact=artifact_detector,
    networks=_networks,
    examples=drawn_examples,
    samples=samples,
    compare=compare_objects,
    answer=_classes,
    promises=export_promises,
)
