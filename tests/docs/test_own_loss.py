"""The tutorial about a loss succeeds as it is written, and its package gives the errors on the page of errors."""

import difflib
import json
import math
import re
import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pages import TINY, blocks, code, commands, files, page, table

import ganfw
from ganfw.cli import main
from ganfw.testing import checks_of

PAGE = "tutorial/own-loss.md"


def install(folder: Path, sources: Mapping[str, str]) -> Path:
    """Write a package, with the metadata that pip would make of its pyproject.toml."""
    for name, source in sources.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    project = tomllib.loads(sources["pyproject.toml"])["project"]
    metadata = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    entries = "".join(f"{name} = {value}\n" for name, value in project["entry-points"]["ganfw"].items())
    (metadata / "entry_points.txt").write_text(f"[ganfw]\n{entries}")
    return folder


@pytest.fixture
def package(scaffold: dict[str, str]) -> dict[str, str]:
    """Return the package of the tutorial, by file."""
    shown = {name: text for name, text in files(page(PAGE)).items() if name != "my_loss.py"}
    assert list(shown) == ["ganfw_total_variation/total_variation.py", "tests/test_total_variation.py"]
    return {**scaffold, **shown}


def test_the_page_names_every_file_of_the_scaffold(scaffold: dict[str, str]) -> None:
    tree = blocks(page(PAGE), "text")[0]

    named = re.findall(r"^ +(\S+[\w.])(?=\s|$)", tree, re.MULTILINE)
    assert sorted(Path(name).name for name in named) == sorted(Path(name).name for name in scaffold)


def test_the_loss_on_the_page_is_at_most_ten_lines_beyond_the_scaffold(
    scaffold: dict[str, str], package: dict[str, str]
) -> None:
    added = [
        line
        for name in package
        for line in difflib.ndiff(scaffold[name].splitlines(), package[name].splitlines())
        if line.startswith("+ ")
    ]

    assert 0 < len(added) <= 10


@pytest.mark.usefixtures("clean_modules")
def test_the_loss_gives_the_numbers_on_the_page(
    package: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(install(tmp_path, {**package, "my_loss.py": files(page(PAGE))["my_loss.py"]}))
    names: dict[str, Any] = {}

    for text in (blocks(page(PAGE), "python")[1], package["tests/test_total_variation.py"]):
        exec(text, names)

    names["test_losses_of_four_logits"]()
    assert names["loss"].generator(names["high"]) == names["TotalVariation"]().generator(names["high"])


@pytest.mark.slow
@pytest.mark.usefixtures("clean_modules")
def test_every_command_of_the_tutorial_succeeds(
    package: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANFW_PLUGINS", "")
    Path("my_loss.py").write_text(files(page(PAGE))["my_loss.py"])
    verbs = []
    for words in (words for name, words in commands() if name == PAGE):
        verbs.append(words[0])
        if words[0] == "parts":  # the line above installs the package
            monkeypatch.syspath_prepend(install(tmp_path / "site", package))
            monkeypatch.setenv("GANFW_PLUGINS", "ganfw-total-variation")
        result = CliRunner().invoke(main, [*words, *(TINY if words[0] == "run" else ())])
        assert result.exit_code == 0, f"ganfw {shlex.join(words)}\n{result.output}"

    assert verbs == ["run", "run", "evaluate", "evaluate", "new", "parts", "run"]
    parts = [json.loads(Path(run, "environment.json").read_text())["parts"]["loss"]["name"] for run in RUNS]
    assert parts == ["total_variation", "bce", "total_variation"]


RUNS = ("my_runs/mnist_mlp_dash-1", "my_runs/mnist_mlp_dash-2", "runs/mnist_mlp-1")
"""What the commands of the tutorial leave."""


@pytest.mark.slow
@pytest.mark.usefixtures("clean_modules")
def test_the_tests_of_the_package_on_the_page_pass(
    package: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(install(tmp_path / "site", package))
    checks = checks_of("ganfw-total-variation", registry=ganfw.discover(allowed=["ganfw-total-variation"]))
    for number, check in enumerate(checks):
        folder = tmp_path / str(number)
        folder.mkdir()
        check(folder)

    assert len(checks) == 15


@pytest.mark.usefixtures("clean_modules")
def test_the_package_on_the_page_is_listed_and_trains(
    package: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(install(tmp_path / "site", package))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANFW_PLUGINS", "ganfw-total-variation")
    use = ("--set", "loss.use=total_variation", "--set", "loss.slope=0.5")

    listed = CliRunner().invoke(main, ["parts", "loss", "--json"])
    done = CliRunner().invoke(main, ["run", "mnist_mlp", *use, *TINY])

    offered = [(part["distribution"], part["name"]) for part in json.loads(listed.stdout)]
    assert ("ganfw-total-variation", "total_variation") in offered
    assert (done.exit_code, done.stdout) == (0, "runs/mnist_mlp-1\n"), done.output
    recorded = json.loads(Path("runs/mnist_mlp-1/environment.json").read_text())["parts"]["loss"]
    assert (recorded["distribution"], recorded["version"]) == ("ganfw-total-variation", "0.1.0")
    line = json.loads(Path("runs/mnist_mlp-1/metrics.jsonl").read_text())
    assert math.isfinite(line["loss/generator"])


MISTAKES = {
    "a parameter that is neither before `/` nor after `*`": (
        "total_variation.py",
        "(self, *, slope: ",
        "(self, slope: ",
    ),
    "a key without annotation": (
        "total_variation.py",
        'slope: Annotated[float, "how fast the score rises with the logit"]',
        "slope",
    ),
    "a context argument that does not exist": ("total_variation.py", "(self, *, slope: ", "(self, zdim, /, *, slope: "),
    "a network, which a loss is not given": (
        "total_variation.py",
        "(self, *, slope: ",
        "(self, generator, /, *, slope: ",
    ),
    "a target that does not exist": ("__init__.py", ":TotalVariation", ":TotalVariance"),
    "a loss for each sample instead of their mean": (
        "total_variation.py",
        "-(self.slope * fake_logits).tanh().mean() / 2",
        "-(self.slope * fake_logits).tanh() / 2",
    ),
    "a parameter that the part refuses": (
        "total_variation.py",
        "        self.slope = slope\n",
        "        from ganfw import InputError\n\n        raise InputError('slope must not be 0')\n",
    ),
    "a package that the hook's module imports is missing": (
        "__init__.py",
        "\n\nfrom coll",
        "\n\nimport missing\nfrom coll",
    ),
}


def test_every_error_on_the_page_is_tried() -> None:
    assert [row[0] for row in table(page("reference/author-errors.md"))] == list(MISTAKES)


@pytest.mark.usefixtures("clean_modules")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_gives_the_error_on_the_page(
    mistake: str, package: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = dict(table(page("reference/author-errors.md")))[mistake]
    name, right, wrong = MISTAKES[mistake]
    assert package[f"ganfw_total_variation/{name}"].count(right) == 1
    package[f"ganfw_total_variation/{name}"] = package[f"ganfw_total_variation/{name}"].replace(right, wrong)
    monkeypatch.syspath_prepend(install(tmp_path, package))

    with pytest.raises(ganfw.GanfwError) as caught:
        build_and_try()

    assert str(caught.value) == code(expected)


def build_and_try() -> None:
    """Do with the loss of the tutorial what `ganfw run` does before it trains."""
    registry = ganfw.discover(allowed=["ganfw-total-variation"], strict=True)
    registry.find("loss", "total_variation").signature()
    recipe = ganfw.Recipe(
        extends="mnist_mlp",
        registry=registry,
        run={"device": "cpu"},
        data={"split": "test"},
        generator={"hidden_dim": 4},
        discriminator={"hidden_dim": 4},
        loss={"use": "total_variation"},
    )
    ganfw.assemble(ganfw.resolve(recipe, registry))
