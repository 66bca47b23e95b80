"""The tutorials succeed as they are written."""

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from pages import TINY, commands

from ganfw.cli import main


def test_every_command_of_the_quickstart_succeeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANFW_PLUGINS", "")
    verbs = []
    for name, words in commands():
        if name == "tutorial/first-gan.md":
            verbs.append(words[0])
            result = CliRunner().invoke(main, [*words, *(TINY if words[0] == "run" else ())])
            assert result.exit_code == 0, f"ganfw {shlex.join(words)}\n{result.output}"

    assert {"run", "resume", "sample", "interpolate"} < set(verbs)
    assert Path("more.png").is_file()
    assert Path("numbers.npy").is_file()
