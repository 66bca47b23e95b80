"""The pages about kinds and signatures are those of the code, and the examples of all kinds train together."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from pages import DOCS, blocks, page, table

from ganfw.cli import main
from ganfw.plugins.context import CONTEXT, CONTEXT_OF
from ganfw.plugins.part import KINDS
from ganfw.recipe.tables import DEFAULT_TABLES, TABLES

KIND_PAGES = [path.name for path in sorted((DOCS / "reference" / "kinds").glob("*.md")) if path.name != "index.md"]


def kinds_of(name: str) -> list[str]:
    """Return the kinds that a page describes."""
    return re.findall(r"^## (\w+)$", page(f"reference/kinds/{name}"), re.MULTILINE)


def test_the_tables_of_context_arguments_are_those_of_the_code() -> None:
    text = page("reference/part-signatures.md")
    given = {
        kind: tuple(row[1].split(", "))
        for row in table(text.partition("Each kind of part can ask for some of them")[2])
        for kind in re.findall(r"`(\w+)`", row[0])
    }

    assert [[f"`{name}`", what] for name, what in CONTEXT.items()] == table(text)
    assert given == CONTEXT_OF


def test_the_table_of_kinds_is_that_of_the_code_and_leads_to_each_kind() -> None:
    pages = {kind: name for name in KIND_PAGES for kind in kinds_of(name)}

    rows = [row[:2] for row in table(page("reference/kinds/index.md"))]

    assert rows == [[f"[`{kind}`]({pages[kind]}#{kind})", what] for kind, what in KINDS.items()]


def test_every_kind_says_once_what_its_parts_must_do() -> None:
    assert sorted(kind for name in KIND_PAGES for kind in kinds_of(name)) == sorted(KINDS)


OF_PAGE = {
    "data": "noisy_digits",
    "noise": "Signs",
    "generator": "ConditionalGenerator",
    "discriminator": "WithClasses",
    "loss": "Squares",
    "regularizers.classes": "ClassTerm",
    "augmentations.brightness": "Brightness",
    "step": "Classic",
    "optimizer.generator": "nadam",
    "optimizer.discriminator": "nadam",
    "schedule.generator": "Halving",
    "averaging.generator": "PlainMean",
    "sampler": "Antithetic",
    "callbacks.early": "StopEarly",
    "embedding": "Means",
    "metrics.spread": "Spread",
}
"""The example that the pages have of each kind, by the table of a recipe that it goes into."""


def scripts() -> Iterator[tuple[Path, str]]:
    """Yield a script for each page with Python in it: all its blocks, one after the other."""
    for name in KIND_PAGES:
        if code := "\n\n".join(blocks(page(f"reference/kinds/{name}"), "python")):
            yield Path(f"kinds_{Path(name).stem.replace('-', '_')}.py"), code


@pytest.mark.usefixtures("clean_modules")
@pytest.mark.parametrize("step", ["Classic", "OnceMore"])
def test_the_examples_of_the_kinds_train_together(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANFW_PLUGINS", "")
    use = {**OF_PAGE, "step": step}
    kinds = {name: next(each.kind for each in TABLES if each.name == at.partition(".")[0]) for at, name in use.items()}
    options, offered = [], set()
    for path, code in scripts():
        offers = ""
        for name, kind in kinds.items():
            if re.search(rf"^(class|def) {name}\b", code, re.MULTILINE):
                offers += f"    yield Part(kind='{kind}', name='{name.lower()}', target='{path.stem}:{name}')\n"
                offered.add(name)
        if offers:
            hook = f"from ganfw import Part, hookimpl\n\n\n@hookimpl\ndef ganfw_parts():\n{offers}"
            path.write_text(f"{code}\n\n{hook}")
            options += ["--plugin", str(path)]
    assert offered == set(kinds)
    overrides = [f"{table}.use={name.lower()}" for table, name in use.items()]
    overrides += [f"metrics.{name}.enabled=false" for name in ("classifier_score", *DEFAULT_TABLES["metrics"])]
    sets = [option for each in overrides for option in ("--set", each)]

    done = CliRunner().invoke(main, ["run", "mnist_mlp", *options, *sets, "--set", "run.max_steps=9"])
    assert done.exit_code == 0, done.output
    for verb in (["sample"], ["evaluate", "-n", "20"]):
        result = CliRunner().invoke(main, [verb[0], "runs/mnist_mlp-1", *verb[1:], *options])
        assert result.exit_code == 0, result.output
    assert "spread" in result.output
