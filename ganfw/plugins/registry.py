"""Find parts by kind and name among what the plugins offer. Nothing is imported until a part is loaded."""

import importlib
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from attrs import field, frozen
from packaging.utils import canonicalize_name

from ganfw.errors import GanfwError, PartError, did_you_mean
from ganfw.plugins.context import ASKS_FOR_NETWORKS, CONTEXT, CONTEXT_OF
from ganfw.plugins.part import KINDS, Part
from ganfw.plugins.side_effects import loading
from ganfw.plugins.signature import Signature, convert, read_signature, show

SCRIPT_SUFFIX = ".py"
"""How the name of a script's plugin ends; no name of a distribution in its canonical form has a dot."""

PACKAGES: Mapping[tuple[str, str], str] = {
    ("launcher", "ray"): "ganfw-ray",
    ("launcher", "slurm"): "ganfw-slurm",
    ("callback", "mlflow"): "ganfw-mlflow",
    ("callback", "tensorboard"): "ganfw-tensorboard",
    ("callback", "wandb"): "ganfw-wandb",
}
"""The packages of parts that people look for by the names of what they connect with."""


@frozen
class Plugin:
    """One plugin, loaded or not.

    Attributes:
        distribution: the name of the Python package that brought it, or of a script given by `--plugin`.
        version: the distribution's version; for a script, `"sha256:"` and the hash of the file.
        source: the entry point's value, or the script's path.
        parts: what it offers; empty where it is not active.
        status: `"active"`, `"failed"` or `"blocked"`.
        reason: why it is not active, or `""`.
    """

    distribution: str
    version: str
    source: str
    parts: tuple[Part, ...] = field(default=(), repr=lambda parts: f"<{len(parts)}>")
    status: str = "active"
    reason: str = ""


@frozen
class RegisteredPart:
    """A part together with the plugin that offers it."""

    part: Part
    plugin: Plugin

    @property
    def qualified_name(self) -> str:
        """The name that is always unambiguous: `"ganfw-x:wgan"`."""
        return f"{self.plugin.distribution}:{self.part.name}"

    def __str__(self) -> str:
        return f"{self.part.kind} '{self.part.name}' ({self.plugin.distribution} {self.plugin.version})"

    def load(self) -> Any:
        """Import the part's target.

        Raises:
            PartError: the module cannot be imported, or has no such attribute.
        """
        module_name, _, attributes = self.part.target.partition(":")
        where = f"{self} cannot be loaded from '{self.part.target}'"
        with loading(str(self), lambda error: PartError(f"{where}: {describe(error)}")):
            return operator.attrgetter(attributes)(importlib.import_module(module_name))

    def signature(self) -> Signature:
        """Load the part and read its schema.

        Raises:
            PartError: the part cannot be loaded, is not callable, or its signature breaks the rule.
        """
        target = self.load()
        if not callable(target):
            raise PartError(f"{self}: its target '{self.part.target}' must be a class or function")
        signature = read_signature(target, str(self))
        given = CONTEXT_OF.get(self.part.kind, ())
        for name in signature.context:
            if name not in given and (self.part.kind not in ASKS_FOR_NETWORKS or name in CONTEXT):
                what = f"{self} asks for '{name}', which a {self.part.kind} is not given"
                raise PartError(_sentences(what, did_you_mean(name, given), f"it may ask for {', '.join(given)}"))
        return signature

    def networks(self) -> tuple[str, ...]:
        """Return the networks that the part asks for by name: `("generator", "encoder")`."""
        return tuple(name for name in self.signature().context if name not in CONTEXT)

    def build(self, context: Mapping[str, Any], parameters: Mapping[str, Any]) -> Any:
        """Call the part's target with the context arguments it asks for and with checked recipe parameters.

        Args:
            context: values by name; asked only for those that the part names.
            parameters: the keys of its table.

        Raises:
            PartError: a context argument is missing, or the part refused its parameters with a `GanfwError`.
        """
        signature = self.signature()
        positional = []
        for name in signature.context:
            if name not in context and name not in signature.optional_context:
                raise PartError(f"{self} asks for '{name}', which is not there; give the parameter a default")
            positional.append(context[name] if name in context else signature.optional_context[name])
        converted = {name: convert(signature.keys[name].annotation, value) for name, value in parameters.items()}
        builder: Callable[..., Any] = self.load()
        try:
            return builder(*positional, **converted)
        except GanfwError as error:
            raise type(error)(f"{self}: {error}") from error


@frozen
class Registry:
    """All plugins and what they offer."""

    plugins: tuple[Plugin, ...]

    def parts(self, kind: str | None = None) -> Iterator[RegisteredPart]:
        """Yield every part of active plugins, in the plugins' order, of one kind or of all."""
        for plugin in self.plugins:
            for part in plugin.parts:
                if kind in (None, part.kind):
                    yield RegisteredPart(part, plugin)

    def kinds(self) -> tuple[str, ...]:
        """Return the kinds of this version, then further ones that plugins offer."""
        return tuple(dict.fromkeys([*KINDS, *(each.part.kind for each in self.parts())]))

    def check_kind(self, kind: str) -> str:
        """Return the kind.

        Raises:
            PartError: there is none such.
        """
        if kind in self.kinds():
            return kind
        hint = did_you_mean(kind, self.kinds())
        raise PartError(_sentences(f"unknown kind {show(kind)}", hint, "see: ganfw parts"))

    def find(self, kind: str, name: str, *, of: str = "") -> RegisteredPart:
        """Return the one part that `name` means.

        Args:
            kind: the part's kind.
            name: its bare name, or `"distribution:name"`.
            of: the distribution that is meant where several offer the name.

        Raises:
            PartError: there is none, or a bare name is offered by two plugins.
        """
        parts = list(self.parts(self.check_kind(kind)))
        found = [each for each in parts if name in (each.part.name, each.qualified_name)]
        if len(found) > 1:
            found = [each for each in found if each.plugin.distribution == of] or found
        if len(found) == 1:
            return found[0]
        if found:
            choices = " or ".join(f"'{each.qualified_name}'" for each in found)
            raise PartError(f"{kind} '{name}' is offered by {len(found)} plugins; write {choices}")
        raise PartError(
            _sentences(
                f"no {kind} is named {show(name)}",
                did_you_mean(name, _like(name, parts)),
                self._absence(name.rpartition(":")[0] or PACKAGES.get((kind, name), "")),
                *(
                    f"plugin '{plugin.distribution}' might offer it but failed: {plugin.reason}"
                    for plugin in self.plugins
                    if plugin.status == "failed"
                ),
                "see: ganfw recipes" if kind == "recipe" else f"see: ganfw parts {kind}",
            )
        )

    def _absence(self, distribution: str) -> str:
        """Say what to do about a plugin that a qualified name asks for and that is not active."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", distribution):
            return ""
        name = canonicalize_name(distribution)
        statuses = [plugin.status for plugin in self.plugins if canonicalize_name(plugin.distribution) == name]
        if "blocked" in statuses:
            return f"plugin '{distribution}' is blocked by --no-plugin or GANFW_PLUGINS"
        if statuses:
            return ""
        if distribution.endswith(SCRIPT_SUFFIX):
            return f"it is of a script: give it with --plugin {distribution}"
        return f"install its package: pip install {distribution}"

    def load(self, kind: str, name: str) -> Any:
        """Return the class or function behind a part, to be called by hand.

        Raises:
            PartError: see `find`; or it cannot be imported.
        """
        return self.find(kind, name).load()


def _like(name: str, parts: Iterable[RegisteredPart]) -> list[str]:
    """Return the names to suggest for one that is not there: of a qualified one, those that share either half."""
    distribution, colon, bare = name.rpartition(":")
    if not colon:
        return [each.part.name for each in parts]
    return [each.qualified_name for each in parts if each.part.name == bare or each.plugin.distribution == distribution]


def describe(error: BaseException) -> str:
    """Say an error in a line: `"ImportError: No module named 'x'"`."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _sentences(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
