"""Corrections while answers come late, fail, or come from a second tab."""

import re

import numpy as np
import pytest
from browser_models import MASKS, browser_models
from browsing import Injected, served
from test_page import click_on, expected, on_screen, overlay, png, saved_mask, settled, show

from made_up_models import disc, picture
from maskwright.imageio import read_mask
from maskwright.serving import create_app

expect = pytest.importorskip("playwright.sync_api").expect

OWN = MASKS(picture()).labels
FILLED = OWN.copy()
FILLED[29:32, 29:32] = 1  # the hole
MOVED = np.roll(picture(), 40, axis=1)


@pytest.fixture(scope="module")
def app(keep):
    return Injected(create_app(browser_models(), keep=keep, on_record=lambda _: None))


@pytest.fixture(scope="module")
def site(app):
    with served(app) as address:
        yield address


@pytest.fixture(autouse=True)
def _as_it_was(app):
    yield
    app.late, app.failing, app.lost = {}, set(), set()


def fill_the_hole(page):
    page.keyboard.press("f")
    click_on(page, 30, 30)


def states(page):
    return page.locator("#image-list .state")


def test_the_next_image_never_shows_the_mask_of_the_one_before(site, open_page, app):
    page = open_page(site, allowed=("willReadFrequently",))
    page.set_input_files("#files", [png(), png("moved.png", MOVED)])
    expect(states(page)).to_have_text(["done", "done"])
    settled(page, expected(OWN))
    assert overlay(page, 90, 60)[1] == 128
    app.late = {"PUT /": 0.4, "GET /tiles": 0.2, "GET evidence": 3}
    fill_the_hole(page)
    page.locator(".pick", has_text="moved.png").click()
    assert overlay(page, 90, 60)[1] == 0  # at once: in the disc of the first image alone
    # Strokes until the mask is there land nowhere, least of all in the first image.
    page.keyboard.press("b")
    click_on(page, 10, 80)
    click_on(page, 30, 70)
    for _ in range(12):
        assert overlay(page, 90, 60)[1] == 0
    own = MASKS(MOVED).labels
    settled(page, expected(own))
    assert overlay(page, 110, 90)[1] in (0, 128)
    app.late = {}
    expect(states(page)).to_have_text(["changed", "done"])
    page.keyboard.press("v")
    page.locator(".pick", has_text="slide.png").click()
    settled(page, expected(FILLED))
    np.testing.assert_array_equal(saved_mask(page), FILLED)


def test_what_cannot_be_saved_says_so_and_is_saved_later(site, open_page, app):
    page = open_page(site, allowed=("500",))
    show(page)
    show(page, name="moved.png", image=MOVED)
    page.locator(".pick", has_text="slide.png").click()
    settled(page, expected(OWN))
    app.failing = {"PUT /strokes"}
    fill_the_hole(page)
    page.locator(".pick", has_text="moved.png").click()
    notice = page.get_by_role("alert")
    expect(notice).to_contain_text("The mask of slide.png is not saved. The disk has failed.")
    expect(states(page).first).to_contain_text("not saved")
    page.locator(".pick", has_text="slide.png").click()
    settled(page, expected(FILLED))  # it is still here
    app.failing = set()
    np.testing.assert_array_equal(saved_mask(page), FILLED)
    expect(states(page).first).to_have_text("changed")


def test_a_stroke_called_saved_survives_a_reload(site, open_page, app):
    page = open_page(site)
    show(page)
    app.late = {"PUT /strokes": 0.5}
    fill_the_hole(page)
    expect(states(page)).to_have_text("saving")
    expect(states(page)).to_have_text("changed")
    page.wait_for_timeout(150)
    page.reload()
    settled(page, expected(FILLED))
    np.testing.assert_array_equal(saved_mask(page), FILLED)


def test_images_that_cannot_be_read_at_a_reload_are_read_later(site, open_page, app):
    page = open_page(site, allowed=("500",))
    for name in ("0.png", "1.png", "2.png"):
        show(page, name=name)
    page.locator(".pick", has_text="1.png").click()
    settled(page, expected(OWN))
    fill_the_hole(page)
    expect(states(page)).to_have_text(["done", "changed", "done"])
    stored = page.evaluate("JSON.parse(sessionStorage.getItem('maskwright.images'))")
    app.failing = {f"GET /api/images/{stored[1]['id']}", "GET /api/runs"}
    page.reload()
    later = re.compile("cannot be read now, and will be asked for again. The disk has failed.")
    expect(states(page)).to_have_text(["done", later, "done"])
    show(page, name="new.png")  # the list is stored again
    page.reload()
    expect(states(page)).to_have_text(["done", later, "done", "done"])
    app.failing = set()
    expect(states(page)).to_have_text(["done", "changed", "done", "done"])
    page.locator(".pick", has_text="1.png").click()
    settled(page, expected(FILLED))


def test_a_slow_reload_loses_no_image(site, open_page, app):
    page = open_page(site)
    for name in ("0.png", "1.png"):
        show(page, name=name)
    app.late = {"GET /api/images": 1}
    page.reload()
    page.set_input_files("#files", png("new.png"))
    expect(states(page).last).to_have_text(re.compile("waiting|predicting|done"))
    app.late = {}
    page.reload()
    expect(states(page)).to_have_text(["done"] * 3)


def test_an_answer_that_is_lost_is_no_conflict(site, open_page, app):
    page = open_page(site, allowed=("503",))
    show(page)
    app.lost = {"PUT /strokes", "PUT /settings"}
    fill_the_hole(page)
    page.get_by_role("slider", name="Threshold").fill("160")
    page.wait_for_timeout(400)
    page.get_by_role("button", name="Reset to model").click()
    expect(states(page)).to_have_text("changed", timeout=15_000)
    assert app.lost == set()
    expect(page.get_by_role("alert")).to_have_count(0)
    np.testing.assert_array_equal(saved_mask(page), FILLED)


def test_a_stale_tab_cannot_write(site, open_page):
    first = open_page(site)
    show(first)
    list_of_tab = "sessionStorage.getItem('maskwright.images')"
    second = open_page(site, allowed=("409",))
    second.evaluate(
        "x => sessionStorage.setItem('maskwright.images', x)", first.evaluate(list_of_tab)
    )
    second.reload()
    settled(second, expected(OWN))
    fill_the_hole(first)
    expect(states(first)).to_have_text("changed")
    second.keyboard.press("e")
    click_on(second, 90, 60)
    expect(second.get_by_role("alert")).to_contain_text("changed elsewhere")
    expect(states(second)).to_contain_text("not saved")
    np.testing.assert_array_equal(saved_mask(first), FILLED)
    second.reload()
    settled(second, expected(FILLED))


def test_a_kept_correction_is_replaced_only_when_asked(site, open_page, keep):
    page = open_page(site, allowed=("409",))
    answers, questions = [False, True], []

    def ask(dialog):
        questions.append(dialog.message)
        dialog.accept() if answers.pop(0) else dialog.dismiss()

    show(page)
    fill_the_hole(page)
    page.keyboard.press("k")
    expect(page.locator(".notice.good")).to_contain_text("was added to")
    file = keep / "masks" / "masks" / "slide.png"
    np.testing.assert_array_equal(read_mask(file).values, FILLED)
    page.on("dialog", ask)
    show(page, name="again.png")
    page.get_by_role("button", name="Add to training data").click()
    expect(page.get_by_role("button", name="Add to training data")).to_be_enabled()
    assert "already, as slide.png, with another mask, perhaps a corrected one. " in questions[0]
    np.testing.assert_array_equal(read_mask(file).values, FILLED)
    page.get_by_role("button", name="Add to training data").click()
    expect(page.locator(".notice.good")).to_contain_text("masks as slide.png; it now contains")
    np.testing.assert_array_equal(read_mask(file).values, OWN)


def test_removing_and_closing_ask_for_corrections_that_nobody_has(site, open_page):
    page = open_page(site)
    questions = []

    def ask(dialog):
        questions.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", ask)
    show(page)
    fill_the_hole(page)
    expect(states(page)).to_have_text("changed")
    page.get_by_role("button", name="Remove slide.png").click()
    expect(states(page)).to_have_count(1)
    page.close(run_before_unload=True)
    page.wait_for_timeout(500)
    assert questions == ["confirm", "beforeunload"]
    assert not page.is_closed()
    saved_mask(page)
    page.get_by_role("button", name="Remove slide.png").click()
    expect(states(page)).to_have_count(0)
    assert len(questions) == 2


def test_the_model_menu_names_the_model_of_the_open_mask_after_a_failure(site, open_page, app):
    page = open_page(site, allowed=("500",))
    show(page)
    app.failing = {"POST /copy"}
    page.select_option("#model", "colors")
    expect(page.get_by_role("alert")).to_contain_text("The disk has failed.")
    expect(page.locator("#model")).to_have_value("masks")
    app.failing, app.late = set(), {"POST /api/images": 1}
    page.set_input_files("#files", [png(name) for name in ("a.png", "b.png", "waits.png")])
    page.locator(".pick", has_text="waits.png").click()  # two are sent at a time
    page.select_option("#model", "colors")
    expect(page.locator("#classes")).to_contain_text("bright")
    page.locator(".pick", has_text="a.png").click()
    page.select_option("#model", "colors")
    expect(page.get_by_role("alert")).to_contain_text("a.png is being uploaded")
    expect(page.locator("#model")).to_have_value("masks")


def test_the_previous_image_during_a_stroke(site, open_page):
    page = open_page(site)
    show(page, name="moved.png", image=MOVED)
    show(page)
    page.keyboard.press("e")
    page.get_by_role("slider", name="Size").fill("40")
    stage = page.locator("#stage").bounding_box()
    x, y = on_screen(page, 90, 60)
    page.mouse.move(stage["x"] + x, stage["y"] + y)
    page.mouse.down()
    page.mouse.move(stage["x"] + x + 5, stage["y"] + y)
    page.keyboard.press("p")
    page.mouse.move(stage["x"] + x + 60, stage["y"] + y + 60)
    page.mouse.up()
    settled(page, expected(MASKS(MOVED).labels))
    page.keyboard.press("v")
    page.keyboard.press("n")
    expect(states(page)).to_have_text(["done", "changed"])
    page.wait_for_timeout(200)
    erased = saved_mask(page)
    assert not erased[60, 90]
    assert (erased[~disc("dull")] == OWN[~disc("dull")]).all()
