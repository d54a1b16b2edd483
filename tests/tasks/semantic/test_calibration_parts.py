"""Temperatures that leave masks as they are, and networks that run once for two passes."""

import io

import numpy as np
import pytest

from drawing_doubts import doubtful
from maskwright.imageio import write_image
from maskwright.inference.prediction import Prediction
from maskwright.inference.predictor import Predictor
from maskwright.reliability.observations import Observations, ObservedPrediction
from maskwright.reliability.options import TrustOptions
from maskwright.reliability.promises import basis_of
from maskwright.tasks.semantic.calibration import observe
from maskwright.tasks.semantic.calibration.calibration_data import open_calibration
from maskwright.tasks.semantic.calibration.observe import NetworkTape, ObservingPredictor
from maskwright.tasks.semantic.calibration.temperature import (
    PixelSamples,
    may_change_temperature,
    with_temperature,
)
from memory_masks import make_card


def as_logits(images):
    """Logits of two classes, of which the second is the first channel of the image."""
    return np.stack([np.zeros(images.shape[:3]), images[..., 0]], axis=-1).astype(np.float32)


def test_masks_stay_the_same_at_another_temperature():
    card = make_card(threshold=0.35, size=None, dtype="float32", channels=1)
    image = np.random.default_rng(0).normal(0, 2, (32, 32, 1)).astype(np.float32)
    before = Predictor(as_logits, card)(image)
    colder = with_temperature(card, 2.0)
    # A probability of 0.35 is the logit -0.619, half of which is that of 0.4232.
    assert (colder.temperature, colder.threshold) == (2.0, pytest.approx(0.42323, abs=1e-5))
    after = Predictor(as_logits, colder)(image, probabilities=True)
    np.testing.assert_array_equal(after.labels, before.labels)
    assert 0 < before.labels.mean() < 1
    assert may_change_temperature(card)


def test_a_temperature_makes_up_for_logits_that_are_too_large():
    rng = np.random.default_rng(0)
    samples, cases = PixelSamples(), []
    for number in range(20):
        logits = rng.normal(0, 2, (64, 64))
        truth = (rng.uniform(size=logits.shape) < 1 / (1 + np.exp(-logits))).astype(np.int32)
        tripled = 1 / (1 + np.exp(-3 * logits))
        values = np.stack([1 - tripled, tripled], axis=-1).astype(np.float32)
        plain = Prediction(truth, values)
        samples.add(truth, ObservedPrediction(truth, values, mirrored=plain))
        layers = ObservedPrediction(truth[..., None], values[..., 1:], mirrored=plain)
        samples.add(truth[..., None], layers)
        cases += [str(number)] * 2
    assert samples.factor(cases) == pytest.approx(3, rel=0.05)


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_network_runs_once_for_two_passes_as_far_as_there_is_room(monkeypatch, kept):
    calls = []

    def network(images):
        calls.append(len(images))
        return {"logits": as_logits(images), "features": images.mean(axis=(1, 2))}

    card = make_card(size=None, dtype="float32", channels=1, symmetries=("horizontal_flip",))
    image = np.random.default_rng(0).normal(size=(32, 32, 1)).astype(np.float32)
    # The image and its mirror image are a call each, of about 8 kB.
    monkeypatch.setattr(observe, "_MOST_BYTES", 8000 * kept)
    tape = NetworkTape(network, io.BytesIO())
    first = ObservingPredictor(tape, card)(image)
    tape.rewind()
    second = ObservingPredictor(tape, with_temperature(card, 2.0))(image)
    assert len(calls) == 4 - kept
    np.testing.assert_array_equal(first.labels, second.labels)
    np.testing.assert_array_equal(first.channel_means, second.channel_means)
    assert np.abs(second.probabilities - 0.5).mean() < np.abs(first.probabilities - 0.5).mean()
    # The network looks at single pixels, so that the mirror image says the same.
    np.testing.assert_allclose(first.mirrored.probabilities, first.probabilities, atol=1e-6)


def test_blended_tiles_have_probabilities_up_to_one():
    card = make_card(size=None, tile=32, dtype="float32", channels=1)
    image = np.full((75, 75, 1), 30, np.float32)

    def network(images):
        return {"logits": as_logits(images)}

    plain = Predictor(as_logits, card)(image, probabilities=True).probabilities
    assert plain.max() > 1  # by rounding
    observed = ObservingPredictor(network, card)(image)
    assert observed.probabilities.max() == 1
    seen = Observations({"cell": 1})
    seen.add(np.ones((75, 75), np.int32), observed)
    assert seen.of("cell").dice.tolist() == [1.0]


def test_all_images_of_another_site_are_taken_however_few(tmp_path):
    # The run set three tenths of its cases aside, which no three images can give.
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "plan.yaml").write_text("calibration_share: 0.3\n", encoding="utf-8")
    for seed in range(3):
        for kind, values in zip(("images", "masks"), doubtful(seed), strict=True):
            write_image(tmp_path / "site" / kind / f"x{seed}y.png", values)
    options = TrustOptions(split="all")
    dataset, split, _ = open_calibration(tmp_path / "run", tmp_path / "site", options)
    assert (split, dataset.splits) == ("all", {"all": 3})
    assert basis_of(3, split, False).startswith("From 3 cases of all images. Each promise")
