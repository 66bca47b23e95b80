import inspect
import math
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Annotated, Any, List, Literal, Optional, Union  # noqa: UP035 - plugins may write them

import pytest
from annotated_types import Ge, Gt, Interval, Le, Len, Lt, MultipleOf
from hypothesis import given
from hypothesis import strategies as st

from ganfw.errors import PartError
from ganfw.plugins.signature import Key, complaint, convert, describe, read_signature, show, with_article

Width = Annotated[int, Ge(1), "width of a layer"]
Rate = Annotated[float, Ge(0), Lt(1)]
HUGE = 10**400
"""An integer that no float can hold."""

LABEL = "loss 'wgan' (ganfw-x 1.2)"


class TestReadSignature:
    def test_positional_only_parameters_are_context_arguments_and_keyword_only_ones_are_keys(self) -> None:
        def target(z_dim: int, sample_shape: tuple[int, ...], /, *, width: Width, rate: float = 0.5) -> None: ...

        signature = read_signature(target, LABEL)
        assert signature.context == ("z_dim", "sample_shape")
        assert dict(signature.optional_context) == {}
        assert list(signature.keys) == ["width", "rate"]

    def test_a_class_is_read_from_its_init(self) -> None:
        class Target:
            def __init__(self, device: object, /, *, width: Width = 4) -> None: ...

        signature = read_signature(Target, LABEL)
        assert (signature.context, list(signature.keys)) == (("device",), ["width"])

    def test_a_class_without_init_asks_for_nothing(self) -> None:
        class Target:
            pass

        signature = read_signature(Target, LABEL)
        assert (signature.context, dict(signature.keys)) == ((), {})

    def test_a_context_argument_with_a_default_is_optional(self) -> None:
        def target(seed, num_classes=None, /) -> None: ...  # type: ignore[no-untyped-def]

        signature = read_signature(target, LABEL)
        assert (signature.context, dict(signature.optional_context)) == (("seed", "num_classes"), {"num_classes": None})

    def test_a_key_tells_its_type_its_help_and_its_default(self) -> None:
        def target(*, width: Width, name: str = "x", size: Annotated[int, Ge(1)] = 2) -> None: ...

        keys = read_signature(target, LABEL).keys
        assert (keys["width"].required, keys["width"].type_name) == (True, "int >= 1")
        assert keys["width"].help == "width of a layer"
        assert (keys["name"].required, keys["name"].default, keys["name"].help) == (False, "x", "")
        assert (keys["size"].required, keys["size"].default, keys["size"].help) == (False, 2, "")

    def test_a_key_complains_about_a_wrong_value(self) -> None:
        key = Key("width", Width, inspect.Parameter.empty)
        assert key.complaint(3) is None
        assert key.complaint(0) == "must be >= 1, not 0"

    def test_types_written_as_strings_are_understood(self) -> None:
        def target(*, width: "Width", name: "str | None" = None) -> None: ...

        keys = read_signature(target, LABEL).keys
        assert (keys["width"].type_name, keys["name"].type_name) == ("int >= 1", "str")

    def test_keys_cannot_be_changed(self) -> None:
        def target(*, width: int = 1) -> None: ...

        with pytest.raises(TypeError):
            read_signature(target, LABEL).keys["more"] = None  # type: ignore[index]


class Colour(Enum):
    RED = "red"


def positional_or_keyword(width: int) -> None: ...
def usual(z_dim: int, sample_shape: tuple[int, ...], hidden_dim: int = 128) -> None: ...
def star_args(*widths: int) -> None: ...
def star_kwargs(**widths: int) -> None: ...
def untyped(*, width=1) -> None: ...  # type: ignore[no-untyped-def]
def takes_use(*, use: str) -> None: ...
def takes_enabled(*, enabled: bool = True) -> None: ...
def takes_dict(*, widths: dict[str, int]) -> None: ...
def takes_any(*, width: Any) -> None: ...
def takes_bare_list(*, widths: list) -> None: ...  # type: ignore[type-arg]
def takes_typing_list(*, widths: List) -> None: ...  # type: ignore[type-arg] # noqa: UP006
def takes_empty_tuple(*, widths: tuple[()]) -> None: ...
def takes_bytes(*, data: bytes = b"") -> None: ...
def takes_enum(*, colour: Literal[Colour.RED]) -> None: ...
def takes_list_of_dicts(*, widths: list[dict[str, int]]) -> None: ...
def takes_dict_or_none(*, widths: dict[str, int] | None = None) -> None: ...
def multiple(*, width: Annotated[int, MultipleOf(8)]) -> None: ...
def counted(*, widths: Annotated[list[int], Len(1)]) -> None: ...
def bounded_list(*, widths: Annotated[list[int], Ge(1)]) -> None: ...
def bounded_name(*, name: Annotated[str | None, Ge("a")] = None) -> None: ...
def wrong_default(*, width: int = 1.5) -> None: ...  # type: ignore[assignment]
def none_default(*, width: int = None) -> None: ...  # type: ignore[assignment] # noqa: RUF013
def low_default(*, width: Width = 0) -> None: ...
def endless_default(*, limit: float = math.inf) -> None: ...
def unknown_name(*, width: "NoSuchType") -> None: ...  # type: ignore[name-defined] # noqa: F821
def unknown_attribute(*, width: "math.NoSuchType") -> None: ...  # type: ignore[name-defined]
def no_expression(*, width: "int >") -> None: ...  # type: ignore[syntax] # noqa: F722


NEITHER = "is neither positional-only (a context argument) nor keyword-only (a recipe key); write"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (positional_or_keyword, f"parameter 'width' {NEITHER} (*, width)"),
        (usual, f"parameter 'z_dim' {NEITHER} (z_dim, sample_shape, /, *, hidden_dim=128)"),
        (star_args, f"parameter 'widths' {NEITHER} ()"),
        (star_kwargs, f"parameter 'widths' {NEITHER} ()"),
        (untyped, "parameter 'width' has no type; give it one"),
        (takes_use, "parameter 'use' takes a word that every recipe table uses itself; rename it"),
        (takes_enabled, "parameter 'enabled' takes a word that every recipe table uses itself; rename it"),
        (takes_dict, "parameter 'widths' has type dict[str, int], which a recipe cannot give"),
        (takes_any, "parameter 'width' has type typing.Any, which a recipe cannot give"),
        (takes_bare_list, "parameter 'widths' has type <class 'list'>, which a recipe cannot give"),
        (takes_typing_list, "parameter 'widths' has type typing.List, which a recipe cannot give"),
        (takes_empty_tuple, "parameter 'widths' has type tuple[()], which a recipe cannot give"),
        (takes_bytes, "parameter 'data' has type <class 'bytes'>, which a recipe cannot give"),
        (
            takes_enum,
            "parameter 'colour' has type typing.Literal[<Colour.RED: 'red'>], which a recipe cannot give",
        ),
        (takes_list_of_dicts, "parameter 'widths' has type dict[str, int], which a recipe cannot give"),
        (takes_dict_or_none, "parameter 'widths' has type dict[str, int], which a recipe cannot give"),
        (multiple, "parameter 'width' has the constraint MultipleOf(multiple_of=8), which recipes do not know"),
        (counted, "parameter 'widths' has the constraint MinLen(min_length=1), which recipes do not know"),
        (bounded_list, "parameter 'widths' has the bound >= 1 on a list of int, which is not a number"),
        (bounded_name, "parameter 'name' has the bound >= a on a str, which is not a number"),
        (wrong_default, "the default of parameter 'width' must be an int, not 1.5"),
        (none_default, "the default of parameter 'width' must be an int, not None"),
        (low_default, "the default of parameter 'width' must be >= 1, not 0"),
        (endless_default, "the default of parameter 'limit' must be a finite number, not inf"),
        (unknown_name, "its signature cannot be read: name 'NoSuchType' is not defined"),
        (unknown_attribute, "its signature cannot be read: module 'math' has no attribute 'NoSuchType'"),
        (no_expression, "its signature cannot be read: Forward reference must be an expression -- got 'int >'"),
        (
            partial(untyped, width=2),
            f"its signature cannot be read: {partial(untyped, width=2)!r} is not a module, class, method, or function.",
        ),
    ],
)
def test_a_signature_that_breaks_the_rule_is_refused(target: Callable[..., Any], message: str) -> None:
    with pytest.raises(PartError) as caught:
        read_signature(target, LABEL)
    assert str(caught.value) == f"{LABEL}: {message}"


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (bool, "bool"),
        (int, "int"),
        (float, "float"),
        (str, "str"),
        (type(None), "nothing"),
        (Annotated[str, "words"], "str"),
        (Width, "int >= 1"),
        (Rate, "float >= 0 and < 1"),
        (Annotated[float, Gt(-1), Le(0.5)], "float > -1 and <= 0.5"),
        (Annotated[int, Interval(ge=1, lt=9)], "int >= 1 and < 9"),
        (Annotated[int | None, Ge(1)], "int >= 1"),
        (Annotated[Annotated[int, Ge(1)] | None, "help"], "int >= 1"),
        (Optional[str], "str"),  # noqa: UP045 - plugins may write it
        (Union[int, str], "int or str"),  # noqa: UP007 - plugins may write it
        (Literal["train", "test"], "'train' or 'test'"),
        (Literal[1, 2, "auto"], "1 or 2 or 'auto'"),
        (Literal["a", None], "'a'"),
        (Literal[False, "auto"], "false or 'auto'"),
        (list[int], "list of int"),
        (tuple[Width, ...], "list of int >= 1"),
        (tuple[float, int], "list of 2: float, int"),
        (list[tuple[int, str]], "list of list of 2: int, str"),
    ],
)
def test_a_type_is_named_as_the_author_of_a_recipe_would(annotation: Any, expected: str) -> None:
    assert describe(annotation) == expected


VALUES = [
    (bool, True, None),
    (bool, "false", "must be a bool, not 'false'"),
    (bool, 0, "must be a bool, not 0"),
    (int, 7, None),
    (int, -(2**63), None),
    (int, 2**63, "must be an int of at most 64 bits, not 9223372036854775808"),
    (Width, 2**70, "must be an int of at most 64 bits, not 1180591620717411303424"),
    (int | str, -(2**63) - 1, "must be an int of at most 64 bits, not -9223372036854775809"),
    (tuple[int | None, ...], [1, 2**64], "must be an int of at most 64 bits, not 18446744073709551616"),
    (int, True, "must be an int, not true"),
    (int, 1.0, "must be an int, not 1.0"),
    (int, 1.7, "must be an int, not 1.7"),
    (int, "1", "must be an int, not '1'"),
    (float, 0.5, None),
    (float, 3, None),
    (float, 10**300, None),
    (float, HUGE, f"must be a float, not {str(HUGE)[:57]}..."),
    (float, False, "must be a float, not false"),
    (float, "0.5", "must be a float, not '0.5'"),
    (float, math.nan, "must be a finite number, not nan"),
    (float, math.inf, "must be a finite number, not inf"),
    (float, -math.inf, "must be a finite number, not -inf"),
    (str, "words", None),
    (str, 1, "must be a str, not 1"),
    (str, ["a"], "must be a str, not ['a']"),
    (str, {"a": 1}, "must be a str, not {'a': 1}"),
    (bool, "x" * 99, f"must be a bool, not '{'x' * 56}..."),
    (type(None), None, None),
    (Width, 1, None),
    (Width, 0, "must be >= 1, not 0"),
    (Rate, 0, None),
    (Rate, 1, "must be < 1, not 1"),
    (Rate, -0.5, "must be >= 0, not -0.5"),
    (Rate, math.nan, "must be a finite number, not nan"),
    (Annotated[float, Gt(0), Le(1)], 0.0, "must be > 0, not 0.0"),
    (Annotated[float, Gt(0), Le(1)], 1.5, "must be <= 1, not 1.5"),
    (Annotated[int, Interval(ge=1, lt=9)], 9, "must be < 9, not 9"),
    (Annotated[int | None, Ge(1)], None, None),
    (Annotated[int | None, Ge(1)], 0, "must be >= 1, not 0"),
    (Annotated[Annotated[int, Ge(1)] | None, "help"], 0, "must be >= 1, not 0"),
    (int | None, None, None),
    (int | None, "x", "must be an int, not 'x'"),
    (int, None, "must be an int, not None"),
    (Annotated[int, Ge(1)] | str, "auto", None),
    (Annotated[int, Ge(1)] | str, 0, "must be >= 1, not 0"),
    (Annotated[int, Ge(1)] | str, 0.5, "must be an int >= 1 or str, not 0.5"),
    (Literal["train", "test"], "test", None),
    (Literal["train", "test"], "Test", "must be 'train' or 'test', not 'Test'"),
    (Literal[1, 2], 2, None),
    (Literal[1, 2], True, "must be 1 or 2, not true"),
    (Literal[1, 2], 1.0, "must be 1 or 2, not 1.0"),
    (list[int], [], None),
    (list[int], [1, 2], None),
    (list[int], [1, True], "must be a list of int, not [1, True]"),
    (list[int], 1, "must be a list of int, not 1"),
    (list[Width], [1, 0], "must be >= 1, not 0"),
    (list[float], [0.5, math.nan], "must be a finite number, not nan"),
    (tuple[int, ...], [1, 2, 3], None),
    (tuple[int, ...], "123", "must be a list of int, not '123'"),
    (tuple[Width, ...], [3, -1], "must be >= 1, not -1"),
    (tuple[Rate, Rate], [0.9, 0.999], None),
    (tuple[Rate, Rate], (0, 0.5), None),
    (tuple[Rate, Rate], [0.9], "must be a list of 2: float >= 0 and < 1, float >= 0 and < 1, not [0.9]"),
    (tuple[Rate, Rate], [0.9, 1.5], "must be < 1, not 1.5"),
    (tuple[Rate, Rate], [math.inf, 0.5], "must be a finite number, not inf"),
    (tuple[int, str], ["a", 1], "must be a list of 2: int, str, not ['a', 1]"),
    (list[Literal["a"]] | None, ["b"], "must be a list of 'a', not ['b']"),
]


@pytest.mark.parametrize(("annotation", "value", "expected"), VALUES)
def test_nothing_is_coerced_and_what_is_wrong_is_said(annotation: Any, value: object, expected: str | None) -> None:
    assert complaint(annotation, value) == expected


def test_a_number_too_long_for_python_to_write_is_refused() -> None:
    assert complaint(int, 10**5000) == "must be an int of at most 64 bits, not a number too long to show"


@pytest.mark.parametrize(("annotation", "value"), [row[:2] for row in VALUES if row[2] is None])
def test_a_value_given_its_type_is_still_of_that_type(annotation: Any, value: object) -> None:
    converted = convert(annotation, value)
    assert complaint(annotation, converted) is None
    assert convert(annotation, converted) == converted


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (float, 3, 3.0),
        (Rate, 0, 0.0),
        (Annotated[float | None, "help"], 2, 2.0),
        (float | None, None, None),
        (int | float, 2, 2),
        (tuple[float, int], [1, 2], (1.0, 2)),
        (tuple[float, ...], [1, 2], (1.0, 2.0)),
        (list[float], (1, 2), [1.0, 2.0]),
        (list[tuple[float, ...]], [[1], []], [(1.0,), ()]),
        (Literal["a", 1], "a", "a"),
        (bool, True, True),
        (str, "x", "x"),
    ],
)
def test_a_checked_value_becomes_what_its_parameter_names(annotation: Any, value: object, expected: object) -> None:
    converted = convert(annotation, value)
    assert converted == expected
    assert repr(converted) == repr(expected)  # 3.0 == 3, but they are not the same


@pytest.mark.parametrize(
    ("type_name", "expected"),
    [
        ("int >= 1", "an int >= 1"),
        ("bool", "a bool"),
        ("list of int", "a list of int"),
        ("'train' or 'test'", "'train' or 'test'"),
        ("1 or 2", "1 or 2"),
    ],
)
def test_a_type_has_the_article_it_needs(type_name: str, expected: str) -> None:
    assert with_article(type_name) == expected


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
anything = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner))


@given(anything)
def test_any_value_is_shown_on_one_printable_line(value: object) -> None:
    assert show(value).isprintable()
    assert 0 < len(show(value)) <= 60


annotations = st.sampled_from([row[0] for row in VALUES])


@given(annotations, anything)
def test_any_value_is_either_right_and_converts_or_gets_a_complaint(annotation: Any, value: object) -> None:
    wrong = complaint(annotation, value)
    if wrong is None:
        assert complaint(annotation, convert(annotation, value)) is None
    else:
        assert wrong.startswith("must be ")
        assert wrong.isprintable()
