"""The pages about evaluation have the files, tables and code that there are."""

import io
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from pages import blocks, page, section, table

import ganfw
from ganfw.builtin.inception import SHA256
from ganfw.cli import main
from ganfw.recipe.tables import DEFAULT_TABLES

FILES = "reference/evaluation-files.md"


def keys(title: str, column: int) -> list[str]:
    return [key for row in table(section(FILES, title)) for key in re.findall(r"`([a-z_]\w*)`", row[column])]


@pytest.mark.slow
def test_keys_of_the_results_are_those_on_the_page(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained.parent)
    monkeypatch.setenv("GANFW_PLUGINS", "")

    done = CliRunner().invoke(main, ["evaluate", str(trained), "-n", "200", "--set", "embedding.use=pixels"])

    assert done.exit_code == 0, done.output
    (path,) = (trained / "eval").glob("*.json")
    found = json.loads(path.read_text())
    assert sorted(found) == sorted(keys("Results", 0))
    described = set(keys("Results", 1))
    for name in ("reference", "embedding"):
        assert set(found[name]) <= described
    reasons = {"reason", "real_data_reason"}
    assert {key for each in found["metrics"].values() for key in each} | reasons <= described
    assert {path.name.removeprefix("step-000010") for path in (trained / "eval").glob("*-neighbours*.png")}


def test_the_tables_on_the_page_are_the_default_ones() -> None:
    (text,) = blocks(page(FILES), "toml")

    assert tomllib.loads(text) == {"metrics": DEFAULT_TABLES["metrics"]}


@pytest.mark.parametrize(
    ("name", "address", "use"),
    [
        ("how-to/evaluate.md", ("metrics", "wide_neighbourhoods"), "precision_recall"),
        ("how-to/evaluate-during-training.md", ("callbacks", "evaluate"), "evaluate"),
    ],
)
def test_the_tables_on_the_how_to_pages_fit_a_recipe(
    name: str, address: tuple[str, str], use: str, tiny: ganfw.Recipe, registry: ganfw.Registry
) -> None:
    (text,) = blocks(page(name), "toml")

    tables = ganfw.resolve(ganfw.Recipe(extends=tiny, **tomllib.loads(text)), registry).recipe.tables

    assert tables[address[0]][address[1]]["use"] == use
    removed = tables["metrics"]["nearest_neighbours"].get("enabled") is False
    assert removed == (address[0] == "metrics")


def test_the_weights_on_the_page_are_those_that_are_downloaded() -> None:
    (text,) = blocks(page("how-to/compare-with-papers.md"), "toml")
    keys = tomllib.loads(text)["embedding"]

    assert keys["sha256"] == SHA256
    assert keys["weights"] == f"weights-inception-2015-12-05-{SHA256[:8]}.pth"
    resolved = ganfw.resolve(ganfw.Recipe(extends="mnist_mlp", embedding=keys), ganfw.discover())
    assert resolved.parameters("embedding") == {name: keys[name] for name in ("weights", "sha256")}


def test_arrays_of_a_reference_file_are_those_on_the_page(registry: ganfw.Registry) -> None:
    recipe = ganfw.Recipe.load("mnist_mlp", registry).with_overrides(["data.split=test"])

    content = ganfw.build_reference(ganfw.resolve(recipe, registry), device="cpu", count=90).to_bytes()

    with np.load(io.BytesIO(content), allow_pickle=False) as found:
        rows = table(section(FILES, "Reference files"))
        assert sorted(found) == sorted(name for row in rows for name in re.findall(r"`(\w+)`", row[0]))
        description = json.loads(found["ganfw"].item())
        assert description.keys() - {"format"} == set(re.findall(r"`(\w+)`", rows[-1][1]))


def test_the_python_on_the_how_to_page_evaluates(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (trained.parent / "mnist_mlp-1").symlink_to(trained, target_is_directory=True)
    monkeypatch.chdir(trained.parent.parent)
    (text,) = blocks(section("how-to/evaluate.md", "Evaluate in Python"), "python")
    names: dict[str, Any] = {}

    exec(text.replace("count=2000", "count=200"), names)

    assert names["evaluation"]["frechet_distance"] > 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(names["evaluation"].results)
