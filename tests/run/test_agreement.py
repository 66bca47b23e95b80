"""Processes that would train something else than the others are refused before they train."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ganfw.distributed.process_group import ProcessGroup
from ganfw.run.agreement import require_same

SMALL = "--set run.max_steps=2 --set discriminator.hidden_dim=4 --set run.device=cpu"
DATA = """
import os, torch
from ganfw import Part, TensorData, hookimpl
@hookimpl
def ganfw_parts():
    yield Part(kind="data", name="ranked", target="ranked_data:ranked")
def ranked():
    return TensorData(torch.full((256, 1, 4, 4), 0.1 * int(os.environ["RANK"])))
"""


def test_processes_with_the_same_agree() -> None:
    require_same(ProcessGroup(), {"[run]": "a", "data": None})


def launch(folder: Path, options: str) -> "subprocess.CompletedProcess[str]":
    """Run ganfw in two processes, each with options that may name its rank."""
    command = f"exec {sys.executable} -m ganfw run mnist_mlp {SMALL} {options}"
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python"]
    return subprocess.run(
        [*torchrun, "bash", "-c", command],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="starts processes through bash")
@pytest.mark.parametrize(
    ("options", "what"),
    [
        ("--seed $RANK", "[run]"),
        ("--set generator.hidden_dim=$((4 + RANK))", "[generator]"),
        ("--plugin ranked_data.py --set data.use=ranked --set generator.hidden_dim=4", "data"),
    ],
)
def test_processes_that_differ_are_refused_before_they_train(tmp_path: Path, options: str, what: str) -> None:
    (tmp_path / "ranked_data.py").write_text(DATA)
    result = launch(tmp_path, options)

    message = (
        f"Error: the processes of this run differ in {re.escape(what)}: process 1 from process 0; "
        "start all of them with the same command, packages and data\n"
    )
    assert result.returncode != 0
    assert re.search(message, result.stderr), result.stderr
    assert not (tmp_path / "runs").exists()
