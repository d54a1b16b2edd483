"""Objects that are edited: what is seen, and what every file holds."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image
from test_page import areas, click_on, on_screen, saved, show

from made_up_models import detect_discs, finder, picture

expect = pytest.importorskip("playwright.sync_api").expect


def objects_of(page):
    """Numbers of the objects in the file, and how many the table, the CSV and COCO count."""
    _, data = saved(page, "text=Mask PNG")
    ids = np.array(Image.open(io.BytesIO(data)))
    _, data = saved(page, "text=Areas CSV")
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    _, data = saved(page, "text=COCO")
    expect(page.locator("#classes tr").nth(1)).not_to_contain_text("≈")
    counts = {int(areas(page)["cell"][1]), int(rows[1]["objects"])}
    counts |= {len(json.loads(data)["annotations"]), len(np.unique(ids)) - 1}
    assert len(counts) == 1, counts
    assert int(areas(page)["cell"][0]) == int(rows[1]["area_px"]) == (ids > 0).sum()
    return ids, counts.pop()


def test_filling_one_object_with_background_deletes_that_one(site, open_page):
    page = open_page(site)
    show(page, "objects")
    before, number = objects_of(page)
    assert number == 4
    assert before[60, 80] != before[60, 100]  # they touch
    page.keyboard.press("f")
    page.get_by_role("radio", name="background").check(force=True)
    click_on(page, 80, 60)
    expect(page.locator("#image-list .state")).to_have_text("changed")
    ids, number = objects_of(page)
    assert number == 3
    np.testing.assert_array_equal(ids > 0, (before > 0) & (before != before[60, 80]))
    page.keyboard.press("Control+z")
    _, number = objects_of(page)
    assert number == 4


def test_a_cut_object_becomes_two_and_a_mended_one_is_whole_again(site, open_page):
    page = open_page(site)
    show(page, "objects")
    page.keyboard.press("e")
    page.get_by_role("slider", name="Size").fill("12")
    stage = page.locator("#stage").bounding_box()

    def line():
        """From above the bright disc to below it."""
        (x, top), (_, bottom) = on_screen(page, 30, 12), on_screen(page, 30, 48)
        page.mouse.move(stage["x"] + x, stage["y"] + top)
        page.mouse.down()
        page.mouse.move(stage["x"] + x, stage["y"] + bottom, steps=20)
        page.mouse.up()

    line()
    expect(page.locator("#image-list .state")).to_have_text("changed")
    ids, number = objects_of(page)
    assert number == 5
    assert ids[30, 22] != ids[30, 38]
    assert min(ids[30, 22], ids[30, 38]) > 0
    page.keyboard.press("b")
    line()
    page.wait_for_timeout(100)
    ids, number = objects_of(page)
    assert number == 4
    assert ids[30, 22] == ids[30, 38] == ids[22, 30]


def test_score_and_area_leave_what_predict_leaves(site, open_page):
    page = open_page(site)
    show(page, "objects")
    for threshold, area in ((0.65, 0), (0.65, 200), (0.5, 330), (0.5, 0)):
        page.get_by_role("slider", name="Minimum score").fill(str(round(threshold * 200)))
        page.get_by_role("spinbutton", name="Minimum area, px").fill(str(area))
        page.keyboard.press("Tab")
        wanted = finder(detect_discs).adjusted(score=threshold, min_area_px=area)(picture())
        page.wait_for_timeout(100)
        ids, number = objects_of(page)
        assert number == len(wanted.objects)
        np.testing.assert_array_equal(ids > 0, wanted.labels > 0)
