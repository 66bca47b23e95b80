"""The page about recipes is that of the code, and its examples run."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pages import TINY, blocks, files, page, section, table

from ganfw.cli import main
from ganfw.plugins.signature import read_signature
from ganfw.recipe.settings import RunSettings
from ganfw.recipe.tables import DEFAULT_TABLES, TABLES


def test_the_error_message_on_the_recipes_page_is_what_check_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANFW_PLUGINS", "")
    text = section("how-to/check-a-recipe.md", "Errors")
    Path("mistakes.toml").write_text(files(text)["mistakes.toml"])

    result = CliRunner().invoke(main, ["check", "mistakes.toml"])

    assert (result.exit_code, result.output) == (2, blocks(text, "text")[0])


def test_what_does_not_fit_on_the_recipes_page_is_what_check_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANFW_PLUGINS", "")
    text = section("how-to/check-a-recipe.md", "Errors")
    Path("unfit.toml").write_text(files(text)["unfit.toml"])

    result = CliRunner().invoke(main, ["check", "unfit.toml"])

    assert (result.exit_code, result.output) == (2, blocks(text, "text")[1])


def test_the_lines_of_show_on_the_recipes_page_are_what_it_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANFW_PLUGINS", "")
    lines = blocks(section("how-to/check-a-recipe.md", "Check and show"), "text")[0]

    result = CliRunner().invoke(main, ["show", "mnist_mlp", "--set", "generator.hidden_dim=256"])

    assert lines.startswith("[generator]\n")
    assert lines in result.output


def test_default_callbacks_on_the_recipes_page_are_those_of_the_code() -> None:
    written = tomllib.loads(blocks(section("reference/recipe.md", "Callbacks that are always there"), "toml")[0])

    assert written == {"callbacks": DEFAULT_TABLES["callbacks"]}


def test_the_tables_on_the_recipes_page_are_those_of_the_code() -> None:
    rows = dict(table(section("reference/recipe.md", "Tables")))
    expected = [f"[{each.name}.NAME]" if each.named else f"[{each.name}]" for each in TABLES]

    assert sorted(re.findall(r"`(.*?)`", " ".join(rows))) == sorted(["[run]", *expected])
    assert re.findall(r"`(\w+)`", rows["`[run]`"]) == list(read_signature(RunSettings, "[run]").keys)


def test_the_recipe_with_further_tables_on_the_recipes_page_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANFW_PLUGINS", "")
    Path("relativistic_mlp.toml").write_text(
        files(section("reference/recipe.md", "Further tables"))["relativistic_mlp.toml"]
    )

    done = CliRunner().invoke(main, ["run", "relativistic_mlp.toml", *TINY])

    assert done.exit_code == 0, done.output
    line = json.loads(Path("runs/relativistic_mlp-1/metrics.jsonl").read_text())
    assert line["r1/discriminator"] > 0


def test_the_python_on_the_recipes_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}

    for block in blocks(page("how-to/train-from-python.md"), "python"):
        exec(block, names)

    assert names["training"].step == 20
    assert (tmp_path / "runs" / "narrow-1" / "checkpoints" / "step-000020").is_dir()
