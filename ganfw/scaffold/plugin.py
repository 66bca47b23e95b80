"""A complete package with one part, from templates."""

import datetime
import importlib.resources
import importlib.util
import keyword
import re
import shutil
import sys
from importlib.metadata import version
from os import getpid
from pathlib import Path
from string import Template

from attrs import asdict, frozen
from packaging.utils import canonicalize_name
from packaging.version import Version

from ganfw.errors import InputError
from ganfw.plugins.registry import Registry
from ganfw.recipe.tables import TABLES

KINDS: tuple[str, ...] = tuple(dict.fromkeys(table.kind for table in TABLES if table.kind != "network"))
"""The kinds of parts that there is a template for: all that recipes have tables of, but for further networks.

Those are only of use to a step that calls them: start with a step, and add the network to its package.
"""

_FILES = {
    "pyproject.toml": "package/pyproject.toml",
    "README.md": "package/README.md",
    "LICENSE": "package/LICENSE",
    ".gitignore": "package/gitignore",
    ".github/workflows/tests.yml": "package/tests.yml",
    "{module}/__init__.py": "package/hooks.py",
    "{module}/{part}.py": "parts/{kind}.py",
    "{module}/py.typed": "package/py.typed",
    "tests/test_contract.py": "package/test_contract.py",
    "tests/test_{part}.py": "parts/{kind}_test.py",
}
"""The files of a package, and the templates that they are written from."""


@frozen
class PluginNames:
    """What the things in a package are called.

    Attributes:
        distribution: what pip installs: `"ganfw-soft-hinge"`.
        module: what Python imports: `"ganfw_soft_hinge"`.
        part: what recipes say, and the file that it is in: `"soft_hinge"`.
        target: the class or function of the part: `"SoftHinge"`.
        kind: the kind of the part.
    """

    distribution: str
    module: str
    part: str
    target: str
    kind: str


def plugin_names(distribution: str, kind: str, registry: Registry) -> PluginNames:
    """Derive all names of a package from the distribution's.

    Raises:
        InputError: it is not a name for a package, or what follows from it is taken.
    """
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", distribution):
        advice = "write letters, digits and '-', such as ganfw-soft-hinge"
        raise InputError(f"{distribution!r} is not a name for a package: {advice}")
    module = canonicalize_name(distribution).replace("-", "_")
    if not module.isidentifier() or keyword.iskeyword(module):
        advice = f"write ganfw-{distribution}"
        raise InputError(f"'{distribution}' would be imported as '{module}', which is not a name in Python: {advice}")
    if module in sys.stdlib_module_names or importlib.util.find_spec(module):
        raise InputError(f"a module '{module}' is installed already: choose another name, or uninstall that one first")
    part = module.removeprefix("ganfw_")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", part) or keyword.iskeyword(part):
        part = module
    for other in registry.parts(kind):
        if other.part.name == part:
            raise InputError(f"{other} has the name that the part would get: choose another, such as ganfw-my-{part}")
    target = part if kind in ("data", "optimizer") else "".join(word.capitalize() for word in part.split("_"))
    return PluginNames(distribution, module, part, target, kind)


def write_plugin(names: PluginNames, folder: Path) -> Path:
    """Write a package into a new folder named after the distribution; all of it or nothing.

    Args:
        names: what its things are called.
        folder: the folder to make the package's in.

    Returns:
        The package's folder.

    Raises:
        InputError: it is there already, or cannot be written.
    """
    package = folder / names.distribution
    if package.exists() or package.is_symlink():
        raise InputError(f"{package} exists already, so nothing was written; choose another name")
    temporary = folder / f".{names.distribution}.{getpid()}.tmp"
    try:
        temporary.mkdir()
        for name, content in plugin_files(names).items():
            path = temporary / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        temporary.rename(package)
    except OSError as error:
        raise InputError(f"{package}: cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return package


def plugin_files(names: PluginNames) -> dict[str, str]:
    """Return the content of each file of a package, by its path in it."""
    words = {
        **asdict(names),
        "ganfw": _compatible_versions(Version(version("ganfw"))),
        "year": datetime.datetime.now(datetime.UTC).year,
        "trial": trial(names),
    }
    folder = importlib.resources.files("ganfw.scaffold")
    files = {}
    for path, template in _FILES.items():
        text = (folder / f"{template.format_map(words)}.template").read_text(encoding="utf-8")
        files[path.format_map(words)] = Template(text).substitute(words)
    return files


def trial(names: PluginNames) -> str:
    """Return the command that tries the part in a short run."""
    table = next(table for table in TABLES if table.kind == names.kind)
    if names.kind == "sampler":
        return f"ganfw sample RUN --set sampler.use={names.part}"
    entry = "generator" if table.name == table.kind else names.part  # optimizer.generator, callbacks.mine
    address = f"{table.name}.{entry}" if table.named else table.name
    return f"ganfw run mnist_mlp --set {address}.use={names.part} --set run.epochs=1"


def _compatible_versions(installed: Version) -> str:
    """Return the versions that a package made for this one works with: before 1.0 a minor version may break it."""
    first, second = installed.release[:2]
    return f">={first}.{second},<{f'0.{second + 1}' if first == 0 else first + 1}"
