"""What is true of a plugin as a whole: it loads, listing it is quick, and it stands on what is public."""

import ast
import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import ganfw
from ganfw.plugins.registry import SCRIPT_SUFFIX, Plugin
from ganfw.testing.subject import run_python

HEAVY = (
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "pandas",
    "matplotlib",
    "PIL",
    "tensorflow",
    "jax",
    "sklearn",
    "tensorboard",
)
"""Packages that take long to import."""

_CODE = """
import sys
import ganfw, ganfw.plugins.discovery
if sys.argv[1].endswith(".py"):
    import runpy
    runpy.run_path(sys.argv[1])
else:
    import importlib
    importlib.import_module(sys.argv[1].partition(":")[0])
print("LOADED", *[name for name in sys.argv[2:] if name in sys.modules])
"""


def is_active(plugin: Plugin, _folder: Path) -> None:
    """It loads, and offers something."""
    assert plugin.status == "active", f"it is {plugin.status}: {plugin.reason}"
    assert plugin.parts, "it offers no part"


def hooks_import_nothing_heavy(plugin: Plugin, folder: Path) -> None:
    """Importing the module with the hook, as every listing does, imports neither torch nor the like."""
    source = str(Path(plugin.source).resolve()) if plugin.source.endswith(SCRIPT_SUFFIX) else plugin.source
    done = run_python(folder, "-c", _CODE, source, *HEAVY)
    assert done.returncode == 0, f"importing '{plugin.source}' fails:\n{done.stderr}"
    loaded = done.stdout.rpartition("LOADED")[2].split()
    assert not loaded, (
        f"importing '{plugin.source}', as every listing does, imports {', '.join(loaded)}: import it only in the "
        "modules of the parts"
    )


def uses_only_public_names(plugin: Plugin, _folder: Path) -> None:
    """Of ganfw it imports what `dir(ganfw)` and `ganfw.testing` give: all else may be gone in the next version.

    Import statements are read; an attribute of a module that is public, `ganfw.training.loop.train`, is not seen.
    """
    modules = _modules(plugin)
    assert modules, f"no module of '{plugin.source}' is found"
    testing = {f"ganfw.testing.{name}" for name in importlib.import_module("ganfw.testing").__all__}
    public = {"ganfw", "ganfw.*", "ganfw.testing", *testing, *(f"ganfw.{name}" for name in dir(ganfw))}
    own = f"{plugin.source.partition(':')[0]}."
    for module in modules:
        imported = {name for name in _imports(module) if name.split(".")[0] == "ganfw"}
        private = sorted(name for name in imported - public if not name.startswith(own))
        assert not private, f"{module.name} imports {', '.join(private)}, not public: see dir(ganfw)"


def _modules(plugin: Plugin) -> list[Path]:
    """Return the files of a script, or of the package that the module with the hook is in."""
    if plugin.source.endswith(SCRIPT_SUFFIX):
        return [Path(plugin.source)]
    name = plugin.source.partition(":")[0]
    if name.split(".")[0] != ganfw.__name__:
        name = name.split(".")[0]  # all of an author's package; of ganfw itself, its parts
    spec = importlib.util.find_spec(name)
    if spec is None:
        return []
    if spec.submodule_search_locations is None:
        return [Path(spec.origin)] if spec.origin else []
    return sorted(path for folder in spec.submodule_search_locations for path in Path(folder).rglob("*.py"))


def _imports(module: Path) -> Iterator[str]:
    """Yield what a module imports, dotted: `"torch"`, `"ganfw.Part"`."""
    for node in ast.walk(ast.parse(module.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
