"""The page for everybody: by keyboard, checked with axe-core, with a token, at a busy server."""

import pytest
from browser_models import MASKS, browser_models
from browsing import NARROW, WIDE, served
from test_page import areas, expected, png, settled, show
from test_training_view import write

from made_up_models import picture
from maskwright.serving import create_app

expect = pytest.importorskip("playwright.sync_api").expect
axe = pytest.importorskip("axe_playwright_python.sync_playwright")

TOKEN = "a token of many letters"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    run = folder / "run"
    (run / "previews").mkdir(parents=True)
    (run / "plan.yaml").write_text("epochs: 4\n")
    write(run, 3, 0.75)
    app = create_app(browser_models({"run": run}), keep=folder, on_record=lambda _: None)
    with served(app) as address:
        yield address


def check(page, viewports=(WIDE,)):
    """Nothing is wrong in light and dark, nor wider than the window."""
    for viewport in viewports:
        page.set_viewport_size(viewport)
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = axe.Axe().run(page)
            assert found.response["violations"] == [], found.generate_report()


def test_axe_finds_nothing_wrong(site, open_page):
    both = (NARROW, WIDE)
    page = open_page(site, reduced_motion="reduce")
    check(page, both)
    show(page, "regions")
    page.keyboard.press("b")
    page.get_by_role("button", name="Compare").click()
    check(page, both)
    show(page, "layers", "layers.png")
    page.keyboard.press("b")
    check(page, both)
    page.keyboard.press("?")
    check(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Training", exact=True).click()
    expect(page.locator(".pair img").first).to_be_visible()
    check(page, both)


def test_all_can_be_done_by_keyboard(site, open_page):
    page = open_page(site)
    choosers = []
    page.on("filechooser", lambda chooser: choosers.append(chooser))
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the image")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#stage")).to_be_focused()
    page.keyboard.press("a")
    while not choosers:
        page.wait_for_timeout(20)
    choosers[0].set_files(png("a.png"))
    expect(page.locator("#image-list .state")).to_have_text("done")
    settled(page, expected(MASKS(picture()).labels))
    for _ in range(60):
        page.keyboard.press(".")
    settled(page, expected(MASKS.adjusted(threshold=0.8)(picture()).labels))
    before = areas(page)
    page.keyboard.press("b")
    for key in ("]", "]", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    page.keyboard.down(" ")
    page.keyboard.press("ArrowRight")
    page.keyboard.up(" ")
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    page.wait_for_timeout(200)
    assert int(areas(page)["cell"][0]) > int(before["cell"][0]) + 10
    page.keyboard.press("Control+z")
    settled(page, before)
    for key in ("0", "+", "-", "m", "h", "h", "c", "v", "ArrowLeft", "n", "p"):
        page.keyboard.press(key)
    with page.expect_download() as download:
        page.keyboard.press("s")
    assert download.value.suggested_filename.endswith(".png")
    # Every control is reached by the tab key, and shows where it is.
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.name"))
    wanted = {"choose", "stage", "swipe", "zoom-in", "panel", "opacity", "threshold", "min-area"}
    assert wanted | {"keep-largest", "archive", "keep", "theme", "help", "model"} <= reached


@pytest.fixture
def locked_site():
    app = create_app(browser_models(), token=TOKEN, on_record=lambda _: None)
    with served(app) as address:
        yield address


def test_a_token_is_asked_for(locked_site, open_page):
    page = open_page(locked_site, ready="#sign-in[open]", allowed=("401",))
    page.get_by_label("Token").fill("another")
    page.keyboard.press("Enter")
    expect(page.locator("#sign-in-trouble")).to_have_text("This is not the token of this server.")
    check(page)
    page.get_by_label("Token").fill(TOKEN)
    page.keyboard.press("Enter")
    expect(page.locator("#sign-in")).to_be_hidden()
    show(page)


def test_what_goes_wrong_is_said_in_a_sentence(site, open_page):
    page = open_page(site, allowed=("503", "ERR_FAILED", "415", "422", "409", "404"))
    page.set_input_files("#files", {"name": "no.png", "mimeType": "", "buffer": b"not an image"})
    state = page.locator("#image-list .state")
    expect(state).to_contain_text("no.png")
    expect(page.locator("#busy-text")).to_have_text(state.inner_text())
    # A busy server is asked again when it says so.
    turned_away = []

    def busy(route):
        if turned_away:
            return route.continue_()
        turned_away.append(route.request.url)
        return route.fulfill(status=503, headers={"Retry-After": "1"}, json={"detail": "Busy."})

    page.route("**/api/images?model=*", busy)
    show(page, name="later.png")
    assert len(turned_away) == 1
    expect(page.locator("#trouble")).to_be_hidden()
    # An image that the server has dropped.
    page.route("**/mask.png", lambda route: route.fulfill(status=404, json={"detail": "Gone."}))
    page.click("text=Mask PNG")
    notice = page.get_by_role("alert").filter(has_text="Gone.")
    expect(notice).to_be_visible()
    notice.get_by_role("button", name="Dismiss").click()
    expect(notice).to_be_hidden()
