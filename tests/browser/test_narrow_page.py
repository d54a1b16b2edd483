"""The page on a telephone, and its notices."""

import pytest
from browser_models import browser_models
from browsing import WIDE, served
from test_access import check
from test_page import show

from maskwright.serving import create_app

expect = pytest.importorskip("playwright.sync_api").expect

PHONE, LYING = {"width": 390, "height": 844}, {"width": 844, "height": 390}
OUTSIDE = """() => [...document.querySelectorAll("button, select, input, output, h2, td, canvas")]
  .filter((element) => element.checkVisibility() && !element.closest("#image-list"))
  .map((element) => [element.id || element.textContent, element.getBoundingClientRect()])
  .filter(([, { left, right }]) => left < 0 || right > innerWidth)
  .map(([name]) => name)"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    run = folder / "run"
    (run / "previews").mkdir(parents=True)
    (run / "plan.yaml").write_text("epochs: 4\n")
    app = create_app(browser_models({"run": run}), keep=folder, on_record=lambda _: None)
    with served(app) as address:
        yield address


def boxes(page, *names):
    return [page.locator(name).bounding_box() for name in names]


def apart(first, second):
    return (
        first["x"] + first["width"] <= second["x"]
        or second["x"] + second["width"] <= first["x"]
        or first["y"] + first["height"] <= second["y"]
        or second["y"] + second["height"] <= first["y"]
    )


@pytest.mark.parametrize("size", [PHONE, LYING, WIDE])
def test_nothing_lies_outside_and_no_bar_covers_the_image(site, open_page, size):
    page = open_page(site, viewport=size)
    show(page, "regions")
    for tool in ("Brush", "Eraser", "Fill", "Pan"):
        page.get_by_role("button", name=tool, exact=True).click()
        assert page.evaluate(OUTSIDE) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        stage, *bars = boxes(page, "#stage", "#tools", "#zooms", "#tool-options")
        assert all(apart(stage, bar) for bar in bars)
        assert stage["height"] > 60
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#swipe")).to_be_visible()
    page.get_by_role("button", name="Color scheme").click()
    page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(page.locator("#shortcuts")).to_be_visible()
    page.keyboard.press("Escape")


def test_a_phone_is_accessible(site, open_page):
    page = open_page(site, reduced_motion="reduce")
    show(page, "regions")
    page.get_by_role("button", name="Brush", exact=True).click()
    check(page, (PHONE,))


def test_notices_do_not_stack(site, open_page):
    page = open_page(site, allowed=("500",), viewport=PHONE)
    show(page)
    for _ in range(3):
        page.get_by_role("button", name="Add to training data").click()
        expect(page.locator(".notice.good")).to_have_count(1)
    details = [f"Failure number {number}." for number in range(4)]
    waiting = iter(details)

    def fail(route):
        route.fulfill(status=500, json={"detail": next(waiting)})

    page.route("**/mask.png", fail)
    for detail in details:
        page.get_by_role("button", name="Mask PNG").click()
        expect(page.get_by_role("alert")).to_contain_text(detail)
    expect(page.get_by_role("alert")).to_have_count(1)
    expect(page.get_by_role("alert").locator("p")).to_have_count(4)
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_role("alert")).to_have_count(0)
