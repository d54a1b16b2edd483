"""Screenshots of the web page for README.md, with models and images of `maskwright demo`.

Usage, after `maskwright demo -o runs/demo` and `maskwright demo --regions -o runs/demo-regions`:
    python docs/screenshots.py runs/demo runs/demo-regions -o docs/images
"""

import argparse
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import uvicorn
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from maskwright.imageio import list_images
from maskwright.serving import create_app, open_models

WIDE, NARROW = (1280, 800), (800, 1000)
_IMAGES = 5  # in the list


def main() -> None:
    """Serve both demonstrations, and take the screenshots."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("masks", type=Path, help="Folder of `maskwright demo`.")
    parser.add_argument("regions", type=Path, help="Folder of `maskwright demo --regions`.")
    parser.add_argument("-o", "--out", type=Path, required=True, help="Folder for the screenshots.")
    arguments = parser.parse_args()
    sources = [f"cells={arguments.masks / 'run'}", f"spindles={arguments.regions / 'run'}"]
    with served(sources) as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        masks = list_images(arguments.masks / "test_images")[:_IMAGES]
        regions = list_images(arguments.regions / "test_images")[:_IMAGES]
        page = open_page(chromium, address, WIDE, "light")
        predict(page, "cells", masks)
        screenshot(page, arguments.out / "page_light.png")

        page = open_page(chromium, address, WIDE, "dark")
        predict(page, "spindles", regions)
        page.get_by_role("radio", name="Outline").check()
        page.locator("#region-list button").nth(3).click()
        screenshot(page, arguments.out / "page_regions_dark.png")

        page = open_page(chromium, address, NARROW, "dark")
        predict(page, "cells", masks[1:])
        page.get_by_role("button", name="Compare").click()
        page.get_by_role("button", name="Brush").click()
        screenshot(page, arguments.out / "page_narrow_dark.png")

        page = open_page(chromium, address, NARROW, "light")
        page.get_by_role("button", name="Training", exact=True).click()
        expect(page.locator(".pair img").last).to_be_visible()
        screenshot(page, arguments.out / "page_training_light.png")
        chromium.close()


@contextmanager
def served(sources: list[str]) -> Iterator[str]:
    """Address of a server of these models, given as NAME=PATH."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = create_app(open_models(sources), keep=Path("kept"))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        thread.join()


def open_page(chromium: Browser, address: str, size: tuple[int, int], scheme: str) -> Page:
    """Open the page in a new window."""
    page = chromium.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page.goto(address)
    page.wait_for_selector("#choose:enabled")
    return page


def predict(page: Page, model: str, images: list[Path]) -> None:
    """Upload images, and wait for their masks."""
    page.select_option("#model", model)
    page.set_input_files("#files", images)
    expect(page.locator("#image-list .state")).to_have_text(["done"] * len(images), timeout=60_000)
    expect(page.locator("#classes td").first).not_to_have_text("\N{EN DASH}")


def screenshot(page: Page, file: Path) -> None:
    """Write a screenshot in 256 colors, and close the page."""
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(1000)  # tiles and animations
    picture = Image.open(BytesIO(page.screenshot()))
    picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=3).save(
        file, optimize=True
    )
    page.context.close()


if __name__ == "__main__":
    main()
