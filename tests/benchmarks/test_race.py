import importlib
from pathlib import Path

import numpy as np
import pytest

from maskwright.errors import ConfigError, DataError

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def race(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("race")


@pytest.fixture
def exchange(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("exchange")


def test_size_is_a_side_or_height_by_width(race):
    assert race.parse_size("128") == (128, 128)
    assert race.parse_size("240x320") == (240, 320)
    for wrong in ("0", "12.5", "1x2x3", ""):
        with pytest.raises(ConfigError, match="--size"):
            race.parse_size(wrong)


def test_racers_keep_their_order_and_unknown_ones_are_named(race):
    assert race.parse_racers("smp, ours") == ["ours", "smp"]
    with pytest.raises(ConfigError, match="'unet'"):
        race.parse_racers("ours,unet")


def test_missing_encoder_weights_end_in_a_sentence_before_anything_runs(race, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["race.py", "nowhere", "--encoder-weights", "no.h5"])
    assert race.main() == 2
    assert "there is no no.h5" in capsys.readouterr().err


def test_gray_and_deep_images_become_three_channels_of_bytes(race):
    gray = np.array([[[[0], [500], [1000]]]], np.uint16)
    assert race.as_bytes(gray, 0, 1000)[0, 0].tolist() == [[0] * 3, [127] * 3, [255] * 3]
    with pytest.raises(DataError, match="these have 5"):
        race.as_bytes(np.zeros((1, 2, 2, 5), np.uint8), 0, 255)


def test_padding_reaches_multiples_of_32_below_and_on_the_right(exchange):
    images = np.arange(2 * 30 * 32, dtype=np.uint16).reshape(2, 30, 32)
    padded = exchange.pad(images, None)
    assert padded.shape == (2, 32, 32)
    assert (padded[:, :30] == images).all()
    assert (padded[:, 31] == images[:, 29]).all()
    assert (exchange.pad(images, 255)[:, 30:] == 255).all()


def test_a_racer_is_scored_over_all_counted_pixels(race, exchange, tmp_path):
    truth = np.array([[[0, 0, 1, 255]], [[1, 1, 1, 1]]], np.uint8)
    guess = np.array([[[0, 1, 1, 0]], [[1, 1, 1, 0]]], np.uint8)
    exchange.write_result(tmp_path, "ours", guess, steps=3, seconds=1.5)
    found = race.score("ours", truth, 2, tmp_path)
    # Class 0: 1 of 1 + 1 + 1. Class 1: 4 of 4 + 1 + 1. Right: 5 of 7.
    assert found["mean_iou"] == pytest.approx((1 / 3 + 4 / 6) / 2, abs=1e-4)
    assert found["pixel_accuracy"] == pytest.approx(5 / 7, abs=1e-4)
    assert (found["steps"], found["seconds"]) == (3, 1.5)
