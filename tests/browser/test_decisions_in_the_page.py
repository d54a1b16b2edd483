"""What the page decides, against what Python decides, pixel by pixel."""

import json

import cv2
import numpy as np
import pytest
from browsing import served

from maskwright.inference.postprocess import clean
from maskwright.inference.predictor import most_probable
from maskwright.serving import ModelRegistry, create_app
from maskwright.serving.jobs.probability_grid import LEVELS, labels_and_levels

# As texts: the driver takes seconds for lists of so many numbers.
DECIDE = """async (cases) => {
  const { decide, levelOf, measure } = await import("./decide.js");
  return JSON.stringify(JSON.parse(cases).map(({ width, height, background, ...given }) => {
    const labels = Uint8Array.from(given.labels);
    const probabilities = Uint8Array.from(given.levels);
    const evidence = { width, height, background, labels, probabilities, objects: null };
    const level = levelOf(given.threshold, given.of);
    const decided = decide(evidence, { ...given.settings, level });
    const { areas, pieces } = measure(decided, width, height, background, null);
    return { decided: [...decided], areas: [...areas], pieces: [...pieces] };
  }));
}"""


@pytest.fixture(scope="module")
def site():
    with served(create_app(ModelRegistry({}), on_record=lambda _: None)) as address:
        yield address


def drawn(rng):
    """Random fields of some classes, from noise to smooth, and how to decide on them."""
    height, width = rng.integers(1, 50, 2)
    classes = int(rng.integers(2, 5))
    field = rng.normal(size=(height, width, classes)).astype(np.float32)
    if sigma := float(rng.choice([0, 0.8, 2])):
        field = cv2.GaussianBlur(field, (0, 0), sigma).reshape(field.shape) * sigma * 6
    probabilities = np.exp(field) / np.exp(field).sum(axis=-1, keepdims=True)
    background = int(rng.integers(2)) if classes == 2 else [0, 1, None][rng.integers(3)]
    bare = background is None
    threshold = None if bare or rng.random() < 0.3 else float(rng.integers(1, LEVELS)) / LEVELS
    return (
        probabilities,
        background,
        threshold,
        {
            "minArea": int(rng.choice([0, 1, 5, 30])),
            "fillHoles": 0 if bare else int(rng.choice([0, 3, 50])),
            "keepLargest": bool(rng.random() < 0.3),
        },
    )


def test_every_pixel_is_decided_as_python_does(site, open_page):
    rng = np.random.default_rng(0)
    cases, expected = [], []
    for _ in range(120):
        probabilities, background, threshold, settings = drawn(rng)
        labels, levels = labels_and_levels(probabilities, threshold, background)
        cases.append(
            {
                "height": labels.shape[0],
                "width": labels.shape[1],
                "background": background,
                "of": "foreground" if probabilities.shape[-1] == 2 else "winner",
                "threshold": threshold,
                "settings": settings,
                "labels": labels.ravel().tolist(),
                "levels": levels.ravel().tolist(),
            }
        )
        expected.append(
            clean(
                most_probable(probabilities, threshold, background),
                settings["minArea"],
                settings["fillHoles"],
                settings["keepLargest"],
                background,
            )
        )
    page = open_page(f"{site}icon.svg", ready=None, allowed=("404",))
    answer = json.loads(page.evaluate(DECIDE, json.dumps(cases)))
    for case, wanted, got in zip(cases, expected, answer, strict=True):
        np.testing.assert_array_equal(np.reshape(got["decided"], wanted.shape), wanted, str(case))
        assert got["areas"] == np.bincount(wanted.ravel(), minlength=256).tolist()
        for label in np.unique(wanted):
            number, _ = cv2.connectedComponents((wanted == label).astype(np.uint8))
            pieces = 0 if label == case["background"] else number - 1
            assert got["pieces"][label] == pieces


def test_a_megapixel_is_decided_while_a_slider_moves(site, open_page):
    page = open_page(f"{site}icon.svg", ready=None, allowed=("404",))
    milliseconds = page.evaluate(
        """async () => {
          const { decide } = await import("./decide.js");
          const side = 1024;
          const labels = new Uint8Array(side * side).fill(1);
          const probabilities = labels.map((_, i) =>
            100 + 99 * Math.sin((i % side) / 23) * Math.sin(i / side / 31));
          const planes = { labels, probabilities, objects: null };
          const evidence = { width: side, height: side, background: 0, ...planes };
          const times = [];
          for (let level = 90; level < 100; level++) {
            const start = performance.now();
            decide(evidence, { level, minArea: 30, fillHoles: 100, keepLargest: false });
            times.push(performance.now() - start);
          }
          return Math.min(...times);
        }"""
    )
    assert milliseconds < 50
