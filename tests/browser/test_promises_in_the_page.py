"""What promises say of images, in the page: a line, outer and inner masks, order of doubt."""

import numpy as np
import pytest
from browsing import served
from test_page import show

from drawing_doubts import doubtful
from drawing_promises import CASES, promised_run
from made_up_models import classifier, masks, two_squares
from maskwright.serving import ModelRegistry, create_app
from maskwright.tasks.regions import serving as regions
from maskwright.tasks.regions.trust.answer_sets import AnswerPromise, AnswerSets

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    run = promised_run(tmp_path_factory.mktemp("promised") / "discs")
    models = ModelRegistry({"discs": run})
    models.add(models._open("discs", run, prepare=False))
    models.add(masks("others"))
    promises = [
        AnswerPromise(name=n, level=0.1, n=9, threshold=0.0, is_shared=False, referred=0.0)
        for n in ("dull", "bright")
    ]
    answers = {"predicted": AnswerSets(unit="region", promises=(promises[0], promises[1]))}
    models.add(regions.as_served("spots", classifier(), masks("masks").masks, answers))
    with served(create_app(models, on_record=lambda _: None)) as address:
        yield address


OPAQUE = """(wanted) => {
  const canvas = document.getElementById("overlay");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.some((value, i) => i % 4 === 3 && value === 255) === wanted;
}"""
"""Whether any pixel of the overlay is opaque, as lines of bounds are, or none."""


def test_promises_are_said_and_drawn_and_the_most_doubtful_image_comes_first(site, open_page):
    page = open_page(site, allowed=["willReadFrequently"])  # the overlay is read twice
    show(page, "discs", name="usual.png", image=doubtful(CASES)[0])
    expect(page.locator("#trust-lines")).to_contain_text("at least")
    expect(page.locator("#trust-lines")).to_contain_text("in 9 of 10 images")
    page.locator("#opacity").fill("20")  # lines of the mask itself are not opaque then
    page.wait_for_function(OPAQUE, arg=True)
    page.locator("#bounds").uncheck()
    page.wait_for_function(OPAQUE, arg=False)
    noise = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    show(page, "discs", name="noise.png", image=noise)
    expect(page.locator("#trust-lines")).to_contain_text("unlike the training images")
    names = page.locator(".entry .name")
    expect(names.first).to_have_text("usual.png")
    page.locator("#sort-doubt").click()
    expect(names.first).to_have_text("noise.png")


def test_answers_of_decisions_are_said_with_how_often_they_are_right(site, open_page):
    page = open_page(site)
    show(page, "spots", name="squares.png", image=two_squares())
    expect(page.locator("#answers li")).to_have_text(
        "Answer: refer (dull or bright) — in 9 of 10 new cases the right answer is in this set"
    )
