"""An image above the limit of the grid: what is seen, every file, and `predict` agree."""

import csv
import io
import json

import cv2
import numpy as np
import pytest
from browser_models import COLORS, MASKS
from test_page import NOTHING, areas, expected, saved, saved_mask, settled, show

from maskwright.imageio import read_mask, write_image
from maskwright.inference import predict_large
from maskwright.rle import decode_rle
from maskwright.serving.jobs import probability_grid

expect = pytest.importorskip("playwright.sync_api").expect

SIZE = (330, 470)
SETTINGS = {"threshold": 0.7, "min_area_px": 150, "fill_holes_px": 40}


@pytest.fixture(autouse=True)
def _small_grid(monkeypatch):
    monkeypatch.setattr(probability_grid, "GRID_PIXELS", 12_000)  # every fourth pixel


def cells():
    """Soft discs of all sizes, and crumbs; from nothing to certain."""
    rng = np.random.default_rng(3)
    image = np.full(SIZE, 20, np.float32)
    for radius in (2, 3, 5, 8, 13, 21) * 14:
        center = rng.integers(0, SIZE[1]), rng.integers(0, SIZE[0])
        cv2.circle(image, tuple(map(int, center)), radius, float(rng.integers(120, 250)), -1)
    image[rng.random(SIZE) < 0.02] = 240
    image[rng.random(SIZE) < 0.02] = 20
    soft = cv2.GaussianBlur(image, (0, 0), 0.8)
    return np.dstack([soft] * 3).astype(np.uint8)


def set_all(page, threshold, min_area_px, fill_holes_px):
    page.locator("#threshold").fill(str(round(threshold * 200)))
    page.get_by_role("spinbutton", name="Minimum area, px").fill(str(min_area_px))
    if fill_holes_px:
        page.get_by_role("spinbutton", name="Fill holes up to, px").fill(str(fill_holes_px))
    page.keyboard.press("Tab")


@pytest.mark.parametrize(("model", "predictor"), [("masks", MASKS), ("colors", COLORS)])
def test_settings_are_replayed_at_full_resolution(site, open_page, tmp_path, model, predictor):
    image = cells()
    write_image(tmp_path / "cells.png", image)
    adjusted = predictor.adjusted(**SETTINGS)
    predict_large(adjusted, tmp_path / "cells.png", tmp_path / "mask.tif")
    wanted = read_mask(tmp_path / "mask.tif").values
    np.testing.assert_array_equal(adjusted(image).labels, wanted)
    names = predictor.card.labels.names
    page = open_page(site)
    show(page, model, "slide.png", image)
    settled(page, expected(predictor(image).labels, names))  # exact from the beginning
    set_all(page, **SETTINGS)
    expect(page.locator("#classes")).to_contain_text("≈")  # a preview, and said to be one
    settled(page, expected(wanted, names))
    np.testing.assert_array_equal(saved_mask(page), wanted)
    _, data = saved(page, "text=Mask TIFF")
    (tmp_path / "downloaded.tif").write_bytes(data)
    np.testing.assert_array_equal(read_mask(tmp_path / "downloaded.tif").values, wanted)
    _, data = saved(page, "text=Areas CSV")
    rows = {row["class"]: row for row in csv.DictReader(io.StringIO(data.decode()))}
    for name, (area, number) in areas(page).items():
        assert (rows[name]["area_px"], rows[name]["components"] or NOTHING) == (area, number)
    _, data = saved(page, "text=GeoJSON")
    polygons = json.loads(data)["features"]
    sides = [
        cv2.connectedComponents((wanted == n).astype(np.uint8), connectivity=4)[0] - 1
        for n in range(1, len(names))
    ]
    assert len(polygons) == sum(sides)
    _, data = saved(page, "text=COCO")
    union = np.zeros(SIZE, bool)
    for annotation in json.loads(data)["annotations"]:
        union |= decode_rle(annotation["segmentation"]["counts"], SIZE)
    np.testing.assert_array_equal(union, wanted > 0)
    # They outlive a reload, as settings.
    page.reload()
    settled(page, expected(wanted, names))
    assert page.locator("#min-area-px").input_value() == "150"
    # A stroke changes what it covers, and nothing else.
    page.keyboard.press("b")
    page.get_by_role("slider", name="Size").fill("60")
    page.locator("#stage").focus()
    for key in ("ArrowRight", "Space"):
        page.keyboard.press(key)
    page.wait_for_timeout(100)
    painted = saved_mask(page)
    rows, columns = np.nonzero(painted != wanted)
    assert len(rows) > 100
    assert (painted[rows, columns] == 1).all()
    assert max(np.ptp(rows), np.ptp(columns)) < 60
    settled(page, expected(painted, names))
