"""The exported page in a real browser, opened from the disk with the network off: it draws what ganfw draws."""

import base64
import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.special import erf
from scipy.stats import kstest, norm, truncnorm, uniform

from ganfw import InputError, interpolate
from ganfw.engine.sampling import draw_noise, generate
from ganfw.export.card import read_card
from ganfw.export.generator import TrainedGenerator
from ganfw.export.page import render_page
from ganfw.report.page import asset

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Open = Callable[..., TrainedGenerator]
Show = Callable[[TrainedGenerator], "Page"]

X = [-3.5, -1.0, -1e-3, 0.0, 1e-6, 0.4, 2.0, 3.9]
LARGEST = 25_000_000
"""Bytes of a page for the reference generator: what a mail can carry."""


@pytest.fixture
def show(browser: "Browser", tmp_path: Path) -> Iterator[Callable[..., "Page"]]:
    """Return a function that opens the page of a generator; in the end, nothing was fetched, nothing complained."""
    if os.environ.get("CI") != "true":
        pytest.importorskip("ganfw_onnx_web")
    contexts, complaints, requests = [], [], []
    path = tmp_path / "page.html"

    def open_page(trained: TrainedGenerator, **options: Any) -> "Page":
        path.write_bytes(render_page(trained, read_card(trained)))
        context = browser.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        page.locator(".bench").wait_for()
        return page

    yield open_page
    assert complaints == []
    assert [url for url in requests if not url.startswith("data:")] == [path.as_uri()] * len(contexts)
    for context in contexts:
        context.close()


def pixels(page: "Page", selector: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the pixels of canvases: `(n, *shape)` in [0, 255]."""
    pictures = page.locator(selector).evaluate_all("all => all.map(canvas => canvas.toDataURL().split(',')[1])")
    values = np.stack([np.array(Image.open(io.BytesIO(base64.b64decode(each)))) for each in pictures]).astype(int)
    assert (values[..., 3] == 255).all()
    found = values[..., : shape[0]].transpose(0, 3, 1, 2)
    assert found.shape[1:] == shape
    return found


def assert_same(found: np.ndarray, samples: torch.Tensor) -> None:
    """Compare pixels with samples in [0, 1]: they may differ by 1/255."""
    assert np.abs(found - np.rint(samples.numpy() * 255)).max() <= 1
    assert samples.std(0).max() > 1e-3  # or there is nothing to compare


def settle(page: "Page") -> None:
    """Wait until the page has drawn what was asked for."""
    page.locator(".grid[aria-busy=false]").wait_for()


@pytest.mark.slow
def test_the_reference_generator_draws_what_ganfw_sample_draws(opened: Open, show: Show, tmp_path: Path) -> None:
    trained = opened("mnist_mlp", data={"split": "test"})
    page = show(trained)

    assert_same(pixels(page, ".grid canvas", (1, 28, 28)), trained.source.sample(25, seed=0))
    assert (tmp_path / "page.html").stat().st_size < LARGEST
    assert trained.manifest.z_dim == 64
    assert sum(value.numel() for value in trained.network.parameters()) > 1_400_000


@pytest.mark.slow
@pytest.mark.parametrize("threshold", [None, 2.0])
def test_truncation_draws_what_ganfw_sample_draws(opened: Open, show: Show, threshold: float | None) -> None:
    noise = {"use": "normal"} if threshold is None else {"use": "truncated", "threshold": threshold}
    trained = opened(generator={"hidden_dim": 8, "norm": "none"}, noise={**noise, "z_dim": 8})
    page = show(trained)
    slider = page.locator("#truncation")
    largest = threshold or 3.0
    for place in (59, 20, 1):
        slider.fill(str(place))
        settle(page)
        expected = trained.source.sample(25, seed=0, truncation=largest * place / 60)
        assert np.abs(pixels(page, ".grid canvas", (1, 28, 28)) - np.rint(expected.numpy() * 255)).max() <= 1
        assert page.locator("#threshold").text_content() == f"t = {largest * place / 60:.2f}"

    slider.fill("0")
    settle(page)
    grid = pixels(page, ".grid canvas", (1, 28, 28))
    assert (grid == grid[:1]).all()


@pytest.mark.slow
def test_walks_are_those_of_ganfw_interpolate(opened: Open, show: Show) -> None:
    trained = opened(generator={"hidden_dim": 8, "norm": "none"}, noise={"z_dim": 8})
    page = show(trained)
    buttons = page.locator(".grid button")
    buttons.nth(6).click()
    buttons.nth(11).focus()
    page.keyboard.press("Enter")
    page.locator("#way").fill("30")
    settle(page)

    assert page.locator(".grid button[data-end=from]").get_attribute("aria-label") == "Sample 7, from here"
    assert page.locator(".grid button[data-end=to]").get_attribute("aria-label") == "Sample 12, to here"
    z = draw_noise(trained.source.noise, 25)
    for method in ("linear", "spherical"):
        way = interpolate(z[6:7], z[11:12], 11, method)[0, 3:4]  # type: ignore[arg-type]
        found = pixels(page, f"#{method}", (1, 28, 28))
        assert np.abs(found - np.rint(generate(trained.network, way).numpy() * 255)).max() <= 1

    page.locator("#play").click()
    page.locator("#share", has_text="9").wait_for()  # from 30 % on, the first such is 90 %
    page.locator("#play").click()
    assert page.locator("#play").text_content() == "Play"


@pytest.mark.slow
def test_classes_are_chosen(opened: Open, show: Show) -> None:
    trained = opened(generator={"use": "by_class", "width": 16})
    page = show(trained)
    assert_same(pixels(page, ".grid canvas", (1, 28, 28)), trained.source.sample(25, seed=0))

    page.locator("#class").select_option("7")
    settle(page)

    z, labels = draw_noise(trained.source.noise, 25), torch.full((25,), 7)
    assert_same(pixels(page, ".grid canvas", (1, 28, 28)), generate(trained.network, z, labels=labels))


@pytest.mark.slow
def test_new_samples_are_drawn_from_the_noise_of_the_recipe(opened: Open, show: Show) -> None:
    trained = opened(noise={"use": "truncated", "threshold": 1.5, "z_dim": 64})
    page = show(trained)
    first = pixels(page, ".grid canvas", (1, 28, 28))
    page.locator("#new").click()
    settle(page)
    second = pixels(page, ".grid canvas", (1, 28, 28))
    assert not np.array_equal(first, second)
    assert page.locator("#which").text_content() == "Set 1, drawn in this page."
    page.locator("#first").click()
    settle(page)
    assert np.array_equal(pixels(page, ".grid canvas", (1, 28, 28)), first)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"distribution": "normal", "threshold": None}, norm()),
        ({"distribution": "normal", "threshold": 1.5}, truncnorm(-1.5, 1.5)),
        ({"distribution": "uniform", "threshold": None}, uniform(-1, 2)),
    ],
    ids=["normal", "truncated", "uniform"],
)
def test_noise_of_the_page_has_the_distribution_of_the_recipe(
    browser: "Browser", facts: dict[str, Any], expected: Any
) -> None:
    """The functions of the page that draw noise, in a page of their own, against scipy."""
    code = asset("page.js", "ganfw.export").partition("// Noise\n")[2].partition("// Pictures\n")[0]
    page = browser.new_page()
    z = np.array(
        page.evaluate(
            f"facts => {{ const COUNT = 25; {code}; return [1, 2].map(set => [...noiseOf(set)]) }}",
            {"zDim": 400, **facts},
        )
    )
    errors = page.evaluate(
        f"xs => {{ const facts = {{}}; {code}; return xs.map(x => [erf(x), inverseErf(erf(x))]) }}", X
    )
    page.close()

    assert z.shape == (2, 10_000)
    assert kstest(z.ravel(), expected.cdf).pvalue > 1e-3
    assert abs(np.corrcoef(z)[0, 1]) < 0.05
    assert abs(np.corrcoef(z[0, 1:], z[0, :-1])[0, 1]) < 0.05
    np.testing.assert_allclose(np.array(errors)[:, 0], erf(X), rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(np.array(errors)[:, 1], X, rtol=1e-8, atol=1e-12)


@pytest.mark.slow
def test_noise_that_only_ganfw_draws_has_no_new_samples(opened: Open, show: Show) -> None:
    page = show(opened(noise={"use": "ones"}))

    assert page.locator("#new").count() == 0
    assert page.locator("#truncation").count() == 0
    assert page.locator(".grid canvas").count() == 25


@pytest.mark.slow
def test_the_page_fits_a_phone_and_follows_the_readers_colours(opened: Open, show: Callable[..., "Page"]) -> None:
    trained = opened()
    colours = []
    for scheme in ("light", "dark"):
        page = show(trained, color_scheme=scheme, viewport={"width": 360, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colours[0] != colours[1]


@pytest.mark.slow
def test_colours_are_drawn(opened: Open, show: Show) -> None:
    trained = opened(
        "stacked_mnist_mlp",
        data={"size": 1000},
        generator={"hidden_dim": 8},
        discriminator={"hidden_dim": 8},
    )
    page = show(trained)

    assert_same(pixels(page, ".grid canvas", (3, 28, 28)), trained.source.sample(25, seed=0))


def test_samples_that_are_not_images_are_refused(opened: Open) -> None:
    trained = opened("grid_mlp", generator={"hidden_dim": 4}, discriminator={"hidden_dim": 4})

    with pytest.raises(InputError) as caught:
        render_page(trained, read_card(trained))
    assert str(caught.value) == "a page shows images, but the samples have the shape (2,); --format onnx takes any"


def test_the_package_that_is_missing_is_named(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = opened()
    monkeypatch.setitem(sys.modules, "ganfw_onnx_web", None)

    with pytest.raises(InputError) as caught:
        render_page(trained, read_card(trained))
    assert str(caught.value) == "a page needs ONNX Runtime Web: pip install ganfw-onnx-web"
