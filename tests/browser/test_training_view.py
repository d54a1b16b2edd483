"""The view of runs, of one whose files are written while it is looked at."""

import csv
import json
import time

import cv2
import numpy as np
import pytest
from browsing import served

from maskwright.serving import ModelRegistry, create_app

expect = pytest.importorskip("playwright.sync_api").expect

TITLES = {"mean_dice": "mean Dice", "mean_iou": "mean IoU"}
COLUMNS = ["image", "ground truth", "predicted"]


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "first"
    (folder / "previews").mkdir(parents=True)
    (folder / "plan.yaml").write_text("epochs: 4\n")
    return folder


def write(folder, epochs, share, **more):
    """A run as training leaves it after some epochs."""
    rows = [
        {
            "epoch": epoch,
            "seconds": 10.0 * epoch,
            "loss": 1 / epoch,
            "mean_dice": 0.5 + 0.1 * epoch,
            "mean_iou": 0.4 + 0.1 * epoch,
            "val_loss": 1.2 / epoch,
            "val_mean_dice": [0.5, 0.7, 0.6, 0.65][epoch - 1],
            "val_mean_iou": 0.3 + 0.1 * epoch,
        }
        for epoch in range(1, epochs + 1)
    ]
    for row in rows:
        preview = np.full((40, 120, 3), 60 * row["epoch"], np.uint8)
        cv2.imwrite(str(folder / "previews" / f"epoch_{row['epoch']:04d}.png"), preview)
    with (folder / "history.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    told = {"share": share, "seconds_left": 75.0, "time": time.time(), "running": True}
    told |= {"titles": TITLES, "watch": "mean_dice", "columns": COLUMNS, **more}
    (folder / "progress.json").write_text(json.dumps(told))


@pytest.fixture
def site(run):
    with served(create_app(ModelRegistry({"first": run}), on_record=lambda _: None)) as address:
        yield address


def test_a_run_is_followed_to_its_end(run, site, open_page):
    write(run, 1, 0.25)
    page = open_page(site, ready="#charts figure")
    # There is no model yet: the page opens here.
    expect(page.get_by_role("heading", name="first")).to_be_visible()
    expect(page.locator("#run-facts")).to_contain_text("1 of 4")
    expect(page.locator("#run-facts")).to_contain_text("1 min 15 s")
    write(run, 3, 0.75)
    expect(page.locator("#run-facts")).to_contain_text("3 of 4")
    expect(page.locator("#announcements")).to_have_text("Epoch 3 of first is done.")
    expect(page.locator("#run-facts")).to_contain_text("Best epoch2")
    assert page.locator("#run-share").evaluate("share => share.value") == 0.75

    dice = page.get_by_role("slider", name="mean Dice by epoch")
    dice.press("ArrowLeft")
    assert dice.get_attribute("aria-valuetext") == (
        "Epoch 2 (best): training 0.7000, validation 0.7000"
    )
    dice.hover(position={"x": 46, "y": 60})
    assert dice.get_attribute("aria-valuenow") == "1"
    lines = page.locator(".chart").nth(1).locator("polyline")
    assert lines.count() == 2
    page.get_by_role("button", name="mean Dice, training").click()
    assert lines.count() == 1

    first, second = page.locator(".pair img").all()
    assert first.get_attribute("src").endswith("previews/1.png")
    assert second.get_attribute("src").endswith("previews/3.png")
    page.get_by_role("slider", name="First epoch").press("ArrowRight")
    assert first.get_attribute("src").endswith("previews/2.png")
    page.get_by_role("button", name="Play").click()
    expect(page.locator(".pair output").nth(1)).to_have_text("Epoch 1")
    expect(page.locator(".pair output").nth(1)).to_have_text("Epoch 2")
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("Values as a table").click()
    assert page.locator("#values-table tbody tr").count() == 3

    page.get_by_role("button", name="Images").click()
    expect(page.get_by_role("heading", name="No model yet")).to_be_visible()
