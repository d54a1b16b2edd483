"""The pictures of the page in README.md, of models and images of the demonstrations alone.

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
_SHOWN = 5  # images in the list


def main() -> None:
    """Serve both demonstrations, and look at them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("masks", type=Path, help="Folder of `maskwright demo`.")
    parser.add_argument("regions", type=Path, help="Folder of `maskwright demo --regions`.")
    parser.add_argument("-o", "--out", type=Path, required=True, help="Folder for the pictures.")
    given = parser.parse_args()
    sources = [f"cells={given.masks / 'run'}", f"spindles={given.regions / 'run'}"]
    with served(sources) as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        masks = list_images(given.masks / "test_images")[:_SHOWN]
        regions = list_images(given.regions / "test_images")[:_SHOWN]
        page = opened(chromium, address, WIDE, "light")
        found(page, "cells", masks)
        keep(page, given.out / "page_light.png")

        page = opened(chromium, address, WIDE, "dark")
        found(page, "spindles", regions)
        page.get_by_role("radio", name="Outline").check()
        page.locator("#region-list button").nth(3).click()  # one of some size
        keep(page, given.out / "page_regions_dark.png")

        page = opened(chromium, address, NARROW, "dark")
        found(page, "cells", masks[1:])
        page.get_by_role("button", name="Compare").click()
        page.get_by_role("button", name="Brush").click()
        keep(page, given.out / "page_narrow_dark.png")

        page = opened(chromium, address, NARROW, "light")
        page.get_by_role("button", name="Training", exact=True).click()
        expect(page.locator(".pair img").last).to_be_visible()
        keep(page, given.out / "page_training_light.png")
        chromium.close()


@contextmanager
def served(sources: list[str]) -> Iterator[str]:
    """Address of a server of some models."""
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


def opened(chromium: Browser, address: str, size: tuple[int, int], scheme: str) -> Page:
    """The page in a window of its own."""
    page = chromium.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page.goto(address)
    page.wait_for_selector("#choose:enabled")
    return page


def found(page: Page, model: str, images: list[Path]) -> None:
    """Give the page images, and wait for their masks."""
    page.select_option("#model", model)
    page.set_input_files("#files", images)
    expect(page.locator("#image-list .state")).to_have_text(["done"] * len(images), timeout=60_000)
    expect(page.locator("#classes td").first).not_to_have_text("\N{EN DASH}")


def keep(page: Page, file: Path) -> None:
    """Write what is seen, in 256 colors."""
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(1000)  # for tiles and movements
    picture = Image.open(BytesIO(page.screenshot()))
    picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=3).save(
        file, optimize=True
    )
    page.context.close()


if __name__ == "__main__":
    main()
