"""Export of models of classes that overlap."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from maskwright.data import DataSet
from maskwright.data.layers import read_layers
from maskwright.export.export_task import Example, Parity
from maskwright.export.runtime import Logits, activate
from maskwright.inference.predictor import above_thresholds
from maskwright.metrics.confusion import layer_confusion, layer_tally, tally_scores
from maskwright.model_card import MultilabelCard
from maskwright.tasks.image_examples import original_sizes, samples
from maskwright.tasks.semantic.calibration.exported import export_promises
from maskwright.tasks.semantic.export import EXPORT as SEMANTIC_EXPORT


def compare_layers(
    model: Logits, exported: Logits, card: MultilabelCard, examples: Sequence[Example]
) -> Parity:
    """Parity of two functions of images to logits, against true layers where there are some."""
    largest, same, decisions, with_masks = 0.0, 0, 0, False
    # Of both models, without ground truth and with it.
    tallies = np.zeros((2, 2, 3, card.labels.num_classes), np.int64)
    for example in examples:
        true = example.get("labels")
        first, second = (_probabilities(run, card, example) for run in (model, exported))
        largest = max(largest, float(np.abs(first - second).max()))
        layers = [above_thresholds(values, card) for values in (first, second)]
        same += int((layers[0] == layers[1]).sum())
        decisions += layers[0].size
        with_masks |= true is not None
        for place, predicted in enumerate(layers):
            wanted = layers[0] if true is None else true
            tallies[place, int(true is not None)] += layer_tally(layer_confusion(wanted, predicted))
    dice = [float(tally_scores(tally[int(with_masks)]).mean_dice) for tally in tallies]
    change = dice[1] - dice[0]
    return Parity(
        sizes=original_sizes(examples),
        images=len(examples),
        difference=largest,
        agreement=same / max(decisions, 1),
        dice_change=None if np.isnan(change) else change,  # no class was in any image
        against="masks" if with_masks else "model",
        compared=decisions,
    )


def _probabilities(run: Logits, card: MultilabelCard, example: Example) -> np.ndarray:
    image = example["image"]
    return activate(run(image[None]), (1, *image.shape[:2]), card)[0]


def _layers(run: Logits, card: MultilabelCard, example: Example) -> np.ndarray:
    return above_thresholds(_probabilities(run, card, example), card)


def _samples(card: MultilabelCard, dataset: DataSet, split: str) -> Iterator[Example]:
    return samples(card, dataset, split, partial(read_layers, dataset))


EXPORT = replace(
    SEMANTIC_EXPORT,
    card=MultilabelCard,
    samples=_samples,
    compare=compare_layers,
    answer=_layers,
    int8=False,
    join=None,
    promises=partial(export_promises, card_type=MultilabelCard),
)
