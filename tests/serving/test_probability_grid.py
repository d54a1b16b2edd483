import gzip
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from made_up_models import THREE, TWO, predictor
from maskwright.inference.postprocess import clean
from maskwright.inference.predictor import most_probable
from maskwright.serving.jobs import probability_grid as module
from maskwright.serving.jobs.probability_grid import (
    PixelGrid,
    ProbabilityGrid,
    ProbabilityPlanes,
    labels_and_levels,
)


def decided(labels, levels, threshold, num_classes, background):
    """What the page makes of evidence: all that it needs is here."""
    if num_classes == 2 and background is not None and threshold is None:
        threshold = 0.5
    if threshold is None:
        return labels
    cut = min(max(math.ceil(threshold * 200 - 1e-6), 1), 200)
    return np.where(levels >= cut, labels, np.uint8(background))


def cleaned(labels, card):
    return clean(labels, card.min_area_px, card.fill_holes_px, card.keep_largest, card.background)


shares = arrays.arrays(np.float32, (5, 7), elements=st.floats(0, 1, width=32))
steps = st.integers(1, 199).map(lambda step: step / 200)


@settings(max_examples=60, deadline=None)
@given(shares, steps, st.one_of(steps, st.floats(0.001, 0.999)), st.integers(0, 1), st.data())
def test_two_classes_at_any_threshold_that_levels_tell_apart(
    foreground, threshold, own, background, data
):
    # Values at the threshold itself, where rounding would show.
    exact = data.draw(arrays.arrays(bool, foreground.shape))
    foreground = np.where(exact, np.float32(threshold), foreground)
    probabilities = np.stack([1 - foreground] * 2, axis=-1)
    probabilities[..., 1 - background] = foreground
    for asked in (threshold, own):
        labels, levels = labels_and_levels(probabilities, asked, background)
        expected = most_probable(probabilities, asked, background)
        np.testing.assert_array_equal(decided(labels, levels, asked, 2, background), expected)
    # Those of a card without a threshold tell every multiple of 0.005 apart but the even odds.
    labels, levels = labels_and_levels(probabilities, None, background)
    expected = most_probable(probabilities, None, background)
    np.testing.assert_array_equal(decided(labels, levels, None, 2, background), expected)
    if threshold != 0.5:
        expected = most_probable(probabilities, threshold, background)
        np.testing.assert_array_equal(decided(labels, levels, threshold, 2, background), expected)


@settings(max_examples=40, deadline=None)
@given(
    arrays.arrays(np.float32, (4, 5, 4), elements=st.floats(0, 1, width=32)),
    st.one_of(st.none(), steps, st.floats(0.001, 0.999)),
    st.integers(0, 3),
)
def test_several_classes_at_the_threshold_of_the_card(probabilities, threshold, background):
    probabilities = probabilities / np.maximum(probabilities.sum(-1, keepdims=True), 1e-6)
    labels, levels = labels_and_levels(probabilities, threshold, background)
    expected = most_probable(probabilities, threshold, background)
    np.testing.assert_array_equal(decided(labels, levels, threshold, 4, background), expected)


@pytest.mark.parametrize(
    ("names", "changes", "image"),
    [
        (TWO, {}, (61, 83, 3, np.uint8)),
        (TWO, {"threshold": 0.437, "min_area_px": 30, "fill_holes_px": 20}, (61, 83, 3, np.uint8)),
        (("cell", "background"), {"threshold": 0.3}, (50, 40, 3, np.uint8)),
        (("left", "right"), {"keep_largest": True, "size": (32, 40)}, (61, 83, 3, np.uint8)),
        (THREE, {"threshold": 0.6, "channels": 1, "dtype": "uint16"}, (33, 129, 1, np.uint16)),
        (THREE, {"min_area_px": 40}, (90, 90, 3, np.uint16)),
        (("a", "b", "c"), {"min_area_px": 40, "channels": 1}, (90, 91, 1, np.uint8)),
    ],
    ids=str,
)
def test_the_decision_on_evidence_is_that_of_the_predictor(tmp_path, names, changes, image):
    height, width, channels, dtype = image
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 0.9, width)[None, :, None] + 0.1 * rng.random((height, width, channels))
    pixels = (ramp * np.iinfo(dtype).max).astype(dtype)
    pixels[10:20, 10:20] = np.iinfo(dtype).max // 2
    logits = None
    if changes.get("dtype") == "uint16":
        whole = predictor(names).logits
        logits = lambda images: whole(images / 257)  # noqa: E731
    model = predictor(names, logits, **changes)
    made = model(pixels, probabilities=True)
    grid = PixelGrid.over((height, width))
    found, card = ProbabilityGrid(grid), model.card
    planes = ProbabilityPlanes(tmp_path, height, width)
    for rows in (slice(17), slice(17, None)):
        values = made.probabilities[rows]
        planes.add_probabilities((rows.start or 0, 0), values, card.threshold, card.background)
    found.add_planes(planes)
    got = decided(found.labels, found.levels, card.threshold, len(names), card.background)
    np.testing.assert_array_equal(cleaned(got, card), made.labels)
    assert 0 < (got != got[0, 0]).mean() < 1
    data = gzip.decompress(found.packed())
    assert data == found.labels.tobytes() + found.levels.tobytes()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 9))
def test_a_grid_samples_middles_and_spreads_them_again(height, width, scale):
    grid = PixelGrid((height, width), scale)
    plane = np.arange(height * width).reshape(height, width)
    sampled = grid.sample(plane)
    assert sampled.shape == (grid.height, grid.width) == (-(-height // scale), -(-width // scale))
    spread = grid.upsample(sampled)
    assert spread.shape == plane.shape
    np.testing.assert_array_equal(grid.sample(spread), sampled)


def test_large_images_have_a_grid_of_bounded_size(tmp_path, monkeypatch):
    assert PixelGrid.over((10_000, 10_000)).scale == 2
    assert PixelGrid.over((5792, 5792)).scale == 1
    assert PixelGrid.over((131_072, 131_072)).scale == 23  # 22 would be 5958 pixels square
    monkeypatch.setattr(module, "GRID_PIXELS", 100)
    grid = PixelGrid.over((33, 47))
    probabilities = np.random.default_rng(1).random((33, 47, 2), np.float32)
    monkeypatch.setattr(module, "_BAND_PIXELS", 47 * 7)
    whole, parts = (ProbabilityGrid(grid) for _ in range(2))
    one, several = (ProbabilityPlanes(tmp_path / name, 33, 47) for name in ("one", "several"))
    one.add_probabilities((0, 0), probabilities, 0.5, 0)
    for top, left in ((0, 0), (0, 20), (9, 0), (9, 20)):
        rows, columns = slice(top, 9 if top == 0 else 33), slice(left, 20 if left == 0 else 47)
        several.add_probabilities((top, left), probabilities[rows, columns], 0.5, 0)
    whole.add_planes(one)
    parts.add_planes(several)
    np.testing.assert_array_equal(whole.levels, parts.levels)
    expected = np.floor(grid.sample(probabilities[..., 1]).astype(float) * 200)
    np.testing.assert_array_equal(np.abs(whole.levels - expected) <= 1, True)
    assert whole.levels.size <= 100
