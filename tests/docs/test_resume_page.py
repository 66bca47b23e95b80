"""Every way to continue a run works as the page says."""

import json
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from pages import TINY, commands

from ganfw.cli import main


def test_every_command_on_the_page_of_resuming_succeeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANFW_PLUGINS", "")
    shown = [words for name, words in commands() if name == "how-to/resume.md"]
    further = {"run": (*TINY, "--set", "run.max_steps=6"), "resume": ()}

    for words in (["run", "mnist_mlp", *TINY], *shown):
        words = [word.replace("@5000", "@3") for word in words]
        longer = ("--set", "run.max_steps=5") if "run.epochs=300" in words else ()
        result = CliRunner().invoke(main, [*words, *(further[words[0]] if "--from" in words else ()), *longer])
        assert result.exit_code == 0, f"ganfw {shlex.join(words)}\n{result.output}"

    assert [words[0] for words in shown] == ["resume", "resume", "run", "resume"]
    assert (Path("runs/mnist_mlp-1/checkpoints/latest")).read_text().strip() == "step-000005"
    started = json.loads(Path("runs/mnist_mlp-2/environment.json").read_text())["started_from"]
    assert started["step"] == 3
