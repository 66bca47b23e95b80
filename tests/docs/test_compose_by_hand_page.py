"""Parts composed by hand train and continue as the page says."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from pages import blocks, page, section

import ganfw

PAGE = "how-to/compose-by-hand.md"


def test_the_parts_that_the_page_composes_train(capsys: pytest.CaptureFixture[str]) -> None:
    text = blocks(page(PAGE), "python")[0]
    names: dict[str, Any] = {}

    exec(compile(text, PAGE, "exec"), names)

    images = names["images"]
    assert images.shape == (25, 1, 28, 28)
    assert images.std(0).mean() > 0.01
    assert re.fullmatch(r"\{'loss/discriminator': 0\.\d+, 'loss/generator': \d\.\d+\}\n", capsys.readouterr().out)


def test_parts_composed_by_hand_continue_as_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "by_hand").mkdir()
    monkeypatch.chdir(tmp_path)
    (text,) = blocks(section(PAGE, "Save and continue"), "python")
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
