"""Several images at once: settings of all, other models, folders, limits, tables."""

import csv
import io
import re
import zipfile

import cv2
import numpy as np
import pytest
from browser_models import COLORS, MASKS, REGIONS, browser_models
from browsing import served
from test_page import click_on, expected, png, saved, saved_mask, settled, show

from made_up_models import picture
from maskwright.serving import ServerLimits, create_app

expect = pytest.importorskip("playwright.sync_api").expect

NAMES = ("background", "dull", "bright")
LIMIT = 200_000
MOVED = np.roll(picture(), 40, axis=1)
DROP = """(files) => {
  const fileOf = ([name, bytes]) => new File([Uint8Array.from(bytes)], name);
  const entryOf = ([name, content]) =>
    typeof content[0] === "number" || content.length === 0
      ? { name, isDirectory: false, file: (resolve) => resolve(fileOf([name, content])) }
      : { name, isDirectory: true, createReader: () => {
          const parts = [content.map(entryOf), []];
          return { readEntries: (resolve) => resolve(parts.shift()) };
        } };
  const items = files.map((given) => ({
    kind: "file", webkitGetAsEntry: () => entryOf(given), getAsFile: () => null }));
  const event = new DragEvent("drop", { cancelable: true });
  Object.defineProperty(event, "dataTransfer", { value: { types: ["Files"], items } });
  dispatchEvent(event);
}"""


@pytest.fixture(scope="module")
def site():
    limits = ServerLimits(body_bytes=LIMIT)
    with served(create_app(browser_models(), limits, on_record=lambda _: None)) as address:
        yield address


def states(page):
    return page.locator("#image-list .state")


def pick(page, name):
    page.locator(".pick", has_text=name).click()


def test_settings_are_applied_to_all_images_and_outlive_a_reload(site, open_page):
    page = open_page(site)
    page.set_input_files("#files", [png(), png("moved.png", MOVED)])
    expect(states(page)).to_have_text(["done", "done"])
    settled(page, expected(MASKS(picture()).labels))
    pick(page, "moved.png")
    settled(page, expected(MASKS(MOVED).labels))
    page.keyboard.press("f")
    click_on(page, 70, 30)  # the hole, in the second image alone
    page.get_by_role("slider", name="Threshold").fill("160")
    page.get_by_role("spinbutton", name="Minimum area, px").fill("20")
    page.get_by_role("button", name="Apply to all images").click()
    expect(page.locator(".notice.good")).to_contain_text("applied to 2 images")
    expect(states(page)).to_have_text(["changed", "changed"])
    adjusted = MASKS.adjusted(threshold=0.8, min_area_px=20)
    filled = adjusted(MOVED).labels
    filled[29:32, 69:72] = 1
    settled(page, expected(filled))
    page.reload()
    expect(states(page)).to_have_text(["changed", "changed"])
    settled(page, expected(adjusted(picture()).labels))
    assert page.locator("#min-area-px").input_value() == "20"
    assert page.locator("#threshold-value").inner_text() == "0.800"
    assert page.get_by_role("button", name="Undo").is_disabled()  # no stroke stands for a setting
    np.testing.assert_array_equal(saved_mask(page), adjusted(picture()).labels)
    pick(page, "moved.png")
    settled(page, expected(filled))
    page.get_by_role("button", name="Reset to model").click()
    own = MASKS(MOVED).labels
    own[29:32, 69:72] = 1
    settled(page, expected(own))


def test_failed_uploads_take_no_part_in_the_settings_of_all(site, open_page):
    page = open_page(site, allowed=("422",))
    broken = {"name": "broken.png", "mimeType": "image/png", "buffer": b"no image"}
    page.set_input_files("#files", [png(), broken, png("moved.png", MOVED)])
    expect(states(page)).to_have_text(["done", re.compile("not an image"), "done"])
    settled(page, expected(MASKS(picture()).labels))
    page.get_by_role("slider", name="Threshold").fill("160")
    page.get_by_role("button", name="Apply to all images").click()
    expect(page.locator(".notice.good")).to_contain_text("applied to 2 images")
    expect(states(page)).to_have_text(["changed", re.compile("not an image"), "changed"])
    questions = []
    page.on("dialog", lambda dialog: (questions.append(dialog.type), dialog.accept()))
    page.reload()
    expect(states(page)).to_have_text(["changed", "changed"])
    assert questions == []


def test_the_model_menu_predicts_the_open_image_again(site, open_page):
    page = open_page(site)
    show(page)
    page.select_option("#model", "colors")
    settled(page, expected(COLORS(picture()).labels, NAMES))
    expect(states(page)).to_have_count(1)
    # A corrected mask stays, and the other model's stands beside it.
    page.keyboard.press("f")
    click_on(page, 30, 30)
    expect(states(page)).to_have_text("changed")
    page.select_option("#model", "masks")
    settled(page, expected(MASKS(picture()).labels))
    expect(states(page)).to_have_text(["changed", "done"])
    page.locator(".pick").first.click()
    expect(page.locator("#model")).to_have_value("colors")


def test_decisions_and_probabilities_of_regions_are_downloaded(site, open_page):
    page = open_page(site)
    show(page, "masks", "first.png")
    assert page.get_by_role("button", name="Regions CSV").is_hidden()
    page.select_option("#model", "regions")
    expect(page.locator("#region-list li")).to_have_count(3)
    (made,) = REGIONS({"first": picture()})

    def tables():
        _, data = saved(page, "text=Regions CSV")
        regions = list(csv.DictReader(io.StringIO(data.decode())))
        _, data = saved(page, "text=Decisions CSV")
        return regions, list(csv.DictReader(io.StringIO(data.decode())))

    regions, (decided,) = tables()
    probabilities = [float(row["probability"]) for row in regions]
    np.testing.assert_allclose(probabilities, made.region_probabilities, atol=1e-6)
    assert decided["decision"] == made.decision
    assert float(decided["probability"]) == pytest.approx(made.probability, abs=1e-6)
    # After a correction the list says that it is of another mask, and the files are of this one.
    page.keyboard.press("f")
    page.get_by_role("radio", name="background").check(force=True)
    click_on(page, 90, 60)
    expect(page.locator("#regions-note")).to_contain_text("The mask has changed since")
    regions, _ = tables()
    assert len(regions) == 2
    expect(page.locator("#region-list li")).to_have_count(2)
    expect(page.locator("#regions-note")).not_to_contain_text("has changed since")
    _, data = saved(page, "text=Everything as ZIP")
    assert {"areas.csv", "decisions.csv", "regions.csv"} <= set(
        zipfile.ZipFile(io.BytesIO(data)).namelist()
    )


def test_a_dropped_folder_is_read(site, open_page):
    page = open_page(site)
    image = list(png()["buffer"])
    inner = ["deep", [["b10.png", image], ["b9.png", image], ["Thumbs.db", [1, 2]]]]
    page.evaluate(DROP, [["folder", [["a.png", image], inner, ["notes.txt", []]]]])
    expect(page.locator("#image-list .name")).to_have_text(["a.png", "b9.png", "b10.png"])
    expect(page.get_by_role("alert")).to_contain_text("2 files of the folder")
    expect(page.get_by_role("alert")).to_contain_text("Thumbs.db, notes.txt")
    expect(states(page)).to_have_text(["done"] * 3)


def test_a_dropped_folder_gives_what_the_file_dialog_takes(site, open_page):
    page = open_page(site, allowed=("422",))
    array = io.BytesIO()
    np.save(array, picture())
    folder = [
        ["a.NPY", list(array.getvalue())],
        ["b.j2k", list(cv2.imencode(".jp2", picture())[1].tobytes())],
        ["IM0001", list(bytes(128) + b"DICM" + bytes(100))],
        ["1.2.840.7", list(bytes(128) + b"DICM" + bytes(100))],
        [".DS_Store", [1]],
    ]
    page.evaluate(DROP, [["folder", folder]])
    expect(page.get_by_role("alert")).to_contain_text("1 file of the folder")
    names = ["1.2.840.7", "a.NPY", "b.j2k", "IM0001"]
    expect(page.locator("#image-list .name")).to_have_text(names)
    dicom = re.compile("is a DICOM file, which the page does not read")
    expect(states(page)).to_have_text([dicom, "done", "done", dicom])


def test_limits_and_other_formats_are_told_in_words(site, open_page):
    page = open_page(site, allowed=("422",))
    expect(page.locator("#empty-note")).to_contain_text("Up to 0.2 MB each (--max-body-mb)")
    sent = []
    page.on(
        "request", lambda request: sent.append(request.url) if "?model=" in request.url else None
    )
    large = {"name": "large.tif", "mimeType": "image/tiff", "buffer": bytes(LIMIT + 1)}
    page.set_input_files("#files", large)
    expect(states(page)).to_have_text(re.compile(r"large\.tif has 0\.2 MB.*--max-body-mb"))
    expect(page.locator("#busy-text")).to_contain_text("--max-body-mb")
    assert not [address for address in sent if "?model=" in address]
    dicom = {"name": "slice.dcm", "mimeType": "", "buffer": bytes(128) + b"DICM" + bytes(100)}
    page.set_input_files("#files", dicom)
    expect(states(page).last).to_contain_text("slice.dcm is a DICOM file")


def test_an_image_that_made_room_is_said_to_be_gone(open_page):
    limits = ServerLimits(images_kept=2)
    with served(create_app(browser_models(), limits, on_record=lambda _: None)) as address:
        page = open_page(address, allowed=("404", "failed to load"))
        page.set_input_files("#files", [png("0.png"), png("1.png")])
        expect(states(page)).to_have_text(["done"] * 2)
        for name in ("2.png", "3.png"):
            show(page, "masks", name)
        for place in (1, 0):  # the browser still has the files of the first, which was shown
            pick(page, f"{place}.png")
            gone = re.compile("no longer has this image; add it")
            expect(states(page).nth(place)).to_have_text(gone)
            expect(page.locator("#busy-text")).to_contain_text("add it again")


def test_an_archive_says_which_images_are_gone(open_page):
    limits = ServerLimits(images_kept=2)
    with served(create_app(browser_models(), limits, on_record=lambda _: None)) as address:
        page = open_page(address, allowed=("404", "failed to load"))
        for name in ("0.png", "1.png", "2.png"):
            show(page, name=name)
        _, data = saved(page, "text=Everything as ZIP")
        assert {name[:2] for name in zipfile.ZipFile(io.BytesIO(data)).namelist()} >= {"1/", "2/"}
        expect(page.get_by_role("alert")).to_contain_text("Not in the archive: 1 file")
        gone = re.compile("no longer has this image")
        expect(states(page)).to_have_text([gone, "done", "done"])


def test_a_reload_names_images_that_made_room_and_keeps_those_with_settings(open_page):
    limits = ServerLimits(images_kept=2)
    with served(create_app(browser_models(), limits, on_record=lambda _: None)) as address:
        page = open_page(address, allowed=("404", "failed to load"))
        show(page, name="0.png")
        page.get_by_role("slider", name="Threshold").fill("160")
        expect(states(page)).to_have_text("changed")
        for name in ("1.png", "2.png"):
            show(page, name=name)
        page.reload()
        expect(page.get_by_role("alert")).to_contain_text("The server no longer has 1.png; the")
        expect(page.locator("#image-list .name")).to_have_text(["0.png", "2.png"])
        expect(states(page)).to_have_text(["changed", "done"])
        settled(page, expected(MASKS.adjusted(threshold=0.8)(picture()).labels))
