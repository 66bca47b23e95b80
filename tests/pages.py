"""The pages of the documentation, as tests read them."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import ganfw

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
PACKAGE = Path(ganfw.__file__).parent

TINY = (
    *("--set", "data.split=test"),
    *("--set", "generator.hidden_dim=4"),
    *("--set", "discriminator.hidden_dim=4"),
    *("--set", "run.max_steps=3"),
    *("--device", "cpu"),
)
"""Options that make a run of `mnist_mlp` short."""


def page(name: str) -> str:
    """Return a page by its path in docs/."""
    return (DOCS / name).read_text(encoding="utf-8")


def section(name: str, title: str) -> str:
    """Return what stands under a heading of the second level."""
    return re.split(r"^## ", page(name).partition(f"\n## {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def files(text: str) -> dict[str, str]:
    """Return the fenced blocks that a line with nothing but a file's name precedes, by that name."""
    return dict(re.findall(r"^`([\w./-]+)`\n\n```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


def table(text: str) -> list[list[str]]:
    """Return the rows of the first table, without its head."""
    lines = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert lines, "a table is expected here"
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines.group().splitlines()[2:]]


def code(cell: str) -> str:
    """Return what a cell has between backquotes."""
    assert cell.startswith("`"), cell
    assert cell.endswith("`"), cell
    return cell.strip("`")


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield the page, by its path in docs/, and the arguments of each `ganfw` command in a fenced sh block."""
    for path in PAGES:
        for block in blocks(path.read_text(encoding="utf-8"), "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                while words and re.fullmatch(r"\w+=.*", words[0]):
                    words.pop(0)
                if words[:1] == ["ganfw"]:
                    yield path.relative_to(DOCS).as_posix() if path.is_relative_to(DOCS) else path.name, words[1:]
