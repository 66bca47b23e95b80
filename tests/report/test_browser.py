"""The page in a real browser: it needs no network, moves, sorts, prints, and can be read with scripts off."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ganfw.report.page import render_page
from ganfw.report.run import read_runs
from ganfw.sweep.page import render_sweep

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MakeRun = Callable[..., Path]

pytestmark = pytest.mark.slow


@pytest.fixture
def show(browser: "Browser", tmp_path: Path) -> Iterator[Callable[..., "Page"]]:
    """Return a function that opens a page about runs; in the end, nothing was fetched and nothing complained."""
    contexts, complaints, requests = [], [], []

    def open_page(*runs: Path, sweep: Path | None = None, **options: Any) -> "Page":
        path = tmp_path / "report.html"
        path.write_text(render_sweep(sweep) if sweep else render_page(read_runs(runs)), encoding="utf-8")
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        return page

    yield open_page
    assert complaints == []
    fetched = [url for url in requests if not url.startswith("data:")]
    assert fetched == [(tmp_path / "report.html").as_uri()] * len(contexts)
    for context in contexts:
        context.close()


@pytest.fixture
def three_runs(make_run: MakeRun) -> list[Path]:
    """Return three runs of three learning rates, whose Fréchet distances are 300, 20 and 100."""
    runs = []
    for name, distance in (("a", 300.0), ("b", 20.0), ("c", 100.0)):
        run = make_run(name, distance=distance)
        recipe = run / "recipe.toml"
        recipe.write_text(recipe.read_text().replace("lr = 1e-05 ", f"lr = {distance} ", 1))
        runs.append(run)
    return runs


def test_the_slider_moves_the_grids_of_all_runs(show: Callable[..., "Page"], three_runs: list[Path]) -> None:
    page = show(*three_runs)
    stages = page.locator("[data-stage]")
    last = stages.evaluate_all("all => all.map(each => each.src)")
    slider = page.locator("input[type=range]")
    assert page.locator("output").text_content() == "step 10"

    slider.focus()
    slider.press("ArrowLeft")

    assert page.locator("output").text_content() == "step 5"
    assert page.locator("[data-caption]").all_text_contents() == ["step 5"] * 3
    first = stages.evaluate_all("all => all.map(each => each.src)")
    assert len(first) == 3
    assert not set(first) & set(last)
    stages.evaluate_all("all => Promise.all(all.map(each => each.decode()))")

    page.get_by_role("button", name="Play").click()
    page.locator("output", has_text="step 10").wait_for()
    assert stages.evaluate_all("all => all.map(each => each.src)") == last


def test_metrics_are_sorted_by_any_column(show: Callable[..., "Page"], three_runs: list[Path]) -> None:
    page = show(*three_runs)
    heads = page.locator("[data-sortable] tbody th")
    button = page.get_by_role("button", name="Fréchet distance")
    order = lambda: [text.rpartition(" = ")[2].strip() for text in heads.all_text_contents()]  # noqa: E731
    assert order() == ["300.0", "20.0", "100.0"]

    button.click()
    assert order() == ["20.0", "100.0", "300.0"]
    assert page.locator("th[aria-sort=ascending]").count() == 1
    button.press("Enter")
    assert order() == ["300.0", "100.0", "20.0"]
    page.get_by_role("button", name="run").click()
    assert order() == ["20.0", "100.0", "300.0"]


def test_a_sweep_has_a_page_that_sorts_its_settings(
    show: Callable[..., "Page"], three_runs: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "sweep.toml").write_text('format = 1\nrecipe = "mnist_mlp"\n')
    page = show(sweep=tmp_path)
    heads = page.locator("[data-sortable] tbody th")
    assert heads.all_text_contents() == ["20", "100", "300"]

    page.get_by_role("button", name="Fréchet distance").click(click_count=2)

    assert heads.all_text_contents() == ["300", "100", "20"]
    dots = page.locator("#effects circle")
    assert dots.count() == 3
    dots.first.hover()
    assert page.locator("#together .trial.best").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_page_is_dark_where_the_reader_wants_it_dark(show: Callable[..., "Page"], make_run: MakeRun) -> None:
    run = make_run()
    colours = []
    for scheme in ("light", "dark"):
        page = show(run, color_scheme=scheme)
        colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert page.evaluate("getComputedStyle(document.querySelector('.line.c0')).stroke") not in ("none", colours[-1])

    light, dark = ([int(part) for part in colour[4:-1].split(",")] for colour in colours)
    assert min(light) > 200
    assert max(dark) < 60


def test_without_scripts_everything_is_there(show: Callable[..., "Page"], make_run: MakeRun) -> None:
    page = show(make_run(), java_script_enabled=False)

    assert page.locator(".strip li:visible").count() == 3
    assert not page.locator(".scrubber").is_visible()
    assert page.get_by_role("rowheader", name="Fréchet distance").first.is_visible()
    page.locator("summary", has_text="Defaults of the parts").click()
    assert page.get_by_text("amsgrad").first.is_visible()


def test_a_narrow_screen_needs_no_sideways_scrolling(show: Callable[..., "Page"], three_runs: list[Path]) -> None:
    page = show(*three_runs, viewport={"width": 360, "height": 700})

    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_the_page_can_be_printed_with_all_details(
    show: Callable[..., "Page"], make_run: MakeRun, tmp_path: Path
) -> None:
    page = show(make_run())

    content = page.pdf()

    assert content.startswith(b"%PDF-")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() > 0


def test_words_stand_out_from_the_paper(show: Callable[..., "Page"], make_run: MakeRun) -> None:
    """Contrast is at least 4.5 to 1 for text and 3 to 1 for lines (WCAG 2.2, 1.4.3 and 1.4.11)."""
    run = make_run()
    for scheme in ("light", "dark"):
        page = show(run, color_scheme=scheme)
        paper, *colours = page.evaluate(
            """names => {
                const style = getComputedStyle(document.documentElement), probe = document.createElement("i");
                document.body.append(probe);
                return names.map(name => { probe.style.color = style.getPropertyValue(name);
                    return getComputedStyle(probe).color.match(/\\d+/g).slice(0, 3).map(Number); });
            }""",
            ["--paper", "--ink", "--soft", "--accent", *(f"--c{style}" for style in range(8))],
        )
        contrasts = [contrast(colour, paper) for colour in colours]
        assert min(contrasts[:3]) >= 4.5, scheme
        assert min(contrasts[3:]) >= 3, (scheme, contrasts)


def contrast(one: list[int], other: list[int]) -> float:
    """Return the contrast ratio of two sRGB colours (WCAG 2.2)."""

    def luminance(colour: list[int]) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in colour)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)
