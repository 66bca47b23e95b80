"""The tutorials succeed as they are written."""

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from pages import TINY, commands

from ganfw.cli import main


def test_every_command_of_the_first_tutorial_and_of_sampling_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANFW_PLUGINS", "")
    pages = ["tutorial/first-gan.md", "how-to/sample.md"]
    verbs = []
    for name, words in sorted(commands(), key=lambda command: command[0], reverse=True):
        if name in pages:
            verbs.append(words[0])
            result = CliRunner().invoke(main, [*words, *(TINY if words[0] == "run" else ())])
            assert result.exit_code == 0, f"ganfw {shlex.join(words)}\n{result.output}"

    assert {"run", "resume", "sample", "interpolate", "invert"} < set(verbs)
    assert Path("more.png").is_file()
    assert Path("numbers.npy").is_file()
    assert Path("walk.gif").is_file()
