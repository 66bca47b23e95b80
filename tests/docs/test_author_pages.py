"""The pages for authors of parts are those of the code, and what they show works as it is written."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from pages import TINY, blocks, commands, files, page, section, table

import ganfw
from ganfw.cli import main
from ganfw.testing.catalogue import OF_PARTS, OF_PLUGINS, OF_RECIPES


def test_the_files_of_a_package_on_the_pages_are_those_of_the_scaffold(scaffold: dict[str, str]) -> None:
    packaging = page("how-to/package-parts.md")
    shown = {**files(packaging), **files(page("how-to/check-a-part.md"))}

    assert shown == {name: scaffold[name] for name in ("ganfw_total_variation/__init__.py", "tests/test_contract.py")}
    assert blocks(packaging, "toml")[0] in scaffold["pyproject.toml"]


def test_the_checks_on_the_page_are_those_of_the_code() -> None:
    def names(checks: Iterable[Callable[..., None]]) -> str:
        return ", ".join(check.__name__.replace("_", " ") for check in checks)

    common = [check for check in OF_PARTS["loss"] if check in OF_PARTS["noise"]]
    of_kinds = {kind: [check for check in checks if check not in common] for kind, checks in OF_PARTS.items()}

    assert table(section("how-to/check-a-part.md", "Which checks there are")) == [
        ["every package", names(OF_PLUGINS)],
        ["every part", names(common)],
        *([f"`{kind}`", names(checks)] for kind, checks in of_kinds.items()),
        ["`recipe`", names(OF_RECIPES)],
    ]


@pytest.mark.usefixtures("clean_modules")
def test_the_script_on_the_page_trains_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANFW_PLUGINS", "")
    Path("my_parts.py").write_text(files(page("how-to/use-a-script.md"))["my_parts.py"])
    use = ("--plugin", "my_parts.py", "--set", "callbacks.peak.use=loss_peak", "--set", "run.log_every_steps=1")

    done = CliRunner().invoke(main, ["run", "mnist_mlp", *use, *TINY])
    assert done.exit_code == 0, done.output
    resumed = ["resume", "runs/mnist_mlp-1", "--plugin", "my_parts.py", "--set", "run.max_steps=5"]
    again = CliRunner().invoke(main, resumed)
    assert again.exit_code == 0, again.output

    lines = [json.loads(line) for line in Path("runs/mnist_mlp-1/metrics.jsonl").read_text().splitlines()]
    for output, steps in ((done.output, 3), (again.output, 5)):
        highest = max(lines[:steps], key=lambda line: line["loss/generator"])
        told = f"the generator's loss was highest at step {highest['step']}: {highest['loss/generator']:.4f}\n"
        assert told in output


def test_the_command_on_the_page_is_added(tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    (text,) = blocks(page("how-to/add-a-command.md"), "python")
    exec(text, names)
    group = click.Group()

    names["ganfw_commands"](group)
    shown = CliRunner().invoke(group, ["best", "--help"])
    failed = CliRunner().invoke(group, ["best", str(tmp_path)])

    assert shown.output.startswith("Usage: root best [OPTIONS] RUN\n"), shown.output
    assert isinstance(failed.exception, ganfw.GanfwError), failed.exception


@pytest.mark.usefixtures("clean_modules")
@pytest.mark.parametrize(
    "recipe",
    [page("how-to/write-an-algorithm.md"), section("reference/recipe.md", "Networks and what trains them")],
    ids=["how-to/write-an-algorithm.md", "reference/recipe.md"],
)
def test_the_algorithm_on_the_page_trains_and_is_sampled(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANFW_PLUGINS", "")
    Path("my_bigan.py").write_text(files(page("how-to/write-an-algorithm.md"))["my_bigan.py"])
    Path("bigan.toml").write_text(blocks(recipe, "toml")[0])
    (command,) = (words for _, words in commands() if words[:2] == ["run", "bigan.toml"])

    done = CliRunner().invoke(main, [*command, *TINY])
    sampled = CliRunner().invoke(main, ["sample", "runs/bigan-1", "--plugin", "my_bigan.py"])

    assert (done.exit_code, sampled.exit_code) == (0, 0), done.output + sampled.output
