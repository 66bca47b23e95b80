"""A part's signature is its schema: positional-only parameters are context arguments, keyword-only ones recipe keys."""

import inspect
import math
import operator
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from attrs import frozen

from ganfw.errors import PartError
from ganfw.plugins.context import CONTEXT

RESERVED_KEYS = ("use", "enabled")
"""Keys of every table of a part; some tables have further ones of their own, see `recipe.tables`."""
INTEGERS = range(-(1 << 63), 1 << 63)
"""The integers of TOML."""

_REQUIRED = inspect.Parameter.empty
_BOUNDS: tuple[tuple[type, str, Callable[[Any, Any], bool]], ...] = (
    (annotated_types.Ge, ">=", operator.ge),
    (annotated_types.Gt, ">", operator.gt),
    (annotated_types.Le, "<=", operator.le),
    (annotated_types.Lt, "<", operator.lt),
)
_BOUND_TYPES = tuple(bound for bound, *_ in _BOUNDS)


@frozen
class Key:
    """One recipe key of a part: a keyword-only parameter.

    Attributes:
        name: the parameter's name.
        annotation: its type, `Annotated` with bounds of `annotated_types` and a sentence of help.
        default: its default, or `inspect.Parameter.empty` where a recipe must give it.
    """

    name: str
    annotation: Any
    default: Any

    @property
    def required(self) -> bool:
        """Whether a recipe must give this key."""
        return self.default is _REQUIRED

    @property
    def help(self) -> str:
        """The sentence in the annotation, or `""`."""
        return next((extra for extra in _extras(self.annotation) if isinstance(extra, str)), "")

    @property
    def type_name(self) -> str:
        """The type in words: `"int >= 1"`, `"'train' or 'test'"`."""
        return describe(self.annotation)

    def complaint(self, value: object) -> str | None:
        """Return what is wrong with `value`, as `"must be …, not …"`, or None."""
        return complaint(self.annotation, value)


@frozen
class Signature:
    """The context arguments a part asks for, in order, the defaults of some, and the keys a recipe may set."""

    context: tuple[str, ...]
    optional_context: Mapping[str, Any]
    keys: Mapping[str, Key]


def read_signature(target: Callable[..., Any], label: str) -> Signature:
    """Read the schema of `target`, a class or function.

    Args:
        target: what the part's target names.
        label: how errors name the part: `"loss 'wgan' (ganfw-x 1.2)"`.

    Raises:
        PartError: the signature breaks the rule, names no type, or uses a type that TOML cannot give.
    """
    function = target.__init__ if inspect.isclass(target) else target
    try:
        hints = typing.get_type_hints(function, include_extras=True)
        parameters = list(inspect.signature(target).parameters.values())
    except Exception as error:  # types may be written as strings, which are code like any other
        raise PartError(f"{label}: its signature cannot be read: {error}") from error
    context: list[str] = []
    optional: dict[str, Any] = {}
    keys: dict[str, Key] = {}
    for parameter in parameters:
        name = parameter.name
        if parameter.kind is parameter.POSITIONAL_ONLY:
            context.append(name)
            if parameter.default is not _REQUIRED:
                optional[name] = parameter.default
        elif parameter.kind is parameter.KEYWORD_ONLY:
            keys[name] = _read_key(name, hints.get(name, _REQUIRED), parameter.default, label)
        else:
            raise PartError(
                f"{label}: parameter '{name}' is neither positional-only (a context argument) nor keyword-only (a "
                f"recipe key); write {_mended(parameters)}"
            )
    return Signature(tuple(context), types.MappingProxyType(optional), types.MappingProxyType(keys))


def _mended(parameters: list[inspect.Parameter]) -> str:
    """Write parameters as a part has them: what it is given, `/`, `*`, and the recipe's keys."""
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    named = [each for each in parameters if each.kind not in variable]
    given = [each.name for each in named if each.kind is each.POSITIONAL_ONLY or each.name in CONTEXT]
    keys = [
        str(each.replace(kind=each.KEYWORD_ONLY, annotation=each.empty)) for each in named if each.name not in given
    ]
    return f"({', '.join([*given, *(['/'] if given else []), *(['*', *keys] if keys else [])])})"


def _read_key(name: str, annotation: Any, default: Any, label: str) -> Key:
    if name in RESERVED_KEYS:
        raise PartError(f"{label}: parameter '{name}' takes a word that every recipe table uses itself; rename it")
    if annotation is _REQUIRED:
        raise PartError(f"{label}: parameter '{name}' has no type; give it one")
    try:
        describe(annotation)
    except TypeError as error:
        raise PartError(f"{label}: parameter '{name}' has {error}") from None
    if default is not _REQUIRED and (wrong := complaint(annotation, default)):
        raise PartError(f"{label}: the default of parameter '{name}' {wrong}")
    return Key(name, annotation, default)


def _extras(annotation: Any) -> Iterator[Any]:
    """Yield what an `Annotated` type carries besides the type; groups such as `Interval` are taken apart."""
    for extra in annotation.__metadata__ if get_origin(annotation) is Annotated else ():
        yield from extra if isinstance(extra, annotated_types.GroupedMetadata) else (extra,)


def _bounds(annotation: Any) -> Iterator[tuple[str, Callable[[Any, Any], bool], Any]]:
    """Yield each bound of an `Annotated` type as its text, its comparison and its limit."""
    for extra in _extras(annotation):
        for bound, symbol, comparison in _BOUNDS:
            if isinstance(extra, bound):
                limit = getattr(extra, bound.__name__.lower())
                yield f"{symbol} {limit}", comparison, limit


def describe(annotation: Any) -> str:
    """Name a type as a recipe's author would.

    Raises:
        TypeError: the type is none that a recipe can give, or has a constraint that is not checked.
    """
    if get_origin(annotation) is Annotated:
        base = describe(get_args(annotation)[0])
        for extra in _extras(annotation):
            if isinstance(extra, annotated_types.BaseMetadata) and not isinstance(extra, _BOUND_TYPES):
                raise TypeError(f"the constraint {extra}, which recipes do not know")
        bounds = " and ".join(text for text, *_ in _bounds(annotation))
        if bounds and not _is_number(annotation):
            raise TypeError(f"the bound {bounds} on {with_article(base)}, which is not a number")
        return f"{base} {bounds}".rstrip()
    origin, inner = _form(annotation)
    if origin in (bool, int, float, str):
        return str(origin.__name__)
    if origin is types.NoneType:
        return "nothing"
    if origin is Literal and all(isinstance(choice, str | int | None) for choice in inner):
        return " or ".join(show(choice) for choice in inner if choice is not None)
    if origin is Union:
        return " or ".join(describe(option) for option in inner if option is not types.NoneType)
    if inner and (origin is list or (origin is tuple and Ellipsis in inner)):
        return f"list of {describe(inner[0])}"
    if inner and origin is tuple:
        return f"list of {len(inner)}: {', '.join(map(describe, inner))}"
    raise TypeError(f"type {annotation!r}, which a recipe cannot give")


def complaint(annotation: Any, value: object) -> str | None:
    """Return what is wrong with `value` for this type, as `"must be …, not …"`, or None. Nothing is coerced."""
    if not _has_type(annotation, value):
        return f"must be {with_article(describe(annotation))}, not {show(value)}"
    return next(_bounds_broken(annotation, value), None)


def _bounds_broken(annotation: Any, value: Any) -> Iterator[str]:
    """Yield what is wrong with a value of the right type, and with each value in it."""
    if isinstance(value, float) and not math.isfinite(value):
        yield f"must be a finite number, not {value}"
    if _form(annotation)[0] is int and value not in INTEGERS:
        yield f"must be an int of at most 64 bits, not {show(value)}"
    for text, comparison, limit in _bounds(annotation):
        if value is not None and not comparison(value, limit):
            yield f"must be {text}, not {show(value)}"
    for pair in _inside(annotation, value):
        yield from _bounds_broken(*pair)


def _form(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return what a type is, and the types in it: `(Union, (int, str))` for `Annotated[int | str, "help"]`."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _form(inner[0])
    return Union if origin is types.UnionType else origin or annotation, inner


def _inside(annotation: Any, value: Any) -> list[tuple[Any, Any]]:
    """Return each (type, value) pair right inside a value of this type; for a union, the type that the value has."""
    origin, inner = _form(annotation)
    if origin is Union:
        return [(next(option for option in inner if _has_type(option, value)), value)]
    if origin is list or (origin is tuple and Ellipsis in inner):
        return [(inner[0], element) for element in value]
    return list(zip(inner, value, strict=True)) if origin is tuple else []


def _has_type(annotation: Any, value: Any) -> bool:
    origin, inner = _form(annotation)
    if origin in (int, float):  # an int is fine where a float is asked, if a float can hold it
        is_int = isinstance(value, int) and not isinstance(value, bool)
        is_float = isinstance(value, float) or (is_int and abs(value) <= sys.float_info.max)
        return is_int if origin is int else is_float
    if origin is Literal:
        return any(type(value) is type(choice) and value == choice for choice in inner)
    if origin is Union:
        return any(_has_type(option, value) for option in inner)
    if origin not in (list, tuple):
        return isinstance(value, origin)
    is_fixed = origin is tuple and Ellipsis not in inner
    has_length = isinstance(value, list | tuple) and (not is_fixed or len(value) == len(inner))
    return has_length and all(_has_type(*pair) for pair in _inside(annotation, value))


def _is_number(annotation: Any) -> bool:
    origin, inner = _form(annotation)
    if origin is Union:
        return all(_is_number(option) for option in inner if option is not types.NoneType)
    return origin in (int, float)


def convert(annotation: Any, value: Any) -> Any:
    """Give a checked TOML value the type its parameter names: an int as the float asked for, a list as a tuple."""
    origin, _ = _form(annotation)
    inside = [convert(*pair) for pair in _inside(annotation, value)]
    if origin is Union:
        return inside[0]
    if origin is float:
        return float(value)
    return origin(inside) if origin in (list, tuple) else value


def show(value: object) -> str:
    """Show a value about as it is written in TOML, shortened, on one line."""
    try:
        text = str(value).lower() if isinstance(value, bool) else repr(value)
    except ValueError:  # Python writes no integer of thousands of digits
        return "a number too long to show"
    return text if len(text) <= 60 else f"{text[:57]}..."


def with_article(type_name: str) -> str:
    """Write `"an int >= 1"` for `"int >= 1"`, and choices such as `"'train' or 'test'"` as they are."""
    if not type_name[0].isalpha():
        return type_name
    return f"an {type_name}" if type_name[0] in "aeio" else f"a {type_name}"
