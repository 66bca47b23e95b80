"""Take the code of a part along: its definition and those that it needs, from their modules into one file."""

import ast
import builtins
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from attrs import define, field, frozen

from ganfw.errors import InputError
from ganfw.plugins.registry import RegisteredPart

_ALLOWED = {"torch", *sys.stdlib_module_names}


@frozen
class _Import:
    """What a name in a module is imported from: `name` of `module`, or `module` itself where `name` is None."""

    module: str
    name: str | None
    alias: str

    @property
    def is_allowed(self) -> bool:
        return self.module.partition(".")[0] in _ALLOWED

    def __str__(self) -> str:
        if self.name is None:
            bound = self.alias == self.module.partition(".")[0]
            return f"import {self.module}" + ("" if bound else f" as {self.alias}")
        return f"from {self.module} import {self.name}" + ("" if self.name == self.alias else f" as {self.alias}")


@frozen
class _Module:
    """A module: its source, its definitions by name, and what it imports, by the name that it has there."""

    source: str
    definitions: dict[str, ast.stmt]
    imports: dict[str, _Import]


@define
class _Collector:
    """Collects definitions, those that others need first."""

    part: RegisteredPart
    roots: frozenset[str]
    imports: dict[str, _Import] = field(factory=dict)
    texts: dict[str, str] = field(factory=dict)
    _homes: dict[str, str] = field(factory=dict)

    def add(self, module_name: str, name: str) -> None:
        """Collect what a module defines by a name."""
        if self._homes.setdefault(name, module_name) != module_name:
            raise self.refusal(f"two of its modules define '{name}', {self._homes[name]} and {module_name}")
        if name in self.texts:
            return
        module = self._read(module_name)
        if name not in module.definitions:
            raise self.refusal(f"{module_name} does not define '{name}' by class, def or =")
        self.texts[name] = ""  # on its way: definitions may need each other
        text = _without_annotated(_text_of(module, module.definitions[name]))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import | ast.ImportFrom):
                for each in _imports_of(node, module_name):
                    self._require_allowed(each, module_name)
            elif isinstance(node, ast.Name):
                self._need(module, module_name, node.id)
        del self.texts[name]
        self.texts[name] = text

    def _need(self, module: _Module, module_name: str, name: str) -> None:
        """Collect what a name in a module means; one that neither it nor Python defines is a parameter or local."""
        if name in module.definitions:
            self.add(module_name, name)
        elif name in module.imports and not hasattr(builtins, name):
            found = module.imports[name]
            if found.module.partition(".")[0] in self.roots and found.name is not None:
                self.add(*self._home(found, module_name))
                return
            self._require_allowed(found, module_name)
            if self.imports.setdefault(name, found) != found:
                raise self.refusal(f"two of its modules import something else as '{name}'")

    def _home(self, found: _Import, module_name: str) -> tuple[str, str]:
        """Return the module that defines what is imported, and its name there."""
        assert found.name is not None
        value = getattr(importlib.import_module(found.module), found.name, None)
        if isinstance(value, ModuleType) or found.alias != found.name:
            raise self.refusal(f"{module_name} has '{found}'; import the definition itself, by its own name")
        named = inspect.isclass(value) or inspect.isfunction(value)
        return value.__module__ if named else found.module, found.name

    def _require_allowed(self, found: _Import, module_name: str) -> None:
        if not found.is_allowed:
            raise self.refusal(f"{module_name} needs '{found}'")

    def _read(self, name: str) -> _Module:
        try:
            source = inspect.getsource(importlib.import_module(name))
        except (OSError, TypeError) as error:
            raise self.refusal(f"the source of {name} is not there: {error}") from None
        definitions: dict[str, ast.stmt] = {}
        imports: dict[str, _Import] = {}
        for node in _statements(ast.parse(source)):
            match node:
                case ast.Import() | ast.ImportFrom():
                    imports.update({each.alias: each for each in _imports_of(node, name)})
                case ast.FunctionDef(name=bound) | ast.ClassDef(name=bound):
                    definitions[bound] = node
                case ast.Assign(targets=[ast.Name(id=bound)]) | ast.AnnAssign(target=ast.Name(id=bound)):
                    definitions[bound] = node
        return _Module(source, definitions, imports)

    def refusal(self, reason: str) -> InputError:
        """Return the error that says why the code cannot be copied."""
        return InputError(
            f"the code of {self.part} cannot be copied: {reason}, and an export with --format torch needs torch "
            "and Python's own library only; --format onnx needs no code"
        )


def portable_source(part: RegisteredPart, *functions: Callable[..., Any]) -> str:
    """Return Python code that defines what a part's target names, and needs torch and Python's own library only.

    Functions of ganfw's own may come with it.

    Definitions are copied as they are written, from the part's own package and ganfw; `Annotated[X, ...]`, which
    describes keys of recipes, is written as `X`.

    Raises:
        InputError: the code needs something else, or is not written as definitions; the error names it.
    """
    target = part.load()
    root = part.part.target.partition(".")[0].partition(":")[0]
    collector = _Collector(part, frozenset({"ganfw", root}))
    if not (inspect.isclass(target) or inspect.isfunction(target)) or target.__qualname__ != target.__name__:
        raise collector.refusal(f"its target '{part.part.target}' is not a class or function of a module")
    for each in (*functions, target):
        collector.add(each.__module__, each.__name__)
    return "\n\n\n".join(
        ["\n".join(_sorted_imports(list(collector.imports.values()))), *map(str.rstrip, collector.texts.values())]
    )


def _statements(tree: ast.Module) -> list[ast.stmt]:
    """Return the statements of a module, with those that are there for type checkers."""
    found: list[ast.stmt] = []
    for node in tree.body:
        is_for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        found += node.body if isinstance(node, ast.If) and is_for_types else [node]
    return found


def _imports_of(node: ast.Import | ast.ImportFrom, module_name: str) -> list[_Import]:
    if isinstance(node, ast.Import):
        return [_Import(each.name, None, each.asname or each.name.partition(".")[0]) for each in node.names]
    source = node.module or ""
    if node.level:
        package = importlib.import_module(module_name).__package__
        source = importlib.util.resolve_name("." * node.level + source, package)
    return [_Import(source, each.name, each.asname or each.name) for each in node.names]


def _text_of(module: _Module, node: ast.stmt) -> str:
    """Return the lines of a definition, decorators included."""
    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
    return "\n".join(module.source.splitlines()[first - 1 : node.end_lineno])


def _without_annotated(text: str) -> str:
    """Return code in which `Annotated[X, ...]` is `X`."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[inner, *_])):
                content = text.encode()
                kept = ast.get_source_segment(text, inner) or ""
                first = _offset(content, node.lineno, node.col_offset)
                end = _offset(content, node.end_lineno or 0, node.end_col_offset or 0)
                return _without_annotated((content[:first] + kept.encode() + content[end:]).decode())
    return text


def _offset(content: bytes, line: int, column: int) -> int:
    """Return where in some code a column of a line is; lines are counted from 1."""
    return sum(map(len, content.splitlines(keepends=True)[: line - 1])) + column


def _sorted_imports(imports: list[_Import]) -> list[str]:
    """Return import lines, Python's own first, one for each module that names are imported from."""
    own = [each for each in imports if each.module.partition(".")[0] != "torch"]
    lines: list[str] = []
    for group in (own, [each for each in imports if each not in own]):
        lines += sorted(str(each) for each in group if each.name is None)
        for module in sorted({each.module for each in group if each.name is not None}):
            names = [str(each) for each in group if each.module == module and each.name is not None]
            lines.append(f"from {module} import " + ", ".join(sorted(name.partition(" import ")[2] for name in names)))
        lines += [""] if group is own and own else []
    return lines
