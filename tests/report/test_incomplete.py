"""Pages about runs that lack files, or hold damaged ones, in every mixture."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ganfw.report.page import render_page
from ganfw.report.run import read_runs

MakeRun = Callable[..., Path]

FILES = (
    "recipe.toml",
    "environment.json",
    "metrics.jsonl",
    "samples/real.png",
    "samples/step-000005.png",
    "eval/step-000005.json",
    "eval/step-000010.json",
    "eval/step-000010-truncation-0.5.json",
    "eval/step-000010-truncation.json",
    "eval/step-000010-truncation.png",
    "eval/step-000010-neighbours.png",
)
MISSING = None
CONTENTS = (MISSING, b"", b"\n", b"{}", b"{}\n", b"[]", b"null", b"\xff\x00nonsense\n", b'{"format": 1, "metrics": {}}')

damages = st.dictionaries(st.sampled_from(FILES), st.sampled_from(CONTENTS), max_size=2)


@pytest.fixture(scope="module")
def whole(one_run: Path, tmp_path_factory: pytest.TempPathFactory, evaluate_all: Callable[..., None]) -> Path:
    """Return a finished, evaluated run that has every file."""
    run = tmp_path_factory.mktemp("whole") / "tiny-1"
    shutil.copytree(one_run, run, ignore=shutil.ignore_patterns("checkpoints"))
    for path in (run / "samples").iterdir():
        Image.new("L", (2, 2)).save(path)
    evaluate_all(run)
    assert all((run / name).is_file() for name in FILES)
    return run


def page_about(whole: Path, *damaged: dict[str, bytes | None]) -> str:
    """Return the page about copies of a run, each damaged in its own way."""
    with tempfile.TemporaryDirectory() as folder:
        runs = []
        for number, damage in enumerate(damaged):
            run = Path(folder) / f"run-{number}"
            shutil.copytree(whole, run)
            for name, content in damage.items():
                (run / name).unlink()
                if content is not None:
                    (run / name).write_bytes(content)
            runs.append(run)
        return render_page(read_runs(runs))


@pytest.mark.parametrize("name", FILES)
def test_a_run_gives_a_page_whatever_became_of_one_file(whole: Path, name: str) -> None:
    for content in (MISSING, b"", b"\xff\x00nonsense\n"):
        alone = page_about(whole, {name: content})
        beside_others = page_about(whole, {name: content}, {}, {"recipe.toml": MISSING})

        for page in (alone, beside_others):
            assert page.count("</section>") >= 5
            assert page.endswith("</html>")


@pytest.mark.slow
@given(st.lists(damages, min_size=1, max_size=3))
@settings(max_examples=40)
def test_runs_give_a_page_whatever_became_of_two_files_of_each(
    whole: Path, damaged: list[dict[str, bytes | None]]
) -> None:
    assert page_about(whole, *damaged).endswith("</html>")


def test_a_run_composed_by_hand_has_a_page_with_others(whole: Path, make_run: MakeRun, tmp_path: Path) -> None:
    by_hand = tmp_path / "by-hand"
    by_hand.mkdir()
    shutil.copy(whole / "metrics.jsonl", by_hand)
    runs = read_runs([by_hand, make_run()])
    page = render_page(runs)

    assert runs[0].problems == ()
    assert "No recipe is recorded, or it could not be read." in page
    assert '<tr><th scope="row">by-hand</th>' in page
    assert "Not everything could be read" not in page
