"""What recipes must do."""

import importlib.resources
import re
from collections.abc import Sequence
from pathlib import Path

from ganfw.plugins.registry import RegisteredPart, Registry
from ganfw.recipe.document import Recipe
from ganfw.recipe.resolution import resolve
from ganfw.run.assembly import assemble
from ganfw.testing.resume import check_exact_resume
from ganfw.testing.subject import train_in

HEADER = ("command", "short", "expect", "takes")
"""What the header of a recipe says beside its purpose."""


def is_right(registered: RegisteredPart, registry: Registry, _folder: Path, overrides: Sequence[str] = ()) -> None:
    """Every table and key is known; its Part has a line of help."""
    resolve(_recipe(registered, registry, overrides), registry)
    assert registered.part.help, "its Part has no help"


def says_what_to_expect(
    registered: RegisteredPart, _registry: Registry, _folder: Path, _overrides: Sequence[str] = ()
) -> None:
    """Its header says what it is for, how it is run, in short too, what comes out and how long it takes."""
    package, _, name = registered.part.target.partition(":")
    text = (importlib.resources.files(package) / name).read_text(encoding="utf-8")
    lines = text.splitlines()
    header = lines[: next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))]
    first = header[0].strip("# ") if header else ""
    purpose = len(first) > 20 and first.split()[0] not in HEADER
    assert purpose, "its file does not begin with a comment that says what the recipe is for"
    for word in HEADER:
        assert any(re.match(rf"#\s+{word}\s+\S", line) for line in header), f"its header has no line '#   {word}   …'"


def runs(registered: RegisteredPart, registry: Registry, folder: Path, overrides: Sequence[str] = ()) -> None:
    """It trains for three steps."""
    recipe = _recipe(registered, registry, [*overrides, "run.max_steps=3"])
    training = train_in(folder, assemble(resolve(recipe, registry)))
    assert training.finished, f"it was stopped by {training.stop_reason}"


def resumes_exactly(
    registered: RegisteredPart, registry: Registry, folder: Path, overrides: Sequence[str] = ()
) -> None:
    """Stopped and resumed, it ends as if it had not been."""
    check_exact_resume(_recipe(registered, registry, overrides), registry, folder, stop_at=2, steps=3)


def _recipe(registered: RegisteredPart, registry: Registry, overrides: Sequence[str]) -> Recipe:
    return Recipe.load(registered.qualified_name, registry).with_overrides(overrides)
