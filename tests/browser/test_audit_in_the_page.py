"""Masks that an audit doubts, listed in the page and opened as the data set has them."""

import json

import numpy as np
import pytest
from browser_models import browser_models
from browsing import served
from test_page import NOTHING, settled

from drawing_layers import draw_layers, layers_of
from made_up_models import LAYERS, disc, picture
from maskwright.imageio import write_image
from maskwright.serving import create_app
from maskwright.serving.store.label_findings import open_findings

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Server of an audit of two masks, in which the bright or the dull disc was forgotten."""
    folder = tmp_path_factory.mktemp("audited")
    out = tmp_path_factory.mktemp("audit")
    listed = []
    for name, forgotten in (("first", "dull"), ("second", "bright")):
        given = disc("bright") | disc("dull")
        given &= ~disc(forgotten)
        write_image(folder / "images" / f"{name}.png", picture())
        write_image(folder / "masks" / f"{name}.png", given.astype(np.uint8)[..., None])
        rows, columns = np.nonzero(disc(forgotten))
        box = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
        piece = {"box": list(map(int, box)), "given": "background", "predicted": "cell"}
        piece["area_px"] = int(disc(forgotten).sum())
        listed.append({"image": name, "split": "train", "score": 0.25, "piece": piece})
    (folder / "data.yaml").write_text("classes: [background, cell]\n", encoding="utf-8")
    audit = {"source": str(folder), "classes": ["background", "cell"], "overlapping": False}
    (out / "audit.json").write_text(json.dumps({**audit, "masks": listed}), encoding="utf-8")
    findings = open_findings(out)
    app = create_app(browser_models(), audit=findings, on_record=lambda _: None)
    with served(app) as address:
        yield address


def test_a_finding_opens_the_mask_of_the_data_set_at_the_piece(site, open_page):
    page = open_page(site, allowed=["willReadFrequently", "422"])
    rows = page.locator("#finding-list button")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("background in the mask, cell by the model")
    page.select_option("#model", "masks")
    rows.first.click()
    expect(page.locator(".entry.chosen")).to_contain_text("first.png")
    expect(page.locator("#busy")).to_be_hidden()
    given = int(disc("bright").sum())
    wanted = {"background": (f"{disc('bright').size - given}", NOTHING), "cell": (f"{given}", "1")}
    settled(page, wanted)
    expect(rows.first).to_have_attribute("aria-current", "true")
    # The piece lies in the middle of the view: Fill paints it at one click.
    page.keyboard.press("f")
    stage = page.locator("#stage").bounding_box()
    page.mouse.click(stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2)
    expect(page.locator(".entry.chosen .state")).to_have_text("changed")
    rows.nth(1).click()
    expect(page.locator(".entry.chosen")).to_contain_text("second.png")
    rows.first.click()  # the one that is in the list, with its correction
    expect(page.locator(".entry")).to_have_count(2)
    expect(page.locator(".entry.chosen .state")).to_have_text("changed")
    page.reload()
    expect(page.locator(".entry")).to_have_count(2)
    expect(page.locator("#finding-list [aria-current]")).to_have_count(1)


def test_of_classes_that_overlap_the_doubtful_layer_is_shown(tmp_path, browser, open_page):
    piece = {"box": [10, 10, 20, 20], "given": "no tumor", "predicted": "tumor", "area_px": 100}
    finding = {"image": "1", "split": "val", "score": 0.2, "piece": piece}
    audit = {
        "source": str(draw_layers(tmp_path / "data", 2)),
        "classes": LAYERS,
        "overlapping": True,
    }
    (tmp_path / "audit.json").write_text(json.dumps({**audit, "masks": [finding]}), "utf-8")
    app = create_app(browser_models(), audit=open_findings(tmp_path), on_record=lambda _: None)
    with served(app) as address:
        page = open_page(address)
        page.select_option("#model", "layers")
        page.locator("#finding-list button").click()
        expect(page.get_by_role("radio", name="Edit tumor")).to_be_checked()
        areas = layers_of(1).sum(axis=(0, 1))
        for name, area in zip(LAYERS, areas, strict=True):
            row = page.locator("#classes tr", has_text=name)
            expect(row.locator("td").first).to_have_text(f"{area:,}")


def test_a_model_of_other_classes_is_refused_in_a_sentence(site, open_page):
    page = open_page(site, allowed=["422"])
    page.select_option("#model", "colors")
    page.locator("#finding-list button").first.click()
    expect(page.locator(".notice.bad")).to_contain_text("the model colors has background, dull")


def test_without_an_audit_nothing_is_listed(browser, open_page):
    with served(create_app(browser_models(), on_record=lambda _: None)) as address:
        expect(open_page(address).locator("#audit")).to_be_hidden()
