import json
import resource
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import ganfw
from ganfw import (
    Recipe,
    Registry,
    RunError,
    Training,
    TrainingError,
    check_space,
    open_checkpoint,
    resume_training,
    save_checkpoint,
)

Run = Callable[..., Path]


def metrics(directory: Path) -> list[dict[str, Any]]:
    """Return the lines of metrics without their timings."""
    lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def test_only_the_newest_checkpoints_are_kept(run: Run, registry: Registry, tiny: Recipe, tmp_path: Path) -> None:
    recipe = Recipe(extends=tiny, callbacks={"checkpoint": {"every_steps": 2, "keep": 3}})

    directory = run(recipe, tmp_path)

    names = sorted(path.name for path in (directory / "checkpoints").iterdir())
    assert (directory / "checkpoints" / "latest").read_text() == "step-000010\n"
    assert names == ["latest", "step-000006", "step-000008", "step-000010"]


def test_asking_for_a_checkpoint_changes_nothing(run: Run, registry: Registry, tiny: Recipe, tmp_path: Path) -> None:
    often = Recipe(name="tiny", extends=tiny, callbacks={"checkpoint": {"every_steps": 1}})
    seldom = Recipe(name="tiny", extends=tiny, callbacks={"checkpoint": {"every_steps": 99}})

    first, second = run(often, tmp_path), run(seldom, tmp_path)

    assert metrics(first) == metrics(second)
    for file in open_checkpoint(first).path.glob("*.safetensors"):
        assert (open_checkpoint(second).path / file.name).read_bytes() == file.read_bytes()


def test_manifest_says_what_the_checkpoint_is_of(registry: Registry, trained: Path) -> None:
    manifest = open_checkpoint(trained).manifest
    version = registry.plugins[0].version

    assert (manifest.step, manifest.name, manifest.seed) == (10, "tiny", 0)
    assert (manifest.sample_shape, manifest.num_classes, manifest.z_dim) == ((1, 28, 28), 10, 64)
    assert manifest.parts["loss"] == {
        "kind": "loss",
        "name": "bce",
        "distribution": "ganfw",
        "version": version,
        "target": "ganfw.builtin.losses:BCE",
    }
    assert sorted(manifest.files) == [
        "discriminator.safetensors",
        "fingerprint.safetensors",
        "generator.safetensors",
        "optimizer.discriminator.safetensors",
        "optimizer.generator.safetensors",
        "recipe.toml",
        "state.json",
        "training.safetensors",
    ]


def test_a_checkpoint_that_cannot_be_written_is_reported(registry: Registry, tiny: Recipe, tmp_path: Path) -> None:
    experiment = ganfw.assemble(ganfw.resolve(tiny, registry))
    (tmp_path / "checkpoints").write_text("a file")

    with pytest.raises(RunError) as caught:
        save_checkpoint(Training(experiment, tmp_path))
    path = tmp_path / "checkpoints" / "step-000000"
    assert str(caught.value) == f"{path}: the checkpoint cannot be written: File exists"


def test_leftovers_of_a_crash_are_removed_at_the_next_start(run: Run, tiny: Recipe, tmp_path: Path) -> None:
    directory = run(tiny, tmp_path, stop_at=3)
    for name in ("checkpoints/.step-000003.tmp", "checkpoints/.step-000001.old"):
        (directory / name).mkdir()
        (directory / name / "generator.safetensors").write_text("half")
    (directory / ".recipe.toml.123.tmp").write_text("half")
    (directory / "samples" / ".step-000005.png.123.tmp").write_text("half")

    resume_training(directory, ganfw.discover())[0].run()

    assert sorted(path.name for path in directory.rglob(".*")) == [".lock"]


def test_checkpoints_that_a_crash_kept_from_being_removed_are_removed_at_the_next_start(
    run: Run, tiny: Recipe, tmp_path: Path
) -> None:
    directory = run(tiny, tmp_path)
    shutil.copytree(directory / "checkpoints" / "step-000006", directory / "checkpoints" / "step-000003")

    resume_training(directory, ganfw.discover())[0].run()

    names = sorted(path.name for path in (directory / "checkpoints").iterdir())
    assert names == ["latest", "step-000006", "step-000010"]


def test_saving_again_replaces_a_damaged_checkpoint(run: Run, tiny: Recipe, tmp_path: Path) -> None:
    directory = run(tiny, tmp_path)
    (directory / "checkpoints" / "step-000010" / "generator.safetensors").write_text("damaged")

    resume_training(directory, ganfw.discover())[0].run()

    assert open_checkpoint(directory).skipped == ()
    assert open_checkpoint(directory).manifest.step == 10


def test_checkpoints_of_a_course_left_behind_are_removed(run: Run, tiny: Recipe, tmp_path: Path) -> None:
    directory = run(tiny, tmp_path)
    later = directory / "checkpoints" / "step-000999"
    shutil.copytree(directory / "checkpoints" / "step-000010", later)
    shutil.rmtree(directory / "checkpoints" / "step-000010")
    (later / "manifest.json").write_text("damaged")

    resume_training(directory, ganfw.discover())[0].run()

    names = sorted(path.name for path in (directory / "checkpoints").iterdir())
    assert names == ["latest", "step-000006", "step-000010"]


@pytest.mark.parametrize("part", ["generator", "discriminator"])
def test_a_weight_that_is_not_finite_is_never_saved(
    registry: Registry, tiny: Recipe, tmp_path: Path, part: str
) -> None:
    training = Training(ganfw.assemble(ganfw.resolve(tiny, registry)), tmp_path)
    with torch.no_grad():
        next(training.experiment.networks[part].parameters())[0] = float("inf")

    with pytest.raises(TrainingError) as caught:
        save_checkpoint(training)
    name = "0.0.weight" if part == "generator" else "1.0.weight"
    assert str(caught.value) == f"'{name}' of {part} is not finite at step 0; no checkpoint is saved"
    assert not (tmp_path / "checkpoints").exists()


class Counted(torch.nn.Linear):
    """A network whose state is more than tensors."""

    def get_extra_state(self) -> dict[str, int]:
        return {"calls": 3}

    def set_extra_state(self, state: dict[str, int]) -> None:
        assert state == {"calls": 3}


def test_a_network_may_have_state_that_is_no_tensor(registry: Registry, tiny: Recipe, tmp_path: Path) -> None:
    training = Training(ganfw.assemble(ganfw.resolve(tiny, registry)), tmp_path)
    training.experiment.networks["discriminator"].counted = Counted(1, 1)

    check_space(training)
    saved = open_checkpoint(save_checkpoint(training)).part_state("discriminator")

    assert saved["counted._extra_state"] == {"calls": 3}


def test_no_room_is_reported_before_the_first_step(registry: Registry, tiny: Recipe, tmp_path: Path) -> None:
    recipe = Recipe(extends=tiny, generator={"hidden_dim": 256}, discriminator={"hidden_dim": 256})
    training = Training(ganfw.assemble(ganfw.resolve(recipe, registry)), tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        with pytest.raises(RunError) as caught:
            check_space(training)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)

    assert str(caught.value) == f"{tmp_path}: not enough space for a checkpoint of 70 MB; free some: File too large"
    assert list(tmp_path.iterdir()) == []
