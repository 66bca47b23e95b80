"""Discover plugins: installed packages through entry points, and scripts by path. A broken one is only listed."""

import functools
import hashlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import click
import pluggy
from attrs import evolve
from packaging.utils import canonicalize_name

from ganfw.errors import PluginError, did_you_mean
from ganfw.plugins import hookspecs
from ganfw.plugins.part import Part
from ganfw.plugins.registry import Plugin, Registry, describe
from ganfw.plugins.side_effects import loading
from ganfw.terminal import say

CORE = "ganfw"
"""The distribution whose plugin brings the built-in parts; it cannot be blocked."""

Hooks = Mapping[str, Callable[..., Any]]
"""What a plugin implements hooks by, by their names."""

_scripts: dict[str, tuple[Path, bytes]] = {}  # by module name, the path and the source of each that was loaded

_MACHINERY = ("<", *(f"{Path(file).parent}{os.sep}" for file in (__file__, importlib.__file__, pluggy.__file__)))
"""How the names of source files begin that load plugins and belong to ganfw or pluggy."""


def discover(
    *,
    scripts: Iterable[str | Path] = (),
    blocked: Iterable[str] = (),
    allowed: Iterable[str] | None = None,
    strict: bool | None = None,
) -> Registry:
    """Find every plugin and ask each for its parts.

    Args:
        scripts: Python files that hold plugins of their own, as given by `--plugin`.
        blocked: distributions whose plugins are not loaded, as given by `--no-plugin`.
        allowed: if given, the only distributions whose plugins are loaded, besides ganfw's own; by default the
            environment variable `GANFW_PLUGINS`, a list with commas (empty: none), where it is set.
        strict: whether a broken plugin is an error; by default whether `GANFW_STRICT_PLUGINS` is `1`.

    Raises:
        PluginError: a script is missing or broken; a name in `blocked` or `allowed` is that of no installed
            plugin; or, where `strict`, an installed plugin is broken.
    """
    plugins = [plugin for plugin, _ in _load_installed(blocked, allowed, strict)]
    for path in {Path(path).resolve(): Path(path) for path in scripts}.values():
        try:
            plugins.append(_load_script(path))
        except PluginError as error:
            raise PluginError(f"--plugin {path}: {error}") from error
    return Registry(tuple(plugins))


def add_commands(group: click.Group) -> None:
    """Add the verbs of every installed plugin to a group; one that cannot add them is reported on standard error.

    Raises:
        PluginError: a plugin is broken and `GANFW_STRICT_PLUGINS` is `1`, or `GANFW_PLUGINS` has an unknown name.
    """
    for plugin, hooks in _load_installed():
        who = f"plugin '{plugin.distribution}'"
        if plugin.reason:
            say(f"{who} failed: {plugin.reason}", err=True)
        elif "ganfw_commands" in hooks:
            try:
                with loading(who, _refusal):
                    group.commands.update(_new_commands(hooks["ganfw_commands"], group))
            except PluginError as error:
                if _is_strict():
                    raise PluginError(f"{who} adds no verbs: {error}") from error
                say(f"{who} adds no verbs: {error}", err=True)


def _new_commands(hook: Callable[..., Any], group: click.Group) -> Mapping[str, click.Command]:
    """Return the verbs that a hook adds to an empty group; none may be in the whole group."""
    own = click.Group()
    hook(own)
    if taken := sorted(own.commands.keys() & group.commands.keys()):
        raise PluginError(f"there is a verb '{taken[0]}' already; rename it")
    return own.commands


def _is_strict() -> bool:
    return os.environ.get("GANFW_STRICT_PLUGINS") == "1"


def _load_installed(
    blocked: Iterable[str] = (), allowed: Iterable[str] | None = None, strict: bool | None = None
) -> list[tuple[Plugin, Hooks]]:
    """Load installed plugins, those of ganfw first."""
    if allowed is None and "GANFW_PLUGINS" in os.environ:
        allowed = [name.strip() for name in os.environ["GANFW_PLUGINS"].split(",") if name.strip()]
    found = sorted(_installed(), key=lambda entry: (entry[0].distribution != CORE, entry[0].distribution))
    names = {plugin.distribution for plugin, _ in found}
    refused = {_known(name, names, "--no-plugin") for name in blocked}
    if CORE in refused:
        raise PluginError(f"--no-plugin {CORE}: the built-in parts cannot be blocked; leave it out")
    if allowed is not None:
        refused |= names - {_known(name, names, "GANFW_PLUGINS") for name in allowed} - {CORE}
    loaded: list[tuple[Plugin, Hooks]] = []
    for plugin, load in found:
        if plugin.distribution in refused:
            loaded.append((evolve(plugin, status="blocked"), {}))
            continue
        try:
            loaded.append(_load(plugin, load, loaded))
        except PluginError as error:
            if _is_strict() if strict is None else strict:
                raise PluginError(f"plugin '{plugin.distribution}' failed: {error}") from error
            loaded.append((evolve(plugin, status="failed", reason=str(error)), {}))
    return loaded


def _installed() -> Iterator[tuple[Plugin, Callable[[], Any]]]:
    """Yield each installed plugin with what imports it."""
    try:
        found: Iterable[EntryPoint] = entry_points(group="ganfw")
    except Exception:  # the entry points of any distribution cannot be read, even of one that has no plugin
        found, unreadable = _readable_entry_points()
        yield from unreadable
    for entry_point in found:
        name, version = _name_and_version(entry_point.dist)
        plugin = Plugin(canonicalize_name(name or entry_point.name), version or "unknown", entry_point.value)
        yield plugin, entry_point.load


def _readable_entry_points() -> tuple[list[EntryPoint], list[tuple[Plugin, Callable[[], Any]]]]:
    """Read the entry points of one distribution after the other; those that cannot be read may be of plugins."""
    readable: list[EntryPoint] = []
    unreadable: list[tuple[Plugin, Callable[[], Any]]] = []
    names: set[str] = set()
    for distribution in distributions():
        name, version = _name_and_version(distribution)
        canonical = canonicalize_name(name or "unknown")
        if name and canonical in names:  # hidden by another of the name, earlier on Python's path
            continue
        names.add(canonical)
        try:
            readable += distribution.entry_points.select(group="ganfw")
        except Exception as error:
            if _may_have_plugins(distribution):
                plugin = Plugin(canonical, version or "unknown", "entry_points.txt")
                unreadable.append((plugin, functools.partial(_refuse_entry_points, error)))
    return readable, unreadable


def _may_have_plugins(distribution: Distribution) -> bool:
    try:
        return "[ganfw]" in (distribution.read_text("entry_points.txt") or "")
    except Exception:
        return True


def _refuse_entry_points(error: Exception) -> NoReturn:
    raise PluginError(f"its entry points cannot be read: {describe(error)}")


def _name_and_version(distribution: Distribution | None) -> tuple[str | None, str | None]:
    try:
        metadata: Any = distribution.metadata if distribution else {}
        return metadata.get("Name"), metadata.get("Version")
    except Exception:  # an installation that was cut short
        return None, None


def _known(name: str, names: set[str], option: str) -> str:
    canonical = canonicalize_name(name)
    if canonical not in names:
        hint = did_you_mean(canonical, names) or "see: ganfw plugins"
        raise PluginError(f"{option}: no plugin '{name}' is installed; {hint}")
    return canonical


def _load(plugin: Plugin, load: Callable[[], Any], loaded: Sequence[tuple[Plugin, Hooks]] = ()) -> tuple[Plugin, Hooks]:
    """Load a plugin and collect its parts.

    Args:
        plugin: the plugin, without parts.
        load: imports it.
        loaded: the plugins before it.

    Raises:
        PluginError: anything goes wrong.
    """
    name = f"{plugin.distribution} {plugin.source}"
    with loading(f"plugin '{plugin.distribution}'", _refusal):
        manager = pluggy.PluginManager("ganfw")
        manager.add_hookspecs(hookspecs)
        manager.register(module := load(), name)
        manager.check_pending()
        callers = manager.get_hookcallers(module) or ()
        hooks = {caller.name: caller.get_hookimpls()[0].function for caller in callers}
        if not hooks:
            raise PluginError("it must implement a hook, 'ganfw_parts' or 'ganfw_commands'")
        for other in (other for other, theirs in loaded if theirs == hooks):
            raise PluginError(f"it is the same module as plugin '{other.distribution} {other.source}'; remove one")
        others = [other for other, _ in loaded if other.distribution == plugin.distribution]
        parts = hooks["ganfw_parts"]() if "ganfw_parts" in hooks else ()
        return evolve(plugin, parts=_checked(parts, others)), hooks


def _refusal(error: BaseException) -> PluginError:
    """Say what went wrong and, where it is the plugin's own code, in which file and line."""
    if isinstance(error, PluginError | pluggy.PluginValidationError):
        return PluginError(" ".join(str(error).split()))
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(_MACHINERY)]
    place = f" ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""
    return PluginError(describe(error) + place)


def _checked(parts: Any, others: Iterable[Plugin]) -> tuple[Part, ...]:
    if not isinstance(parts, Iterable):
        raise PluginError(f"ganfw_parts returned {type(parts).__name__}; it must return parts")
    offered = {(part.kind, part.name) for other in others for part in other.parts}
    checked = []
    for part in parts:
        if not isinstance(part, Part):
            raise PluginError(f"ganfw_parts gave {type(part).__name__}; it must give a Part each time")
        if (part.kind, part.name) in offered:
            raise PluginError(f"it offers {part.kind} '{part.name}' twice; rename one")
        offered.add((part.kind, part.name))
        checked.append(part)
    return tuple(checked)


def _load_script(path: Path) -> Plugin:
    """Load a plugin script as the module named after it, so that its targets can be `"file_name:attribute"`."""
    try:
        source = path.read_bytes()
    except OSError as error:
        raise PluginError(str(error.strerror)) from None
    name = path.stem
    if not name.isidentifier() or _other_module(name, path.resolve()):
        raise PluginError(f"the name '{name}' is taken or is not a module name; rename the file")
    plugin = Plugin(path.name, f"sha256:{hashlib.sha256(source).hexdigest()}", str(path))
    return _load(plugin, lambda: import_script(name, path.resolve(), source))[0]


def _other_module(name: str, path: Path) -> bool:
    """Whether `import name` would give another module than the one at `path`."""
    if name in sys.modules:
        return getattr(sys.modules[name], "__file__", None) != str(path)
    spec = importlib.util.find_spec(name)
    return spec is not None and (spec.origin is None or Path(spec.origin).resolve() != path)


def import_script(name: str, path: Path, source: bytes) -> ModuleType:
    """Run the very source that was hashed: no bytecode of an earlier version is used, and none is written."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError("it must be a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        exec(compile(source, path, "exec"), module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise
    _scripts[name] = (path, source)
    return module


class LoadedScripts:
    """The scripts that this process has loaded as plugins; a process that unpickles it has loaded them too."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _load_again, (dict(_scripts),)


def _load_again(scripts: Mapping[str, tuple[Path, bytes]]) -> None:
    for name, (path, source) in scripts.items():
        if name not in sys.modules:
            import_script(name, path, source)
