"""`maskwright predict --bounds`: outer and inner masks, trust.csv, and who refuses them."""

import csv
import shutil

import numpy as np
import pytest

import maskwright
from drawing_doubts import doubtful
from drawing_promises import CASES, promised_run
from maskwright.errors import ModelError
from maskwright.imageio import read_image, write_image
from maskwright.model_card import TRUST_FILE
from maskwright.reliability.record import TrustRecord
from maskwright.tasks.semantic.calibration.observe import ObservingPredictor, load_observed

IMAGES = 6


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return promised_run(tmp_path_factory.mktemp("promised") / "run")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Images like those of the calibration, which are a little larger than the model sees them."""
    folder = tmp_path_factory.mktemp("images")
    for n in range(IMAGES):
        image = np.pad(doubtful(CASES + n)[0], ((0, 0), (0, n), (0, 0)), mode="edge")
        write_image(folder / f"case{n % 2}" / f"{n}.png", image)
    return folder


def table(out):
    with (out / "trust.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_bounds_are_those_of_the_strictest_promises_and_the_table_tells_of_each_mask(
    run, images, tmp_path
):
    out = tmp_path / "out"
    maskwright.predict(run, images, out, bounds=True)
    network, card = load_observed(run)
    image = read_image(images / "case1" / "1.png")
    values = ObservingPredictor(network, card)(image).probabilities[..., 1]
    outer, _, inner = TrustRecord.read(run).promises
    for kind, promise in (("outer", outer), ("inner", inner)):
        mask = read_image(out / kind / "disc" / "case1" / "1.png")[..., 0]
        assert (mask == np.where(promise.mask(values), 255, 0)).all(), kind
    rows = table(out)
    assert [(r["image"], r["class"]) for r in rows] == [
        *[(f"case0/{n}", "disc") for n in (0, 2, 4)],
        *[(f"case1/{n}", "disc") for n in (1, 3, 5)],
    ]
    for row in rows:
        assert 0 <= float(row["lower_bound"]) <= float(row["expected_dice"]) <= 1
        known = float(row["unfamiliar_p"]) > 0.05
        assert row["decision"] == ("accept" if known else "refer")
        assert row["reason"].startswith("an expected Dice of at least" if known else "the image")


def test_a_run_that_was_stopped_gives_the_same_table_and_does_nothing_twice(run, images, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    maskwright.predict(run, images, whole, bounds=True)
    some = tmp_path / "some"
    shutil.copytree(images, some)
    later = some / "case1" / "5.png"
    later.rename(tmp_path / "5.png")
    maskwright.predict(run, some, parts, bounds=True)
    shutil.move(tmp_path / "5.png", later)
    result = maskwright.predict(run, some, parts, bounds=True)
    assert (len(result.written), len(result.skipped)) == (1, IMAGES - 1)
    assert (parts / "trust.csv").read_bytes() == (whole / "trust.csv").read_bytes()


def test_promises_are_withheld_where_many_images_are_unlike_those_of_training(run, tmp_path):
    noise = np.random.default_rng(0)
    for n in range(12):
        write_image(tmp_path / "in" / f"{n}.png", noise.integers(0, 255, (32, 32, 3), np.uint8))
    told, out = [], tmp_path / "out"
    maskwright.predict(run, tmp_path / "in", out, bounds=True, on_message=told.append)
    assert any("12 of 12 images are unlike the training images" in text for text in told)
    assert not list(out.glob("*er"))
    for row in table(out):
        assert (row["decision"], row["lower_bound"]) == ("refer", "")
        assert row["reason"].startswith("promises are withheld")


def test_what_has_no_promise_or_is_predicted_otherwise_is_refused(run, images, tmp_path):
    bare = tmp_path / "bare"
    shutil.copytree(run, bare)
    (bare / TRUST_FILE).unlink()
    with pytest.raises(ModelError, match=r"run `maskwright trust .*bare DATA` first"):
        maskwright.predict(bare, images, tmp_path / "out", bounds=True)
    with pytest.raises(ModelError, match="made for flips False and do not hold for True"):
        maskwright.predict(run, images, tmp_path / "out", bounds=True, flips=True)
    with pytest.raises(ModelError, match="made for min_area_px 0 and do not hold for 9"):
        maskwright.predict(run, images, tmp_path / "out", bounds=True, min_area_px=9)


@pytest.mark.parametrize(("size", "tile"), [((32, 32), None), (None, 32)])
def test_by_windows_bounds_are_the_same(tmp_path, monkeypatch, size, tile):
    run = promised_run(tmp_path / "run", size, tile)
    rows = [np.concatenate([doubtful(CASES + 4 * r + c)[0] for c in range(4)], 1) for r in (0, 1)]
    image = np.concatenate(rows)[:61, :117]  # in tiles that do not fit in
    write_image(tmp_path / "in" / "a.png", image)
    whole, windows = tmp_path / "whole", tmp_path / "windows"
    maskwright.predict(run, tmp_path / "in", whole, bounds=True)
    monkeypatch.setattr("maskwright.tasks.semantic.large_bounds._BAND_PIXELS", 500)
    maskwright.predict(run, tmp_path / "in", windows, bounds=True, large=True)
    for folder in ("", "outer/disc", "inner/disc"):
        masks = [read_image(whole / folder / "a.png"), read_image(windows / folder / "a.tif")]
        np.testing.assert_array_equal(*masks)
        assert 0 < (masks[0] > 0).mean() < 1
    assert table(windows) == table(whole)
    names = {path.name for path in windows.iterdir()}
    assert not {name for name in names if name.endswith((".bounds", ".partial"))}


def test_of_a_model_that_sees_images_whole_there_are_no_bounds_by_windows(tmp_path):
    run = promised_run(tmp_path / "run", None)
    write_image(tmp_path / "in" / "a.png", doubtful(0)[0])
    result = maskwright.predict(run, tmp_path / "in", tmp_path / "out", bounds=True, large=True)
    (failure,) = result.failed
    assert "sees images whole; cut it into parts" in failure.reason


@pytest.mark.slow
@pytest.mark.ray
def test_on_a_cluster_bounds_are_the_same(run, images, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    maskwright.predict(run, images, here, bounds=True)
    maskwright.predict(run, images, there, bounds=True, engine="ray")
    files = sorted(p.relative_to(here) for p in here.rglob("*.png"))
    assert files == sorted(p.relative_to(there) for p in there.rglob("*.png"))
    assert all((here / f).read_bytes() == (there / f).read_bytes() for f in files)
    assert (here / "trust.csv").read_bytes() == (there / "trust.csv").read_bytes()
