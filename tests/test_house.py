"""The structure of the code: imports run one way, built-ins use public names only, start-up is light."""

import ast
import functools
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

import ganfw

PACKAGE = Path(ganfw.__file__).parent
LAYERS = (
    "",
    "plugins",
    "recipe",
    "distributed",
    "engine",
    "training",
    "run",
    "evaluation",
    "report",
    "ledger",
    "export",
    "sweep",
    "notebook",
    "play",
    "scaffold",
    "testing",
    "cli",
)
"""The folders of the package from the ground up, the modules beside them first: each imports from itself and below."""

NO_LAYER = ("builtin", "recipes")
"""Folders that no other folder imports: what ganfw offers as a plugin does."""


@functools.cache
def modules() -> dict[str, ast.Module]:
    """Return every module of the package but the built-in parts, parsed, by its name: `"engine.precision"`."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        if name.partition(".")[0] not in (*NO_LAYER, "__main__", "__init__"):
            found[name] = ast.parse(path.read_text())
    return found


def folder_of(module: str) -> str:
    return module.partition(".")[0] if (PACKAGE / module.partition(".")[0]).is_dir() else ""


def imports(tree: ast.Module) -> Iterator[str]:
    """Yield each name that is imported from ganfw, for types alone too: `"engine.precision"`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            module = node.module or ""
            if module.partition(".")[0] == "ganfw":
                inner = module.removeprefix("ganfw").removeprefix(".")
                names = [f"{inner}.{alias.name}".removeprefix(".") for alias in node.names]
                yield from (name if name in modules() else inner for name in names)
        elif isinstance(node, ast.Import):
            yield from (a.name.removeprefix("ganfw.") for a in node.names if a.name.startswith("ganfw."))


def test_every_folder_has_its_layer() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}

    assert folders == {*LAYERS, *NO_LAYER} - {""}


@pytest.mark.parametrize("layer", LAYERS)
def test_no_folder_imports_upward(layer: str) -> None:
    own = [name for name in modules() if folder_of(name) == layer]
    assert own
    for name in own:
        for target in imports(modules()[name]):
            below = folder_of(target) in LAYERS[: LAYERS.index(layer) + 1]
            assert below, f"ganfw.{name} imports ganfw.{target}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: [target for target in imports(tree) if target in modules()] for name, tree in modules().items()}

    list(graphlib.TopologicalSorter(graph).static_order())


def test_the_recipes_at_the_top_are_those_of_the_package() -> None:
    folder = Path(__file__).parents[1] / "recipes"
    top = {path.name: path.read_text() for path in folder.iterdir()}
    shipped = {path.name: path.read_text() for path in files("ganfw.recipes").iterdir() if path.name.endswith(".toml")}
    assert not folder.is_symlink()  # a checkout on Windows would make a text file of it
    assert shipped == top
    registered = (part for part in ganfw.discover().parts("recipe") if part.plugin.distribution == "ganfw")
    assert {f"{part.part.name}.toml" for part in registered} == top.keys()


def test_the_core_names_no_builtin_part() -> None:
    for name, tree in modules().items():
        for target in imports(tree):
            assert not target.startswith("builtin"), name


def test_every_public_name_is_there() -> None:
    assert len(ganfw.__all__) == len(set(ganfw.__all__)) > 30
    for name in ganfw.__all__:
        assert getattr(ganfw, name).__doc__, name
        assert name in dir(ganfw)
    with pytest.raises(AttributeError) as caught:
        ganfw.nothing  # noqa: B018
    assert str(caught.value) == "No ganfw attribute nothing"


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
    [
        ["--help"],
        ["--version"],
        ["parts"],
        ["parts", "loss"],
        ["parts", "--json"],
        ["plugins"],
        ["recipes"],
        ["reference", "--help"],
    ],
    ids=" ".join,
)
def test_listing_imports_neither_torch_nor_a_part(arguments: list[str]) -> None:
    loaded = loaded_by(*arguments)

    assert "ganfw.plugins.discovery" in loaded
    assert not loaded & {"torch", "torchvision", "numpy", "tqdm", "tomlkit"}
    assert not [name for name in loaded if name.startswith("ganfw.builtin.")]


def test_check_imports_only_the_parts_of_the_recipe() -> None:
    loaded = loaded_by("check", "mnist_mlp")

    assert {name.removeprefix("ganfw.builtin.") for name in loaded if name.startswith("ganfw.builtin.")} == {
        "mnist",
        "noise",
        "mlp",
        "losses",
        "alternating",
        "optimizers",
        "health",
        "progress",
        "metrics",
        "checkpoint",
        "sample_pictures",
        # how the recipe is judged
        "classifier_score",
        "distances",
        "diversity",
        "frechet_distance",
        "kernel_distance",
        "mnist_classifier",
        "nearest_neighbours",
        "neighbourhoods",
        "shortfall",
    }
    assert "torchvision" not in loaded


def test_describing_a_part_imports_that_part_alone() -> None:
    loaded = loaded_by("parts", "loss", "bce")

    assert [name for name in loaded if name.startswith("ganfw.builtin.")] == ["ganfw.builtin.losses"]


def test_a_run_imports_no_compiler_unless_it_compiles(tmp_path: Path) -> None:
    small = ("run.max_steps=2", "run.device=cpu", "data.split=test", "callbacks.samples.every_steps=1")
    settings = [option for setting in small for option in ("--set", setting)]

    loaded = loaded_by("run", "mnist_mlp", "--out", str(tmp_path), *settings)

    assert "ganfw.run.save" in loaded  # its last step was saved
    assert not loaded & {"torch._dynamo", "torch._inductor", "sympy", "torchvision"}
