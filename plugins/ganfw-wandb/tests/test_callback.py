"""What the callback records, read back from W&B's own files."""

import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from offline_file import read_offline

import ganfw
from ganfw import Recipe, Registry, Training

SCRIPT = """
import os, signal
from pathlib import Path
from ganfw import Callback, Part, hookimpl

@hookimpl
def ganfw_parts():
    yield Part(kind="callback", name="killer", target="killer:Killer")

class Killer(Callback):
    def on_step(self, training):
        if training.step == int(os.environ.get("KILL_AT", 0)):
            os.kill(os.getpid(), signal.SIGKILL)
        if training.step == int(os.environ.get("KILL_WANDB_AT", 0)):
            for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
                if "wandb-core" in Path(f"/proc/{child}/cmdline").read_text():
                    os.kill(int(child), signal.SIGKILL)
"""


def run(recipe: Recipe, registry: Registry, folder: Path, *, steps: int = 8) -> Path:
    """Train, and return the run directory."""
    experiment = ganfw.assemble(ganfw.resolve(recipe.with_overrides([f"run.max_steps={steps}"]), registry))
    directory = ganfw.create_run_directory(folder, experiment)
    Training(experiment, directory).run()
    return directory


def lines(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]


def run_ganfw(*arguments: object, **environment: str) -> tuple[int, str]:
    """Run a command as a process with a W&B service of its own; return its exit status and what it wrote."""
    inherited = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
    done = subprocess.run(
        [sys.executable, "-m", "ganfw", *map(str, arguments)],
        env={**inherited, "OMP_NUM_THREADS": "1", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.fixture
def killing(small: Recipe, registry: Registry, tmp_path: Path) -> tuple[str, ...]:
    """The arguments of a run that kills itself, or W&B, when the environment says it."""
    (tmp_path / "killer.py").write_text(SCRIPT)
    table = ganfw.resolve(small.with_overrides(["run.max_steps=12"]), registry).recipe.to_toml()
    (tmp_path / "small.toml").write_text(f'{table}\n[callbacks.killer]\nuse = "killer"\n')
    return "run", "small.toml", "--plugin", "killer.py"


def test_a_run_has_settings_metrics_pictures_and_environment(small: Recipe, registry: Registry, tmp_path: Path) -> None:
    directory = run(
        small.with_overrides(["callbacks.health.min_diversity=1e9", "callbacks.health.grace_steps=0"]),
        registry,
        tmp_path,
    )
    found = read_offline(directory)

    assert found.run_id == (directory / "wandb_run_id").read_text().strip()
    assert (found.project, found.exit_code) == ("small", 0)
    assert found.config["generator"]["hidden_dim"] == 4
    assert found.config["loss"] == {"use": "bce"}
    assert found.config["environment"]["seed"] == 0
    assert found.summary["warning/collapse"] == 8
    points = found.points()
    for name in ("loss/generator", "loss/discriminator", "epoch", "images", "seconds"):
        assert points[name] == [(line["step"], line[name]) for line in lines(directory)]
    assert [step for step, _ in points["epoch"]] == [2, 4, 6, 8]
    for name, step, picture in (("real", 0, "real"), ("samples", 4, "step-000004"), ("samples", 8, "step-000008")):
        content = (directory / "samples" / f"{picture}.png").read_bytes()
        assert dict(points[name])[step]["sha256"] == hashlib.sha256(content).hexdigest()


def test_evaluations_stand_at_their_steps(small: Recipe, registry: Registry, tmp_path: Path) -> None:
    evaluate = {"use": "evaluate", "every_steps": 3, "count": 50, "best": ""}
    directory = run(Recipe(name="small", extends=small, callbacks={"evaluate": evaluate}), registry, tmp_path, steps=6)

    expected: dict[str, list[tuple[int, Any]]] = {}
    for step in (3, 6):
        results = json.loads((directory / "eval" / f"step-{step:06d}-count-50.json").read_text())["metrics"]
        for name, result in results.items():
            if isinstance(result["value"], int | float):
                expected.setdefault(f"evaluation_50/{name}", []).append((step, pytest.approx(result["value"])))
    points = read_offline(directory).points()
    assert {name: points[name] for name in points if name.startswith("evaluation_")} == expected
    assert "evaluation_50/kernel_distance" in expected


def test_a_window_that_is_cut_short_is_left_out(small: Recipe, registry: Registry, tmp_path: Path) -> None:
    directory = run(small, registry, tmp_path, steps=7)

    assert lines(directory)[-1]["step"] == 7
    assert [step for step, _ in read_offline(directory).points()["epoch"]] == [2, 4, 6]


def test_a_run_that_is_killed_and_resumed_has_every_step_once(
    killing: tuple[str, ...], small: Recipe, registry: Registry, tmp_path: Path
) -> None:
    undisturbed = read_offline(run(small, registry, tmp_path / "undisturbed", steps=12))

    killed = run_ganfw(*killing, KILL_AT="7")
    directory = tmp_path / "runs" / "small-1"
    run_id = (directory / "wandb_run_id").read_text().strip()
    resumed = run_ganfw("resume", directory, *killing[2:])

    assert killed[0] == -signal.SIGKILL, killed[1]
    assert resumed[0] == 0, resumed[1]
    assert "continuing from step 4" in resumed[1]
    assert len(list((directory / "wandb").glob(f"offline-run-*-{run_id}"))) == 2
    found = read_offline(directory)
    assert (found.run_id, found.exit_code) == (run_id, 0)
    assert found.points("seconds") == undisturbed.points("seconds")
    assert [step for step, _ in found.points()["epoch"]] == [2, 4, 6, 8, 10, 12]


def test_settings_that_a_resume_changes_are_recorded(small: Recipe, registry: Registry, tmp_path: Path) -> None:
    directory = run(small, registry, tmp_path)

    ganfw.resume_training(directory, registry, ["run.max_steps=10"])[0].run()

    found = read_offline(directory)
    assert found.config["run"]["max_steps"] == 10
    assert [step for step, _ in found.points()["epoch"]] == [2, 4, 6, 8, 10]


def test_the_newest_checkpoint_is_recorded_if_asked(small: Recipe, registry: Registry, tmp_path: Path) -> None:
    found = read_offline(run(small.with_overrides(["callbacks.wandb.checkpoint=true"]), registry, tmp_path))
    without = read_offline(run(small, registry, tmp_path / "without"))

    assert found.artifacts == [f"model-{found.run_id}"]
    assert without.artifacts == []


def test_how_a_run_ended_is_recorded(small: Recipe, registry: Registry, tmp_path: Path) -> None:
    experiment = ganfw.assemble(ganfw.resolve(small, registry))
    training = Training(experiment, ganfw.create_run_directory(tmp_path / "stopped", experiment))
    training.stop("the test")
    training.run()
    table = ganfw.resolve(small.with_overrides(["optimizer.discriminator.lr=1e30"]), registry).recipe.to_toml()
    (tmp_path / "diverging.toml").write_text(table)

    status, output = run_ganfw("run", "diverging.toml")

    assert training.directory is not None
    assert read_offline(training.directory).exit_code == 255
    assert status == 2, output
    assert read_offline(tmp_path / "runs" / "diverging-1").exit_code == 2


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds W&B's process by /proc")
def test_a_service_that_dies_costs_a_warning(killing: tuple[str, ...], tmp_path: Path) -> None:
    status, output = run_ganfw(*killing, KILL_WANDB_AT="5")

    assert status == 0, output
    assert output.count("callback 'wandb'") == 1
    warning = (  # which error it is, and at which window, depends on when W&B notices
        r"\nwarning at step \d+: callback 'wandb' cannot record: \w+; training continues, and a resume records what is "
        r"missing\n"
    )
    assert re.search(warning, output), output
    assert [line["step"] for line in lines(tmp_path / "runs" / "small-1")] == [2, 4, 6, 8, 10, 12]

    resumed = run_ganfw("resume", tmp_path / "runs" / "small-1", *killing[2:])

    assert resumed[0] == 0, resumed[1]
    assert [step for step, _ in read_offline(tmp_path / "runs" / "small-1").points()["epoch"]] == [2, 4, 6, 8, 10, 12]


def test_a_server_that_is_not_there_is_an_error_at_the_start(killing: tuple[str, ...]) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    began = time.monotonic()

    status, output = run_ganfw(
        *killing, WANDB_MODE="online", WANDB_BASE_URL=address, WANDB_API_KEY="a" * 40, WANDB_INIT_TIMEOUT="3"
    )

    assert status == 2, output
    error = next(line for line in output.splitlines() if line.startswith("Error: "))
    assert error.startswith("Error: callback 'wandb' cannot record: CommError: ")
    assert error.endswith(
        '. Try `wandb login`, or mode = "offline"; enabled = false in the callback\'s table trains without it'
    )
    assert "Traceback" not in output
    assert time.monotonic() - began < 60


def test_without_a_login_the_error_says_how(killing: tuple[str, ...]) -> None:
    status, output = run_ganfw(*killing, WANDB_MODE="online", WANDB_BASE_URL="http://127.0.0.1:9", WANDB_API_KEY="")

    assert status == 2, output
    assert (
        "\nError: callback 'wandb' cannot record: UsageError: No API key configured. Use `wandb login` to log in. "
        'Try `wandb login`, or mode = "offline"; enabled = false in the callback\'s table trains without it\n'
    ) in output
    assert "Traceback" not in output
