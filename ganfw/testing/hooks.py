"""What is true of a plugin as a whole: it loads, and listing it is quick."""

import os
import subprocess
import sys
from pathlib import Path

from ganfw.registry import SCRIPT_SUFFIX, Plugin

HEAVY = ("torch", "torchvision", "numpy", "scipy", "pandas", "matplotlib", "PIL", "tensorflow", "jax", "sklearn")
"""Packages that take long to import."""

_CODE = """
import sys
import ganfw, ganfw.plugins
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
    _require(plugin, plugin.status == "active", f"it is {plugin.status}: {plugin.reason}")
    _require(plugin, bool(plugin.parts), "it offers no part")


def hooks_import_nothing_heavy(plugin: Plugin, folder: Path) -> None:
    """Importing the module with the hook, as every listing does, imports neither torch nor the like."""
    source = str(Path(plugin.source).resolve()) if plugin.source.endswith(SCRIPT_SUFFIX) else plugin.source
    done = subprocess.run(
        [sys.executable, "-c", _CODE, source, *HEAVY],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    _require(plugin, done.returncode == 0, f"importing '{plugin.source}' fails:\n{done.stderr}")
    loaded = done.stdout.rpartition("LOADED")[2].split()
    _require(
        plugin,
        not loaded,
        f"importing '{plugin.source}', as every listing does, imports {', '.join(loaded)}: import it in the modules of "
        "the parts alone",
    )


def _require(plugin: Plugin, condition: bool, complaint: str) -> None:
    if not condition:
        raise AssertionError(f"plugin '{plugin.distribution}': {complaint}")
