"""Images unlike those that the model was trained on: what the page says beside them."""

import numpy as np
import pytest
from browsing import served
from test_page import show

from made_up_models import masks, picture, registry
from maskwright.serving import create_app

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture(scope="module")
def site():
    model = masks("masks", percentiles=(5.0, 10.0, 100.0, 220.0, 240.0))
    models = registry(model, masks("others"))
    with served(create_app(models, on_record=lambda _: None)) as address:
        yield address


@pytest.mark.filterwarnings("ignore::maskwright.errors.MaskwrightWarning")
@pytest.mark.parametrize("width", [1280, 390])
def test_a_dark_image_is_said_to_be_dark_as_long_as_it_is_shown(site, open_page, width):
    page = open_page(site, viewport={"width": width, "height": 800})
    notice = page.locator("#unlike")
    show(page, name="usual.png")
    expect(notice).to_be_hidden()
    show(page, name="dark.png", image=(picture() / 20).astype(np.uint8))
    expect(notice).to_contain_text("much darker than those that the model was trained on")
    stage, box = page.locator("#stage").bounding_box(), notice.bounding_box()
    assert box["y"] + box["height"] <= stage["y"] + 1
    assert stage["height"] > 100
    page.locator(".entry", has_text="usual.png").locator(".pick").click()
    expect(notice).to_be_hidden()
    page.locator(".entry", has_text="dark.png").locator(".pick").click()
    expect(notice).to_contain_text("darker")
