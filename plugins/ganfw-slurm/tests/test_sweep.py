"""Whole sweeps by submitit's executor for this machine: stopped, killed, preempted, and always with the same bits."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

import ganfw

Wait = Callable[[Callable[[], object], str], None]
Find = Callable[..., list[int]]

SLOW = """
import time
from ganfw import Callback, Part, hookimpl

@hookimpl
def ganfw_parts():
    yield Part(kind="callback", name="slow", target="slow:Slow")

class Slow(Callback):
    def on_step(self, training):
        time.sleep(0.1)
"""
SWEEP = """
format = 1
recipe = "mnist_mlp"
evaluate = 0
seeds = [3]

[grid]
loss.use = [LOSSES]

[set]
run = { max_steps = 60, batch_size = 32, log_every_steps = 2, device = "cpu" }
data.split = "test"
generator.hidden_dim = 4
discriminator.hidden_dim = 4
callbacks.checkpoint.every_steps = 50
callbacks.slow.use = "slow"

[launcher]
"""
QUICK = """
import sys
from ganfw_slurm import launcher
launcher.ASK_SECONDS, launcher.BEAT_SECONDS, launcher.SILENCE_SECONDS = 0.1, 0.5, 4.0
from ganfw.cli import main
main()
"""
BOTH = ("bce", "hinge")


@pytest.fixture
def sweep(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """A function that starts the sweep of some losses in a folder."""
    (tmp_path / "slow.py").write_text(SLOW)

    def start(folder: Path, *losses: str) -> subprocess.Popen[str]:
        folder.mkdir(exist_ok=True)
        launcher = 'use = "slurm"\nexecutor = "local"\njobs = 2\n'
        (folder / "sweep.toml").write_text(SWEEP.replace("LOSSES", ", ".join(map(repr, losses))) + launcher)
        return subprocess.Popen(
            [sys.executable, "-c", QUICK, "sweep", folder.name, "--plugin", "slow.py"],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1", "GANFW_TEST": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    return start


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The weights of the same trials by their losses, each trained by itself in this process."""
    weights = {}
    registry = ganfw.discover()
    for loss in BOTH:
        recipe = ganfw.Recipe(
            name="mnist_mlp",
            extends=ganfw.Recipe.load("mnist_mlp", registry),
            run={"seed": 3, "max_steps": 60, "batch_size": 32, "log_every_steps": 2, "device": "cpu"},
            data={"split": "test"},
            generator={"hidden_dim": 4},
            discriminator={"hidden_dim": 4},
            loss={"use": loss},
        )
        experiment = ganfw.assemble(ganfw.resolve(recipe, registry))
        directory = ganfw.create_run_directory(tmp_path_factory.mktemp("undisturbed"), experiment)
        ganfw.train(experiment, directory=directory)
        weights[loss] = (directory / "checkpoints" / "step-000060" / "generator.safetensors").read_bytes()
    return weights


def trial(folder: Path, loss: str) -> Path:
    return folder / f"loss={loss},seed=3"


def weights(folder: Path, loss: str) -> bytes:
    return (trial(folder, loss) / "checkpoints" / "step-000060" / "generator.safetensors").read_bytes()


def are_training(folder: Path, *losses: str) -> Callable[[], bool]:
    """Return a condition: trials have done some steps."""
    paths = [trial(folder, loss) / "metrics.jsonl" for loss in losses]
    return lambda: all(path.exists() and path.stat().st_size for path in paths)


def saved_step(folder: Path, loss: str) -> int:
    return ganfw.open_checkpoint(trial(folder, loss)).manifest.step


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=240)
    return process.returncode, output


def test_a_sweep_that_is_stopped_continues_with_the_bits_of_plain_runs(
    sweep: Callable[..., subprocess.Popen[str]], tmp_path: Path, wait_for: Wait, undisturbed: dict[str, bytes]
) -> None:
    folder = tmp_path / "s"
    process = sweep(folder, *BOTH)
    wait_for(are_training(folder, *BOTH), "both trials train")

    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does: to every process that did not leave the group
    status, output = finish(process)

    assert status == 128 + signal.SIGINT, output
    assert "2 left; continue with: ganfw sweep s" in output
    assert all(0 < saved_step(folder, loss) < 50 for loss in BOTH), output
    status, output = finish(sweep(folder, *BOTH))
    assert status == 0, output
    assert "2 trials, 2 to resume, 2 at once" in output
    assert {loss: weights(folder, loss) for loss in BOTH} == undisturbed
    assert list((folder / "logs" / "slurm").glob("*/*_result.pkl"))


def test_a_sweep_that_is_killed_continues_at_once(
    sweep: Callable[..., subprocess.Popen[str]],
    tmp_path: Path,
    wait_for: Wait,
    find_processes: Find,
    undisturbed: dict[str, bytes],
) -> None:
    folder = tmp_path / "s"
    process = sweep(folder, "bce")
    wait_for(are_training(folder, "bce"), "the trial trains")
    mark = f"GANFW_TEST={folder}\0"
    left = find_processes("ganfw.sweep.worker", mark) + find_processes("submitit.core._submit", mark)
    assert len(left) == 2

    process.kill()
    process.communicate()
    status, output = finish(sweep(folder, "bce"))

    assert status == 0, output
    assert not [pid for pid in left if Path(f"/proc/{pid}").exists()]
    begun = re.findall("continuing from step (.*)", (folder / "logs" / "loss=bce,seed=3.log").read_text())
    assert len(begun) == 1
    assert 0 < int(begun[0]) < 50  # where no checkpoint is saved unless the trial is told to stop
    assert weights(folder, "bce") == undisturbed["bce"]


def test_a_trial_that_is_preempted_continues_within_the_sweep(
    sweep: Callable[..., subprocess.Popen[str]],
    tmp_path: Path,
    wait_for: Wait,
    find_processes: Find,
    undisturbed: dict[str, bytes],
) -> None:
    folder = tmp_path / "s"
    process = sweep(folder, "bce")
    wait_for(are_training(folder, "bce"), "the trial trains")

    for pid in find_processes("submitit.core._submit", f"GANFW_TEST={folder}\0"):
        os.kill(pid, signal.SIGUSR2)
    status, output = finish(process)

    assert status == 0, output
    assert "1 of 1 trials are finished" in output
    log = (folder / "logs" / "loss=bce,seed=3.log").read_text()
    assert "launcher 'slurm': its job was ended; submitted again, 1 of 10 times\n" in log
    assert "continuing from step " in log
    assert weights(folder, "bce") == undisturbed["bce"]


def test_without_slurm_a_sweep_ends_with_one_error(tmp_path: Path) -> None:
    (tmp_path / "losses.toml").write_text(
        SWEEP.replace('callbacks.slow.use = "slow"\n', "").replace("LOSSES", "'bce'") + 'use = "slurm"\n'
    )

    done = subprocess.run(
        [sys.executable, "-m", "ganfw", "sweep", "losses.toml"],
        cwd=tmp_path,
        env={**os.environ, "PATH": "/nowhere"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr == (
        f"Error: launcher 'slurm' (ganfw-slurm {version('ganfw-slurm')}): no sbatch and no srun on this machine: start "
        'the sweep where Slurm is, such as a login node, or set executor = "local" to try it out here\n'
    )
    assert not (tmp_path / "sweeps").exists()
