"""A real Chromium, which nothing may go wrong in."""

import shutil
from pathlib import Path

import pytest
from browser_models import browser_models
from browsing import STOPPED, WIDE, served

from maskwright.serving import create_app

NAMES = ("chromium", "chromium-browser", "google-chrome")


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")
def browser():
    """Of each module one: while it runs, nothing else in this process can have an event loop."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("there is no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def keep(tmp_path_factory):
    """Folder of the training data that the page keeps."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def site(keep):
    """Address of a server of the models of these tests."""
    with served(create_app(browser_models(), keep=keep, on_record=lambda _: None)) as address:
        yield address


@pytest.fixture
def open_page(browser):
    """Function that opens an address; nothing may go wrong there, nor leave for elsewhere."""
    wrong: list[str] = []
    contexts = []

    def open_(address, ready="#choose:enabled", allowed=(), **options):
        home = "/".join(address.split("/")[:3]) + "/"
        context = browser.new_context(**{"viewport": WIDE, **options})
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()

        def heard(message):
            known = any(text in message.text for text in allowed)
            known |= home in STOPPED and "net::ERR_" in message.text
            if message.type in ("error", "warning") and not known:
                wrong.append(f"console: {message.text}")

        page.on("console", heard)
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((home, f"blob:{home}", "data:"))
                else wrong.append(f"request: {request.url}")
            ),
        )
        page.goto(address)
        if ready is not None:
            page.wait_for_selector(ready)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert wrong == [], wrong
