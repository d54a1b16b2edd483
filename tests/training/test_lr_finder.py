"""Range tests on a small model, and suggestions for synthetic curves."""

import numpy as np
import pytest
from scenes import network, recipe, scenes

from maskwright.data.pipeline.augmentation import Augmentation
from maskwright.errors import ConfigError, TrainingError
from maskwright.losses import loss
from maskwright.tasks.semantic.training import mask_scoring, segmentation
from maskwright.training import Batching, find_learning_rate
from maskwright.training.lr_finder import suggest
from maskwright.training.steps import read


def task():
    return segmentation(
        loss("ce"),
        scenes(16),
        scoring=mask_scoring(2, background=0),
        batching=Batching(batch_size=8, augmentation=Augmentation.named("none")),
    )


def test_the_suggestion_lies_between_the_steepest_fall_and_the_lowest_loss():
    rates = np.geomspace(1e-6, 1, 100)
    # A step down at 1e-3, smooth in the logarithm, and up again at 0.3.
    losses = 1 - 0.9 / (1 + (1e-3 / rates) ** 2) + 5 / (1 + (0.3 / rates) ** 4)
    noise = np.random.default_rng(0).normal(0, 0.01, 100)
    curve = suggest(rates.tolist(), (losses + noise).tolist(), steps=100)
    assert curve.steepest == pytest.approx(1e-3, rel=0.35)
    assert curve.suggestion == curve.lowest / 3
    assert curve.steepest < curve.suggestion < curve.lowest < 0.1
    assert curve.plot().axes[0].get_xlabel() == "learning rate"


def test_a_loss_that_never_falls_raises():
    with pytest.raises(TrainingError, match="fell at no learning rate"):
        suggest([1e-3, 1e-2, 1e-1], [1.0, 1.5, 2.0], steps=20)
    with pytest.raises(TrainingError, match="in 0 steps"):
        suggest([], [], steps=20)


def test_rates_rise_exponentially_and_weights_are_restored():
    model = network()
    before = [read(variable) for variable in model.variables]
    curve = find_learning_rate(model, task(), recipe(), steps=40, lowest=1e-5, highest=1e3)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(read(variable), value)
    ratios = np.array(curve.rates[1:]) / curve.rates[:-1]
    np.testing.assert_allclose(ratios, 1e8 ** (1 / 39))
    assert len(curve.rates) == len(curve.losses) == len(curve.smoothed) < 40  # it blew up
    assert 1e-5 < curve.suggestion < curve.rates[-1]
    # The first loss is that of the untouched model: an even guess between two classes, or nearly.
    assert curve.losses[0] == pytest.approx(np.log(2), abs=0.4)


def test_an_encoder_frozen_to_the_end_does_not_train():
    model = network()
    curve = find_learning_rate(model, task(), recipe(freeze=1.0), steps=20)
    assert len(curve.rates) > 10


@pytest.mark.parametrize("wrong", [{"steps": 5}, {"lowest": 0.1, "highest": 0.01}])
def test_invalid_ranges_raise(wrong):
    with pytest.raises(ConfigError):
        find_learning_rate(network(), task(), recipe(), **wrong)
