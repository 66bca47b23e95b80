"""The page about a sweep says what is in its folder, whatever state that is in."""

import json
import re
import shutil
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from click.testing import CliRunner

from ganfw.cli import main
from ganfw.ledger.records import load_runs
from ganfw.sweep.page import render_sweep

Ganfw = Callable[..., tuple[int, str]]
Write = Callable[[str], Path]
PLUGIN = ("--plugin", Path(__file__).with_name("planted.py"))
GRID = """
seeds = 2
[grid]
loss.x = [1e-3, 3e-3, 1e-2, 0.5]
"""


@pytest.fixture
def swept(run_ganfw: Ganfw, write_sweep: Write) -> Path:
    """Return the folder of a sweep of four settings with two seeds, the last of which failed."""
    folder = write_sweep(GRID)
    text = (folder / "sweep.toml").read_text().replace("[set]", '[set]\nloss = { use = "planted", fails_above = 0.1 }')
    (folder / "sweep.toml").write_text(text)
    status, output = run_ganfw("sweep", folder, *PLUGIN)
    assert status == 1, output
    return folder


def evaluate(folder: Path) -> None:
    """Write what an evaluation of each finished trial would: far from 3e-3 is bad, with seed 1 a little more."""
    for run in load_runs(folder):
        if run.state == "finished":
            distance = {1e-3: 30.0, 3e-3: 4.0, 1e-2: 40.0}[run.settings["loss.x"]] + run.settings["run.seed"]
            metrics = {"frechet_distance": {"value": distance, "better": "lower"}}
            (run.directory / "eval").mkdir()
            document = json.dumps({"format": 1, "metrics": metrics})
            (run.directory / "eval" / "step-000006.json").write_text(document)


def rows(page: str, section: str) -> list[list[str]]:
    """Return the texts of the rows of a section's table."""
    part = page[page.index(f'<section id="{section}"') :]
    body = part[part.index("<tbody>") : part.index("</tbody>")]
    return [re.findall(r"<t[hd][^>]*>([^<]*)", row) for row in body.split("<tr>")[1:]]


def test_the_best_and_what_failed_and_why_are_on_the_page(swept: Path) -> None:
    evaluate(swept)

    page = render_sweep(swept)

    assert page == render_sweep(swept)
    assert rows(page, "best") == [
        ["0.003", "2", "4.50 ± 0.71"],
        ["0.001", "2", "30.50 ± 0.71"],
        ["0.01", "2", "40.50 ± 0.71"],
    ]
    failed = [run for run in load_runs(swept) if run.state == "failed"]
    assert [run.name for run in failed] == ["x=0.5,seed=0", "x=0.5,seed=1"]
    assert all("not finite" in run.reason for run in failed)
    assert [list(map(unescape, row)) for row in rows(page, "ended")] == [
        [run.name, "failed", str(run.step), run.reason] for run in failed
    ]
    assert '<span class="chart-title">loss.x</span>' in page
    assert page.count('class="trial') == 3
    assert page.count('class="trial best"') == 1
    assert page.count('class="band') > 0  # two seeds
    assert str(swept) in page


@pytest.mark.slow
def test_settings_are_judged_by_the_metric_that_is_asked_for(swept: Path, tmp_path: Path) -> None:
    asked = CliRunner().invoke(main, ["report", str(swept), "--metric", "generator", "-o", str(tmp_path / "a.html")])
    unknown = CliRunner().invoke(main, ["report", str(swept), "--metric", "recall", "-o", str(tmp_path / "b.html")])
    of_runs = CliRunner().invoke(main, ["report", str(swept / "x=0.003,seed=0"), "--metric", "recall"])

    assert asked.exit_code == 0, asked.output
    assert [row[0] for row in rows((tmp_path / "a.html").read_text(), "best")] == ["0.003", "0.001", "0.01"]
    assert (unknown.exit_code, unknown.output) == (
        2,
        "Error: no run has the metric 'recall'; they have loss/discriminator, loss/generator\n",
    )
    assert (of_runs.exit_code, of_runs.output) == (
        2,
        "Error: --metric recall: it is for the folder of one sweep; leave it out\n",
    )
    assert not (tmp_path / "b.html").exists()


def test_a_sweep_without_results_has_a_page_too(write_sweep: Write) -> None:
    folder = write_sweep(GRID)

    page = render_sweep(folder)

    assert "A sweep of 0 trials." in page
    assert "No trial is finished yet." in page


@pytest.mark.slow
def test_a_sweep_that_lacks_something_has_a_page_too(swept: Path, tmp_path: Path) -> None:
    evaluate(swept)
    for name in ("recipe.toml", "environment.json", "metrics.jsonl", "eval", "checkpoints", "samples"):
        folder = shutil.copytree(swept, tmp_path / name)
        for number, run in enumerate(list(load_runs(folder))[:4]):
            path = run.directory / name
            if path.is_dir():
                shutil.rmtree(path)
            elif number % 2:
                path.unlink()
            elif path.exists():
                path.write_text("{")

        assert "<h2" in render_sweep(folder)
