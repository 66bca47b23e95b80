"""`ganfw sweep`: what it refuses, and that it stops cleanly; how it runs trials is tested in tests/sweep."""

import importlib.util
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ganfw.cli import main
from ganfw.files import is_locked

SMALL = ["generator.hidden_dim=4", "discriminator.hidden_dim=4", "data.split=test", "run.device=cpu"]
OPTIONS = [word for each in SMALL for word in ("--set", each)]


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANFW_PLUGINS", "")


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["sweep", *arguments])


def refusal(*arguments: str) -> str:
    result = invoke(*arguments)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert not Path("sweeps").exists()
    return result.stderr


def test_trials_are_listed_without_a_file_too() -> None:
    result = invoke("mnist_mlp", "--grid", "loss.use=bce,hinge", "--seeds", "2", "--dry-run")

    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "  trial              state\n"
        "  loss=bce,seed=0    waiting\n"
        "  loss=hinge,seed=0  waiting\n"
        "  loss=bce,seed=1    waiting\n"
        "  loss=hinge,seed=1  waiting\n"
    )
    assert not Path("sweeps").exists()


def test_bad_sweeps_are_refused() -> None:
    Path("empty").mkdir()
    Path("losses.toml").write_text('format = 1\nrecipe = "mnist_mlp"\n')

    assert refusal("empty") == "Error: empty: not the folder of a sweep: it has no sweep.toml; name one that has\n"
    assert refusal("losses.toml", "--seeds", "2", "--grid", "loss.use=bce") == (
        "Error: --grid, --seeds: what a sweep varies is written in its file; change losses.toml\n"
    )
    assert refusal("mnist_mlp", "--jobs", "0") == "Error: --jobs 0: launcher.jobs must be >= 1, not 0\n"
    assert refusal("nothing.toml") == "Error: nothing.toml: no such recipe; see: ganfw recipes\n"
    assert refusal("mnist_mlp", "--seeds", "1,1") == (
        "Error: --seeds 1,1: seed 1 is listed twice: a run with it would be the same run\n"
    )
    assert refusal("mnist_mlp", "--grid", "loss.use=bce,hing") == (
        "Error: --grid loss.use=bce,hing: no loss is named 'hing'\n"
        "  did you mean 'hinge'?\n"
        "  see: ganfw parts loss\n"
        "  in 1 of 2 trials: loss=hing,seed=0\n"
    )
    assert refusal("mnist_mlp", "--grid", "loss.slop=1") == (
        "Error: --grid loss.slop=1: unknown key 'slop' of loss 'bce'\n  see: ganfw parts loss bce\n  in every trial\n"
    )


def test_a_bad_launcher_is_refused() -> None:
    Path("losses.toml").write_text('format = 1\nrecipe = "mnist_mlp"\n[launcher]\njbos = 2\nthreads = "all"\n')

    assert refusal("losses.toml") == (
        "Error: losses.toml:4: unknown key 'jbos' of launcher 'local'\n"
        "    jbos = 2\n"
        "  did you mean 'jobs'?\n"
        "\n"
        "losses.toml:5: launcher.threads must be an int >= 1, not 'all'\n"
        '    threads = "all"\n'
    )
    Path("losses.toml").write_text('format = 1\nrecipe = "mnist_mlp"\n[launcher]\nuse = "rey"\n')
    assert refusal("losses.toml") == "Error: no launcher is named 'rey'; see: ganfw parts launcher\n"


def test_a_launcher_of_a_package_that_is_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANFW_PLUGINS", "")
    Path("losses.toml").write_text('format = 1\nrecipe = "mnist_mlp"\n[launcher]\nuse = "ray"\n')
    assert refusal("losses.toml") in (
        "Error: no launcher is named 'ray'; install its package: pip install ganfw-ray; see: ganfw parts launcher\n",
        "Error: no launcher is named 'ray'; plugin 'ganfw-ray' is blocked by --no-plugin or GANFW_PLUGINS; "
        "see: ganfw parts launcher\n",
    )


def test_a_search_without_optuna_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "optuna" else found(name, *more)
    )
    Path("rates.toml").write_text(
        'format = 1\nrecipe = "mnist_mlp"\n[search]\ntrials = 3\nmetric = "frechet_distance"\n'
        "[search.keys]\nnoise.z_dim = { low = 2, high = 9 }\n"
    )

    assert refusal("rates.toml") == "Error: a search needs Optuna: pip install 'ganfw[search]'\n"
    listed = invoke("rates.toml", "--dry-run")
    assert listed.stdout == "settings: 3, seeds: 1; the recipe is right at the ends of all ranges\n"


@pytest.mark.slow
def test_ctrl_c_stops_all_trials_with_a_checkpoint_each(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ganfw", "sweep", "mnist_mlp", "--grid", "loss.use=bce,hinge", "--jobs", "2"]
    long = ["--set", "run.log_every_steps=1", "--set", "callbacks.health.enabled=false", "--evaluate", "0"]
    with subprocess.Popen([*command, *OPTIONS, *long], stderr=subprocess.PIPE, text=True) as sweep:
        names = ["loss=bce,seed=0", "loss=hinge,seed=0"]
        folder = tmp_path / "sweeps" / "mnist_mlp"
        deadline = time.monotonic() + 120
        while not all(has_trained(folder / name) for name in names):
            assert time.monotonic() < deadline
            assert sweep.poll() is None
            time.sleep(0.05)
        sweep.send_signal(signal.SIGINT)
        _, said = sweep.communicate(timeout=60)

    assert sweep.returncode == 128 + signal.SIGINT
    for name in names:
        assert (folder / name / "checkpoints" / "latest").is_file(), said
    assert "stopping: each running trial saves a checkpoint; again: stop at once\n" in said
    assert said.endswith("0 of 2 trials are finished\n2 left; continue with: ganfw sweep sweeps/mnist_mlp\n")
    assert "hinge" in (folder / "sweep.toml").read_text()


@pytest.mark.slow
def test_trials_stop_when_their_sweep_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ganfw", "sweep", "mnist_mlp", *OPTIONS, "--set", "run.log_every_steps=1"]
    with subprocess.Popen([*command, "--evaluate", "0"], stderr=subprocess.DEVNULL) as sweep:
        run = tmp_path / "sweeps" / "mnist_mlp" / "seed=0"
        while not has_trained(run):
            assert sweep.poll() is None
            time.sleep(0.05)
        sweep.send_signal(signal.SIGKILL)
        sweep.wait()
    deadline = time.monotonic() + 60
    while is_locked(run):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (run / "checkpoints" / "latest").is_file()


def has_trained(run: Path) -> bool:
    return (run / "metrics.jsonl").is_file() and (run / "metrics.jsonl").stat().st_size > 0
