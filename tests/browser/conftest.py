"""A real browser, headless and without a network. Debian's Chromium; `.ci/chromium` installs it."""

import os
import re
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HERE = Path(__file__).parent
sys.path.append(str(HERE))

import laboratory  # noqa: E402  # tests are collected by path: the folder is on nobody's path

SCREENSHOTS = HERE.parents[1] / ".cache" / "screenshots"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


def chromium() -> str:
    for name in (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    return pytest.fail("the browser tests need Chromium; run .ci/chromium, or set CHROMIUM to a browser of its family")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the page did that it should not; a test that provokes something takes it away."""
    return []


@pytest.fixture
def page(browser: Browser, complaints: list[str]) -> Iterator[Page]:
    """A page that may load files only; the test fails if it asks for more, complains or opens a dialog."""
    context = browser.new_context(viewport={"width": 1200, "height": 1000}, offline=True)
    context.set_default_timeout(15_000)
    page = context.new_page()

    def asked(request: Request) -> None:
        if not request.url.startswith(("file:", "data:", "blob:")):
            complaints.append(f"request: {request.url}")

    def said(message: ConsoleMessage) -> None:
        if message.type == "error" or (message.type == "warning" and "bokeh" in message.text):
            complaints.append(message.text)

    page.on("request", asked)
    page.on("console", said)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def keep_screenshot(page: Page, request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave a picture of the page's end state, for people to look at."""
    yield
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{request.node.name}.png", full_page=True)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[laboratory.Server]:
    """A JupyterLab of our own; kernels see the package of this checkout."""
    server = laboratory.start(tmp_path_factory.mktemp("lab"))
    yield server
    server.close()


@pytest.fixture
def lab_page(browser: Browser, lab: laboratory.Server, complaints: list[str]) -> Iterator[Page]:
    """A page that may ask JupyterLab only; the test fails if it asks anybody else, or complains."""
    with laboratory.watched(browser, lab, complaints) as page:
        yield page
    assert complaints == []


@pytest.fixture
def lab_screenshot(lab_page: Page) -> Callable[[str], None]:
    """Keep a picture of what the page shows, for people to look at."""

    def keep(name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        lab_page.screenshot(path=SCREENSHOTS / f"{name}.png")

    return keep


@pytest.fixture
def opened(lab_page: Page, lab: laboratory.Server, request: pytest.FixtureRequest) -> Iterator[laboratory.Open]:
    """Open a notebook with these cells."""

    def open_(cells: list[str], place: str = "lab") -> laboratory.Notebook:
        # A workspace of its own, or old tabs would come back.
        name = f"{re.sub('[^a-z0-9]+', '-', request.node.name.lower())[:60]}-{secrets.token_hex(4)}"
        laboratory.written(lab.notebooks / f"{name}.ipynb", cells)
        notebook = laboratory.Notebook(lab_page, lab, name, name)
        return notebook.open() if place == "lab" else notebook.open_in_notebook()

    yield open_
    lab.end_kernels()
