"""Every public name states what it takes, returns and raises, and a part that implements a paper names it."""

import ast
import re
import textwrap
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from attrs import frozen

import ganfw
import ganfw.testing
from ganfw import Part

PACKAGE = Path(ganfw.__file__).parent
ROOT = PACKAGE.parent

TENSORS = re.compile(r"\b(Tensor|NDArray|ndarray)\b")
"""Annotations that need a shape and a dtype or range.

A `Batch`, a `SampleSet` and the like state those of their fields once, in the docstring of their own class.
"""
SHAPE = re.compile(r"`[^`]*\(([\w*]+( [\w²]+)?,|[\w*, ]+, )[^`]*\)`|`\(\)`|\bscalars?\b|\bof one dimension\b")
"""`(n, channels, height, width)` as code, or the word scalar."""
DTYPE = re.compile(r"\b(float32|float64|int64|uint8|floating point|dtype)\b|\[-?[\w.]+, [\w.]+[\])]")
SOURCE = re.compile(r'[A-Z][\w.-]+( et al\.|,[\w ,.-]+|[\w ,.-]+ and [A-Z][\w-]+)?,\s+"[^"]+",\s[^"]*?\b(19|20)\d\d\b')
"""Author, title in quotes, year."""
SOURCED_KINDS = ("loss", "regularizer", "metric", "schedule", "averaging", "noise", "optimizer", "step")

WITHOUT_SOURCE = {
    ("noise", "normal"): "the standard normal distribution: textbook",
    ("schedule", "linear"): "a line: textbook, its formula stands in the docstring",
}
"""Parts that implement no published method, and why they need no source."""

ERRORS = frozenset(
    node.name
    for node in ast.parse((PACKAGE / "errors.py").read_text()).body
    if isinstance(node, ast.ClassDef) and node.name != "PartFailure"
)
Function = ast.FunctionDef | ast.AsyncFunctionDef


@frozen
class Name:
    """A public name and the node that defines it."""

    name: str
    path: Path
    node: ast.ClassDef | Function


def defined(module: str, name: str) -> Name | None:
    """Find the class or function that a module defines or imports under this name; None for another value."""
    path = PACKAGE.parent / Path(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | Function) and node.name == name:
            return Name(f"{module}.{name}", path, node)
        if isinstance(node, ast.ImportFrom) and any((alias.asname or alias.name) == name for alias in node.names):
            return defined(node.module or "", name)
    return None


def builtin_parts() -> list[Part]:
    (entry,) = (each for each in entry_points(group="ganfw") if each.value == "ganfw.builtin")
    return [part for part in entry.load().ganfw_parts() if part.kind != "recipe"]


def public_names() -> list[Name]:
    """Return every public class and function: of `ganfw`, of `ganfw.testing`, and of the built-in parts."""
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text())
    pairs = [(f"ganfw.{n.module}", n.names[0].name) for n in stub.body if isinstance(n, ast.ImportFrom)]
    pairs += [("ganfw.testing", name) for name in ganfw.testing.__all__]
    pairs += [tuple(part.target.split(":")) for part in builtin_parts()]
    found = {pair: defined(*pair) for pair in pairs}
    values = [pair for pair, name in found.items() if name is None]  # whose text stands below them in their module
    assert values == [("ganfw.plugins.part", "hookimpl"), ("ganfw.protocols", "Regularizer")]
    return list({(name.path, name.node.lineno): name for name in found.values() if name}.values())


def complaints(name: Name) -> Iterator[str]:
    """Yield what the docstrings of a public name leave out: its own, and those of its public methods and fields."""
    if not isinstance(name.node, ast.ClassDef):
        yield from _of_function(name, name.node, "")
        return
    docstring = ast.get_docstring(name.node) or ""
    if not docstring:
        yield _at(name, name.node, "has no docstring")
    yield from _of_fields(name, docstring)
    for method in name.node.body:
        if not isinstance(method, Function) or _is_overload(method):
            continue
        if method.name in ("__init__", "__attrs_post_init__"):  # their class documents them, or they do themselves
            yield from _of_raises(name, method, docstring, ast.get_docstring(method) or "")
        elif not method.name.startswith("_") or method.name == "__call__":
            yield from _of_function(name, method, docstring)


def _of_function(name: Name, function: Function, of_class: str) -> Iterator[str]:
    docstring = ast.get_docstring(function) or ""
    if not docstring:
        yield _at(name, function, "has no docstring")
        return
    if any(TENSORS.search(annotation) for annotation in _annotations(function)):
        if not SHAPE.search(docstring):
            yield _at(name, function, "takes or returns a tensor: state its shape, `(n, …)`, or scalar")
        if not DTYPE.search(docstring + of_class):
            yield _at(name, function, "takes or returns a tensor: state its dtype or range")
    yield from _of_raises(name, function, docstring)


def _of_fields(name: Name, docstring: str) -> Iterator[str]:
    for field in name.node.body:
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        if TENSORS.search(ast.unparse(field.annotation)) and not field.target.id.startswith("_"):
            entry = _entry(docstring, "Attributes", field.target.id)
            if not SHAPE.search(entry):
                yield _at(name, field, f"field '{field.target.id}': state its shape under Attributes")
            if not DTYPE.search(entry):
                yield _at(name, field, f"field '{field.target.id}': state its dtype or range under Attributes")


def _of_raises(name: Name, function: Function, *docstrings: str) -> Iterator[str]:
    section = "\n".join(_section(docstring, "Raises") for docstring in docstrings)
    for error, line in _raised(function).items():
        if not re.search(rf"^{error}:", section, re.MULTILINE):
            where = ast.copy_location(ast.Pass(), function)
            where.lineno = line
            yield _at(name, where, f"raises {error}, which no Raises section of {function.name} names")


def _raised(function: Function) -> dict[str, int]:
    """Return the ganfw errors that a function's own body raises by name, each with a line; functions in it aside."""
    found: dict[str, int] = {}
    waiting: list[ast.AST] = list(function.body)
    for node in waiting:
        if isinstance(node, Function | ast.ClassDef | ast.Lambda):
            continue
        match node:
            case ast.Raise(exc=ast.Call(func=ast.Name(id=error))) if error in ERRORS:
                found.setdefault(error, node.lineno)
        waiting.extend(ast.iter_child_nodes(node))
    return found


def _annotations(function: Function) -> Iterator[str]:
    arguments = function.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg):
        if argument is not None and argument.annotation is not None:
            yield ast.unparse(argument.annotation)
    if function.returns is not None:
        yield ast.unparse(function.returns)


def _section(docstring: str, title: str) -> str:
    found = re.search(rf"^{title}:\n((?:[ ].*\n?|\n)+)", docstring, re.MULTILINE)
    return textwrap.dedent(found.group(1)) if found else ""


def _entry(docstring: str, title: str, name: str) -> str:
    found = re.search(rf"^{name}: .*(\n +.*)*", _section(docstring, title), re.MULTILINE)
    return found.group() if found else ""


def _is_overload(function: Function) -> bool:
    return any(ast.unparse(decorator) == "overload" for decorator in function.decorator_list)


def _at(name: Name, node: ast.stmt, what: str) -> str:
    path = name.path.relative_to(ROOT) if name.path.is_relative_to(ROOT) else name.path
    own = f".{node.name}" if isinstance(node, Function) and node is not name.node else ""
    return f"{path}:{node.lineno}: {name.name.rpartition('.')[2]}{own} {what}"


def test_public_names_say_what_they_take_return_and_raise() -> None:
    names = public_names()

    assert len(names) > 120
    assert [complaint for name in names for complaint in complaints(name)] == []


def test_parts_that_implement_a_published_method_name_it() -> None:
    parts = [part for part in builtin_parts() if part.kind in SOURCED_KINDS]
    assert len(parts) > 25
    without = {}
    for part in parts:
        found = defined(*part.target.split(":"))
        assert found is not None
        docstring = ast.get_docstring(found.node) or ""
        if not SOURCE.search(docstring):
            without[part.kind, part.name] = _at(found, found.node, "names no source: author, title in quotes, year")

    assert [message for part, message in without.items() if part not in WITHOUT_SOURCE] == []
    assert WITHOUT_SOURCE.keys() <= without.keys(), "a part in the list names a source now"


def complaints_about(source: str) -> list[str]:
    node = ast.parse(textwrap.dedent(source)).body[0]
    assert isinstance(node, ast.ClassDef | Function)
    return [each.partition(" ")[2] for each in complaints(Name("bad.it", Path("bad.py"), node))]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def it(): ...", "it has no docstring"),
        ("class it: ...", "it has no docstring"),
        (
            """
            class it:
                '''A class.'''
                def method(self): ...
            """,
            "it.method has no docstring",
        ),
        (
            """
            def it(values: Tensor) -> float:
                '''Return the mean of float32 values.'''
            """,
            "it takes or returns a tensor: state its shape, `(n, …)`, or scalar",
        ),
        (
            """
            def it(count: int) -> 'NDArray[Any]':
                '''Return `(count, 2)` points.'''
            """,
            "it takes or returns a tensor: state its dtype or range",
        ),
        (
            """
            class it:
                '''A value.

                Attributes:
                    other: `(n,)` int64.
                    points: where they are, float32.
                '''
                points: Tensor
            """,
            "it field 'points': state its shape under Attributes",
        ),
        (
            """
            class it:
                '''A value.

                Attributes:
                    points: `(n, 2)`.
                    other: `(n,)` int64.
                '''
                points: Tensor
            """,
            "it field 'points': state its dtype or range under Attributes",
        ),
        (
            """
            def it():
                '''Do it.

                Raises:
                    RunError: it cannot.
                '''
                for _ in range(3):
                    raise InputError("no")
            """,
            "it raises InputError, which no Raises section of it names",
        ),
        (
            """
            class it:
                '''A class; raises InputError.'''
                def __init__(self):
                    raise InputError("no")
            """,
            "it raises InputError, which no Raises section of __init__ names",
        ),
    ],
)
def test_a_docstring_that_leaves_something_out_is_found(source: str, expected: str) -> None:
    assert complaints_about(source) == [expected]


def test_a_docstring_that_says_all_is_accepted() -> None:
    source = """
        class it:
            '''A network's layer.

            Attributes:
                weights: `(d, d)` float32.

            Raises:
                InputError: the size is negative.
            '''
            weights: Tensor
            def __attrs_post_init__(self):
                raise InputError("no")
            def __call__(self, values: Tensor) -> Tensor:
                '''Return `(n, d)` float32 in [0, 1].'''
            def _private(self, values: Tensor): ...
        """

    assert complaints_about(source) == []


@pytest.mark.parametrize(
    ("docstring", "names_a_source"),
    [
        ('Source: Ho et al., "A Title", 2020, section 3.', True),
        ('Source: Ho and Lee, "A Title",\n    2020.', True),
        ('Source: Ho, Roe and Lee-Park, "A Title", lecture 6.5, 2012.', True),
        ('Source: "A Title", 2020.', False),
        ("Source: Ho et al., 2020.", False),
        ('Source: Ho et al., "A Title".', False),
        ("The squared distance.", False),
    ],
)
def test_a_source_has_author_title_and_year(docstring: str, names_a_source: bool) -> None:
    assert bool(SOURCE.search(docstring)) is names_a_source
