"""Where a classifier starts, and how answers are weighed: bags of measures, worked out aside."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from maskwright.errors import DataError
from maskwright.losses import loss
from maskwright.models import ClassifierSpec
from maskwright.tasks.regions.learning import objective
from maskwright.tasks.regions.learning.bags import Bag, RegionArrays
from maskwright.tasks.regions.learning.labeling import Labeling
from maskwright.training import Batching

LABELING = Labeling(("dull", "bright"), "image", "image")


def drawn(count=30):
    """Bags of two regions each, with three measures; every fourth is positive."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 4 == 0
    vectors = rng.normal(size=(2 * count, 3)) * [1, 10, 0] + labels.repeat(2)[:, None]
    bags = [
        Bag(str(n), str(n), int(label), 1.0, (), (2 * n, 2 * n + 1))
        for n, label in enumerate(labels)
    ]
    return RegionArrays(
        crops=np.zeros((2 * count, 4, 4, 3), np.uint8),
        masks=np.ones((2 * count, 4, 4), np.uint8),
        vectors=vectors.astype(np.float32),
        rows=tuple((row,) for row in range(2 * count)),
        names=tuple(map(str, range(2 * count))),
        bags=tuple(bags),
        value_range=(0.0, 255.0),
    )


def network(pooling="mean"):
    return ClassifierSpec(pixels=False, num_measures=3, pooling=pooling).build()


def bag_means(arrays):
    """Standardized measures, averaged over each bag."""
    seen = (arrays.vectors - arrays.vectors.mean(0)) / arrays.vectors.std(0)
    return seen.clip(-5, 5).reshape(len(arrays), 2, 3).mean(1)


def test_it_starts_as_a_logistic_regression_on_measures():
    arrays, made = drawn(), network()
    weights = objective.label_weights(arrays, LABELING, balance=True)
    assert weights == (30 / (2 * 22), 30 / (2 * 8))
    objective.initialize_from_measures(made, arrays, weights)
    means = bag_means(arrays)
    oracle = LogisticRegression(class_weight="balanced", tol=1e-8).fit(means, arrays.labels)
    found = objective.logits(made, arrays, "kept")
    assert found.shape == (30,)
    np.testing.assert_allclose(found, oracle.decision_function(means), atol=5e-3)


def test_perturbed_and_predicted_masks_count_for_the_initial_weights():
    arrays = drawn()
    # The masks of the last region of each bag err by far in the first measure.
    wrong = arrays.vectors[1::2] + np.float32([50, 0, 0])
    rows = [(row,) if row % 2 == 0 else (row, 60 + row // 2) for row in range(60)]
    erring = replace(
        arrays,
        crops=np.zeros((90, 4, 4, 3), np.uint8),
        masks=np.ones((90, 4, 4), np.uint8),
        vectors=np.concatenate([arrays.vectors, wrong]),
        rows=tuple(rows),
    )
    kernels = []
    for robust in (False, True):
        made = network()
        objective.initialize_from_measures(made, erring, (1.0, 1.0), robust=robust)
        kernels.append(np.abs(made.get_layer("decision").get_weights()[0][:, 0]))
    assert kernels[1][0] < 0.7 * kernels[0][0]


def test_one_answer_is_nothing_to_learn_from():
    arrays = drawn()
    alike = replace(arrays, bags=tuple(replace(bag, label=1) for bag in arrays.bags))
    with pytest.raises(DataError, match="All 30 training images are bright; expected both dull"):
        objective.label_weights(alike, LABELING, balance=False)
    assert objective.label_weights(arrays, LABELING, balance=False) == (1.0, 1.0)


def test_the_task_counts_what_is_scored():
    arrays = drawn()
    task = objective.decisions(
        loss("ce"),
        arrays,
        arrays,
        batching=Batching(batch_size=8, augmentation=None, passes=3),
        outside="kept",
    )
    assert task.steps == 3 * 4  # thirty bags, eight at a time
    made = network()
    objective.initialize_from_measures(made, arrays, (1.0, 1.0))
    counts = task.scoring.nothing()
    for inputs, labels, _ in task.validation():
        counts = counts + np.asarray(task.scoring.count(labels, made(inputs)))
    assert counts.sum(1).tolist() == [22, 8]
    scores = task.scoring.scores(counts)
    logits = objective.logits(made, arrays, "kept")
    assert scores["binary_accuracy"] == np.mean((logits >= 0) == arrays.labels)
