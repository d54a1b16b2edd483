"""The page in a real browser, against what Python says of the same image."""

import csv
import io
import json
import re
import zipfile

import cv2
import numpy as np
import pytest
from browser_models import COLORS, MASKS, REGIONS
from PIL import Image

import maskwright
from made_up_models import disc, picture

expect = pytest.importorskip("playwright.sync_api").expect

NOTHING = "\N{EN DASH}"  # in a cell of the table
ORANGE = [230, 159, 0]  # of the first class that is no background


def png(name="slide.png", image=None):
    data = cv2.imencode(".png", picture() if image is None else image)[1].tobytes()
    return {"name": name, "mimeType": "image/png", "buffer": data}


def show(page, model="masks", name="slide.png", image=None):
    """Add the picture, or another, and wait for its mask."""
    page.select_option("#model", model)
    page.set_input_files("#files", png(name, image))
    expect(page.locator(".entry.chosen")).to_contain_text(name)
    expect(page.locator("#busy")).to_be_hidden()
    expect(page.locator("#classes td").first).not_to_have_text(NOTHING)


def areas(page):
    """Area and pieces of each class as the table has them."""
    rows = page.locator("#classes tr:visible").all_inner_texts()
    cells = [row.replace(",", "").split() for row in rows]
    return {cell[0]: (cell[1], cell[-1]) for cell in cells if len(cell) > 2}


def expected(labels, names=("background", "cell")):
    found = {}
    for label, name in enumerate(names):
        number, _ = cv2.connectedComponents((labels == label).astype(np.uint8))
        found[name] = (str((labels == label).sum()), str(number - 1) if label else NOTHING)
    return found


def settled(page, wanted):
    """Wait for what the worker counts."""
    for _ in range(60):
        if areas(page) == wanted:
            return
        page.wait_for_timeout(50)
    assert areas(page) == wanted


def on_screen(page, x, y):
    """Place in the stage of the middle of a pixel of the picture, which is shown whole."""
    box = page.locator("#stage").bounding_box()
    height, width = picture().shape[:2]
    air = 0.02 * width
    scale = min(box["width"] / (width + 2 * air), box["height"] / (height + 2 * air))
    return (
        box["width"] / 2 + (x + 0.5 - width / 2) * scale,
        box["height"] / 2 + (y + 0.5 - height / 2) * scale,
    )


def overlay(page, x, y):
    """Color and opacity of the canvas over a pixel of the picture."""
    page.wait_for_timeout(60)  # a frame
    *color, alpha = page.evaluate(
        """([x, y]) => [...document.getElementById("overlay").getContext("2d")
             .getImageData(Math.round(x), Math.round(y), 1, 1).data]""",
        on_screen(page, x, y),
    )
    return color, alpha


def click_on(page, x, y, **options):
    x, y = on_screen(page, x, y)
    page.locator("#stage").click(position={"x": x, "y": y}, **options)


def saved(page, selector):
    with page.expect_download() as waiting:
        page.click(selector)
    return waiting.value.suggested_filename, waiting.value.path().read_bytes()


def saved_mask(page):
    name, data = saved(page, "text=Mask PNG")
    assert re.fullmatch(r"slide.*\.png", name)
    return np.array(Image.open(io.BytesIO(data)))


def test_a_dropped_image_shows_its_mask(site, open_page):
    page = open_page(site, allowed=("willReadFrequently",))  # said of what this test reads
    expect(page.get_by_role("heading", name="Drop images here")).to_be_visible()
    page.evaluate(
        """(bytes) => {
          const data = new DataTransfer();
          data.items.add(new File([Uint8Array.from(bytes)], "dropped.png", { type: "image/png" }));
          for (const kind of ["dragenter", "dragover", "drop"]) {
            dispatchEvent(new DragEvent(kind, { dataTransfer: data, cancelable: true }));
          }
        }""",
        list(png()["buffer"]),
    )
    expect(page.locator("#image-list")).to_contain_text("dropped.png")
    expect(page.locator("#image-list .state")).to_have_text("done")
    settled(page, expected(MASKS(picture()).labels))
    color, alpha = overlay(page, 90, 60)  # in the dull disc
    assert (color, alpha) == (pytest.approx(ORANGE, abs=2), 128)  # a canvas rounds colors
    assert overlay(page, 60, 10)[1] == 0  # nothing
    assert overlay(page, 30, 30)[1] == 0  # the hole
    page.get_by_label("Show cell").uncheck()
    assert overlay(page, 90, 60)[1] == 0
    page.get_by_label("Show cell").check()
    page.get_by_role("radio", name="Outline").check()
    assert overlay(page, 90, 60)[1] == 0
    page.get_by_role("radio", name="Heat map").check()
    assert overlay(page, 60, 10)[1] == 128
    page.get_by_role("radio", name="Fill").check()
    page.get_by_role("button", name="Compare").click()
    assert overlay(page, 30, 38)[1] == 0  # left of the border
    assert overlay(page, 90, 60)[1] == 128
    page.get_by_role("slider", name="Border between image and mask").press("Home")
    assert overlay(page, 30, 38)[1] == 128


def test_the_threshold_and_the_cleaning_decide_as_python_does(site, open_page):
    page = open_page(site)
    show(page)
    threshold = page.get_by_role("slider", name="Threshold")
    assert page.locator("#threshold-value").inner_text() == "0.500"
    threshold.fill("160")  # of 200 steps
    dull_is_gone = MASKS.adjusted(threshold=0.8)(picture()).labels
    assert not dull_is_gone[disc("dull")].any()
    settled(page, expected(dull_is_gone))
    page.get_by_role("spinbutton", name="Minimum area, px").fill("20")
    page.get_by_role("spinbutton", name="Fill holes up to, px").fill("9")
    page.keyboard.press("Tab")
    clean = MASKS.adjusted(threshold=0.8, min_area_px=20, fill_holes_px=9)(picture()).labels
    settled(page, expected(clean))
    assert overlay(page, 30, 30)[1] == 128  # the hole is filled
    np.testing.assert_array_equal(saved_mask(page), clean)
    page.get_by_role("button", name="Reset to model").click()
    settled(page, expected(MASKS(picture()).labels))
    np.testing.assert_array_equal(saved_mask(page), MASKS(picture()).labels)


def test_other_models_have_their_own_ways(site, open_page):
    page = open_page(site)
    show(page, "colors")
    names = ("background", "dull", "bright")
    settled(page, expected(COLORS(picture()).labels, names))
    page.get_by_role("spinbutton", name="Minimum area, px").fill("0")
    page.keyboard.press("Tab")
    settled(page, expected(COLORS.adjusted(min_area_px=0)(picture()).labels, names))
    show(page, "objects", "objects.png")
    expect(page.locator("#pieces-title")).to_have_text("Objects")
    expect(page.locator("#classes tr").nth(1)).to_contain_text("4")
    page.get_by_role("slider", name="Minimum score").fill("150")
    expect(page.locator("#classes tr").nth(1)).to_contain_text("2")
    assert page.locator("#fill-holes-row").is_hidden()


def test_what_is_painted_can_be_taken_back_and_is_downloaded(site, open_page):
    page = open_page(site)
    show(page)
    own = MASKS(picture()).labels
    page.keyboard.press("f")
    click_on(page, 30, 30)  # the hole
    filled = own.copy()
    filled[29:32, 29:32] = 1
    settled(page, expected(filled))
    np.testing.assert_array_equal(saved_mask(page), filled)
    expect(page.locator("#image-list .state")).to_have_text("changed")

    page.keyboard.press("e")
    page.get_by_role("slider", name="Size").fill("60")
    click_on(page, 90, 60)
    radius = 30 / (on_screen(page, 1, 0)[0] - on_screen(page, 0, 0)[0])
    rows, columns = np.mgrid[: own.shape[0], : own.shape[1]]
    erased = filled.copy()
    erased[(rows - 60) ** 2 + (columns - 90) ** 2 < radius**2] = 0
    page.wait_for_timeout(200)
    painted = saved_mask(page)
    assert abs(int(painted.sum()) - int(erased.sum())) <= 8  # the pointer stands on a whole pixel
    # It stays on top when what is below moves.
    page.get_by_role("slider", name="Threshold").fill("160")
    dull_is_gone = MASKS.adjusted(threshold=0.8)(picture()).labels
    dull_is_gone[29:32, 29:32] = 1
    settled(page, expected(dull_is_gone))
    page.get_by_role("button", name="Reset to model").click()

    page.keyboard.press("Control+z")
    settled(page, expected(filled))
    page.keyboard.press("Control+z")
    settled(page, expected(own))
    assert page.get_by_role("button", name="Undo").is_disabled()
    page.keyboard.press("Control+Shift+z")
    settled(page, expected(filled))
    page.get_by_role("button", name="Reset", exact=True).click()
    settled(page, expected(own))
    np.testing.assert_array_equal(saved_mask(page), own)
    expect(page.locator("#image-list .state")).to_have_text("done")


def test_every_file_can_be_saved_and_corrections_outlive_a_reload(site, open_page):
    page = open_page(site)
    show(page)
    page.keyboard.press("f")
    click_on(page, 30, 30)
    labels = MASKS(picture()).labels
    labels[29:32, 29:32] = 1
    settled(page, expected(labels))
    _, data = saved(page, "text=COCO")
    coco = json.loads(data)
    assert sum(one["area"] for one in coco["annotations"]) == labels.sum()
    _, data = saved(page, "text=GeoJSON")
    assert {one["geometry"]["type"] for one in json.loads(data)["features"]} == {"Polygon"}
    _, data = saved(page, "text=Areas CSV")
    assert str(labels.sum()) in {
        v for row in csv.DictReader(io.StringIO(data.decode())) for v in row.values()
    }
    _, data = saved(page, "text=Overlay PNG")
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == picture().shape
    show(page, name="second.png")
    expect(page.locator("#image-list .state")).to_have_text(["changed", "done"])
    _, data = saved(page, "text=Everything as ZIP")
    names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    assert {name.split("/")[0] for name in names} == {"slide", "second", "areas.csv"}
    page.reload()
    expect(page.locator("#image-list .state")).to_have_text(["changed", "done"])
    settled(page, expected(labels))
    np.testing.assert_array_equal(saved_mask(page), labels)
    page.get_by_role("button", name="Remove second.png").click()
    expect(page.locator("#image-list li")).to_have_count(1)


def test_regions_come_by_doubt_and_are_decided_again(site, open_page):
    page = open_page(site)
    show(page, "regions")
    (made,) = REGIONS({"slide": picture()})
    doubt = np.argsort(abs(made.region_probabilities - 0.5))
    rows = page.locator("#region-list .number")
    expect(rows).to_have_text([f"{made.region_probabilities[i]:.2f}" for i in doubt])
    expect(page.locator("#decisions")).to_contain_text(f"{made.decision} · {made.probability:.2f}")
    # Zoomed to the dullest, it lies in the middle, where the eraser is moved by keys.
    page.get_by_role("button", name=f"malignant {made.region_probabilities.min():.2f}").click()
    page.wait_for_timeout(500)
    page.keyboard.press("e")
    page.get_by_role("slider", name="Size").fill("200")
    page.locator("#stage").focus()
    for key in ("ArrowRight", "Space", "ArrowLeft"):
        page.keyboard.press(key)
    page.get_by_role("button", name="Classify again").click()
    expect(rows).not_to_have_text([f"{made.region_probabilities[i]:.2f}" for i in doubt])


def test_what_is_kept_is_trained_on(site, open_page, keep, tmp_path, uncompiled):
    page = open_page(site)
    names = ["one", "two", "three", "four"]
    for number, name in enumerate(names):
        show(page, "colors", f"{name}.png", np.roll(picture(), 5 * number, axis=1))
        page.keyboard.press("k")
        expect(page.locator(".notice.good").last).to_contain_text(f"{name}.png was added to")
    folder = keep / "colors"
    for kind in ("images", "masks"):
        assert sorted(path.stem for path in (folder / kind).iterdir()) == sorted(names)
    settings = {"encoder": "plain", "encoder_widths": [4, 8], "norm": "group", "batch_size": 4}
    settings |= {"force": True, "on_message": print}  # four images, of which one is another, moved
    run = maskwright.train(folder, tmp_path / "run", size=32, epochs=1, **settings)
    assert maskwright.load(run.folder).card.labels == COLORS.card.labels
