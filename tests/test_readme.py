"""The README's Python and plugin work as they stand written."""

import re
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import ganfw
from ganfw.cli import main

README = (Path(__file__).parents[1] / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_python_example_trains_and_gives_images(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = (block for block in blocks("python") if "ganfw.Experiment(" in block)
    names: dict[str, object] = {}

    exec(compile(code, "README.md", "exec"), names)

    images = names["images"]
    assert isinstance(images, torch.Tensor)
    assert images.shape == (25, 1, 28, 28)
    assert images.std(0).mean() > 0.01
    assert re.fullmatch(r"\{'loss/discriminator': 0\.\d+, 'loss/generator': \d\.\d+\}\n", capsys.readouterr().out)


def test_a_recipe_assembled_in_python_trains_without_a_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = (block for block in blocks("python") if "ganfw.assemble(" in block)
    monkeypatch.chdir(tmp_path)

    exec(compile(code, "README.md", "exec"), {"ganfw": ganfw})

    assert (
        "callbacks.metrics, callbacks.checkpoint, callbacks.samples write files and are left out"
        in capsys.readouterr().err
    )
    assert list(tmp_path.iterdir()) == []


def test_the_plugin_works_as_a_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = (block for block in blocks("python") if block.startswith("# my_losses.py"))
    monkeypatch.chdir(tmp_path)
    Path("my_losses.py").write_text(code)
    (command,) = re.findall(r"`ganfw (run mnist_mlp --plugin [^`]*)`", README)

    result = CliRunner().invoke(main, [*command.split(), "--set", "run.max_steps=3"])

    assert result.exit_code == 0, result.stderr
    assert "loss                     my_wasserstein\n" in result.stderr


def test_the_recipe_is_right(tmp_path: Path) -> None:
    (text,) = (block for block in blocks("toml") if block.startswith("extends"))
    (tmp_path / "mine.toml").write_text(text)

    result = CliRunner().invoke(main, ["check", str(tmp_path / "mine.toml")])

    assert result.exit_code == 0, result.stderr
