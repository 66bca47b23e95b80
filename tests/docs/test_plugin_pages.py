"""The packages and parts that the documentation shows work as they are written."""

import difflib
import json
import math
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pages import TINY, blocks, code, commands, files, section, table

import ganfw
from ganfw.cli import main
from ganfw.plugins.context import CONTEXT, CONTEXT_OF
from ganfw.plugins.part import KINDS
from ganfw.recipe.tables import DEFAULT_TABLES, TABLES
from ganfw.scaffold.plugin import plugin_files, plugin_names
from ganfw.testing import checks_of
from ganfw.testing.catalogue import OF_PARTS, OF_PLUGINS, OF_RECIPES

TEN_MINUTES = "Ten minutes: a loss, from nothing to published"


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
def clean_modules() -> Iterator[None]:
    """Forget the modules that a test imports from the page."""
    yield
    ours = ("ganfw_total_variation", "my_parts", "my_bigan", "kinds_of_page")
    for name in [name for name in sys.modules if name.partition(".")[0] in ours]:
        del sys.modules[name]


@pytest.fixture
def scaffold() -> dict[str, str]:
    """Return what the first command on the page writes, by file."""
    (command,) = re.findall(r"^ganfw new plugin (\S+)$", section("how-to/write-a-plugin.md", TEN_MINUTES), re.MULTILINE)
    return plugin_files(plugin_names(command, "loss", ganfw.discover(allowed=())))


@pytest.fixture
def package(scaffold: dict[str, str]) -> dict[str, str]:
    """Return the package on the page, by file."""
    shown = files(section("how-to/write-a-plugin.md", TEN_MINUTES))
    assert list(shown) == ["ganfw_total_variation/total_variation.py", "tests/test_total_variation.py"]
    return {**scaffold, **shown}


def test_what_the_page_says_of_the_scaffold_is_so(scaffold: dict[str, str]) -> None:
    tree = blocks(section("how-to/write-a-plugin.md", TEN_MINUTES), "text")[0]
    parts = section("how-to/write-a-plugin.md", "What makes a package a plugin")
    shown = {**files(parts), **files(section("how-to/write-a-plugin.md", "Checks of the contract"))}

    named = re.findall(r"^ +(\S+[\w.])(?=\s|$)", tree, re.MULTILINE)
    assert sorted(Path(name).name for name in named) == sorted(Path(name).name for name in scaffold)
    assert shown == {name: scaffold[name] for name in ("ganfw_total_variation/__init__.py", "tests/test_contract.py")}
    assert blocks(parts, "toml")[0] in scaffold["pyproject.toml"]


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


@pytest.mark.slow
@pytest.mark.usefixtures("clean_modules")
def test_the_tests_of_the_package_on_the_page_pass(
    package: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(install(tmp_path / "site", package))
    names: dict[str, Any] = {}

    exec(package["tests/test_total_variation.py"], names)
    names["test_losses_of_four_logits"]()
    checks = checks_of("ganfw-total-variation", registry=ganfw.discover(allowed=["ganfw-total-variation"]))
    for number, check in enumerate(checks):
        folder = tmp_path / str(number)
        folder.mkdir()
        check(folder)

    assert len(checks) == 15


def test_the_checks_on_the_page_are_those_of_the_code() -> None:
    def names(checks: Iterable[Callable[..., None]]) -> str:
        return ", ".join(check.__name__.replace("_", " ") for check in checks)

    common = [check for check in OF_PARTS["loss"] if check in OF_PARTS["noise"]]
    of_kinds = {kind: [check for check in checks if check not in common] for kind, checks in OF_PARTS.items()}

    assert table(section("how-to/write-a-plugin.md", "Checks of the contract")) == [
        ["every package", names(OF_PLUGINS)],
        ["every part", names(common)],
        *([f"`{kind}`", names(checks)] for kind, checks in of_kinds.items()),
        ["`recipe`", names(OF_RECIPES)],
    ]


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


@pytest.mark.usefixtures("clean_modules")
def test_the_script_on_the_page_trains_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANFW_PLUGINS", "")
    text = section("how-to/write-a-plugin.md", "Without a package: a script")
    Path("my_parts.py").write_text(files(text)["my_parts.py"])
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


def test_the_tables_of_context_arguments_and_kinds_are_those_of_the_code() -> None:
    text = section("how-to/write-a-plugin.md", "Context arguments and keys")
    given = {
        kind: tuple(row[1].split(", "))
        for row in table(text.partition("Each kind of part can ask for some of them")[2])
        for kind in re.findall(r"`(\w+)`", row[0])
    }

    assert [[f"`{name}`", what] for name, what in CONTEXT.items()] == table(text)
    assert given == CONTEXT_OF
    assert [[f"`{name}`", what] for name, what in KINDS.items()] == table(section("how-to/write-a-plugin.md", "Kinds"))


@pytest.mark.usefixtures("clean_modules")
@pytest.mark.parametrize(
    ("name", "title"),
    [("how-to/write-a-plugin.md", "Your own algorithm"), ("reference/recipe.md", "Networks and what trains them")],
)
def test_the_algorithm_on_the_page_trains_and_is_sampled(
    name: str, title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANFW_PLUGINS", "")
    script = files(section("how-to/write-a-plugin.md", "Your own algorithm"))["my_bigan.py"]
    Path("my_bigan.py").write_text(script)
    Path("bigan.toml").write_text(blocks(section(name, title), "toml")[0])
    (command,) = (words for _, words in commands() if words[:2] == ["run", "bigan.toml"])

    done = CliRunner().invoke(main, [*command, *TINY])
    sampled = CliRunner().invoke(main, ["sample", "runs/bigan-1", "--plugin", "my_bigan.py"])

    assert (done.exit_code, sampled.exit_code) == (0, 0), done.output + sampled.output


OF_PAGE = {
    "data": "noisy_digits",
    "noise": "Signs",
    "generator": "ConditionalGenerator",
    "discriminator": "WithClasses",
    "loss": "Squares",
    "regularizers.classes": "ClassTerm",
    "augmentations.brightness": "Brightness",
    "step": "Classic",
    "optimizer.generator": "nadam",
    "optimizer.discriminator": "nadam",
    "schedule.generator": "Halving",
    "averaging.generator": "PlainMean",
    "sampler": "Antithetic",
    "callbacks.early": "StopEarly",
    "embedding": "Means",
    "metrics.spread": "Spread",
}
"""The example that the page has of each kind, by the table of a recipe that it goes into."""


@pytest.mark.usefixtures("clean_modules")
@pytest.mark.parametrize("step", ["Classic", "Extragradient"])
def test_the_examples_of_the_kinds_train_together(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANFW_PLUGINS", "")
    use = {**OF_PAGE, "step": step}
    kinds = {name: next(each.kind for each in TABLES if each.name == at.partition(".")[0]) for at, name in use.items()}
    offers = "".join(
        f"    yield ganfw.Part(kind='{kind}', name='{name.lower()}', target='kinds_of_page:{name}')\n"
        for name, kind in kinds.items()
    )
    code = "\n\n".join(blocks(section("how-to/write-a-plugin.md", "Kinds"), "python"))
    Path("kinds_of_page.py").write_text(f"{code}\n\n@ganfw.hookimpl\ndef ganfw_parts():\n{offers}")
    dropped = ["classifier_score", *DEFAULT_TABLES["metrics"]]
    overrides = [f"{table}.use={name.lower()}" for table, name in use.items()]
    overrides += [f"metrics.{name}.enabled=false" for name in dropped]
    options = [option for each in overrides for option in ("--set", each)]
    script = ("--plugin", "kinds_of_page.py")

    done = CliRunner().invoke(main, ["run", "mnist_mlp", *script, *options, "--set", "run.max_steps=9"])
    assert done.exit_code == 0, done.output
    for verb in (["sample"], ["evaluate", "-n", "20"]):
        result = CliRunner().invoke(main, [verb[0], "runs/mnist_mlp-1", *verb[1:], *script])
        assert result.exit_code == 0, result.output
    assert "spread" in result.output


def test_every_kind_says_what_its_parts_must_do() -> None:
    described = re.findall(r"^### (\w+)$", section("how-to/write-a-plugin.md", "Kinds"), re.MULTILINE)

    assert described == list(KINDS)


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
    assert [row[0] for row in table(section("how-to/write-a-plugin.md", "Errors that authors see"))] == list(MISTAKES)


@pytest.mark.usefixtures("clean_modules")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_gives_the_error_on_the_page(
    mistake: str, package: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = dict(table(section("how-to/write-a-plugin.md", "Errors that authors see")))[mistake]
    name, right, wrong = MISTAKES[mistake]
    assert package[f"ganfw_total_variation/{name}"].count(right) == 1
    package[f"ganfw_total_variation/{name}"] = package[f"ganfw_total_variation/{name}"].replace(right, wrong)
    monkeypatch.syspath_prepend(install(tmp_path, package))

    with pytest.raises(ganfw.GanfwError) as caught:
        build_and_try()

    assert str(caught.value) == code(expected)


def build_and_try() -> None:
    """Do with the loss on the page what `ganfw run` does before it trains."""
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
