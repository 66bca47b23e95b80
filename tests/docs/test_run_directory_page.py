"""The files of a run are those on the page."""

import ast
import json
import re
import runpy
from pathlib import Path

import pytest
import torch
from pages import DOCS, blocks, code, page, section, table

import ganfw

CHECKPOINTS = "reference/checkpoints.md"


def test_keys_of_the_files_are_those_on_the_page(trained: Path) -> None:
    checkpoint = trained / "checkpoints" / "step-000010"
    text = "reference/run-directory.md"

    def keys(title: str) -> list[str]:
        return [name for row in table(section(text, title)) for name in re.findall(r"`(\w+)`", row[0])]

    line = json.loads((trained / "metrics.jsonl").read_text().splitlines()[0])
    always = [key for key in keys("metrics.jsonl") if key != "warnings"]  # that is there only if something is wrong
    assert [*always, "loss/discriminator", "loss/generator"] == list(line)
    environment = json.loads((trained / "environment.json").read_text())
    assert keys("environment.json") == list(environment)
    manifest = json.loads((checkpoint / "manifest.json").read_text())
    assert [code(row[0]) for row in table(section(CHECKPOINTS, "manifest.json"))] == list(manifest)
    for part in environment["parts"].values():
        described = next(row[1] for row in table(section(text, "environment.json")) if row[0] == "`parts`")
        assert [key for key in part if f"`{key}`" not in described] == []


def test_files_of_a_run_are_those_on_the_page(trained: Path) -> None:
    page_text = page("reference/run-directory.md")
    named = set(re.findall(r"`([\w.]+)`", " ".join(row[0] for row in table(page(CHECKPOINTS)))))

    assert {path.name for path in (trained / "checkpoints" / "step-000010").iterdir()} == named
    tree = blocks(page_text, "text")[0]
    assert {path.name for path in trained.iterdir()} == set(re.findall(r"^    ([\w.]+)", tree, re.MULTILINE))


def test_the_page_of_toys_shows_every_loss_as_its_script_found_it(registry: ganfw.Registry) -> None:
    script = runpy.run_path(str(DOCS / "generate_toys.py"))
    numbers = script["known"]()
    methods = script["METHODS"]

    assert page("explanation/toys.md") == script["page"](numbers)
    assert methods.keys() <= numbers.keys()
    shipped = [offer.part.name for offer in registry.parts("loss") if offer.plugin.distribution == "ganfw"]
    assert {method.loss for method in methods.values()} == set(shipped)
    assert sum(numbers[name]["modes_found"] == 25 for name in methods) >= 2
    for name in methods:
        ganfw.resolve(methods[name].recipe(registry, "toy"), registry)


def test_weights_can_be_read_as_the_page_says(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (trained.parent / "mnist_mlp-1").symlink_to(trained, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    text = blocks(page("how-to/read-the-weights.md"), "python")[0]
    names: dict[str, torch.Tensor] = {}

    exec(text, names)

    imported = [name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for name in node.names]
    assert [name.name for name in imported] == ["torch"]
    source = ganfw.open_checkpoint(trained).source(ganfw.discover(), "cpu")
    torch.testing.assert_close(names["images"], ganfw.generate(source.networks["generator"], names["z"]))
