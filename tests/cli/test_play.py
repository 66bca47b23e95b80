"""`ganfw play`, up to the address; what the page does is in tests/play."""

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ganfw.cli import main


def refused(*arguments: str | Path) -> str:
    result = CliRunner().invoke(main, ["play", "--no-browser", *map(str, arguments)])
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    return result.stderr


def test_play_refuses_what_is_no_run_and_more_than_two(trained: Path, tmp_path: Path) -> None:
    none = tmp_path / "none"

    assert refused(none) == f"Error: {none}: no such run directory or checkpoint; see: ganfw runs\n"
    assert refused(trained, trained, trained) == "Error: 3 runs: the page shows at most 2 side by side\n"
    assert "Invalid value for '--port': 65536 is not in the range 0<=x<=65535." in refused(trained, "--port", "65536")
    assert (
        refused(tmp_path)
        == f"Error: {tmp_path}: neither a checkpoint nor a run directory with one in it; see: ganfw runs\n"
    )


def test_play_says_what_to_install(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)

    assert refused(trained).endswith("): pip install 'ganfw[play]'\n")


def test_play_opens_the_browser_unless_it_is_told_not_to(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("ganfw.play.serving.Playground.serve", _interrupted)

    first = CliRunner().invoke(main, ["play", str(trained), "--device", "cpu"])
    second = CliRunner().invoke(main, ["play", str(trained), "--device", "cpu", "--no-browser"])

    assert (first.exit_code, first.stderr, second.exit_code) == (0, "ganfw: stopped\n", 0)
    assert opened == [first.stdout.strip()]
    assert first.stdout.startswith("http://127.0.0.1:")
    assert first.stdout != second.stdout


def _interrupted(playground: Any) -> None:
    playground._listener.close()
    raise KeyboardInterrupt


@pytest.mark.slow
def test_ctrl_c_ends_the_server_cleanly(trained: Path) -> None:
    command = [sys.executable, "-m", "ganfw", "play", str(trained), "--no-browser", "--device", "cpu"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell ignores it for what it runs behind
    ) as server:
        assert server.stdout
        address = server.stdout.readline().strip()
        with urllib.request.urlopen(address, timeout=10) as answer:
            assert answer.status == 200
        server.send_signal(signal.SIGINT)
        out, err = server.communicate(timeout=20)

    assert (server.returncode, out, err) == (0, "", "ganfw: stopped\n")
