import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganfw.recipe.origins import KeyPath, Origin, dotted, excerpt, is_bare, locate_in

TEXT = '''\
# a comment with a "quote and a [bracket
format = 1
note = """
[not.a.table]
lr = 2 # no comment
"""
path = 'C:\\' # ends with a backslash

[run] # [seed]
seed = 0
list = [ # an array over lines
    "]", # closes nothing
    [1, 2],
    """
    epochs = 3
    """,
]
epochs = 2
"quoted # key" = 1

  [optimizer.generator]
  lr = 1e-5
  schedule.warmup.steps = 10
  schedule.decay = 0.5

[callbacks]
samples = { use = "sample_grid", every_steps = [
    5,
] }
preview = { off = true }

[[repeated]]
first = 1
[[repeated]]
second = 2
'''

LINES = [
    ("format", 2),
    ("note", 3),
    ("path", 7),
    ("run", 9),
    ("run.seed", 10),
    ("run.list", 11),
    ("run.epochs", 18),
    ("run.quoted # key", 19),
    ("optimizer", 21),
    ("optimizer.generator", 21),
    ("optimizer.generator.lr", 22),
    ("optimizer.generator.schedule", 23),
    ("optimizer.generator.schedule.warmup", 23),
    ("optimizer.generator.schedule.warmup.steps", 23),
    ("optimizer.generator.schedule.decay", 24),
    ("callbacks", 26),
    ("callbacks.samples", 27),
    ("callbacks.samples.use", 27),
    ("callbacks.samples.every_steps", 27),
    ("callbacks.preview.off", 30),
    ("repeated", 32),
    ("repeated.first", 33),
    ("repeated.second", 35),
]


@pytest.mark.parametrize(("key", "line"), LINES)
def test_every_key_is_found_on_the_line_that_its_statement_begins_on(key: str, line: int) -> None:
    origin = locate_in(TEXT, "some.toml")(tuple(key.split(".")))
    assert origin == Origin(f"some.toml:{line}", TEXT.split("\n")[line - 1].strip())


def test_a_key_that_is_not_in_the_text_is_found_at_its_table() -> None:
    locate = locate_in(TEXT, "some.toml")
    assert locate(("optimizer", "generator", "betas")).label == "some.toml:21"
    assert locate(("noise", "z_dim")) == Origin("some.toml:1", '# a comment with a "quote and a [bracket')


def test_the_first_of_two_headers_is_where_a_table_was_written() -> None:
    assert locate_in("[a.b]\n[a]\nc = 1\n", "f")(("a",)).label == "f:1"


def test_an_empty_text_has_a_first_line() -> None:
    assert locate_in("", "f")(("a",)) == Origin("f:1", "")


def test_characters_that_only_some_count_as_line_ends_do_not_move_the_lines() -> None:
    text = 'a = "\u2028\u2029" # \x85\nb = 2\n'
    assert locate_in(text, "f")(("b",)) == Origin("f:2", "b = 2")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("optimizer", "generator", "lr"), "optimizer.generator.lr"),
        (("run",), "run"),
        (("callbacks", "a.b"), "callbacks.'a.b'"),
        (("", "a\n"), r"''.'a\n'"),
    ],
)
def test_a_path_is_written_with_dots_and_odd_keys_in_quotes(path: KeyPath, expected: str) -> None:
    assert dotted(path) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("z_dim", True), ("0-a", True), ("", False), ("a.b", False), ("é", False), ("a\n", False)],
)
def test_a_key_is_bare_as_toml_says(name: str, expected: bool) -> None:
    assert is_bare(name) == expected
    valid = True
    try:
        tomllib.loads(f"{name} = 1")
    except tomllib.TOMLDecodeError:
        valid = False
    assert (valid and tomllib.loads(f"{name} = 1") == {name: 1}) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("  lr = 1\t# low  ", "lr = 1 # low"),
        ("a = '\x1b[2J\x9b'", "a = ' [2J '"),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 199 + "…"),
        ("", ""),
    ],
)
def test_a_line_is_shown_trimmed_and_without_what_a_terminal_would_obey(line: str, expected: str) -> None:
    assert excerpt(line) == expected


def parses(value: str) -> bool:
    """Whether this is one TOML value, with nothing after it that would hide the rest of a line."""
    try:
        return [values[1:] for values in tomllib.loads(f"array = [{value}, 1\n, 2]").values()] == [[1, 2]]
    except tomllib.TOMLDecodeError:
        return False


tricky = st.text(alphabet="'\"[]{}#=\\ a\n,", max_size=12)
quotes = st.sampled_from(['"', "'", '"""', "'''"])
strings = st.builds(lambda quote, text: f"{quote}{text}{quote}", quotes, tricky).map(
    lambda value: value if parses(value) else '""'
)
plain = st.sampled_from(["0", "-1.5", "1e-5", "true", "inf", "1979-05-27T07:32:00Z"])
gaps = st.sampled_from(["", " ", "\n", " # a ] comment '\n", '\n\n  # "\n'])
names = st.sampled_from(["{}", '"{}"', "'{}'", '"{} # ]"', "'{}.['", '"{}\\u0041"'])


@st.composite
def arrays(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    elements = draw(st.lists(inner, max_size=3))
    return "[" + "".join(f"{draw(gaps)}{element}{draw(gaps)}," for element in elements) + draw(gaps) + "]"


@st.composite
def inline_tables(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    values = draw(st.lists(inner, max_size=3))
    pairs = ", ".join(f"{draw(names).format(f'i{index}')} = {value}" for index, value in enumerate(values))
    return f"{{ {pairs} }}"


toml_values = st.recursive(strings | plain, lambda inner: arrays(inner) | inline_tables(inner), max_leaves=5)


def paths_in(value: object, path: KeyPath) -> list[KeyPath]:
    """Return the path of a value and those of all tables and values inside it."""
    inner = value.items() if isinstance(value, dict) else ()
    return [path, *(deeper for name, element in inner for deeper in paths_in(element, (*path, name)))]


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[KeyPath, int]]:
    """Draw a TOML text, and the line that each of its keys is first written on."""
    text = ""
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for number in range(draw(st.integers(0, 8))):
        text += draw(st.sampled_from(["", "\n", '# [c] = "\n', "\n  # '''\n"]))
        line = text.count("\n") + 1
        written = [draw(names).format(f"{prefix}{number}") for prefix in draw(st.sampled_from(["k", "ab", "abc"]))]
        path = tuple(next(iter(tomllib.loads(f"{name} = 0"))) for name in written)
        indent, end = draw(st.sampled_from(["", "  "])), draw(st.sampled_from(["", " ", " # ] \" '"]))
        if draw(st.booleans()):
            value = draw(toml_values)
            text += f"{indent}{' . '.join(written)} = {value}{end}\n"
            paths = [table + path[:length] for length in range(len(path))]
            paths += paths_in(tomllib.loads(f"value = {value}")["value"], table + path)
        else:
            left, right = draw(st.sampled_from([("[", "]"), ("[[", "]]"), ("[ ", " ]")]))
            text += f"{indent}{left}{'.'.join(written)}{right}{end}\n"
            table = path
            paths = [path[:length] for length in range(1, len(path) + 1)]
        for each in paths:
            lines.setdefault(each, line)
    lines.pop((), None)
    return text, lines


@given(documents())
def test_every_key_of_any_valid_text_is_found_on_its_line(document: tuple[str, dict[KeyPath, int]]) -> None:
    text, lines = document
    tomllib.loads(text)
    locate = locate_in(text, "f")
    assert {path: locate(path).label for path in lines} == {path: f"f:{line}" for path, line in lines.items()}
    for path, line in lines.items():
        assert locate(path).text == excerpt(text.split("\n")[line - 1])
