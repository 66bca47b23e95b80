"""What the callback records, read back with MLflow's own client."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

import ganfw
from ganfw import Recipe, Registry, Training

SCRIPT = """
import os, signal
from ganfw import Callback, Part, hookimpl

@hookimpl
def ganfw_parts():
    yield Part(kind="callback", name="killer", target="killer:Killer")

class Killer(Callback):
    def on_step(self, training):
        if training.step == int(os.environ.get("KILL_AT", 0)):
            os.kill(os.getpid(), signal.SIGKILL)
"""


def start(recipe: Recipe, registry: Registry, folder: Path, *, steps: int = 8) -> Training:
    """Return a training in a new run directory, not begun yet."""
    experiment = ganfw.assemble(ganfw.resolve(recipe.with_overrides([f"run.max_steps={steps}"]), registry))
    return Training(experiment, ganfw.create_run_directory(folder, experiment))


def directory_of(training: Training) -> Path:
    assert training.directory is not None
    return training.directory


def recorded(directory: Path, client: MlflowClient | None = None) -> Any:
    """Return the MLflow run of a run directory."""
    return (client or MlflowClient()).get_run((directory / "mlflow_run_id").read_text().strip())


def histories(directory: Path, client: MlflowClient | None = None) -> dict[str, list[tuple[int, float]]]:
    """Return every point of every metric but the time, by step."""
    client = client or MlflowClient()
    run = recorded(directory, client)
    return {
        name: sorted((each.step, each.value) for each in client.get_metric_history(run.info.run_id, name))
        for name in run.data.metrics
        if name != "seconds"
    }


def lines(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]


def artifacts(directory: Path, folder: str | None = None) -> set[str]:
    return {each.path for each in MlflowClient().list_artifacts(recorded(directory).info.run_id, folder)}


def run_ganfw(*arguments: object, **environment: str) -> tuple[int, str]:
    """Run a command as a process; return its exit status and what it wrote."""
    done = subprocess.run(
        [sys.executable, "-m", "ganfw", *map(str, arguments)],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.fixture
def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_a_run_has_settings_metrics_pictures_and_environment(small: Recipe, registry: Registry, tmp_path: Path) -> None:
    training = start(
        small.with_overrides(["callbacks.health.min_diversity=1e9", "callbacks.health.grace_steps=0"]),
        registry,
        tmp_path,
    )
    training.run()
    directory = directory_of(training)
    run, points = recorded(directory), histories(directory)

    assert (run.info.status, run.info.run_name) == ("FINISHED", "small-1")
    assert MlflowClient().get_experiment(run.info.experiment_id).name == "small"
    assert run.data.params["generator.hidden_dim"] == "4"
    assert run.data.params["loss.use"] == "bce"
    assert run.data.tags["ganfw.directory"] == str(directory)
    assert run.data.tags["warning.collapse"] == "until step 8"
    names = {"loss/generator", "loss/discriminator", "epoch", "images"}
    assert points == {name: [(line["step"], line[name]) for line in lines(directory)] for name in names}
    assert [step for step, _ in points["loss/generator"]] == [2, 4, 6, 8]
    assert artifacts(directory) == {"environment.json", "recipe.toml", "samples"}
    assert artifacts(directory, "samples") == {f"samples/{name}.png" for name in ("real", "step-000004", "step-000008")}
    picture = MlflowClient().download_artifacts(run.info.run_id, "samples/step-000008.png", str(tmp_path))
    assert Path(picture).read_bytes() == (directory / "samples" / "step-000008.png").read_bytes()


def test_evaluations_stand_at_their_steps(small: Recipe, registry: Registry, tmp_path: Path) -> None:
    evaluate = {"use": "evaluate", "every_steps": 3, "count": 50, "best": ""}
    recipe = Recipe(name="small", extends=small, callbacks={"evaluate": evaluate})
    training = start(recipe, registry, tmp_path, steps=6)
    training.run()
    directory = directory_of(training)

    expected = {}
    for step in (3, 6):
        results = json.loads((directory / "eval" / f"step-{step:06d}-count-50.json").read_text())["metrics"]
        numbers = {name: each["value"] for name, each in results.items() if isinstance(each["value"], int | float)}
        for name, value in numbers.items():
            expected.setdefault(f"evaluation_50/{name}", []).append((step, pytest.approx(value)))
    found = {name: points for name, points in histories(directory).items() if name.startswith("evaluation_")}
    assert found == expected
    assert "evaluation_50/kernel_distance" in found


def test_a_window_that_is_cut_short_is_left_out(small: Recipe, registry: Registry, tmp_path: Path) -> None:
    training = start(small, registry, tmp_path, steps=7)
    training.run()

    assert lines(directory_of(training))[-1]["step"] == 7
    assert [step for step, _ in histories(directory_of(training))["epoch"]] == [2, 4, 6]


def test_a_run_that_is_killed_and_resumed_has_every_step_once(
    small: Recipe, registry: Registry, tmp_path: Path
) -> None:
    undisturbed = start(small, registry, tmp_path / "undisturbed", steps=12)
    undisturbed.run()
    (tmp_path / "killer.py").write_text(SCRIPT)
    table = ganfw.resolve(small.with_overrides(["run.max_steps=12"]), registry).recipe.to_toml()
    (tmp_path / "small.toml").write_text(f'{table}\n[callbacks.killer]\nuse = "killer"\n')

    killed = run_ganfw("run", "small.toml", "--plugin", "killer.py", KILL_AT="7")
    directory = tmp_path / "runs" / "small-1"
    run_id = recorded(directory).info.run_id
    before = histories(directory)
    resumed = run_ganfw("resume", directory, "--plugin", "killer.py")

    assert killed[0] == -signal.SIGKILL, killed[1]
    assert [step for step, _ in before["epoch"]] == [2, 4, 6]  # and the newest checkpoint is of step 4
    assert resumed[0] == 0, resumed[1]
    assert recorded(directory).info.run_id == run_id
    assert recorded(directory).info.status == "FINISHED"
    assert histories(directory) == histories(directory_of(undisturbed))
    assert artifacts(directory, "samples") == artifacts(directory_of(undisturbed), "samples")


def test_a_run_that_was_not_recorded_is_caught_up_by_a_resume(
    small: Recipe, registry: Registry, tmp_path: Path
) -> None:
    training = start(small.with_overrides(["callbacks.mlflow.enabled=false"]), registry, tmp_path)
    training.run()
    directory = directory_of(training)
    assert not (directory / "mlflow_run_id").exists()

    changes = ["callbacks.mlflow.enabled=true", "run.max_steps=10"]
    ganfw.resume_training(directory, registry, changes)[0].run()

    assert [step for step, _ in histories(directory)["loss/generator"]] == [2, 4, 6, 8, 10]
    assert len(artifacts(directory, "samples")) == 4


def test_a_run_that_was_removed_is_recorded_anew(small: Recipe, registry: Registry, tmp_path: Path) -> None:
    training = start(small, registry, tmp_path)
    training.run()
    directory = directory_of(training)
    first = recorded(directory).info.run_id
    MlflowClient().delete_run(first)

    ganfw.resume_training(directory, registry, ["run.max_steps=10"])[0].run()

    assert recorded(directory).info.run_id != first
    assert [step for step, _ in histories(directory)["epoch"]] == [2, 4, 6, 8, 10]


def test_the_newest_checkpoint_is_uploaded_if_asked(small: Recipe, registry: Registry, tmp_path: Path) -> None:
    training = start(small.with_overrides(["callbacks.mlflow.checkpoint=true"]), registry, tmp_path, steps=7)
    training.run()
    directory = directory_of(training)

    assert artifacts(directory, "checkpoints") == {"checkpoints/step-000007"}
    MlflowClient().download_artifacts(recorded(directory).info.run_id, "checkpoints", str(tmp_path / ""))
    assert ganfw.open_checkpoint(tmp_path / "checkpoints" / "step-000007").manifest.step == 7


def test_how_a_run_ended_is_recorded(small: Recipe, registry: Registry, tmp_path: Path) -> None:
    training = start(small, registry, tmp_path / "stopped")
    training.stop("the test")
    training.run()
    table = ganfw.resolve(small.with_overrides(["optimizer.discriminator.lr=1e30"]), registry).recipe.to_toml()
    (tmp_path / "diverging.toml").write_text(table)

    status, output = run_ganfw("run", "diverging.toml")

    assert recorded(directory_of(training)).info.status == "KILLED"
    assert status == 2, output
    assert recorded(tmp_path / "runs" / "diverging-1").info.status == "FAILED"


def test_two_runs_begin_a_store_at_the_same_time(small: Recipe, registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(ganfw.resolve(small, registry).recipe.to_toml())
    store = f"sqlite:///{tmp_path}/new.db"
    command = [sys.executable, "-m", "ganfw", "run", "small.toml", "--set", "run.max_steps=4"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MLFLOW_TRACKING_URI": store}

    processes = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [each.communicate(timeout=120)[1] for each in processes]

    assert [each.returncode for each in processes] == [0, 0], errors
    for number in (1, 2):
        points = histories(tmp_path / "runs" / f"small-{number}", MlflowClient(store))
        assert [step for step, _ in points["epoch"]] == [2, 4]


def test_a_server_that_is_not_there_is_an_error_at_the_start(
    free_port: int, small: Recipe, registry: Registry, tmp_path: Path
) -> None:
    (tmp_path / "small.toml").write_text(ganfw.resolve(small, registry).recipe.to_toml())
    address = f"http://127.0.0.1:{free_port}"
    began = time.monotonic()

    status, output = run_ganfw("run", "small.toml", "--set", f"callbacks.mlflow.tracking_uri={address}")

    assert status == 2, output
    assert (
        f"\nError: callback 'mlflow' cannot record at {address}: the server does not answer. Start the server, or "
        "correct tracking_uri; enabled = false in the callback's table trains without it\n"
    ) in output
    assert "Traceback" not in output
    assert time.monotonic() - began < 60


def test_an_address_that_is_none_is_an_error_without_its_password(
    small: Recipe, registry: Registry, tmp_path: Path
) -> None:
    changed = small.with_overrides(["callbacks.mlflow.tracking_uri=nonsense://me:secret@host/x"])

    with pytest.raises(ganfw.RunError) as caught:
        start(changed, registry, tmp_path).run()

    error = str(caught.value)
    assert error.startswith("callback 'mlflow' cannot record at nonsense://host/x: UnsupportedModelRegistryStore")
    assert error.endswith(
        ". Start the server, or correct tracking_uri; enabled = false in the callback's table trains without it"
    )
    assert "secret" not in error


def test_a_server_that_never_answers_is_waited_for_as_long_as_the_environment_says(
    small: Recipe, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        training = start(small.with_overrides([f"callbacks.mlflow.tracking_uri={address}"]), registry, tmp_path)
        began = time.monotonic()
        with pytest.raises(ganfw.RunError) as caught:
            training.run()
    assert time.monotonic() - began < 30
    assert str(caught.value) == (
        f"callback 'mlflow' cannot record at {address}: the server does not answer. Start the server, "
        "or correct tracking_uri; enabled = false in the callback's table trains without it"
    )


class Server:
    """A real MLflow server on this machine."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.address = f"http://127.0.0.1:{port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        store = f"sqlite:///{self.folder}/server.db"
        command = ["-m", "mlflow", "server", "--backend-store-uri", store, "--workers", "1", "--port", str(self.port)]
        environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
        self.process = subprocess.Popen(
            [sys.executable, *command],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError("the server does not start")

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture
def server(tmp_path: Path, free_port: int) -> Iterator[Server]:
    server = Server(tmp_path, free_port)
    yield server
    server.kill()


class LosesServer(ganfw.Callback):
    def __init__(self, server: Server) -> None:
        self.server = server

    def on_step(self, training: Training) -> None:
        if training.step == 5:
            self.server.kill()


def test_a_server_that_is_lost_costs_a_warning_and_is_caught_up_by_a_resume(
    server: Server, small: Recipe, registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.start()
    training = start(small.with_overrides([f"callbacks.mlflow.tracking_uri={server.address}"]), registry, tmp_path)
    training.experiment.callbacks["loses_server"] = LosesServer(server)  # type: ignore[index]
    began = time.monotonic()

    training.run()

    assert training.finished
    assert time.monotonic() - began < 60
    said = [line for line in capsys.readouterr().err.splitlines() if "mlflow" in line]
    assert said == [
        "warning at step 6: callback 'mlflow' cannot record: the server does not answer; training continues, and what "
        "is missing is sent when MLflow answers again",
        "callback 'mlflow': MLflow lacks what is from step 6 on; a resume sends it",
    ]

    server.start()
    directory, client = directory_of(training), MlflowClient(server.address)
    assert [step for step, _ in histories(directory, client)["epoch"]] == [2, 4]
    ganfw.resume_training(directory, registry)[0].run()

    assert [step for step, _ in histories(directory, client)["epoch"]] == [2, 4, 6, 8]
    assert recorded(directory, client).info.status == "FINISHED"
