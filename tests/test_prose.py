"""Documentation, docstrings, comments, errors and log lines are written in plain words."""

import io
import json
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "docs").rglob("*.ipynb"))]
MODULES = sorted((ROOT / "ganfw").rglob("*.py"))

INSTEAD = {
    r"(is|are|was|were) no": "is not, has no, does not exist",
    r"go(es|ing)? on": "continue",
    r"told|tells?": "report, print, say in an error",
    r"of one's own": "your own",
    r"alone": "only",
    r"so many|so much": "this many",
    r"in the place of": "instead of",
    r"(is|are) none of": "is not one of",
    r"none of (theirs|his)": "belongs to another",
    r"to be had": "available",
    r"whatever": "any",
    r"lest": "so that not",
    r"mend(s|ed)?": "fix",
    r"under way": "current",
    r"upon": "on",
    r"in a message": "in an error",
    r"for (it|they|then|there) (is|are|has|have|was|were)": "because",
}
"""Expressions that read as if they were translated, and what to write instead."""

ALLOWED = {
    "alone: whether": "the parameter of `parse_recipe` and `read_recipe`",
    "with `alone`": "the same",
}
"""Exact phrases that are right as they are, and why."""


def words(path: Path) -> Iterator[tuple[int, str]]:
    """Yield what a reader reads of a file, with its line or cell: a page, or the strings and comments of a module."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        yield 1, text
        return
    if path.suffix == ".ipynb":
        for number, cell in enumerate(json.loads(text)["cells"], 1):
            if cell["cell_type"] == "markdown":
                yield number, "".join(cell["source"])
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if tokenize.tok_name[token.type] in ("COMMENT", "STRING", "FSTRING_MIDDLE"):
            yield token.start[0], token.string


def complaints(paths: list[Path]) -> list[str]:
    """Return the place of each expression that is not allowed, and what to write instead."""
    found = []
    for path in paths:
        for line, text in words(path):
            for phrase in ALLOWED:
                text = text.replace(phrase, "")
            for pattern, better in INSTEAD.items():
                for match in re.finditer(rf"\b({pattern})\b".replace(" ", r"\s+"), text, re.IGNORECASE):
                    number = line + text.count("\n", 0, match.start())
                    found.append(f"{path.relative_to(ROOT)}:{number}: {match.group()!r}; write: {better}")
    return found


def test_pages_are_in_plain_words() -> None:
    assert len(PAGES) > 15
    assert complaints(PAGES) == []


def test_modules_are_in_plain_words() -> None:
    assert len(MODULES) > 150
    assert complaints(MODULES) == []
