"""The files of a run are those on the page."""

import ast
import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import torch
from pages import DOCS, blocks, code, page, section, table

import ganfw


def test_keys_of_the_files_are_those_on_the_page(trained: Path) -> None:
    checkpoint = trained / "checkpoints" / "step-000010"
    text = "reference/run-directory.md"

    def keys(title: str) -> list[str]:
        return [name for row in table(section(text, title)) for name in re.findall(r"`(\w+)`", row[0])]

    line = json.loads((trained / "metrics.jsonl").read_text().splitlines()[0])
    assert [*keys("metrics.jsonl"), "loss/discriminator", "loss/generator"] == list(line)
    environment = json.loads((trained / "environment.json").read_text())
    assert keys("environment.json") == list(environment)
    manifest = json.loads((checkpoint / "manifest.json").read_text())
    manifest_table = section(text, "checkpoints/").partition("The keys of `manifest.json`")[2]
    assert [code(row[0]) for row in table(manifest_table)] == list(manifest)
    for part in environment["parts"].values():
        described = next(row[1] for row in table(section(text, "environment.json")) if row[0] == "`parts`")
        assert [key for key in part if f"`{key}`" not in described] == []


def test_files_of_a_run_are_those_on_the_page(trained: Path) -> None:
    page_text = page("reference/run-directory.md")
    named = set(
        re.findall(
            r"`([\w.]+)`", " ".join(row[0] for row in table(section("reference/run-directory.md", "checkpoints/")))
        )
    )

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


def test_parts_composed_by_hand_go_on_as_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "by_hand").mkdir()
    monkeypatch.chdir(tmp_path)
    (text,) = blocks(section("reference/run-directory.md", "Parts composed by hand"), "python")
    names: dict[str, Any] = {}

    torch.manual_seed(0)
    exec(text, names)

    torch.manual_seed(0)
    whole = ganfw.train(names["compose"](), steps=10)
    for left, right in zip(*(weights(training) for training in (whole, names["training"])), strict=True):
        assert torch.equal(left, right)
    assert names["images"].shape == (25, 1, 28, 28)


def weights(training: ganfw.Training) -> list[torch.Tensor]:
    return [weight for network in training.experiment.networks.values() for weight in network.parameters()]


def test_weights_can_be_read_as_the_page_says(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (trained.parent / "mnist_mlp-1").symlink_to(trained, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    text = blocks(section("reference/run-directory.md", "Reading the weights without ganfw"), "python")[0]
    names: dict[str, torch.Tensor] = {}

    exec(text, names)

    imported = [name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for name in node.names]
    assert [name.name for name in imported] == ["torch"]
    source = ganfw.open_checkpoint(trained).source(ganfw.discover(), "cpu")
    torch.testing.assert_close(names["images"], ganfw.generate(source.networks["generator"], names["z"]))
