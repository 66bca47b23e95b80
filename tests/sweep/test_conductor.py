"""A sweep runs its trials, whatever happens to some of them, and continues where it was stopped or killed."""

import json
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ganfw.files import is_locked, locked
from ganfw.ledger.records import load_runs

Ganfw = Callable[..., tuple[int, str]]
Write = Callable[[str], Path]

TWO = 'seeds = [3]\n[grid]\nloss.use = ["bce", "hinge"]\n'


def states(folder: Path) -> dict[str, tuple[str, int]]:
    return {run.name: (run.state, run.step) for run in load_runs(folder)}


def bits(folder: Path) -> dict[str, Any]:
    """Return every file of a sweep, but for timings, logs and the record of where it ran."""
    found: dict[str, Any] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = str(path.relative_to(folder))
        if name.startswith("logs/") or path.name in (".lock", "environment.json"):
            continue
        content: Any = path.read_bytes()
        if path.name == "metrics.jsonl":
            content = [{**json.loads(line), "seconds": 0} for line in content.splitlines()]
        elif path.name == "state.json":
            content = json.loads(content)
            content["training"]["seconds"] = content["callbacks.metrics"]["bytes"] = 0
        elif path.name == "manifest.json":
            content = json.loads(content)
            content["sha256"] = content["files"]["state.json"] = ""
        found[name] = content
    return found


def test_trials_are_run_directories_and_their_table_is_printed(run_ganfw: Ganfw, write_sweep: Write) -> None:
    folder = write_sweep(TWO)

    status, output = run_ganfw("sweep", folder)

    assert status == 0, output
    assert states(folder) == {"loss=bce,seed=3": ("finished", 6), "loss=hinge,seed=3": ("finished", 6)}
    assert output.startswith(f"{folder}: 2 trials, 2 at once\nstarted   loss=bce,seed=3\nstarted   loss=hinge,seed=3\n")
    assert "  loss   n  loss/discriminator  loss/generator\n  bce    1 " in output
    assert output.endswith("2 of 2 trials are finished\n")
    recipe = (folder / "loss=hinge,seed=3" / "recipe.toml").read_text()
    assert f'use = "ganfw:hinge"  # {folder}/sweep.toml:6, from ganfw' in recipe
    environment = json.loads((folder / "loss=hinge,seed=3" / "environment.json").read_text())
    assert (environment["name"], environment["total_steps"], environment["seed"]) == ("mnist_mlp", 6, 3)
    assert environment["command"].startswith(f"ganfw sweep {folder}")


def test_a_trial_has_the_bits_of_the_same_run(run_ganfw: Ganfw, write_sweep: Write, tmp_path: Path) -> None:
    folder = write_sweep("")
    assert run_ganfw("sweep", folder)[0] == 0
    recipe = folder / "seed=0" / "recipe.toml"

    status, output = run_ganfw("run", recipe, "--out", tmp_path / "runs")

    assert status == 0, output
    weights = "checkpoints/step-000006/generator.safetensors"
    assert (folder / "seed=0" / weights).read_bytes() == (tmp_path / "runs" / "mnist_mlp-1" / weights).read_bytes()


def test_a_failed_trial_ends_no_other_and_is_continued_on_request(run_ganfw: Ganfw, write_sweep: Write) -> None:
    folder = write_sweep('[grid]\noptimizer."*".lr = [1e30, 1e-4]\n')
    reason = "loss/discriminator is nan in the window that ends at step 2"

    status, output = run_ganfw("sweep", folder)
    again = run_ganfw("sweep", folder)
    retried = run_ganfw("sweep", folder, "--retry")

    assert status == 1
    assert f"failed    lr=1e+30,seed=0: {reason}  (" in output
    assert output.endswith(
        f"failed: lr=1e+30,seed=0: {reason}\n1 of 2 trials are finished; 1 failed\n"
        f"the output of each is in {folder}/logs; try again with: ganfw sweep {folder} --retry\n"
    )
    assert states(folder) == {"lr=0.0001,seed=0": ("finished", 6), "lr=1e+30,seed=0": ("failed", 0)}
    assert again[0] == 1
    assert "started" not in again[1]
    assert again[1].startswith(f"{folder}: 2 trials, 2 done, 2 at once\n")
    assert "started   lr=1e+30,seed=0\n" in retried[1]
    assert "started   lr=0.0001,seed=0\n" not in retried[1]
    log = (folder / "logs" / "lr=1e+30,seed=0.log").read_text()
    assert log.count(f"Error: {reason}\n") == 2


def test_a_trial_that_dies_or_cannot_be_started_is_reported(
    run_ganfw: Ganfw, write_sweep: Write, tmp_path: Path
) -> None:
    script = tmp_path / "dying.py"
    script.write_text(
        "import os, signal\nfrom ganfw import Callback, Part, hookimpl\n"
        "@hookimpl\ndef ganfw_parts():\n    yield Part(kind='callback', name='dying', target='dying:Dying')\n"
        "class Dying(Callback):\n"
        "    def __init__(self, *, how: str = ''): self.how = how\n"
        "    def on_step(self, training):\n"
        "        if self.how == 'killed': os.kill(os.getpid(), signal.SIGKILL)\n"
        "        if self.how == 'bug': raise ValueError('no luck')\n"
        "        if self.how == 'early': training.stop('a whim')\n"
    )
    folder = write_sweep('[grid]\ncallbacks.dying.how = ["killed", "bug", "early", "refused", "lost", ""]\n')
    file = folder / "sweep.toml"
    file.write_text(file.read_text().replace("jobs = 2", 'jobs = 2\nrefuses = "refused"\nloses = "lost"'))
    file.write_text(file.read_text().replace("[set]", '[set]\ncallbacks.dying.use = "dying"'))

    status, output = run_ganfw("sweep", folder, "--plugin", script)

    assert status == 1, output
    runs = {run.name: (run.state, run.reason) for run in load_runs(folder)}
    version = next(line for line in output.splitlines() if "dying.py sha256:" in line).partition("sha256:")[2][:64]
    assert runs == {
        "how=killed,seed=0": (
            "failed",
            "its process was ended by SIGKILL, as the system does when memory is full",
        ),
        "how=bug,seed=0": (
            "failed",
            f"callback 'dying' (dying.py sha256:{version}) fails in on_step after step 1: ValueError: no luck",
        ),
        "how=early,seed=0": ("ended early", "stopped by a whim after step 1 of 6"),
        "how=refused,seed=0": ("failed", "no room for how=refused,seed=0"),
        "how=lost,seed=0": ("failed", "its machine is lost"),
        "how=,seed=0": ("finished", ""),
    }
    assert 'raise ValueError("no luck")' in (folder / "logs" / "how=bug,seed=0.log").read_text().replace("'", '"')
    again = run_ganfw("sweep", folder, "--plugin", script)[1]
    assert "started" not in again


def test_a_changed_file_adds_trials_and_names_those_that_no_longer_belong(run_ganfw: Ganfw, write_sweep: Write) -> None:
    folder = write_sweep(TWO)
    assert run_ganfw("sweep", folder)[0] == 0
    write_sweep('seeds = [3]\n[grid]\nloss.use = ["hinge", "lsgan"]\nnoise.z_dim = [64]\n')

    listed = run_ganfw("sweep", folder, "--dry-run")
    status, output = run_ganfw("sweep", folder)

    others = f"{folder}: kept, but not part of the sweep any more: loss=bce,seed=3\n"
    table = """\
  trial                       state
  loss=hinge,seed=3           finished
  loss=lsgan,z_dim=64,seed=3  waiting
"""  # loss=hinge is found by its settings
    assert listed == (0, table + others)
    assert status == 0, output
    assert output.startswith(f"{folder}: 2 trials, 1 done, 2 at once\n{others}started   loss=lsgan,z_dim=64,seed=3\n")


def test_runs_of_other_settings_or_of_another_recipe_are_refused(run_ganfw: Ganfw, write_sweep: Write) -> None:
    folder = write_sweep(TWO)
    assert run_ganfw("sweep", folder)[0] == 0
    file = folder / "sweep.toml"
    text = file.read_text()

    file.write_text(text.replace("max_steps = 6", "max_steps = 8"))
    other_settings = run_ganfw("sweep", folder)
    file.write_text(text.replace('"mnist_mlp"', '"mnist_mlp_short"'))
    other_recipe = run_ganfw("sweep", folder)

    assert other_settings == (
        2,
        f"Error: {folder}: holds 2 runs, such as loss=bce,seed=3, with other settings: run.max_steps is 6 there and 8 "
        "in the sweep; choose another folder with --out, or remove the old runs\n",
    )
    assert other_recipe == (
        2,
        f"Error: {folder}: holds 2 runs, such as loss=bce,seed=3, of the recipe 'mnist_mlp', not of 'mnist_mlp_short'; "
        "choose another folder with --out, or remove the old runs\n",
    )


def test_a_sweep_runs_once_at_a_time(run_ganfw: Ganfw, write_sweep: Write) -> None:
    folder = write_sweep(TWO)
    (folder / "logs").mkdir()

    with locked(folder):
        found = run_ganfw("sweep", folder)

    assert found == (2, f"Error: {folder}: another process runs this sweep\n")


@pytest.mark.slow
def test_a_killed_sweep_continues_to_the_same_end(run_ganfw: Ganfw, write_sweep: Write) -> None:
    folder = write_sweep(TWO)
    assert run_ganfw("sweep", folder)[0] == 0
    undisturbed = bits(folder)
    shutil.rmtree(folder)
    write_sweep(TWO)

    for path in ("loss=bce,seed=3", "loss=hinge,seed=3/checkpoints/step-000002"):
        assert run_ganfw("sweep", folder, kill_at=folder / path)[0] == -9
    status, output = run_ganfw("sweep", folder)

    assert status == 0, output
    assert bits(folder) == undisturbed


@pytest.mark.slow
def test_a_sweep_killed_at_many_moments_continues_to_the_same_end(run_ganfw: Ganfw, write_sweep: Write) -> None:
    text = 'seeds = 3\n[grid]\nloss.use = ["bce", "hinge"]\nnoise.z_dim = [8, 16]\n'
    folder = write_sweep(text)
    started = time.monotonic()
    assert run_ganfw("sweep", folder)[0] == 0
    seconds = time.monotonic() - started
    undisturbed = bits(folder)
    shutil.rmtree(folder)
    write_sweep(text)
    moments = random.Random(0)

    statuses = []
    for _ in range(8):
        moment = moments.uniform(0.1, 2) * max(0.5, seconds / 8)
        statuses.append(run_ganfw("sweep", folder, kill_after_seconds=moment)[0])
    status, output = run_ganfw("sweep", folder)

    assert set(statuses) <= {0, -9}
    assert -9 in statuses
    assert status == 0, output
    assert bits(folder) == undisturbed
    assert not any(is_locked(run.directory) for run in load_runs(folder))


@pytest.mark.slow
def test_a_full_disk_fails_trials_with_its_reason_and_nothing_is_lost(
    run_ganfw: Ganfw, write_sweep: Write, on_small_disk: tuple[Ganfw, Path, Path]
) -> None:
    run_there, place, view = on_small_disk
    folder = write_sweep('[grid]\nloss.use = ["bce", "hinge", "lsgan", "logistic"]\n')
    file = shutil.copy(folder / "sweep.toml", folder.parent / "losses.toml")
    assert run_ganfw("sweep", folder)[0] == 0
    there = ("sweep", file, "--out", place / "s")
    filler = view / "filler"
    filler.write_bytes(bytes(6_500_000))

    status, output = run_there(*there)

    assert status == 1, output
    failed = [line for line in output.splitlines() if line.startswith("failed: ")]
    assert 1 <= len(failed) <= 4
    assert all("No space left on device" in line for line in failed), output
    assert "Traceback" not in output
    filler.unlink()
    status, output = run_there(*there, "--retry")
    assert status == 0, output
    there_bits, here_bits = bits(view / "s"), bits(folder)
    for found in (there_bits, here_bits):
        for name in [name for name in found if name == "sweep.toml" or name.endswith("recipe.toml")]:
            del found[name]  # which say where the sweep was written
        for name in [name for name in found if name.endswith("manifest.json")]:
            found[name]["files"]["recipe.toml"] = ""
    assert there_bits == here_bits
