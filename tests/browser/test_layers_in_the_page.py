"""Classes that overlap in the page: each layer is edited alone, and every file holds all."""

import io
import zipfile

import numpy as np
import pytest
from browser_models import LAYERED
from PIL import Image
from test_page import click_on, overlay, saved, show

from made_up_models import LAYERS, picture
from maskwright.data import open_dataset
from maskwright.data.layers import read_layers
from maskwright.serving.jobs import probability_grid

expect = pytest.importorskip("playwright.sync_api").expect


def shaded():
    """The picture in other colors, so that each layer shows other discs."""
    image = picture()
    image[..., 0][image[..., 0] > 180] = 40
    image[..., 2][image[..., 2] == 150] = 120
    return image


def layers_in(page):
    _, data = saved(page, "text=Masks PNG")
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        pages = [np.array(Image.open(io.BytesIO(packed.read(f"{name}.png")))) for name in LAYERS]
    return np.stack(pages, axis=-1)


def rows(page):
    texts = page.locator("#classes tr:visible").all_inner_texts()
    cells = [text.replace(",", "").split() for text in texts]
    return {cell[0]: cell[1] for cell in cells if len(cell) > 2}


def settled(page, wanted):
    expected = {name: str(area) for name, area in zip(LAYERS, wanted, strict=True)}
    for _ in range(200):
        if rows(page) == expected:
            return
        page.wait_for_timeout(50)
    assert rows(page) == expected


def edit(page, name):
    page.get_by_role("radio", name=f"Edit {name}").check()
    expect(page.locator("#threshold")).to_be_enabled()


def test_each_layer_is_edited_alone(site, open_page, keep):
    page = open_page(site, allowed=("willReadFrequently",))
    image = shaded()
    show(page, "layers", "scan.png", image[..., ::-1])  # as OpenCV writes it
    wanted = 255 * LAYERED(image).labels
    areas = (wanted == 255).sum(axis=(0, 1)).tolist()
    assert len(set(areas)) == 3
    settled(page, areas)
    # A hole of the bright disc is filled in the layer of the tumor alone.
    edit(page, "tumor")
    page.keyboard.press("f")
    click_on(page, 30, 30)
    wanted[29:32, 29:32, 1] = 255
    areas[1] += 9
    settled(page, areas)
    assert overlay(page, 30, 30)[1] == 128
    edit(page, "vessel")
    assert page.get_by_role("button", name="Undo").is_disabled()
    page.get_by_role("slider", name="Threshold").fill("190")
    sure = LAYERED.adjusted(threshold=0.95)(image).labels[..., 2]
    assert 0 < sure.sum() < areas[2]
    wanted[..., 2] = 255 * sure
    areas[2] = int(sure.sum())
    settled(page, areas)
    edit(page, "tumor")
    settled(page, areas)
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    assert page.locator("#threshold-value").inner_text() == "0.400"
    np.testing.assert_array_equal(layers_in(page), wanted)
    page.get_by_role("button", name="Add to training data").click()
    expect(page.locator(".notice.good")).to_contain_text("now contains 1 image")
    dataset = open_dataset(keep / "layers")
    assert dataset.multilabel
    layers = read_layers(dataset, dataset.samples[0])[1]
    np.testing.assert_array_equal(255 * layers, wanted)
    page.reload()
    settled(page, areas)
    edit(page, "tumor")
    page.keyboard.press("Control+z")  # strokes outlive a reload, not their history
    settled(page, areas)
    np.testing.assert_array_equal(layers_in(page), wanted)


def test_other_layers_are_outlined_and_can_be_hidden(site, open_page):
    page = open_page(site, allowed=("willReadFrequently",))
    image = shaded()
    show(page, "layers", "scan.png", image[..., ::-1])
    layers = LAYERED(image).labels
    assert not layers[30, 38, 0]
    assert layers[30, 38, 1]
    edge = next(x for x in range(38, 60) if not layers[30, x, 1]) - 1

    def is_seen():
        """Whether any pixel of the screen near the border of the tumor is drawn on."""
        return any(overlay(page, edge + part / 8, 30)[1] for part in range(-4, 5))

    settled(page, layers.sum(axis=(0, 1)).tolist())
    assert is_seen()
    assert overlay(page, 34, 30)[1] == 0  # outlined, not filled
    page.get_by_label("Show tumor").uncheck()
    page.get_by_label("Show vessel").uncheck()
    assert not is_seen()
    edit(page, "tumor")
    assert overlay(page, 34, 30)[1] == 0  # still hidden
    page.get_by_label("Show tumor").check()
    assert overlay(page, 34, 30)[1] == 128


def test_settings_of_all_layers_are_applied_to_all_images(site, open_page):
    page = open_page(site)
    images = {"first.png": shaded(), "second.png": shaded()[:, ::-1]}
    for name, image in images.items():
        show(page, "layers", name, image[..., ::-1])
    edit(page, "vessel")
    page.get_by_role("slider", name="Threshold").fill("190")
    edit(page, "tumor")
    page.get_by_role("spinbutton", name="Minimum area, px").fill("20")
    page.get_by_role("button", name="Apply to all images").click()
    expect(page.locator(".notice.good")).to_contain_text("applied to 2 images")
    expect(page.locator("#image-list .state")).to_have_text(["changed", "changed"])
    page.reload()
    expect(page.locator("#image-list .state")).to_have_text(["changed", "changed"])
    for name, image in images.items():
        page.locator(".pick", has_text=name).click()
        wanted = LAYERED(image).labels
        wanted[..., 1] = LAYERED.adjusted(min_area_px=20)(image).labels[..., 1]
        wanted[..., 2] = LAYERED.adjusted(threshold=0.95)(image).labels[..., 2]
        settled(page, wanted.sum(axis=(0, 1)).tolist())
        np.testing.assert_array_equal(layers_in(page), 255 * wanted)


def test_layers_of_a_large_image_are_replayed_at_full_resolution(site, open_page, monkeypatch):
    monkeypatch.setattr(probability_grid, "GRID_PIXELS", 3000)  # every third pixel
    page = open_page(site)
    image = shaded()
    show(page, "layers", "scan.png", image[..., ::-1])
    own = LAYERED(image).labels
    settled(page, own.sum(axis=(0, 1)).tolist())
    edit(page, "tumor")
    page.get_by_role("spinbutton", name="Minimum area, px").fill("20")
    page.keyboard.press("Tab")
    own[..., 1] = LAYERED.adjusted(min_area_px=20)(image).labels[..., 1]
    settled(page, own.sum(axis=(0, 1)).tolist())
    np.testing.assert_array_equal(layers_in(page), 255 * own)
