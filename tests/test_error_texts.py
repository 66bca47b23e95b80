"""Every error that a user can meet says what to do, or why nothing can be done."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

import ganfw

PACKAGE = Path(ganfw.__file__).parent
ERRORS = frozenset(
    node.name for node in ast.parse((PACKAGE / "errors.py").read_text()).body if isinstance(node, ast.ClassDef)
) - {"PartFailure"}
HELPERS = frozenset({"complaint", "_sentences"})
"""Functions that write the text of an error from a text that they are given."""

VERBS = (
    "add|build|call|change|check|choose|compose|continue|detach|divide|drop|free|give|install|keep|leave|load|lower|make|"
    "move|name|open|put|raise|remove|rename|replace|restore|resume|run|save|say|see|set|start|train|try|unset|use|write"
)
ADVICE = re.compile(
    rf"(?:[;:,.] |\n *|\bor |\band |\bso )(?:{VERBS})\b"  # an imperative
    r"|\bmust (?:not )?(?:[a-z]+|\{)|\bneeds? |\b(?:is|are) needed\b"  # what is right
    r"|did you mean|\b(?:pip install|torchrun|ganfw sample|permute)\b|; --[a-z]"  # a command
    r"|\b(?:they have|it has|it has kept|there are|optimizers are|networks are|they give|it may ask for):? \{"
    r"|\bmay change \w|\bat most \{"  # what there is to choose from, and a limit
    r"|(?:[:;,] |\n *)\{(?:advice|hint)\b| \{(?:complaint|wrong)\}$"  # a variable that holds one of these
)
"""A clause that says what to do, what is right, or what there is to choose from."""

SYSTEM = re.compile(
    r"\bcannot be [\w ]+: \{[\w.]*(?:strerror|reason|error)\}$"
    r"|: \{(?:excerpt\()?(?:describe|str)\(error\)\)?\}$"
    r"|^--plugin \{path\}: \{error\}$|\b(?:failed|adds no verbs): \{error\}$"  # of a plugin
    r"|\bnot valid TOML: "  # of the grammar
)
"""A reason of the system, of Python or of a library comes last: it is what has to be changed."""

PASSED_ON = re.compile(r"^(?:\{[^}]*\}(?:: | )?)+$")
"""Nothing but a place and a text from elsewhere."""

DAMAGED_FILES = (
    "builtin/evaluate.py",
    "builtin/metrics.py",
    "files.py",
    "ledger/records.py",
    "report/evaluations.py",
    "report/pictures.py",
    "report/reading.py",
    "report/settings.py",
    "run/load.py",
    "run/manifest.py",
    "run/state.py",
    "training/means.py",
    "training/optimizer_state.py",
)
DAMAGED = re.compile(
    r"\bdamaged|\bnot (?:JSON|TOML|UTF-8)\b"
    r"|\bnot an? (?:JSON object|manifest|safetensors file|picture|evaluation|ordinary file)\b"
    r"|\bnot the recipe of a checkpoint|\bholds no |\b(?:do|does) not (?:fit|hold)\b|\bnested too deeply|\bnot finite"
    r"|\bis of type|\bcannot be (?:read|built|\{)|\bhas no \{name\}"
    r"|\bis (?:not )?of (?:this|an) optimizer|\bdimensions, not|\b(?:more|larger) than \{"
)
"""What these modules say of a file that ganfw has written itself and that is not what was written.

Nothing can repair such a file, and the text names it. A run falls back to an older checkpoint, and a report leaves the
file out, both with this text as the reason.
"""

ALLOWED = {
    "{path}: larger than {limit} bytes": "a warning that features are not kept; the evaluation continues",
    "{labels}; {known}; {indices}; has the label; {needed}": "`needed` is the line above: labels must be classes …",
    "the memory is too small for {what}": "`what` ends with what to lower: `: lower --batch-size`",
    "unknown key {show(name)} of launcher '{use}'": "a hint follows, after the line of the recipe",
    "{label}: parameter '{name}' has {error}": "the error says what a recipe cannot give: the type, the bound",
    "none of its choices": "a value that is tried out, not a text",
}
"""Texts that are right as they are, and why."""


@frozen
class Text:
    """The text of an error, with `{…}` where values stand, and its place."""

    path: str
    line: int
    error: str
    text: str

    @property
    def helps(self) -> bool:
        """Whether it says what to do, or is of a kind that cannot."""
        if self.error == "TrainingError":  # ganfw run adds the command that starts again with other settings
            return True
        if ADVICE.search(self.text) or SYSTEM.search(self.text) or PASSED_ON.search(self.text):
            return True
        return self.path in DAMAGED_FILES and bool(DAMAGED.search(self.text))


def texts(tree: ast.Module, path: str) -> Iterator[Text]:
    """Yield the text of each error that a module makes, and of each that it has a helper write."""
    inside: set[ast.AST] = set()  # helpers in an error are read as a part of it
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) in ERRORS | HELPERS and node not in inside:
            inside.update(each for argument in node.args for each in ast.walk(argument))
            written = "; ".join(filter(None, map(_written, node.args)))
            if re.search(r"[a-z]{2}", re.sub(r"\{[^}]*\}", "", written)):
                yield Text(path, node.lineno, _name(node.func), written)


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _written(node: ast.expr) -> str:
    """Return what an expression writes, each value as `{its code}`; of a choice, both."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(map(_written, values))
        case ast.FormattedValue(value=ast.Constant() | ast.JoinedStr() | ast.IfExp() as value):
            return _written(value)
        case ast.FormattedValue(value=value):
            return "{" + ast.unparse(value).replace("{", "(").replace("}", ")") + "}"
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _written(left) + _written(right)
        case ast.IfExp(body=body, orelse=other):
            return _written(body) + _written(other)
        case ast.Call(args=arguments) if any(isinstance(each, ast.Constant | ast.JoinedStr) for each in ast.walk(node)):
            return "; ".join(filter(None, map(_written, arguments))) or "{" + ast.unparse(node) + "}"
        case ast.Starred(value=value):
            return _written(value)
        case _:
            return "{" + ast.unparse(node).replace("{", "(").replace("}", ")") + "}"


def all_texts() -> list[Text]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        found += texts(ast.parse(path.read_text(encoding="utf-8")), path.relative_to(PACKAGE).as_posix())
    return found


def test_every_error_says_what_to_do() -> None:
    found = all_texts()
    assert len(found) > 300
    without = [each for each in found if not each.helps]

    assert [f"ganfw/{each.path}:{each.line}: {each.text}" for each in without if each.text not in ALLOWED] == []
    assert ALLOWED.keys() <= {each.text for each in without}, "a text in the list has changed"


def refused(source: str, path: str = "module.py") -> list[str]:
    return [each.text for each in texts(ast.parse(source), path) if not each.helps]


@pytest.mark.parametrize(
    "source",
    [
        'raise RunError(f"{path}: no such run directory")',
        'raise InputError("--seed and --seeds cannot be used together")',
        """raise PartError(f"{label} gives {type(value).__name__}, not a tensor")""",
        'raise RecipeError(at.complaint("extends is not allowed here"))',
        'error = InputError("the name is taken" + " already")',
        'raise RunError(f"{path}: damaged")',  # of another's file
        'raise InputError(f"{count} is wrong, which can be useful")',
    ],
)
def test_a_text_that_only_complains_is_found(source: str) -> None:
    assert len(refused(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        'raise RunError(f"{path}: no such run directory; see: ganfw runs")',
        'raise InputError("--seed and --seeds cannot be used together; leave one out")',
        'raise PartError(f"{label} must give a tensor, not {found}")',
        'raise RecipeError(origin.complaint(f"unknown key {key}") + f"\\n  {hint}")',
        'raise RunError(f"{path}: cannot be written: {error.strerror}")',
        'raise GanfwError(f"{where}: {error}")',
        'raise TypeError("it is wrong")',
    ],
)
def test_a_text_that_helps_is_accepted(source: str) -> None:
    assert refused(source) == []


def test_a_damaged_file_is_named_where_ganfw_reads_its_own() -> None:
    source = 'raise RunError(f"{path}: damaged: {reason}")'

    assert refused(source, "run/load.py") == []
    assert refused(source, "cli/runs.py") == ["{path}: damaged: {reason}"]
