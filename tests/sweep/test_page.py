"""docs/how-to/sweep.md is true: its commands run, and print what it shows."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pages import blocks, page

import ganfw
from ganfw import Part
from ganfw.plugins.registry import Plugin, RegisteredPart
from ganfw.sweep.definition import KEYS
from ganfw.testing import launchers, small_recipe
from ganfw.testing.subject import Subject

Ganfw = Callable[..., tuple[int, str]]
PAGE = page("how-to/sweep.md")
SHORT = """
run.epochs = 1
run.max_steps = 4
run.log_every_steps = 2
data.split = "test"
generator.hidden_dim = 4
discriminator.hidden_dim = 4
embedding = { use = "pixels", side = 2 }
metrics.kernel_distance.enabled = false
metrics.density_coverage.enabled = false
metrics.nearest_neighbours.enabled = false
metrics.diversity.enabled = false
metrics.classifier_score.enabled = false
"""


@pytest.mark.slow
def test_every_command_of_the_page_succeeds(
    run_ganfw: Ganfw, server_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = blocks(PAGE, "toml")[0]
    (server_folder / "rates.toml").write_text(blocks(PAGE, "toml")[2])
    (server_folder / "losses.toml").write_text(file)
    assert run_ganfw("sweep", "losses.toml", "--dry-run") == (0, blocks(PAGE, "text")[0])
    short = file.replace("run.epochs = 2", SHORT.strip()).replace("evaluate = 2000", "evaluate = 20")
    short = short.replace("seeds = 3", "seeds = 1")
    (server_folder / "losses.toml").write_text(f'{short}\n[launcher]\nuse = "forking"\njobs = 2\n')
    monkeypatch.chdir(server_folder)
    verbs = []
    for line in "".join(blocks(PAGE, "sh")).splitlines():
        _, *words = shlex.split(line)
        verbs.append(words[0])
        if "mnist_mlp_short" in words or "rates.toml" in words:
            words.append("--dry-run")  # the first launcher is slow, and the second needs Optuna
        status, output = run_ganfw(*words)
        assert status == 0, f"{line}\n{output}"

    assert verbs == ["sweep", "sweep", "sweep", "runs", "runs", "runs", "table", "table", "table", "table", "sweep"]
    runs = ganfw.load_runs("sweeps/losses")
    assert [run.state for run in runs] == ["finished"] * 3
    assert all(run.metrics["frechet_distance"] > 0 for run in runs)
    exec(blocks(PAGE, "python")[0], {})
    tree = re.findall(r"^    ([\w.=,]+)", blocks(PAGE, "text")[1], re.MULTILINE)
    there = {path.name for path in Path("sweeps/losses").iterdir()}
    assert {"sweep.toml", "loss=bce,seed=0", "loss=hinge,seed=0", "logs", ".lock", "ended"} == set(tree)
    assert set(tree) - there == {"ended"}  # nothing failed


def test_the_keys_on_the_page_are_those_of_the_code() -> None:
    keys = re.findall(r"^\| `\[?(\w+)[.\w]*\]?` \|", PAGE, re.MULTILINE)

    assert keys == list(KEYS)


def test_the_variants_on_the_page_are_a_sweep(registry: ganfw.Registry, tmp_path: Path) -> None:
    from ganfw.sweep.definition import read_sweep
    from ganfw.sweep.trials import plan_trials

    path = tmp_path / "variants.toml"
    path.write_text(f'format = 1\nrecipe = "mnist_mlp_short"\n{blocks(PAGE, "toml")[1]}')

    assert [trial.name for trial in plan_trials(read_sweep(path, registry), registry)] == ["plain,seed=0", "r1,seed=0"]


@pytest.mark.parametrize("check", [launchers.runs_the_command, launchers.stops_when_asked, launchers.kills])
def test_the_launcher_on_the_page_of_kinds_does_what_launchers_must(
    check: Callable[[Subject], None], registry: ganfw.Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = page("reference/kinds/launchers-and-recipes.md")
    names: dict[str, Any] = {}
    exec("\n".join(blocks(text, "python")), names)
    monkeypatch.setattr(RegisteredPart, "load", lambda _: names["OneByOne"])
    part = Part(kind="launcher", name="one_by_one", target="page:OneByOne", help="one at a time")

    check(Subject(RegisteredPart(part, Plugin("page", "0", "page")), registry, small_recipe(registry), tmp_path))
