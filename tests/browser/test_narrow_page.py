"""The page on a telephone, and its notices."""

import pytest
from browser_models import browser_models
from browsing import WIDE, served
from test_access import check
from test_page import png, show

from made_up_models import classifier, predictor, two_logits
from maskwright.serving import ModelRegistry, create_app
from maskwright.tasks.regions import serving as regions
from maskwright.tasks.semantic import serving as semantic

expect = pytest.importorskip("playwright.sync_api").expect

PHONE, LYING = {"width": 390, "height": 844}, {"width": 844, "height": 390}
LONG = "a_name_without_any_space_as_microscopes_write_it_2026-11-29T10-07-16_ch01_z003_tile_017"
OUTSIDE = """() => [...document.querySelectorAll("main *, .notice *")]
  .filter((element) => element.checkVisibility() && !element.closest("svg, ul, .unseen, #viewer"))
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


def test_long_names_without_spaces_stay_inside(open_page, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "plan.yaml").write_text("epochs: 4\n")
    cells = predictor(("background", f"class_{LONG}"), two_logits, tile=None)
    answers = classifier(170, 20, names=("good", f"bad_{LONG}"), unit="image", size=32)
    models = ModelRegistry({f"run_{LONG}": run})
    models.add(regions.as_served("regions", answers, semantic.as_served("", cells).segmenter))
    with served(create_app(models, on_record=lambda _: None)) as address:
        page = open_page(address, viewport=PHONE, allowed=("500",))
        page.set_input_files("#files", png(f"{LONG}.png"))
        expect(page.locator("#region-list li")).to_have_count(3)
        page.get_by_role("button", name="Brush", exact=True).click()
        page.get_by_role("radio", name="Heat map").check()
        page.route("**/mask.png", lambda route: route.fulfill(status=500, json={"detail": LONG}))
        page.get_by_role("button", name="Mask PNG").click()
        expect(page.get_by_role("alert")).to_contain_text(LONG)
        assert page.evaluate(OUTSIDE) == []
        page.get_by_role("button", name="Training", exact=True).click()
        expect(page.locator("#run-name")).to_contain_text(LONG)
        assert page.evaluate(OUTSIDE) == []


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
