"""A terminal that is closed: training stops with a checkpoint, unless it was told to outlive the terminal."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ganfw.run.checkpoints import checkpoints_in

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGHUP")]

RUN = (
    *(sys.executable, "-m", "ganfw", "run", "mnist_mlp", "--device", "cpu"),
    *("--set", "data.split=test", "--set", "generator.hidden_dim=4", "--set", "discriminator.hidden_dim=4"),
    *("--set", "callbacks.samples.every_steps=20"),
)


def start(folder: Path, *command: str) -> "subprocess.Popen[str]":
    """Start a run and wait until it trains."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # these tests may themselves run under nohup
    )
    end = time.monotonic() + 60
    while not (folder / "runs/mnist_mlp-1/samples/step-000020.png").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)
    return process


def test_sighup_stops_with_a_checkpoint_as_sigterm_does(tmp_path: Path) -> None:
    process = start(tmp_path, *RUN)
    process.send_signal(signal.SIGHUP)
    _, stderr = process.communicate(timeout=60)

    assert process.returncode == 128 + signal.SIGHUP
    assert "stopped by SIGHUP after step " in stderr
    assert len(list(checkpoints_in(tmp_path / "runs/mnist_mlp-1"))) == 1


def test_sighup_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    process = start(tmp_path, "nohup", *RUN, "--set", "run.max_steps=200")
    process.send_signal(signal.SIGHUP)
    _, stderr = process.communicate(timeout=60)

    assert process.returncode == 0, stderr
    assert "done: 200 steps" in stderr
