"""The README's Python and plugin work as they stand written."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from pages import ROOT, blocks

from ganfw.cli import main

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 80


def test_every_link_leads_to_a_file() -> None:
    links = re.findall(r"\]\((?![a-z]+:|#)([^)#\s]+)", README)

    assert len(links) > 5
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_python_example_trains_and_saves_digits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = (block for block in blocks(README, "python") if block.startswith("import ganfw"))
    monkeypatch.chdir(tmp_path)
    short = code.replace('"run.seed=1"', '"run.seed=1", "run.max_steps=3"')

    exec(compile(short, "README.md", "exec"), {})

    assert Path("digits.png").is_file()
    assert Path("runs/mnist_mlp_dash-1/checkpoints/step-000003").is_dir()
    assert capsys.readouterr().out


def test_the_plugin_works_as_a_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = (block for block in blocks(README, "python") if block.startswith("# my_losses.py"))
    monkeypatch.chdir(tmp_path)
    Path("my_losses.py").write_text(code)
    (command,) = re.findall(r"`ganfw (run mnist_mlp --plugin [^`]*)`", README)

    result = CliRunner().invoke(main, [*command.split(), "--set", "run.max_steps=3"])

    assert result.exit_code == 0, result.stderr
    assert "loss                     my_wasserstein\n" in result.stderr
