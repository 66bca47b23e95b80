"""The site is built without a warning, and its pages work in a browser, from the disk and without a network."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pages import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as `mkdocs build --strict` does: a link or an anchor that leads nowhere is an error."""
    if os.environ.get("CI") != "true":
        pytest.importorskip("material")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


@pytest.fixture
def page(browser: "Browser", site: Path) -> Iterator["Page"]:
    """Return a page as wide as a phone; in the end, nothing but files was asked for, and nothing complained."""
    complaints, requests = [], []
    context = browser.new_context(offline=True, viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    yield page
    context.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith((site.as_uri(), "data:", "blob:"))] == []


def test_every_page_fits_on_a_phone(page: "Page", site: Path) -> None:
    pages = sorted(set(site.rglob("*.html")) - {site / "404.html"})  # that is for servers: its links are absolute

    wide = []
    for path in pages:
        page.goto(path.as_uri())
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(path.relative_to(site).as_posix())

    assert len(pages) > 100
    assert wide == []


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("discriminator_steps", "reference/parts/step.html"),
        ("open_run", "reference/python/notebook.html"),
        ("truncations", "reference/command-line/evaluate.html"),
        ("precision recall", "reference/metrics/"),
    ],
)
def test_search_finds(page: "Page", site: Path, words: str, found: str) -> None:
    page.set_viewport_size({"width": 1280, "height": 1000})
    page.goto((site / "index.html").as_uri())

    query = page.locator("input.md-search__input")
    query.focus()
    page.get_by_text("Type to start searching").wait_for(state="attached")
    query.press_sequentially(words)
    page.locator(".md-search-result__link").first.wait_for(state="attached")

    links = page.locator(".md-search-result__link").evaluate_all("all => all.map(link => link.href)")
    assert any(f"/{found}" in link for link in links)
