"""Discover plugins: installed packages through entry points, and scripts by path. A broken one is only listed."""

import hashlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

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

_MACHINERY = ("<", *(f"{Path(file).parent}{os.sep}" for file in (__file__, importlib.__file__, pluggy.__file__)))
"""How the names of source files begin that load plugins and are none of theirs."""


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
    manager = _manager()
    plugins = _load_installed(manager, blocked, allowed, _is_strict() if strict is None else strict)
    for path in {Path(path).resolve(): Path(path) for path in scripts}.values():
        try:
            plugins.append(_load_script(manager, path))
        except PluginError as error:
            raise PluginError(f"--plugin {path}: {error}") from error
    return Registry(tuple(plugins))


def add_commands(group: click.Group) -> None:
    """Add the verbs of every installed plugin to a group; one that cannot add them is told on standard error.

    Raises:
        PluginError: a plugin is broken and `GANFW_STRICT_PLUGINS` is `1`, or `GANFW_PLUGINS` has an unknown name.
    """
    manager = _manager()
    for plugin in _load_installed(manager, strict=_is_strict()):
        who = f"plugin '{plugin.distribution}'"
        if plugin.reason:
            say(f"{who} failed: {plugin.reason}", err=True)
        elif hook := _own_hook(manager.hook.ganfw_commands, plugin):
            try:
                with loading(who, _refusal):
                    group.commands.update(_new_commands(hook, group))
            except PluginError as error:
                if _is_strict():
                    raise PluginError(f"{who} adds no verbs: {error}") from error
                say(f"{who} adds no verbs: {error}", err=True)


def _new_commands(hook: Callable[..., Any], group: click.Group) -> Mapping[str, click.Command]:
    """Return the verbs that a hook adds to an empty group, none of which the whole group has."""
    own = click.Group()
    hook(own)
    if taken := sorted(own.commands.keys() & group.commands.keys()):
        raise PluginError(f"there is a verb '{taken[0]}' already")
    return own.commands


def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager("ganfw")
    manager.add_hookspecs(hookspecs)
    return manager


def _is_strict() -> bool:
    return os.environ.get("GANFW_STRICT_PLUGINS") == "1"


def _load_installed(
    manager: pluggy.PluginManager,
    blocked: Iterable[str] = (),
    allowed: Iterable[str] | None = None,
    strict: bool = False,
) -> list[Plugin]:
    """Load installed plugins, those of ganfw first."""
    if allowed is None and "GANFW_PLUGINS" in os.environ:
        allowed = [name.strip() for name in os.environ["GANFW_PLUGINS"].split(",") if name.strip()]
    found = sorted(_installed(), key=lambda entry: (entry[0].distribution != CORE, entry[0].distribution))
    names = {plugin.distribution for plugin, _ in found}
    refused = {_known(name, names, "--no-plugin") for name in blocked}
    if CORE in refused:
        raise PluginError(f"--no-plugin {CORE}: the built-in parts cannot be blocked")
    if allowed is not None:
        refused |= names - {_known(name, names, "GANFW_PLUGINS") for name in allowed} - {CORE}
    plugins: list[Plugin] = []
    for plugin, entry_point in found:
        if plugin.distribution in refused:
            plugins.append(evolve(plugin, status="blocked"))
            continue
        others = [other for other in plugins if other.distribution == plugin.distribution]
        try:
            plugins.append(_ask(manager, plugin, entry_point.load, others))
        except PluginError as error:
            if strict:
                raise PluginError(f"plugin '{plugin.distribution}' failed: {error}") from error
            plugins.append(evolve(plugin, status="failed", reason=str(error)))
    return plugins


def _installed() -> Iterator[tuple[Plugin, EntryPoint]]:
    for entry_point in entry_points(group="ganfw"):
        try:
            metadata: Any = entry_point.dist.metadata if entry_point.dist else {}
            name, version = metadata.get("Name"), metadata.get("Version")
        except Exception:  # an installation that was cut short
            name = version = None
        yield Plugin(canonicalize_name(name or entry_point.name), version or "unknown", entry_point.value), entry_point


def _known(name: str, names: set[str], option: str) -> str:
    canonical = canonicalize_name(name)
    if canonical not in names:
        hint = did_you_mean(canonical, names) or "see: ganfw plugins"
        raise PluginError(f"{option}: no plugin '{name}' is installed; {hint}")
    return canonical


def _ask(
    manager: pluggy.PluginManager, plugin: Plugin, load: Callable[[], Any], others: Iterable[Plugin] = ()
) -> Plugin:
    """Load a plugin and collect its parts.

    Args:
        manager: what calls hooks.
        plugin: the plugin, without parts.
        load: imports it.
        others: further plugins of the same distribution.

    Raises:
        PluginError: whatever goes wrong.
    """
    name = _name(plugin)
    try:
        with loading(f"plugin '{plugin.distribution}'", _refusal):
            module = load()
            if other := manager.get_name(module):
                raise PluginError(f"it is the same module as plugin '{other}'")
            manager.register(module, name)
            manager.check_pending()
            own = _own_hook(manager.hook.ganfw_parts, plugin)
            if own is None and _own_hook(manager.hook.ganfw_commands, plugin) is None:
                raise PluginError("it implements no hook 'ganfw_parts' or 'ganfw_commands'")
            return evolve(plugin, parts=_checked(own() if own else (), others))
    except PluginError:
        if manager.has_plugin(name):
            manager.unregister(name=name)
        raise


def _name(plugin: Plugin) -> str:
    return f"{plugin.distribution} {plugin.source}"


def _own_hook(hooks: pluggy.HookCaller, plugin: Plugin) -> Callable[..., Any] | None:
    """Return what a plugin implements a hook by."""
    return next((hook.function for hook in hooks.get_hookimpls() if hook.plugin_name == _name(plugin)), None)


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
        raise PluginError(f"ganfw_parts returned {type(parts).__name__}, not parts")
    offered = {(part.kind, part.name) for other in others for part in other.parts}
    checked = []
    for part in parts:
        if not isinstance(part, Part):
            raise PluginError(f"ganfw_parts gave {type(part).__name__}, not a Part")
        if (part.kind, part.name) in offered:
            raise PluginError(f"it offers {part.kind} '{part.name}' twice")
        offered.add((part.kind, part.name))
        checked.append(part)
    return tuple(checked)


def _load_script(manager: pluggy.PluginManager, path: Path) -> Plugin:
    """Load a plugin script as the module named after it, so that its targets can be `"file_name:attribute"`."""
    try:
        source = path.read_bytes()
    except OSError as error:
        raise PluginError(str(error.strerror)) from None
    name = path.stem
    if not name.isidentifier() or _other_module(name, path.resolve()):
        raise PluginError(f"the name '{name}' is taken or is no module name; rename the file")
    plugin = Plugin(path.name, f"sha256:{hashlib.sha256(source).hexdigest()}", str(path))
    return _ask(manager, plugin, lambda: _import_script(name, path.resolve(), source))


def _other_module(name: str, path: Path) -> bool:
    """Whether `import name` would give another module than the one at `path`."""
    if name in sys.modules:
        return getattr(sys.modules[name], "__file__", None) != str(path)
    spec = importlib.util.find_spec(name)
    return spec is not None and (spec.origin is None or Path(spec.origin).resolve() != path)


def _import_script(name: str, path: Path, source: bytes) -> ModuleType:
    """Run the very source that was hashed: no bytecode of an earlier version is used, and none is written."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError("it is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        exec(compile(source, path, "exec"), module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise
    return module
