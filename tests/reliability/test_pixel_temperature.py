import numpy as np
import pytest

from maskwright.errors import DataError
from maskwright.reliability.pixel_temperature import (
    PIXELS_PER_IMAGE,
    at_temperature,
    fit_pixel_temperature,
    sample_pixels,
)


def calibrated(rng, shape=(60, 50), num_classes=3):
    """Probabilities, and labels that are drawn from them."""
    logits = rng.normal(0, 2, (*shape, num_classes))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    truth = (probabilities.cumsum(axis=-1) < rng.random((*shape, 1))).sum(axis=-1)
    return probabilities.astype(np.float32), truth


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_logits_that_were_scaled_are_scaled_back(temperature):
    rng = np.random.default_rng(0)
    samples = []
    for _ in range(6):
        probabilities, truth = calibrated(rng)
        samples.append(sample_pixels(at_temperature(probabilities, 1 / temperature), truth))
    found = fit_pixel_temperature(samples, list("abcdef"))
    assert found == pytest.approx(temperature, rel=0.05)


def test_probabilities_at_a_temperature_are_those_of_divided_logits():
    logits = np.array([0.0, 1.0, 3.0])
    softmax = np.exp(logits) / np.exp(logits).sum()
    halved = np.exp(logits / 2) / np.exp(logits / 2).sum()
    np.testing.assert_allclose(at_temperature(softmax, 2.0), halved)
    assert at_temperature(np.array([[1.0, 0.0]], np.float32), 2.0)[0, 0] == 1


def test_cases_weigh_alike():
    # One case of one image at 2, and one of five images with more pixels at 1.
    rng = np.random.default_rng(0)
    small, large = calibrated(rng), [calibrated(rng, (90, 90)) for _ in range(5)]
    doubled = sample_pixels(at_temperature(small[0], 0.5), small[1])
    others = [sample_pixels(*image) for image in large]
    fitted = fit_pixel_temperature([doubled, *others], ["a", *["b"] * 5])
    alone = fit_pixel_temperature([doubled, others[0]], ["a", "b"])
    assert fitted == pytest.approx(alone, rel=0.05)
    assert fitted > 1.2


def test_pixels_are_limited_and_ignored_ones_left_out():
    rng = np.random.default_rng(0)
    probabilities, truth = calibrated(rng, (200, 200))
    logs, labels = sample_pixels(probabilities, truth)
    assert logs.shape == (PIXELS_PER_IMAGE, 3)
    assert labels.shape == (PIXELS_PER_IMAGE,)
    ignored = np.ones((200, 200), bool)
    ignored[0, :7] = False
    logs, labels = sample_pixels(probabilities, truth, ignored)
    np.testing.assert_allclose(logs, np.log(probabilities[0, :7]))
    np.testing.assert_array_equal(labels, truth[0, :7])
    nothing = sample_pixels(probabilities, truth, ignored | True)
    assert fit_pixel_temperature([nothing], ["a"]) == 1
    with pytest.raises(DataError, match="2 for 1 images"):
        fit_pixel_temperature([nothing], ["a", "b"])
