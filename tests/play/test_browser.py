"""The page in a real browser: its controls change what is drawn, and what is drawn is what the commands draw."""

import http.server
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

import ganfw
from ganfw.cli import main
from ganfw.images import to_uint8
from ganfw.play.serving import Playground

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

Serve = Callable[..., Playground]
Train = Callable[..., Path]
Show = Callable[..., "Page"]

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent


@pytest.fixture
def show(browser: "Browser") -> Iterator[Show]:
    """Return a function that opens a page; in the end, nothing was asked of elsewhere and nothing complained."""
    contexts, complaints, requests, origins = [], [], [], []

    def open_page(playground: Playground, fragment: str = "", **options: Any) -> "Page":
        context = browser.new_context(**options)
        contexts.append(context)
        origins.append(playground.address)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(f"{playground.address}#{fragment}")
        page.locator("#lead", has_text="step").wait_for()
        return page

    yield open_page
    assert complaints == []
    assert requests
    assert [url for url in requests if not url.startswith((*origins, "data:"))] == []
    for context in contexts:
        context.close()


def pixels(canvas: "Locator") -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return what a canvas shows, `(height, width)` grey values."""
    height, width, values = canvas.evaluate(
        """canvas => {
            const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", {willReadFrequently: true});
            copy.drawImage(canvas, 0, 0);
            const {data} = copy.getImageData(0, 0, canvas.width, canvas.height);
            return [canvas.height, canvas.width, Array.from(data.filter((value, place) => place % 4 === 0))];
        }"""
    )
    return np.array(values, dtype=np.uint8).reshape(height, width)


def cut(grid: np.ndarray[Any, np.dtype[np.uint8]], count: int, columns: int) -> Tensor:
    """Return the images of 28 pixels in a picture that the page has drawn, `(count, 28, 28)` uint8."""
    tiles = [
        grid[1 + 29 * (place // columns) : 29 + 29 * (place // columns), 1 + 29 * (place % columns) :][:, :28]
        for place in range(count)
    ]
    return torch.from_numpy(np.stack(tiles))


def wait_for(read: Callable[[], Any], expected: Any, page: "Page") -> None:
    """Wait until what is read is what is expected."""
    equal = torch.equal if isinstance(expected, Tensor) else lambda one, other: one == other
    for _ in range(100):
        if equal(read(), expected):
            return
        page.wait_for_timeout(50)
    assert equal(read(), expected), "it is not drawn"


def move(page: "Page", name: str, value: str) -> None:
    """Move a slider."""
    page.locator(name).evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input', {bubbles: true})); }", value
    )


def grid_of(page: "Page", count: int = 25) -> Tensor:
    return cut(pixels(page.get_by_role("img").last), count, int(count**0.5))


def sampled(run: Path, *options: str) -> Tensor:
    """Return what `ganfw sample` draws, as the page shows it."""
    arguments = ["sample", str(run), *options, "--device", "cpu", "-o", "numbers.npy"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return to_uint8(torch.from_numpy(np.load("numbers.npy")))[:, 0]


def code_of(page: "Page") -> tuple[str, str]:
    """Return the command line and the Python that the page shows."""
    page.get_by_role("button", name="Show the code").click()
    page.locator("#code[open]").wait_for()
    command, python = page.locator("#command").text_content(), page.locator("#python").text_content()
    page.get_by_role("button", name="Close").click()
    return command or "", python or ""


def made_by(python: str) -> Tensor:
    names: dict[str, Any] = {}
    exec(compile(python, "of the page", "exec"), names)
    return to_uint8(names["samples"])[:, 0]


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_truncation_slider_draws_what_the_command_draws(show: Show, playground: Playground, digits: Path) -> None:
    page = show(playground)
    wait_for(lambda: grid_of(page), sampled(digits), page)

    for threshold in ("0.7", "0", "1.25"):
        move(page, "#truncation", threshold)
        wait_for(lambda: grid_of(page), sampled(digits, "--truncation", threshold), page)
    page.locator("#truncation").press("End")

    assert page.locator("#truncation-shown").text_content() == "none"
    wait_for(lambda: grid_of(page), sampled(digits), page)


def test_a_slider_that_is_dragged_ends_at_its_last_value(show: Show, playground: Playground, digits: Path) -> None:
    page = show(playground)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    for step in range(100):
        move(page, "#truncation", f"{0.5 + step / 100}")

    wait_for(lambda: grid_of(page), sampled(digits, "--truncation", "1.49"), page)
    assert 1 <= len([url for url in asked if "samples" in url]) <= 100


def test_the_seed_and_the_count_draw_others(show: Show, playground: Playground, digits: Path) -> None:
    page = show(playground)

    page.get_by_label("Seed").fill("7")
    wait_for(lambda: grid_of(page), sampled(digits, "--seed", "7"), page)
    page.get_by_role("button", name="Other noise").click()
    page.get_by_label("How many").select_option("9")
    wait_for(lambda: grid_of(page, 9), sampled(digits, "--seed", "8", "-n", "9"), page)


def test_the_checkpoint_slider_shows_the_same_noise_before(show: Show, playground: Playground, digits: Path) -> None:
    page = show(playground, "view=checkpoints")
    first, last = (sampled(digits / "checkpoints" / f"step-0000{step}") for step in ("05", "10"))
    wait_for(lambda: grid_of(page), last, page)
    assert page.get_by_label("Follow the newest").is_checked()

    page.locator("#step").press("ArrowLeft")
    wait_for(lambda: grid_of(page), first, page)
    assert not page.get_by_label("Follow the newest").is_checked()
    assert page.locator("#step-shown").text_content() == "step 5"
    film = page.locator(".film button")
    assert film.all_text_contents() == ["5", "10"]
    wait_for(lambda: torch.from_numpy(pixels(film.nth(1).locator("canvas"))), last[0], page)

    film.nth(1).click()
    wait_for(lambda: grid_of(page), last, page)
    page.get_by_role("button", name="Play").click()
    wait_for(lambda: grid_of(page), first, page)
    wait_for(lambda: grid_of(page), last, page)
    page.get_by_role("button", name="Pause").click()
    page.get_by_label("Follow the newest").check()
    wait_for(lambda: grid_of(page), last, page)


def test_a_path_between_chosen_samples_is_walked(show: Show, playground: Playground, digits: Path) -> None:
    page = show(playground)
    wait_for(lambda: grid_of(page), sampled(digits), page)
    grid = page.get_by_role("img").last
    grid.focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight"):
        grid.press(key)
    assert page.get_by_role("status").first.text_content() == "Sample 8"
    page.get_by_role("button", name="Path from here").click()

    assert page.get_by_role("tab", selected=True).text_content() == "Path"
    assert page.locator(".name").text_content() == "from sample 8 of seed 0 to sample 1 of seed 0"
    line, arc = (page.get_by_role("img").nth(place) for place in (0, 1))
    drawn = sampled(digits)
    wait_for(lambda: torch.from_numpy(pixels(line)), drawn[7], page)
    page.get_by_label("Position").press("End")
    wait_for(lambda: torch.from_numpy(pixels(arc)), drawn[0], page)
    page.get_by_label("Position").press("Home")
    page.get_by_role("button", name="Play").click()
    wait_for(lambda: page.locator(".along output").text_content() != "0 %", True, page)
    command, python = code_of(page)
    assert command == ""
    assert made_by(python).shape == (62, 28, 28)


def test_the_path_of_a_pair_is_that_of_interpolate(show: Show, playground: Playground) -> None:
    page = show(playground, "view=path&seed=4&truncation=0.8")
    page.get_by_role("button", name="Another pair").click()
    page.locator(".name", has_text="from sample 1 of seed 5 to sample 2 of seed 5").wait_for()
    page.get_by_label("Position").press("End")
    command, python = code_of(page)
    words = shlex.split(command)
    assert words[:2] == ["ganfw", "interpolate"]

    result = CliRunner().invoke(main, [*words[1:], "-o", "path.npy"])

    assert result.exit_code == 0, result.output
    expected = to_uint8(torch.from_numpy(np.load("path.npy")))[0, :, :, 0]
    assert torch.equal(made_by(python), expected.flatten(0, 1))
    for place in (0, 1):
        picture = page.get_by_role("img").nth(place)
        wait_for(lambda picture=picture: torch.from_numpy(pixels(picture)), expected[place, -1], page)
        strip = page.get_by_role("img").nth(2 + place)
        tiles = [pixels(strip)[:, 1 + 29 * thumb :][:, :28] for thumb in range(11)]
        assert torch.equal(torch.from_numpy(np.stack(tiles)), expected[place, ::3])


def test_the_pointer_moves_in_the_plane(show: Show, playground: Playground) -> None:
    page = show(playground, "view=plane&seed=2")
    canvas, sample = page.get_by_role("img").first, page.get_by_role("img").last
    page.locator("figcaption", has_text="0.5 towards B").wait_for()
    before = pixels(sample)

    box = canvas.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] * 0.9)
    page.locator("figcaption", has_text="0.967 towards B, 0.033 towards C").wait_for()
    wait_for(lambda: bool((pixels(sample) != before).any()), True, page)
    _, python = code_of(page)
    assert "points = torch.tensor([(0.967, 0.033)])" in python
    wait_for(lambda: torch.from_numpy(pixels(sample)), made_by(python)[0], page)

    canvas.press("ArrowLeft")
    page.locator("figcaption", has_text="0.925 towards B, 0.033 towards C").wait_for()


def test_a_finger_moves_in_the_plane(show: Show, playground: Playground) -> None:
    page = show(playground, "view=plane", viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    box = page.get_by_role("img").first.bounding_box()
    assert box

    page.touchscreen.tap(box["x"] + box["width"] / 14, box["y"] + box["height"] / 14)

    page.locator("figcaption", has_text="0 towards B, 1 towards C").wait_for()


def test_a_single_coordinate_is_changed(show: Show, playground: Playground, digits: Path) -> None:
    page = show(playground)
    wait_for(lambda: grid_of(page), sampled(digits), page)
    page.get_by_role("button", name="Its coordinates").click()
    drawn, changed = page.get_by_role("img").first, page.get_by_role("img").last
    wait_for(lambda: torch.from_numpy(pixels(drawn)), sampled(digits)[0], page)

    page.get_by_role("button", name="Next 16").click()
    page.get_by_label("z17", exact=True).press("End")
    page.get_by_label("z18", exact=True).press("Home")

    _, python = code_of(page)
    assert "z[1, 17] = 4.0\nz[1, 18] = -4.0" in python
    wait_for(lambda: torch.from_numpy(pixels(changed)), made_by(python)[1], page)
    assert (pixels(changed) != pixels(drawn)).any()
    page.get_by_role("button", name="Reset").click()
    wait_for(lambda: torch.from_numpy(pixels(changed)), sampled(digits)[0], page)


def test_the_nearest_training_samples_of_a_clicked_sample(show: Show, playground: Playground, digits: Path) -> None:
    page = show(playground)
    wait_for(lambda: grid_of(page), sampled(digits), page)
    box = page.get_by_role("img").last.bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.3)  # the third in the second row
    page.get_by_role("button", name="Nearest training samples").click()

    pictures = page.get_by_role("img")
    wait_for(lambda: torch.from_numpy(pixels(pictures.first)), sampled(digits)[7], page)
    _, python = code_of(page)
    expected = made_by(python)
    training = ganfw.discover().load("data", "mnist")(split="test").samples[:, 0]
    for place in range(1, 9):
        shown = torch.from_numpy(pixels(pictures.nth(place)))
        assert torch.equal(shown, expected[place])
        assert (training == shown).flatten(1).all(1).any()


def test_two_runs_are_side_by_side_under_the_same_noise(show: Show, serve: Serve, digits: Path, classes: Path) -> None:
    page = show(serve(digits, classes))
    move(page, "#truncation", "0.9")
    grids = page.get_by_role("img")
    options = ["--truncation", "0.9", "--seed", "0", "--plugin", str(HERE.parent / "further_parts.py")]
    wait_for(lambda: cut(pixels(grids.first), 25, 5), sampled(digits, *options), page)
    wait_for(lambda: cut(pixels(grids.last), 25, 5), sampled(classes, *options), page)
    left, right = grids.first.bounding_box(), grids.last.bounding_box()
    assert left
    assert right
    assert left["y"] == right["y"]

    page.get_by_label("Class", exact=True).select_option("3")
    wait_for(lambda: cut(pixels(grids.last), 25, 5), sampled(classes, *options, "--class", "3"), page)
    for name in ("Path", "Plane", "Coordinates", "Checkpoints", "Nearest"):
        page.get_by_role("tab", name=name).click()
        page.get_by_role("img").first.wait_for()
        page.wait_for_timeout(300)
        assert page.locator(".message:visible").count() == 0


def test_a_sampler_is_chosen(show: Show, serve_best_of_two: Playground, digits: Path) -> None:
    page = show(serve_best_of_two)
    page.get_by_label("Sampler").select_option("best_of_two")
    assert page.locator("#sampler-hint").text_content() == "the better of two"

    command, python = code_of(page)
    expected = made_by(python)
    wait_for(lambda: grid_of(page), expected, page)
    result = CliRunner().invoke(main, [*shlex.split(command)[1:], "-o", "chosen.npy"])
    assert result.exit_code == 0, result.output
    assert torch.equal(to_uint8(torch.from_numpy(np.load("chosen.npy")))[:, 0], expected)


def test_points_are_drawn_and_chosen(show: Show, serve: Serve, ring: Path) -> None:
    page = show(serve(ring))
    canvas = page.get_by_role("img").last
    wait_for(lambda: canvas.evaluate("canvas => canvas.width"), 720, page)
    before = pixels(canvas)
    move(page, "#truncation", "0.1")
    wait_for(lambda: bool((pixels(canvas) != before).any()), True, page)

    canvas.click(position={"x": 20, "y": 20})
    assert page.get_by_role("status").first.text_content() != "Sample 1"
    for name in ("Path", "Plane", "Coordinates", "Checkpoints", "Nearest"):
        page.get_by_role("tab", name=name).click()
        page.get_by_role("img").first.wait_for()
        page.wait_for_timeout(300)
        assert page.locator(".message:visible").count() == 0


def test_translations_are_shown_below_their_inputs(show: Show, serve: Serve, translations: Path) -> None:
    page = show(serve(translations))
    page.locator("figcaption", has_text="inputs above, below each what is made of it").wait_for()
    command, python = code_of(page)
    assert command == ""
    made = made_by(python)
    size = made.shape[-1]
    drawn = pixels(page.get_by_role("img").last)
    gap = max(1, round(size / 28))
    top = gap + size + gap
    assert np.array_equal(drawn[top : top + size, gap : gap + size], made[0].numpy())
    page.get_by_role("tab", name="Path").click()
    assert page.get_by_text("This run has no generator with noise to walk through").is_visible()


def test_samples_that_cannot_be_drawn_are_said(show: Show, serve: Serve, train: Train, tmp_path: Path) -> None:
    page = show(serve(train("vectors", "ring_mlp", tmp_path, data={"use": "vectors"})))

    assert page.get_by_text("The samples of this run are neither images nor points in the plane").is_visible()
    assert page.locator("canvas").count() == 0


def test_a_link_reproduces_the_view(show: Show, playground: Playground) -> None:
    context = {"permissions": ["clipboard-read", "clipboard-write"]}
    page = show(playground, **context)
    page.get_by_role("tab", name="Plane").click()
    move(page, "#truncation", "0.6")
    page.get_by_label("Seed").fill("11")
    for _ in range(3):
        page.get_by_role("img").first.press("ArrowUp")
    page.locator("figcaption", has_text="0.5 towards B, 0.626 towards C").wait_for()
    page.get_by_role("button", name="Copy the link").click()
    page.get_by_text("Copied.").wait_for()
    link = page.evaluate("navigator.clipboard.readText()")
    expected = torch.from_numpy(pixels(page.get_by_role("img").last))

    other = show(playground, link.partition("#")[2])

    assert link.startswith(playground.address)
    assert other.get_by_role("tab", selected=True).text_content() == "Plane"
    assert other.get_by_label("Seed").input_value() == "11"
    assert other.locator("#truncation-shown").text_content() == "0.60"
    wait_for(lambda: torch.from_numpy(pixels(other.get_by_role("img").last)), expected, other)


def test_a_link_with_nonsense_in_it_shows_the_samples(show: Show, playground: Playground, digits: Path) -> None:
    page = show(playground, "view=<script>&seed=-1&truncation=x&count=1e9&step=..%2F&page=z&x=NaN")

    wait_for(lambda: grid_of(page), sampled(digits), page)


def test_the_name_of_a_run_is_text(show: Show, serve: Serve, digits: Path, tmp_path: Path) -> None:
    named = tmp_path / "<img src=x onerror=alert(1)>"
    shutil.copytree(digits, named)
    page = show(serve(named, digits))

    assert page.locator("h1").text_content() == f"{named.name}  ·  digits-1"
    code_of(page)
    assert page.locator("img").count() == 0


def test_tabs_are_moved_between_by_keys(show: Show, playground: Playground) -> None:
    page = show(playground)
    page.get_by_role("tab", name="Samples").focus()

    for key, name in (("ArrowRight", "Path"), ("End", "Nearest"), ("ArrowRight", "Samples"), ("ArrowLeft", "Nearest")):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.textContent") == name
        assert page.get_by_role("tab", selected=True).text_content() == name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_sideways_scrolling_and_every_input_has_a_name(
    show: Show, playground: Playground, scheme: str
) -> None:
    page = show(playground, viewport={"width": 360, "height": 740}, color_scheme=scheme)
    for name in ("samples", "path", "plane", "coordinates", "checkpoints", "nearest"):
        page.locator(f"#tab-{name}").click()
        page.get_by_role("img").first.wait_for()
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth") == 360, name
        nameless = page.locator("input:visible, select:visible").evaluate_all(
            "all => all.filter(each => !each.labels.length).map(each => each.outerHTML)"
        )
        assert nameless == []
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (max(int(part) for part in paper[4:-1].split(",")) < 60) == (scheme == "dark")


def test_a_page_of_another_origin_can_neither_read_nor_drive_it(browser: "Browser", playground: Playground) -> None:
    """The foreign page even knows the token."""
    script = f"""
        const address = {playground.address!r}, found = {{}};
        const attempt = async (name, options) => {{
            try {{ found[name] = (await fetch(address + "api/steps", options)).type; }}
            catch (error) {{ found[name] = error.name; }}
        }};
        const loads = (name, tag, attribute, path) => new Promise(done => {{
            const made = document.createElement(tag);
            made.onload = () => {{ found[name] = "loaded"; done(); }};
            made.onerror = () => {{ found[name] = "refused"; done(); }};
            made[attribute] = address + path;
            document.body.append(made);
        }});
        addEventListener("load", async () => {{
            await attempt("cors", {{}});
            await attempt("opaque", {{mode: "no-cors"}});
            await attempt("post", {{method: "POST", mode: "no-cors", body: "x"}});
            await loads("image", "img", "src", "api/samples?view=grid&run=0&count=9&seed=3");
            await loads("script", "script", "src", "page.js");
            await loads("frame", "iframe", "src", "");
            const frame = document.querySelector("iframe");
            try {{ found.inside = frame.contentWindow.document.title; }} catch (error) {{ found.inside = error.name; }}
            document.title = JSON.stringify(found);
        }});
    """

    class Foreign(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f"<!DOCTYPE html><body><script>{script}</script>".encode())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Foreign)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        context = browser.new_context()
        page = context.new_page()
        statuses: dict[str, list[int]] = {}
        page.on("response", lambda answer: statuses.setdefault(answer.url, []).append(answer.status))
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        page.wait_for_function("document.title.startsWith('{')", timeout=20_000)
        found = page.evaluate("JSON.parse(document.title)")
        context.close()
    finally:
        server.shutdown()
        server.server_close()

    assert found["cors"] == "TypeError"
    assert found["opaque"] in ("TypeError", "opaque")
    assert found["post"] in ("TypeError", "opaque")
    assert (found["image"], found["script"]) == ("refused", "refused")
    assert found["inside"] in ("SecurityError", "TypeError")
    answered = [status for url, all_ in statuses.items() if url.startswith(playground.address) for status in all_]
    assert 200 not in answered


def test_a_run_that_trains_is_followed(show: Show, serve: Serve, tmp_path: Path) -> None:
    small = ("generator.hidden_dim=4", "discriminator.hidden_dim=4", "data.split=test", "run.device=cpu")
    often = ("callbacks.checkpoint.every_steps=200", "callbacks.checkpoint.keep=3", "callbacks.samples.enabled=false")
    settings = [word for each in (*small, *often) for word in ("--set", each)]
    command = [sys.executable, "-m", "ganfw", "run", "mnist_mlp", *settings, "--out", str(tmp_path)]
    run = tmp_path / "mnist_mlp-1"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as training:
        try:
            while not (run / "checkpoints" / "latest").exists():
                assert training.poll() is None
            page = show(serve(run))
            seen: set[str] = set()
            grids: list[Tensor] = []
            while len(seen) < 3:
                seen.add(page.locator("#step-shown").text_content() or "")
                grids.append(grid_of(page))
                page.wait_for_timeout(500)
                assert training.poll() is None
            assert len({grid.numpy().tobytes() for grid in grids}) >= 2

            page.get_by_label("Follow the newest").uncheck()
            fixed = page.evaluate("location.href")
            page.wait_for_timeout(300)
            assert "step=" in page.evaluate("location.href") != fixed
        finally:
            training.kill()


def test_a_server_that_has_stopped_is_said(show: Show, browser: "Browser", serve: Serve, digits: Path) -> None:
    playground = serve(digits)
    context = browser.new_context()
    page = context.new_page()
    page.goto(playground.address)
    page.locator("#lead", has_text="step").wait_for()
    playground.stop()

    page.get_by_text("The server does not answer: has ganfw play been stopped?").first.wait_for(timeout=10_000)
    context.close()
    show(serve(digits))
