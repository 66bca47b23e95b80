import contextlib
import copy
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor

from ganfw import DataError, InputError, RunError, TensorData
from ganfw.distributed.noise import SharedNoise
from ganfw.distributed.process_group import ProcessGroup, join_processes
from ganfw.training.batches import Batches

CPU = torch.device("cpu")


@given(total=st.integers(0, 300), size=st.integers(1, 9))
def test_every_row_belongs_to_one_process(total: int, size: int) -> None:
    shares = [list(range(total))[ProcessGroup(rank, size).rows_of(total)] for rank in range(size)]

    assert [row for share in shares for row in share] == list(range(total))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("size", [2, 3])
def test_processes_serve_each_batch_together_without_overlap(size: int) -> None:
    data = TensorData(torch.arange(11, dtype=torch.float32).reshape(11, 1) / 11)
    whole = [batch.samples for batch in Batches(data, 4, 0, CPU).epoch(0)]
    worlds = [ProcessGroup(rank, size) for rank in range(size)]

    served = []
    for parts in zip(*(Batches(data, 4, 0, CPU, None, processes).epoch(0) for processes in worlds), strict=True):
        assert [len(part.samples) for part in parts] == [processes.count for processes in worlds]
        assert sum(processes.weight for processes in worlds) == pytest.approx(1)
        served.append(torch.cat([part.samples for part in parts]))

    assert [batch.tolist() for batch in served] == [batch.tolist() for batch in whole]


def test_a_batch_smaller_than_the_number_of_processes_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        Batches(TensorData(torch.zeros(9, 1)), 4, 0, CPU, None, ProcessGroup(0, 2))
    assert str(caught.value) == (
        "a batch of the run has fewer samples than there are processes, 2; "
        "raise run.batch_size, or start fewer processes"
    )


def test_a_number_of_processes_that_is_none_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(RunError) as caught, join_processes():
        pass
    assert str(caught.value) == "WORLD_SIZE = 'two' in the environment is not a number of processes; unset it"

    monkeypatch.setenv("WORLD_SIZE", "")
    with join_processes() as processes:
        assert processes.size == 1


class Counting:
    """Noise that can be recognised."""

    z_dim = 2
    device = CPU

    def __call__(self, count: int, random: torch.Generator) -> Tensor:
        return torch.arange(2.0 * count).reshape(count, 2)

    def truncated(self, threshold: float) -> "Doubled":
        return Doubled()

    def split(self, z: Tensor) -> dict[str, Tensor]:
        return {"first": z[:, :1], "second": z[:, 1:]}


class Doubled(Counting):
    def __call__(self, count: int, random: torch.Generator) -> Tensor:
        return 2 * super().__call__(count, random)


def test_truncated_noise_is_shared_too() -> None:
    processes = ProcessGroup(1, 2)
    processes.begin_batch(4)
    noise = SharedNoise(Counting(), processes).truncated(1.0)

    assert noise(2, torch.Generator()).tolist() == [[8.0, 10.0], [12.0, 14.0]]


def test_processes_share_one_draw_of_noise() -> None:
    random = torch.Generator()
    for times in (1, 2):
        parts = []
        for rank in range(3):
            processes = ProcessGroup(rank, 3)
            processes.begin_batch(7)
            noise = SharedNoise(Counting(), processes)
            assert (noise.z_dim, noise.device) == (2, CPU)
            parts.append(noise(times * processes.count, random).reshape(times, processes.count, 2))
        assert torch.cat(parts, 1).flatten(0, 1).tolist() == Counting()(7 * times, random).tolist()
        assert noise.split(torch.ones(3, 2))["second"].shape == (3, 1)
        assert isinstance(copy.deepcopy(noise), SharedNoise)
    with pytest.raises(RunError) as caught:
        noise(4, random)
    assert (
        str(caught.value)
        == "in several processes a step can draw noise for its batch only, not for 4 samples; train in one"
    )


@pytest.mark.parametrize("device", ["mps", "cuda:1"])
def test_a_device_that_processes_cannot_share_is_refused(device: str) -> None:
    ProcessGroup().require_shareable(torch.device(device))
    with pytest.raises(InputError) as caught:
        ProcessGroup(0, 2).require_shareable(torch.device(device))
    assert str(caught.value) == (
        f"device '{device}' cannot be shared by several processes; use cpu, or cuda for one each"
    )


PARTS = """
from torch import nn
from ganfw import Part, hookimpl

@hookimpl
def ganfw_parts():
    yield Part(kind="generator", name="smooth", target=f"{__name__}:Smooth", help="an MLP without a kink")

class Smooth(nn.Module):
    def __init__(self, z_dim: int, sample_shape: tuple[int, ...], /, *, batch_norm: bool = True) -> None:
        super().__init__()
        norm = nn.BatchNorm1d(16) if batch_norm else nn.Identity()
        self.layers = nn.Sequential(nn.Linear(z_dim, 16), norm, nn.Tanh(), nn.Linear(16, 784), nn.Sigmoid())
        self.sample_shape = sample_shape

    def forward(self, z):
        return self.layers(z).reshape(len(z), *self.sample_shape)
"""
RECIPE = """
extends = "mnist_mlp"
[run]
batch_size = 3000
log_every_steps = 3
max_steps = 6
[data]
split = "test"
[generator]
use = "smooth"
[discriminator]
hidden_dim = 4
[optimizer.generator]
use = "sgd"
lr = 0.5
[optimizer.discriminator]
use = "sgd"
lr = 0.5
[callbacks.samples]
every_steps = 3
"""  # the fourth batch of an epoch is short: 1,000


class Launcher:
    """Starts the command line in several processes, as a user does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "world_parts.py").write_text(PARTS)
        (folder / "shared.toml").write_text(RECIPE)
        self.environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def command(self, size: int, *arguments: str) -> list[str]:
        launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={size}"] if size > 1 else []
        plugin = ["--plugin", str(self.folder / "world_parts.py")]
        return [sys.executable, *launch, "-m", "ganfw", *arguments, *plugin]

    def __call__(self, size: int, *arguments: str, status: int = 0) -> str:
        result = subprocess.run(
            self.command(size, *arguments), env=self.environment, cwd=self.folder, capture_output=True, text=True
        )
        assert result.returncode == status, result.stderr
        return result.stderr

    def run(self, size: int, out: str, *settings: str) -> Path:
        self(size, "run", "shared.toml", "--out", out, *(f"--set={setting}" for setting in settings))
        return self.folder / out / "shared-1"


@pytest.fixture(scope="module")
def launch(tmp_path_factory: pytest.TempPathFactory) -> Launcher:
    return Launcher(tmp_path_factory.mktemp("processes"))


def weights(run: Path, step: int = 6) -> dict[str, Tensor]:
    folder = run / "checkpoints" / f"step-{step:06d}"
    return {
        f"{name}/{key}": value
        for name in ("generator", "discriminator")
        for key, value in load_file(folder / f"{name}.safetensors").items()
    }


def lines(run: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for line in found:
        del line["seconds"]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("settings", [["generator.batch_norm=false"], []], ids=["plain", "batch norm, synchronised"])
def test_several_processes_train_as_one_does(launch: Launcher, settings: list[str]) -> None:
    name = "-".join(["same", *settings])
    alone = launch.run(1, f"{name}-1", *settings)
    for size in (2, 3):  # three cannot share 1,000 rows evenly
        together = launch.run(size, f"{name}-{size}", *settings)

        torch.testing.assert_close(weights(together), weights(alone), rtol=0, atol=1e-5)
        for ours, theirs in zip(lines(together), lines(alone), strict=True):
            assert ours.pop("warnings", []) == theirs.get("warnings", [])
            assert ours == pytest.approx({key: theirs[key] for key in ours}, abs=1e-5)
        assert len(list((together / "samples").iterdir())) == len(list((alone / "samples").iterdir()))
        assert json.loads((together / "environment.json").read_text())["processes"] == size


@pytest.mark.slow
def test_several_processes_regularize_and_average_as_one_does(launch: Launcher) -> None:
    settings = [
        "optimizer.generator.lr=0.05",
        "optimizer.discriminator.lr=0.05",
        "loss.use=relativistic",
        "regularizers.r1.use=r1",
        "regularizers.r1.weight=0.1",
        "regularizers.r1.every_steps=2",
        "regularizers.gp.use=gradient_penalty",
        "regularizers.gp.weight=0.1",
        "regularizers.around.use=dragan",
        "regularizers.around.weight=0.1",
        "averaging.generator.use=ema",
    ]
    alone = launch.run(1, "regularized-1", *settings)
    for size in (2, 3):
        together = launch.run(size, f"regularized-{size}", *settings)

        torch.testing.assert_close(weights(together), weights(alone), rtol=0, atol=1e-5)
        means = [
            load_file(run / "checkpoints" / "step-000006" / "averaging.generator.safetensors")
            for run in (together, alone)
        ]
        torch.testing.assert_close(*means, rtol=0, atol=1e-5)
        for ours, theirs in zip(lines(together), lines(alone), strict=True):
            assert ours.pop("warnings", []) == theirs.get("warnings", [])
            assert ours == pytest.approx({key: theirs[key] for key in ours}, abs=1e-5)
            assert ours["r1/discriminator"] > 0


SLOPES = """
import sys
import torch
from torch import nn
from ganfw import Batch, Objective, discover
from ganfw.distributed.batch_norm import synchronised_batch_norm
from ganfw.distributed.process_group import join_processes

with join_processes() as processes:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Softplus(), nn.Linear(4, 1))
    real, fake = torch.rand(7, 3), torch.rand(7, 3)
    registry = discover(allowed=())
    parts = {name: registry.load("regularizer", name)() for name in ("r1", "r2", "gradient_penalty", "dragan")}
    objective = Objective(nn.Identity(), network, registry.load("loss", "relativistic")(), parts)
    processes.begin_batch(7)
    batch = Batch(real[processes.rows], total=7, rows=processes.rows)
    random = batch.row_random(torch.Generator().manual_seed(0))
    with synchronised_batch_norm(processes, network):
        due = objective.due("discriminator", batch)
        objective.of_discriminator(batch, random, *due, fake=fake[processes.rows])[0].backward()
    gradients = [weight.grad * processes.weight for weight in network.parameters()]
    processes.add_up(gradients)
    if processes.is_main:
        torch.save(gradients, sys.argv[1])
"""


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 3])  # neither can share 7 rows evenly
def test_penalties_of_a_discriminator_with_batch_norm_have_the_gradient_that_one_process_finds(
    launch: Launcher, size: int
) -> None:
    script = launch.folder / "slopes.py"
    script.write_text(SLOPES)
    found = []
    for count in (1, size):
        saved = launch.folder / f"slopes-{count}.pt"
        command = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"] if count > 1 else []
        subprocess.run([sys.executable, *command, str(script), str(saved)], env=launch.environment, check=True)
        found.append(torch.load(saved))

    assert max(gradient.abs().max() for gradient in found[0]) > 0.1
    torch.testing.assert_close(found[1], found[0], rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_local_batch_norm_is_another_computation(launch: Launcher) -> None:
    settings = ["run.sync_batch_norm=false", "run.batch_size=10"]  # five rows each are not ten
    difference = 0.0
    alone, together = (weights(launch.run(size, f"local-{size}", *settings)) for size in (1, 2))
    for key, value in alone.items():
        difference = max(difference, float((value - together[key]).abs().max()))

    assert difference > 1e-3


@pytest.mark.slow
def test_resume_is_exact_with_as_many_processes_and_refused_with_others(launch: Launcher) -> None:
    whole = launch.run(2, "whole", "run.max_steps=11")
    half = launch.run(2, "half", "run.max_steps=5")  # in the middle of an epoch and of a window

    refusal = launch(1, "resume", str(half), status=2)
    launch(2, "resume", str(half), "--set=run.max_steps=11")

    assert refusal == (
        f"Error: {half / 'checkpoints' / 'step-000005'}: the run was trained by 2 processes and continues exactly only "
        "with as many, not with 1: torchrun --nproc-per-node 2 --no-python ganfw resume …; "
        "to continue all the same: --allow-other-size\n"
    )
    assert all(torch.equal(value, weights(whole, 11)[key]) for key, value in weights(half, 11).items())
    assert lines(half) == lines(whole)
    for path in (whole / "samples").iterdir():
        assert (half / "samples" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 3])
def test_a_run_of_four_processes_continues_with_fewer_if_that_is_allowed(launch: Launcher, size: int) -> None:
    whole = launch.run(1, f"alone-{size}", "run.max_steps=11", "generator.batch_norm=false")
    half = launch.run(4, f"four-{size}", "run.max_steps=5", "generator.batch_norm=false")

    said = launch(size, "resume", str(half), "--set=run.max_steps=11", "--allow-other-size")

    assert said.startswith(f"number of processes: {size}, not 4 as before; the run continues, but not bit for bit\n")
    torch.testing.assert_close(weights(half, 11), weights(whole, 11), rtol=0, atol=1e-5)
    environment = json.loads((half / "environment.json").read_text())
    assert (environment["processes"], environment["resumed"][0]["processes"]) == (4, size)


def workers(launcher: "subprocess.Popen[str]", size: int) -> list[int]:
    """Return the process ids of the training processes, the leading one first."""
    for _ in range(600):
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == launcher.pid:
                    variables = (path / "environ").read_bytes().split(b"\0")
                    found |= {int(each[5:]): int(path.name) for each in variables if each.startswith(b"RANK=")}
        if len(found) == size:
            return [found[rank] for rank in range(size)]
        time.sleep(0.1)
    raise AssertionError("the processes did not start")


@contextlib.contextmanager
def endless_run(launch: Launcher, out: str) -> Iterator["tuple[subprocess.Popen[str], list[int]]"]:
    """Start two processes that train for long, and wait until they do."""
    settings = ["run.max_steps=100000", "run.epochs=100000", "run.batch_size=32", "run.log_every_steps=20"]
    command = launch.command(2, "run", "shared.toml", "--out", out, *(f"--set={each}" for each in settings))
    process = subprocess.Popen(
        command, env=launch.environment, cwd=launch.folder, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        pids = workers(process, 2)
        metrics = launch.folder / out / "shared-1" / "metrics.jsonl"
        for _ in range(600):
            if metrics.exists() and metrics.read_text().count("\n") >= 2:
                break
            time.sleep(0.1)
        yield process, pids
    finally:
        process.kill()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc")
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_ends_the_others_in_seconds(launch: Launcher, rank: int) -> None:
    with endless_run(launch, f"killed-{rank}") as (process, pids):
        os.kill(pids[rank], signal.SIGKILL)
        started = time.monotonic()
        _, errors = process.communicate(timeout=60)

    assert time.monotonic() - started < 30
    assert process.returncode != 0
    assert (
        "Error: another process of this run has ended; this one cannot continue without it; see the error of that one\n"
        in errors
        or (
            "Signal 15" in errors  # torchrun was faster
        )
    )
    assert "ganfw/training/loop.py" not in errors, "a traceback"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc")
def test_ctrl_c_in_the_leading_process_stops_all_after_the_step(launch: Launcher) -> None:
    with endless_run(launch, "stopped") as (process, pids):
        os.kill(pids[0], signal.SIGINT)
        _, errors = process.communicate(timeout=60)

    assert "stopped by SIGINT after step " in errors
    assert launch.folder.joinpath("stopped", "shared-1", "checkpoints", "latest").exists()
