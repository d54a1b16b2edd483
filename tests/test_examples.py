"""The examples run, at a size that takes seconds."""

import importlib
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("uncompiled")
FOLDER = Path(__file__).parents[1] / "examples"


@pytest.fixture
def example(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(FOLDER)

    def run(name, **options):
        return importlib.import_module(name).main(tmp_path, epochs=1, **options), tmp_path

    return run


def test_masks_are_predicted(example):
    iou, out = example("predict_masks", num_images=9, size=32)
    assert 0 <= iou <= 1
    assert list((out / "predictions").glob("*.png"))


def test_the_tutorial_shows_every_step(example):
    histories, out = example("segmentation_tutorial", num_images=12, size=32)
    assert set(histories) == {"plain", "class weights", "other layers", "other encoder"}
    for name in ("samples.png", "before_training.png", "epochs/epoch_01.png", "curves.png"):
        assert (out / name).is_file()


def test_cases_are_classified_by_their_regions(example):
    accuracy, _ = example("classify_regions", num_images=16)
    assert 0 <= accuracy <= 1
