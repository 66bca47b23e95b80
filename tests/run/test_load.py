import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from safetensors.torch import load_file

import ganfw
from ganfw import Recipe, Registry, RunError, open_checkpoint

Run = Callable[..., Path]


def test_checkpoint_alone_is_enough_to_sample(
    device: torch.device, registry: Registry, trained: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "alone"
    shutil.move(open_checkpoint(trained).path, alone)
    shutil.rmtree(trained)

    assert open_checkpoint(alone).source(registry, device).sample(5).shape == (5, 1, 28, 28)


def test_sampling_a_checkpoint_shows_the_last_grid_of_its_run(
    device: torch.device, registry: Registry, trained: Path
) -> None:
    checkpoint = open_checkpoint(trained)
    samples = checkpoint.source(registry, device).sample(25, seed=checkpoint.manifest.seed)

    ganfw.write_png(trained / "again.png", ganfw.image_grid(samples))

    assert (trained / "again.png").read_bytes() == (trained / "samples" / "step-000010.png").read_bytes()


def test_networks_and_noise_are_rebuilt_with_their_context_arguments_and_states(
    device: torch.device, run: Run, scripted_registry: Registry, tiny: Recipe, tmp_path: Path
) -> None:
    recipe = Recipe(extends=tiny, noise={"use": "counting"}, generator={"use": "asking"})
    directory = run(recipe, tmp_path)

    source = open_checkpoint(directory).source(scripted_registry, device)

    assert source.networks["generator"].noise is source.noise
    assert cast("Any", source.noise).calls == 25  # two a step; one for each of two grids and of three windows


def test_loading_to_sample_leaves_global_randomness_alone(
    device: torch.device, registry: Registry, trained: Path
) -> None:
    state = torch.get_rng_state()
    open_checkpoint(trained).source(registry, device)

    assert torch.equal(torch.get_rng_state(), state)


def test_weights_can_be_read_without_ganfw(device: torch.device, registry: Registry, trained: Path) -> None:
    checkpoint = open_checkpoint(trained)
    weights = load_file(checkpoint.path / "generator.safetensors")
    generator = checkpoint.source(registry, device).networks["generator"]

    assert weights.keys() == generator.state_dict().keys()
    assert all(torch.equal(weights[name], value.cpu()) for name, value in generator.state_dict().items())


FILES = [
    "generator.safetensors",
    "discriminator.safetensors",
    "optimizer.generator.safetensors",
    "optimizer.discriminator.safetensors",
    "training.safetensors",
    "state.json",
    "recipe.toml",
]


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["flip", "cut", "grow", "empty", "gone", "link"])
def test_a_damaged_file_is_reported(trained: Path, name: str, damage: str) -> None:
    checkpoint = open_checkpoint(trained).path
    path = checkpoint / name
    content = path.read_bytes()
    if damage == "flip":
        flip(path)
    elif damage == "gone":
        path.unlink()
    elif damage == "link":
        path.rename(trained / "elsewhere")
        path.symlink_to(trained / "elsewhere")
    else:
        path.write_bytes({"cut": content[:-1], "grow": content + b"x", "empty": b""}[damage])

    with pytest.raises(RunError) as caught:
        open_checkpoint(checkpoint)
    expected = {
        "gone": "cannot be read: No such file or directory",
        "link": "not an ordinary file",
        "grow": f"larger than {len(content)} bytes",
    }
    assert str(caught.value) == f"{path}: {expected.get(damage, 'damaged: it is not what the manifest says')}"


def test_the_newest_undamaged_checkpoint_is_opened_and_damage_is_reported(
    device: torch.device, registry: Registry, trained: Path
) -> None:
    folder = trained / "checkpoints"
    damaged = folder / "step-000010" / "generator.safetensors"
    flip(damaged)

    checkpoint = open_checkpoint(trained)

    assert checkpoint.path == folder / "step-000006"
    assert checkpoint.skipped == (f"{damaged}: damaged: it is not what the manifest says",)
    assert checkpoint.source(registry, device)


def test_a_checkpoint_removed_while_it_is_opened_is_no_damage(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = open_checkpoint(trained).path
    newer = newest.with_name("step-000011")
    listed = iter([[newest], [newer]])

    def listing(run: Path) -> list[Path]:
        found = next(listed)
        newest.rename(newer) if newest.exists() else None
        return found

    monkeypatch.setattr("ganfw.run.load.checkpoints_in", listing)
    opened = open_checkpoint(trained)

    assert (opened.path, opened.skipped) == (newer, ())


def test_a_run_whose_checkpoints_are_all_damaged_is_reported(trained: Path) -> None:
    reasons = []
    for name in ("step-000010", "step-000006"):
        path = trained / "checkpoints" / name / "state.json"
        flip(path)
        reasons.append(f"{path}: damaged: it is not what the manifest says")

    with pytest.raises(RunError) as caught:
        open_checkpoint(trained)
    assert str(caught.value) == "; ".join([f"{trained}: no checkpoint is left undamaged", *reasons])


def test_the_checkpoint_saved_last_goes_before_a_higher_step(trained: Path) -> None:
    (trained / "checkpoints" / "latest").write_text("step-000006\n")

    assert open_checkpoint(trained).manifest.step == 6


def test_a_folder_that_is_no_run_is_reported(tmp_path: Path) -> None:
    for path, message in (
        (tmp_path / "gone", "no such run directory or checkpoint; see: ganfw runs"),
        (tmp_path, "neither a checkpoint nor a run directory with one in it; see: ganfw runs"),
    ):
        with pytest.raises(RunError) as caught:
            open_checkpoint(path)
        assert str(caught.value) == f"{path}: {message}"


def test_the_licence_of_the_data_is_recorded_and_older_checkpoints_have_none(trained: Path) -> None:
    checkpoint = open_checkpoint(trained)
    assert checkpoint.manifest.data_licence == "CC-BY-SA-3.0"
    path = checkpoint.path / "manifest.json"
    values = json.loads(path.read_text())
    del values["data_licence"], values["sha256"]
    digest = hashlib.sha256(json.dumps(values).encode()).hexdigest()
    path.write_text(json.dumps({**values, "sha256": digest}))

    assert open_checkpoint(checkpoint.path).manifest.data_licence is None


@pytest.mark.parametrize("content", ['{"format": 99}', "[]", '"x"'])
def test_a_manifest_of_another_format_is_reported(tmp_path: Path, content: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(content)

    with pytest.raises(RunError) as caught:
        open_checkpoint(tmp_path)
    assert str(caught.value) == f"{path}: not a manifest of format 2, which this version of ganfw reads"


def test_a_torn_manifest_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text('{"format"')

    with pytest.raises(RunError) as caught:
        open_checkpoint(tmp_path)
    assert str(caught.value) == f"{path}: not JSON: Expecting ':' delimiter: line 1 column 10 (char 9)"
