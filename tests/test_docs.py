"""The documentation is true: its packages work, its tables are those of the code, its commands and links exist."""

import ast
import difflib
import json
import math
import re
import runpy
import shlex
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import click
import pytest
import torch
from click.testing import CliRunner

import ganfw
from ganfw.cli import main
from ganfw.plugins.context import CONTEXT, CONTEXT_OF
from ganfw.plugins.part import KINDS
from ganfw.plugins.signature import read_signature
from ganfw.recipe.settings import RunSettings
from ganfw.recipe.tables import DEFAULT_TABLES, TABLES
from ganfw.scaffold.plugin import plugin_files, plugin_names
from ganfw.testing import checks_of
from ganfw.testing.catalogue import OF_PARTS, OF_PLUGINS, OF_RECIPES
from ganfw.training.loop import EVENTS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
PACKAGE = Path(ganfw.__file__).parent
TEN_MINUTES = "Ten minutes: a loss, from nothing to published"


TINY = (
    *("--set", "data.split=test"),
    *("--set", "generator.hidden_dim=4"),
    *("--set", "discriminator.hidden_dim=4"),
    *("--set", "run.max_steps=3"),
    *("--device", "cpu"),
)
"""Options that make a run of `mnist_mlp` short."""


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def section(name: str, title: str) -> str:
    """Return what stands under a heading of the second level."""
    return re.split(r"^## ", page(name).partition(f"\n## {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def files(text: str) -> dict[str, str]:
    """Return the fenced blocks that a line with nothing but a file's name precedes, by that name."""
    return dict(re.findall(r"^`([\w./-]+)`\n\n```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


def table(text: str) -> list[list[str]]:
    """Return the rows of the first table, without its head."""
    lines = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert lines, "a table is expected here"
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines.group().splitlines()[2:]]


def code(cell: str) -> str:
    """Return what a cell has between backquotes."""
    assert cell.startswith("`"), cell
    assert cell.endswith("`"), cell
    return cell.strip("`")


# Links and commands of every page


def test_every_relative_link_leads_to_a_file() -> None:
    visited = 0
    for path in PAGES:
        text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            if not re.match(r"[a-z]+:", link) and not link.startswith("#"):
                visited += 1
                assert (path.parent / link.partition("#")[0]).exists(), f"{path.name}: {link}"
    assert visited >= 20


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield the page and the arguments of each `ganfw` command in a fenced sh block."""
    for path in PAGES:
        for block in blocks(path.read_text(encoding="utf-8"), "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                while words and re.fullmatch(r"\w+=.*", words[0]):
                    words.pop(0)
                if words[:1] == ["ganfw"]:
                    yield path.name, words[1:]


def test_every_command_has_a_verb_and_options_that_exist() -> None:
    visited = list(commands())
    group = click.Context(main, info_name="ganfw", **main.context_settings)
    for name, words in visited:
        if words != ["--version"]:
            command, parent, rest = main.commands.get(words[0]), group, words[1:]
            if isinstance(command, click.Group):
                parent = click.Context(command, info_name=words[0], parent=group)
                command, rest = command.commands.get(words[1]), words[2:]
            assert command, f"{name}: ganfw {shlex.join(words)}"
            try:
                command.make_context(words[0], rest, parent=parent)
            except click.UsageError as error:
                pytest.fail(f"{name}: ganfw {shlex.join(words)}: {error}")
    assert len(visited) >= 20


def test_the_command_line_page_is_what_help_says() -> None:
    generated = runpy.run_path(str(DOCS / "generate_command_line.py"))["page"]()

    assert page("command-line.md") == generated, "run: python docs/generate_command_line.py"


def test_every_command_is_on_the_command_line_page() -> None:
    titles = re.findall(r"^## (.*)$", page("command-line.md"), re.MULTILINE)

    verbs = []
    for name, command in main.commands.items():
        verbs.append(f"ganfw {name}")
        if isinstance(command, click.Group):
            verbs.extend(f"ganfw {name} {inner}" for inner in command.commands)
    assert titles == ["ganfw", *verbs]


# quickstart.md


def test_every_command_of_the_quickstart_succeeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANFW_PLUGINS", "")
    verbs = []
    for name, words in commands():
        if name == "quickstart.md":
            verbs.append(words[0])
            result = CliRunner().invoke(main, [*words, *(TINY if words[0] == "run" else ())])
            assert result.exit_code == 0, f"ganfw {shlex.join(words)}\n{result.output}"

    assert {"run", "resume", "sample", "interpolate"} < set(verbs)
    assert Path("more.png").is_file()
    assert Path("numbers.npy").is_file()


# recipes.md


def test_the_error_message_on_the_recipes_page_is_what_check_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANFW_PLUGINS", "")
    text = section("recipes.md", "Errors")
    Path("mistakes.toml").write_text(files(text)["mistakes.toml"])

    result = CliRunner().invoke(main, ["check", "mistakes.toml"])

    assert (result.exit_code, result.output) == (2, blocks(text, "text")[0])


def test_what_does_not_fit_on_the_recipes_page_is_what_check_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANFW_PLUGINS", "")
    text = section("recipes.md", "Errors")
    Path("unfit.toml").write_text(files(text)["unfit.toml"])

    result = CliRunner().invoke(main, ["check", "unfit.toml"])

    assert (result.exit_code, result.output) == (2, blocks(text, "text")[1])


def test_the_lines_of_show_on_the_recipes_page_are_what_it_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANFW_PLUGINS", "")
    lines = blocks(section("recipes.md", "Check and show"), "text")[0]

    result = CliRunner().invoke(main, ["show", "mnist_mlp", "--set", "generator.hidden_dim=256"])

    assert lines.startswith("[generator]\n")
    assert lines in result.output


def test_default_callbacks_on_the_recipes_page_are_those_of_the_code() -> None:
    written = tomllib.loads(blocks(section("recipes.md", "Callbacks that are always there"), "toml")[0])

    assert written == {"callbacks": DEFAULT_TABLES["callbacks"]}


def test_the_tables_on_the_recipes_page_are_those_of_the_code() -> None:
    rows = dict(table(section("recipes.md", "Tables")))
    expected = [f"[{each.name}.NAME]" if each.named else f"[{each.name}]" for each in TABLES]

    assert sorted(re.findall(r"`(.*?)`", " ".join(rows))) == sorted(["[run]", *expected])
    assert re.findall(r"`(\w+)`", rows["`[run]`"]) == list(read_signature(RunSettings, "[run]").keys)


def test_the_recipe_with_further_tables_on_the_recipes_page_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANFW_PLUGINS", "")
    Path("relativistic_mlp.toml").write_text(files(section("recipes.md", "Further tables"))["relativistic_mlp.toml"])

    done = CliRunner().invoke(main, ["run", "relativistic_mlp.toml", *TINY])

    assert done.exit_code == 0, done.output
    line = json.loads(Path("runs/relativistic_mlp-1/metrics.jsonl").read_text())
    assert line["r1/discriminator"] > 0


def test_the_python_on_the_recipes_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}

    for block in blocks(section("recipes.md", "In Python"), "python"):
        exec(block, names)

    assert names["training"].step == 20
    assert (tmp_path / "runs" / "narrow-1" / "checkpoints" / "step-000020").is_dir()


def test_the_parts_that_the_recipes_page_composes_train(capsys: pytest.CaptureFixture[str]) -> None:
    (text,) = blocks(section("recipes.md", "Composing parts by hand"), "python")
    names: dict[str, Any] = {}

    exec(compile(text, "recipes.md", "exec"), names)

    images = names["images"]
    assert images.shape == (25, 1, 28, 28)
    assert images.std(0).mean() > 0.01
    assert re.fullmatch(r"\{'loss/discriminator': 0\.\d+, 'loss/generator': \d\.\d+\}\n", capsys.readouterr().out)


# losses.md


@pytest.mark.parametrize(("title", "kind"), [("Losses", "loss"), ("Regularizers", "regularizer")])
def test_the_losses_page_describes_every_part(title: str, kind: str) -> None:
    offers = {offer.part.name: offer for offer in ganfw.discover(allowed=()).parts(kind)}
    rows = table(section("losses.md", title))

    assert sorted(code(row[0]) for row in rows) == sorted(offers)
    described = re.findall(r"^- \*\*`(\w+)`\*\*", section("losses.md", title), re.MULTILINE)
    assert sorted(described) == sorted(offers)
    if kind == "regularizer":
        for row in rows:
            assert re.findall(r"`(\w+)`", row[2]) == list(offers[code(row[0])].signature().keys)


# metrics.md


def measured(
    registry: ganfw.Registry,
    part: str,
    samples: torch.Tensor,
    reference: torch.Tensor,
    *,
    classes: tuple[torch.Tensor, torch.Tensor] | None = None,
    **keys: Any,
) -> Mapping[str, ganfw.MetricValue]:
    """Measure samples that are their own features, `(n, d)`; the reference is the training set too."""
    left, right = (None, None) if classes is None else classes
    real = ganfw.SampleSet(reference, reference, right)
    return registry.load("metric", part)(**keys)(
        ganfw.MetricInputs(ganfw.SampleSet(samples, samples, left), real, ganfw.SampleSet(reference, reference))
    )


def test_every_metric_and_each_of_its_numbers_is_on_the_page(registry: ganfw.Registry) -> None:
    text = page("metrics.md")
    rows = torch.eye(9, dtype=torch.float64)[:, :2]
    parts = [offer.part.name for offer in ganfw.discover(allowed=()).parts() if offer.part.kind == "metric"]
    numbers = [name for part in parts for name in measured(registry, part, rows, rows)]

    assert re.findall(r"^Part `(\w+)`", text, re.MULTILINE) == parts
    assert len(set(numbers)) == len(numbers) - 3 == 19  # those of the ring and of the grid have the same names
    for name in numbers:
        assert re.search(rf"`{name}`|^    {name} +=", text, re.MULTILINE), name


def test_the_reasons_on_the_page_are_those_that_are_given(registry: ganfw.Registry) -> None:
    random = torch.Generator().manual_seed(0)
    rows = torch.randn(50, 64, dtype=torch.float64, generator=random)
    classes = torch.eye(8, dtype=torch.float64)
    results = (
        measured(registry, "frechet_distance", rows, rows),
        measured(registry, "diversity", rows * torch.nan, rows),
        measured(registry, "classifier_score", rows, rows),
        measured(registry, "classifier_score", rows, rows, classes=(classes, classes[:7])),
        measured(registry, "nearest_neighbours", rows + 1, rows),
        measured(registry, "diversity", rows, torch.ones_like(rows)),
        {"mode_kl": measured(registry, "ring_modes", torch.zeros(5, 2), torch.zeros(5, 2))["mode_kl"]},
        measured(registry, "grid_modes", torch.zeros(5, 1, 28, 28), rows),
        measured(registry, "stacked_modes", rows, rows, classes=(torch.eye(10), torch.eye(10))),
    )
    given = [next(found.reason for found in result.values() if found.value is None) for result in results]

    assert given == [code(row[0]) for row in table(section("metrics.md", "No value"))]


def test_the_table_on_the_page_is_one_of_a_recipe(registry: ganfw.Registry, tiny: ganfw.Recipe) -> None:
    (text,) = blocks(page("metrics.md"), "toml")

    resolved = ganfw.resolve(ganfw.Recipe(extends=tiny, **tomllib.loads(text)), registry)

    assert resolved.recipe.tables["metrics"]["neighbourhoods"] == {"use": "precision_recall", "k": 5}


def test_the_metric_on_the_page_measures() -> None:
    (text,) = blocks(section("metrics.md", "Your own metric"), "python")
    names: dict[str, Any] = {}
    exec(compile(text, "metrics.md", "exec"), names)
    zeros, ones = (ganfw.SampleSet(rows, rows) for rows in (torch.zeros(3, 4), torch.ones(2, 4)))
    nothing = ganfw.SampleSet(torch.zeros(0, 4), torch.zeros(0, 4))

    metric = names["MeanDistance"]()

    assert metric(ganfw.MetricInputs(ones, zeros, zeros)) == {"mean_distance": ganfw.MetricValue(2.0, "lower")}
    assert metric(ganfw.MetricInputs(nothing, zeros, zeros))["mean_distance"].value is None


# run-directory.md


def test_keys_of_the_files_are_those_on_the_page(trained: Path) -> None:
    checkpoint = trained / "checkpoints" / "step-000010"
    text = "run-directory.md"

    def keys(title: str) -> list[str]:
        return [name for row in table(section(text, title)) for name in re.findall(r"`(\w+)`", row[0])]

    line = json.loads((trained / "metrics.jsonl").read_text().splitlines()[0])
    assert [*keys("metrics.jsonl"), "loss/discriminator", "loss/generator"] == list(line)
    environment = json.loads((trained / "environment.json").read_text())
    assert keys("environment.json") == list(environment)
    manifest = json.loads((checkpoint / "manifest.json").read_text())
    manifest_table = section(text, "checkpoints/").partition("The keys of `manifest.json`")[2]
    assert [code(row[0]) for row in table(manifest_table)] == list(manifest)
    for part in environment["parts"].values():
        described = next(row[1] for row in table(section(text, "environment.json")) if row[0] == "`parts`")
        assert [key for key in part if f"`{key}`" not in described] == []


def test_files_of_a_run_are_those_on_the_page(trained: Path) -> None:
    page_text = page("run-directory.md")
    named = set(
        re.findall(r"`([\w.]+)`", " ".join(row[0] for row in table(section("run-directory.md", "checkpoints/"))))
    )

    assert {path.name for path in (trained / "checkpoints" / "step-000010").iterdir()} == named
    tree = blocks(page_text, "text")[0]
    assert {path.name for path in trained.iterdir()} == set(re.findall(r"^    ([\w.]+)", tree, re.MULTILINE))


def test_the_page_of_toys_shows_every_loss_as_its_script_found_it(registry: ganfw.Registry) -> None:
    script = runpy.run_path(str(DOCS / "generate_toys.py"))
    numbers = script["known"]()
    methods = script["METHODS"]

    assert page("toys.md") == script["page"](numbers)
    assert methods.keys() <= numbers.keys()
    shipped = [offer.part.name for offer in registry.parts("loss") if offer.plugin.distribution == "ganfw"]
    assert {method.loss for method in methods.values()} == set(shipped)
    assert sum(numbers[name]["modes_found"] == 25 for name in methods) >= 2
    for name in methods:
        ganfw.resolve(methods[name].recipe(registry, "toy"), registry)


def test_parts_composed_by_hand_go_on_as_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "by_hand").mkdir()
    monkeypatch.chdir(tmp_path)
    (text,) = blocks(section("run-directory.md", "Parts composed by hand"), "python")
    names: dict[str, Any] = {}

    torch.manual_seed(0)
    exec(text, names)

    torch.manual_seed(0)
    whole = ganfw.train(names["compose"](), steps=10)
    for left, right in zip(*(weights(training) for training in (whole, names["training"])), strict=True):
        assert torch.equal(left, right)
    assert names["images"].shape == (25, 1, 28, 28)


def weights(training: ganfw.Training) -> list[torch.Tensor]:
    return [weight for network in training.experiment.networks.values() for weight in network.parameters()]


def test_weights_can_be_read_as_the_page_says(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (trained.parent / "mnist_mlp-1").symlink_to(trained, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    text = blocks(section("run-directory.md", "Reading the weights without ganfw"), "python")[0]
    names: dict[str, torch.Tensor] = {}

    exec(text, names)

    imported = [name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for name in node.names]
    assert [name.name for name in imported] == ["torch"]
    source = ganfw.open_checkpoint(trained).source(ganfw.discover(), "cpu")
    torch.testing.assert_close(names["images"], ganfw.generate(source.networks["generator"], names["z"]))


# writing-a-plugin.md


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
    (command,) = re.findall(r"^ganfw new plugin (\S+)$", section("writing-a-plugin.md", TEN_MINUTES), re.MULTILINE)
    return plugin_files(plugin_names(command, "loss", ganfw.discover(allowed=())))


@pytest.fixture
def package(scaffold: dict[str, str]) -> dict[str, str]:
    """Return the package on the page, by file."""
    shown = files(section("writing-a-plugin.md", TEN_MINUTES))
    assert list(shown) == ["ganfw_total_variation/total_variation.py", "tests/test_total_variation.py"]
    return {**scaffold, **shown}


def test_what_the_page_says_of_the_scaffold_is_so(scaffold: dict[str, str]) -> None:
    tree = blocks(section("writing-a-plugin.md", TEN_MINUTES), "text")[0]
    parts = section("writing-a-plugin.md", "What makes a package a plugin")
    shown = {**files(parts), **files(section("writing-a-plugin.md", "Checks of the contract"))}

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

    assert table(section("writing-a-plugin.md", "Checks of the contract")) == [
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
    text = section("writing-a-plugin.md", "Without a package: a script")
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
    text = section("writing-a-plugin.md", "Context arguments and keys")
    given = {
        kind: tuple(row[1].split(", "))
        for row in table(text.partition("Each kind of part can ask for some of them")[2])
        for kind in re.findall(r"`(\w+)`", row[0])
    }

    assert [[f"`{name}`", what] for name, what in CONTEXT.items()] == table(text)
    assert given == CONTEXT_OF
    assert [[f"`{name}`", what] for name, what in KINDS.items()] == table(section("writing-a-plugin.md", "Kinds"))


@pytest.mark.usefixtures("clean_modules")
@pytest.mark.parametrize(
    ("name", "title"),
    [("writing-a-plugin.md", "Your own algorithm"), ("recipes.md", "Networks and what trains them")],
)
def test_the_algorithm_on_the_page_trains_and_is_sampled(
    name: str, title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANFW_PLUGINS", "")
    script = files(section("writing-a-plugin.md", "Your own algorithm"))["my_bigan.py"]
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
    code = "\n\n".join(blocks(section("writing-a-plugin.md", "Kinds"), "python"))
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
    described = re.findall(r"^### (\w+)$", section("writing-a-plugin.md", "Kinds"), re.MULTILINE)

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
    assert [row[0] for row in table(section("writing-a-plugin.md", "Errors that authors see"))] == list(MISTAKES)


@pytest.mark.usefixtures("clean_modules")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_gives_the_error_on_the_page(
    mistake: str, package: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = dict(table(section("writing-a-plugin.md", "Errors that authors see")))[mistake]
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


# architecture.md


def test_every_room_is_in_the_table() -> None:
    rooms = [code(row[0]) for row in table(section("architecture.md", "Rooms"))]
    folders = {f"{path.name}/" for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}

    assert len((DOCS / "architecture.md").read_text(encoding="utf-8").splitlines()) < 100
    assert set(rooms) == {"ganfw/", *folders} - {"builtin/", "recipes/"}


def test_the_streams_of_random_numbers_are_those_of_the_code() -> None:
    derived = set()
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        if name.startswith("builtin/") or name == "engine/random_streams.py":
            continue
        for node in ast.walk(ast.parse((PACKAGE / name).read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("derive_seed", "seeded_generator"):
                stream = next(
                    argument.value
                    for argument in node.args[1:]
                    if isinstance(argument, ast.Constant) and argument.value != 0
                )
                derived.add((stream, name))

    rows = table(section("architecture.md", "Streams of random numbers"))
    assert {(re.findall(r"^`(\w+)`", row[0])[0], code(row[1])) for row in rows} == derived


def test_the_order_of_events_is_that_of_the_loop(tiny: ganfw.Recipe, registry: ganfw.Registry) -> None:
    seen: list[str] = []
    experiment = ganfw.assemble(ganfw.resolve(tiny, registry))

    def noting(event: str) -> Callable[[ganfw.Callback, ganfw.Training], None]:
        return lambda callback, training: seen.append(event)

    experiment.callbacks = {"notes": type("Notes", (ganfw.Callback,), {event: noting(event) for event in EVENTS})()}
    first = experiment.updates[0]
    experiment.updates = (attrs.evolve(first, after=lambda: seen.append("step")), *experiment.updates[1:])
    experiment.settings = ganfw.RunSettings(batch_size=32, log_every_steps=2, device="cpu")
    ganfw.train(experiment, steps=3)

    quiet = ["step", "on_step", "on_step_end"]
    loud = ["step", "on_log", "on_step", "on_step_end"]
    assert seen == ["on_start", *quiet, *loud, *quiet, "on_log", "on_end"]
    events = re.findall(r"`(on_\w+)` of every", section("architecture.md", "Order of events in a step"))
    assert ["step", *events] == loud


def test_every_decision_is_listed_and_has_its_four_parts() -> None:
    decisions = sorted((DOCS / "decisions").glob("0*.md"))
    listed = re.findall(r"\((.*?)\)", (DOCS / "decisions" / "README.md").read_text(encoding="utf-8"))

    assert [path.name for path in decisions] == listed
    for number, path in enumerate(decisions, 1):
        text = path.read_text(encoding="utf-8")
        assert path.name.startswith(f"{number:04d}-")
        assert text.startswith(f"# {number}. ")
        assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE) == [
            "Context",
            "Decision",
            "Alternatives",
            "Consequence",
        ]
