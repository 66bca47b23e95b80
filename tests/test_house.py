"""The structure of the code: imports run one way, built-ins use public names only, start-up is light."""

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ganfw

PACKAGE = Path(ganfw.__file__).parent
ROOMS = (
    "errors",
    "parts",
    "signature",
    "registry",
    "hookspecs",
    "plugins",
    "settings",
    "recipe.origin",
    "recipe.tables",
    "recipe.layers",
    "recipe.document",
    "recipe.resolve",
    "state",
    "atomic",
    "bounded",
    "randomness",
    "regions",
    "device",
    "world",
    "engine.compilation",
    "engine.kernels",
    "engine.optimizers",
    "engine.precision",
    "engine.networks",
    "engine.batch_norm",
    "engine.gradients",
    "draws",
    "data",
    "protocols",
    "shared_noise",
    "engine.averaging",
    "objective",
    "callback",
    "sampling",
    "images",
    "evaluation.evidence",
    "evaluation.classifier",
    "evaluation.classifier_training",
    "evaluation.features",
    "evaluation.floors",
    "evaluation.judge",
    "evaluation.pictures",
    "contract",
    "experiment",
    "window",
    "optimizer_state",
    "lock",
    "loop",
    "run_directory",
    "checkpoint.manifest",
    "checkpoint.folder",
    "evaluation.assembly",
    "evaluation.record",
    "checkpoint.write",
    "checkpoint.read",
    "checkpoint.resume",
    "testing.resume",
    "testing.recipe",
    "testing.subject",
    "testing.parts",
    "testing.hooks",
    "testing.datasets",
    "testing.noises",
    "testing.networks",
    "testing.losses",
    "testing.regularizers",
    "testing.augmentations",
    "testing.optimizers",
    "testing.schedules",
    "testing.averages",
    "testing.steps",
    "testing.callbacks",
    "testing.evidence",
    "testing.recipes",
    "testing.catalogue",
    "signals",
    "report.reading",
    "report.settings",
    "report.environment",
    "report.curves",
    "report.evaluations",
    "report.run",
    "report.pictures",
    "report.time_lapse",
    "report.axis",
    "report.chart",
    "report.groups",
    "report.names",
    "report.figures",
    "report.tables",
    "report.page",
    "scaffold.plugin",
    "scaffold.recipe",
    "cli.options",
    "cli.inspect",
    "cli.recipe",
    "cli.training",
    "cli.sampling",
    "cli.evaluation",
    "cli.train_evaluator",
    "cli.report",
    "cli.new",
    "cli",
    "__main__",
)
"""The modules from the ground up: each may import only what stands before it."""

NOTHING_BUT_NAMES = ("__init__", "recipe", "checkpoint", "engine", "evaluation", "report", "scaffold", "testing")
"""Packages whose own file holds no code: at most it gives names of its modules."""


@functools.cache
def modules() -> dict[str, ast.Module]:
    """Return every module of the package but the built-in parts, parsed, by its name within the package."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        if name not in NOTHING_BUT_NAMES and not name.startswith("builtin"):
            found[name] = ast.parse(path.read_text())
    return found


def imports(tree: ast.Module) -> Iterator[tuple[str, list[str]]]:
    """Yield each module that is imported, at the top or in a function but not for types alone, and the names."""
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or "", [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)


def test_every_room_is_known() -> None:
    assert sorted(modules()) == sorted(ROOMS)


def test_the_recipes_at_the_top_are_those_in_the_package() -> None:
    top = {path.name: path.read_text() for path in (Path(__file__).parents[1] / "recipes").iterdir()}
    shipped = {path.name: path.read_text() for path in (PACKAGE / "recipes").iterdir()}

    assert top == shipped


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_one_way(room: str) -> None:
    floor = ROOMS.index(room)
    for module, names in imports(modules()[room]):
        if module == "ganfw":
            targets = names
        elif module.removeprefix("ganfw.") in NOTHING_BUT_NAMES:
            targets = [f"{module.removeprefix('ganfw.')}.{name}" for name in names]
        elif module.startswith("ganfw."):
            targets = [module.removeprefix("ganfw.")]
        else:
            continue
        for target in targets:
            assert ROOMS.index(target) < floor, f"{room} imports {target}"


def test_the_core_names_no_builtin_part() -> None:
    for name, tree in modules().items():
        for module, _ in imports(tree):
            assert not module.startswith("ganfw.builtin"), name


def test_every_public_name_is_there() -> None:
    assert len(ganfw.__all__) == len(set(ganfw.__all__)) > 30
    for name in ganfw.__all__:
        assert getattr(ganfw, name).__doc__, name
        assert name in dir(ganfw)
    with pytest.raises(AttributeError) as caught:
        ganfw.nothing  # noqa: B018
    assert str(caught.value) == "module 'ganfw' has no attribute 'nothing'"


def loaded_by(*arguments: str) -> set[str]:
    """Return the modules that a command has loaded when it ends."""
    code = (
        "import sys\nfrom ganfw.cli import main\n"
        f"sys.argv = ['ganfw', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print('LOADED', *sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ended.stdout.rpartition("LOADED")[2].split())


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["parts"], ["parts", "loss"], ["parts", "--json"], ["plugins"], ["recipes"]],
    ids=" ".join,
)
def test_listing_imports_neither_torch_nor_a_part(arguments: list[str]) -> None:
    loaded = loaded_by(*arguments)

    assert "ganfw.plugins" in loaded
    assert not loaded & {"torch", "torchvision", "numpy", "tqdm", "tomlkit"}
    assert not [name for name in loaded if name.startswith("ganfw.builtin.")]


def test_check_imports_only_the_parts_of_the_recipe() -> None:
    loaded = loaded_by("check", "mnist_mlp")

    assert {name.removeprefix("ganfw.builtin.") for name in loaded if name.startswith("ganfw.builtin.")} == {
        "mnist",
        "normal",
        "truncated",  # what `normal` becomes under truncation
        "mlp",
        "bce",
        "alternating",
        "optimizers",
        "health",
        "progress",
        "metrics",
        "checkpoint",
        "sample_grid",
        # how the recipe is judged
        "classifier_score",
        "density_coverage",
        "distances",
        "diversity",
        "frechet_distance",
        "kernel_distance",
        "mnist_classifier",
        "nearest_neighbours",
        "precision_recall",
        "shortfall",
    }
    assert "torchvision" not in loaded


def test_describing_a_part_imports_that_part_alone() -> None:
    loaded = loaded_by("parts", "loss", "bce")

    assert [name for name in loaded if name.startswith("ganfw.builtin.")] == ["ganfw.builtin.bce"]
