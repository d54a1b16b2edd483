"""Learning task of decisions on bags of regions, its previews, and the initial weights."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import keras
import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log1p

from maskwright.data.to_rgb import as_picture
from maskwright.errors import DataError
from maskwright.losses import MaskLoss
from maskwright.metrics.curves import BINS, binned_scores
from maskwright.metrics.streaming import count_scores
from maskwright.models import adapt_measures, start_from_measures, with_weights
from maskwright.tasks.regions.drawing import NEGATIVE, POSITIVE, caption, outline
from maskwright.tasks.regions.learning.bags import RegionArrays, as_inputs
from maskwright.tasks.regions.learning.batches import PREDICTED_SHARE, eval_batches, train_batches
from maskwright.tasks.regions.learning.labeling import Labeling
from maskwright.training import Batching, LearningTask, Scoring, from_logits
from maskwright.training.callbacks import stack_rows
from maskwright.training.distribute import Shard
from maskwright.types import Outside

_MAX_DRAWN = 8  # regions of a bag in a preview


def decisions(
    loss: MaskLoss,
    train: RegionArrays,
    validation: RegionArrays | None = None,
    *,
    batching: Batching,
    outside: Outside,
    label_weights: Sequence[float] = (1.0, 1.0),
    max_regions: int = 64,
) -> LearningTask:
    """Decisions on bags of regions, each a mask of one pixel to the loss.

    `validation` bags select the best weights, by their loss; `label_weights` are those of negative
    and positive bags; `max_regions` are drawn from a bag in a step.
    """

    def batches(epoch: int, skip: int, shard: Shard) -> Any:
        return train_batches(
            train,
            batching.schedule(epoch, skip, shard),
            batching.augmentation,
            outside,
            label_weights,
            max_regions,
        )

    return LearningTask(
        objective=from_logits(loss),
        scoring=Scoring(
            count=count_scores,
            shape=(2, BINS),
            scores=binned_scores,
            titles={"roc_auc": "ROC AUC", "binary_accuracy": "accuracy"},
            watch="loss",
        ),
        train=batches,
        steps=batching.steps(len(train)),
        validation=None
        if validation is None
        else partial(eval_batches, validation, outside, label_weights),
    )


def previews(
    arrays: RegionArrays, names: tuple[str, str], outside: Outside, number: int
) -> Callable[[keras.Model], np.ndarray]:
    """Regions of a few bags, evenly over both labels, with weights and probabilities."""
    order = np.argsort(arrays.labels, kind="stable")
    spread = np.linspace(0, len(order) - 1, min(number, len(order))).round().astype(int)
    bags = [arrays.bags[index] for index in order[spread]]
    rows_of_bags = [arrays.true_rows(bag) for bag in bags]
    inputs = [as_inputs([rows], outside, arrays.value_range[1]) for rows in rows_of_bags]
    crops = [
        [
            outline(as_picture(crop), mask, POSITIVE if bag.label else NEGATIVE)
            for crop, mask, _ in rows[:_MAX_DRAWN]
        ]
        for bag, rows in zip(bags, rows_of_bags, strict=True)
    ]
    weighted = cache(with_weights)

    def draw(model: keras.Model) -> np.ndarray:
        rows = []
        for bag, given, pictures in zip(bags, inputs, crops, strict=True):
            outputs: dict[str, Any] = weighted(model)(given, training=False)
            probability = 1 / (1 + np.exp(-float(outputs["logits"][0, 0])))
            weights = np.asarray(outputs["weights"])[0]
            color = POSITIVE if probability >= 0.5 else NEGATIVE
            result = f"{probability:.2f} {names[bag.label]}"
            texts = [result] + [f"weight {w:.2f}" for w in weights[1 : len(pictures)]]
            row = [caption(p, t, color) for p, t in zip(pictures, texts, strict=True)]
            rows.append(np.hstack(row))
        return stack_rows(rows)

    return draw


def label_weights(bags: RegionArrays, labeling: Labeling, balance: bool) -> tuple[float, float]:
    """Weights of negative and positive bags; `DataError` where one of them is missing."""
    counts = np.bincount(bags.labels, minlength=2)
    if not counts.all():
        only = labeling.names[int(counts.argmax())]
        raise DataError(
            f"All {len(bags)} training {labeling.unit}s are {only}; expected both "
            f"{' and '.join(labeling.names)} to learn from."
        )
    if not balance:
        return 1.0, 1.0
    return tuple(float(len(bags) / (2 * count)) for count in counts)  # type: ignore[return-value]


def initialize_from_measures(
    network: keras.Model, bags: RegionArrays, weights: Sequence[float], robust: bool = False
) -> None:
    """Initialize a network with the logistic regression on the measures.

    If `robust`, measures of perturbed and predicted masks count as well; `weights` are those of
    negative and positive bags.
    """
    rounds = max(len(rows) for rows in bags.rows) if robust else 1
    rounds_of_rows = [[rows[turn % len(rows)] for rows in bags.rows] for turn in range(rounds)]
    features = adapt_measures(network, bags.vectors[np.concatenate(rounds_of_rows)]).reshape(
        rounds, len(bags.rows), -1
    )
    means = np.stack([features[:, list(bag.regions)].mean(axis=1) for bag in bags.bags], axis=1)
    values, labels = means.reshape(rounds * len(bags), -1), np.tile(bags.labels, rounds)
    sample_weights = np.array(weights)[labels] / rounds
    if robust and (predicted := [bag for bag in bags.bags if bag.predicted_regions]):
        means = np.stack(
            [features[0, list(bag.predicted_regions)].mean(axis=0) for bag in predicted]
        )
        targets = np.array([bag.label for bag in predicted])
        values, labels = np.concatenate([values, means]), np.append(labels, targets)
        factor = PREDICTED_SHARE / (1 - PREDICTED_SHARE)
        sample_weights = np.append(sample_weights, factor * np.array(weights)[targets])
    start_from_measures(network, *fit_logistic(values, labels, sample_weights))


def fit_logistic(
    values: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None, penalty: float = 1.0
) -> tuple[np.ndarray, float]:
    """Kernel `(m,)` and bias of the logit with maximum penalized likelihood.

    `values` are standardized, `(n, m)`, `labels` 0 or 1, `weights` those of samples. `penalty` is
    the factor of half the squared norm of the kernel; 1 is scikit-learn's `C=1`.
    """
    values = np.asarray(values, np.float64)
    sign = 2.0 * np.asarray(labels) - 1
    weight = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)

    def cost(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        kernel = parameters[:-1]
        margin = sign * (values @ kernel + parameters[-1])
        # log(1 + exp(-margin)), without overflow
        loss = np.maximum(-margin, 0) + log1p(np.exp(-np.abs(margin)))
        slope = -weight * sign * expit(-margin)
        gradient = np.append(values.T @ slope + penalty * kernel, slope.sum())
        return float(weight @ loss + penalty / 2 * kernel @ kernel), gradient

    start = np.zeros(values.shape[1] + 1)
    result = minimize(cost, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000})
    return result.x[:-1], float(result.x[-1])


def logits(network: keras.Model, bags: RegionArrays, outside: Outside) -> np.ndarray:
    """Logit of each bag with its true masks, float32 `(bags,)`."""
    batches = eval_batches(bags, outside)
    return np.concatenate(
        [np.asarray(network(inputs, training=False))[:, 0] for inputs, _, _ in batches]
    )
