import hashlib
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import ganfw
from ganfw import Recipe, RecipeError, Registry, RunError, open_checkpoint, resume_training

Run = Callable[..., Path]


def test_checkpoint_alone_is_enough_to_sample(registry: Registry, trained: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    shutil.move(open_checkpoint(trained).path, alone)
    shutil.rmtree(trained)

    generator, noise = open_checkpoint(alone).load_sampler(registry, "cpu")

    assert ganfw.sample(generator, noise, 5).shape == (5, 1, 28, 28)


def test_sampling_a_checkpoint_shows_the_last_grid_of_its_run(registry: Registry, trained: Path) -> None:
    checkpoint = open_checkpoint(trained)
    generator, noise = checkpoint.load_sampler(registry, "cpu")

    ganfw.write_png(
        trained / "again.png", ganfw.image_grid(ganfw.sample(generator, noise, 25, seed=checkpoint.manifest.seed))
    )

    assert (trained / "again.png").read_bytes() == (trained / "samples" / "step-000010.png").read_bytes()


def test_sampler_is_rebuilt_with_the_facts_and_states_of_both_parts(
    run: Run, scripted_registry: Registry, tiny: Recipe, tmp_path: Path
) -> None:
    recipe = Recipe(extends=tiny, noise={"use": "counting"}, generator={"use": "asking"})
    directory = run(recipe, tmp_path)

    generator, noise = open_checkpoint(directory).load_sampler(scripted_registry, "cpu")

    assert generator.noise is noise
    assert noise.calls == 26  # two a step; one for the check at assembly, each of two grids and of three windows


def test_loading_a_sampler_leaves_global_randomness_alone(registry: Registry, trained: Path) -> None:
    state = torch.get_rng_state()
    open_checkpoint(trained).load_sampler(registry, "cpu")

    assert torch.equal(torch.get_rng_state(), state)


def test_weights_can_be_read_without_ganfw(registry: Registry, trained: Path) -> None:
    checkpoint = open_checkpoint(trained)
    weights = load_file(checkpoint.path / "generator.safetensors")
    generator, _ = checkpoint.load_sampler(registry, "cpu")

    assert weights.keys() == generator.state_dict().keys()
    assert all(torch.equal(weights[name], value) for name, value in generator.state_dict().items())


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
def test_a_damaged_file_is_told(trained: Path, name: str, damage: str) -> None:
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
        "link": "no ordinary file",
        "grow": f"larger than {len(content)} bytes",
    }
    assert str(caught.value) == f"{path}: {expected.get(damage, 'damaged: it is not what the manifest says')}"


def test_the_newest_undamaged_checkpoint_is_opened_and_damage_is_told(registry: Registry, trained: Path) -> None:
    folder = trained / "checkpoints"
    damaged = folder / "step-000010" / "generator.safetensors"
    flip(damaged)

    checkpoint = open_checkpoint(trained)

    assert checkpoint.path == folder / "step-000006"
    assert checkpoint.skipped == (f"{damaged}: damaged: it is not what the manifest says",)
    assert checkpoint.load_sampler(registry, "cpu")


def test_a_run_whose_checkpoints_are_all_damaged_is_told(trained: Path) -> None:
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


def forge(checkpoint: Path, name: str, content: bytes) -> None:
    """Put a file into a checkpoint and make the manifest vouch for it, as a stranger with bad intent would."""
    (checkpoint / name).write_bytes(content)
    manifest = json.loads((checkpoint / "manifest.json").read_text())
    manifest["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (checkpoint / "manifest.json").write_text(json.dumps(manifest))


class Bomb:
    """Creates a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("exploded",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps(Bomb()), "no safetensors file: "),
        ((1 << 45).to_bytes(8, "little") + b"{}", "no safetensors file: "),
        (b"\x00" * 3, "no safetensors file: "),
        (
            (67).to_bytes(8, "little") + b'{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398]}}',
            "no safetensors file: ",
        ),
    ],
    ids=["pickle", "header of terabytes", "too short", "tensor of terabytes"],
)
def test_weights_that_are_no_safetensors_are_refused_and_nothing_runs(
    registry: Registry, trained: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str
) -> None:
    monkeypatch.chdir(trained)
    checkpoint = trained / "checkpoints" / "step-000010"
    forge(checkpoint, "generator.safetensors", content)

    with pytest.raises(RunError) as caught:
        open_checkpoint(checkpoint).load_sampler(registry, "cpu")
    assert str(caught.value).startswith(f"{checkpoint}/generator.safetensors: {message}")
    assert not (trained / "exploded").exists()


def test_a_network_larger_than_its_weights_is_refused_before_it_is_allocated(registry: Registry, trained: Path) -> None:
    checkpoint = trained / "checkpoints" / "step-000010"
    recipe = (checkpoint / "recipe.toml").read_text()
    forge(checkpoint, "recipe.toml", recipe.replace("hidden_dim = 4", "hidden_dim = 100000000").encode())

    with pytest.raises(RunError) as caught:
        open_checkpoint(checkpoint).load_sampler(registry, "cpu")
    assert str(caught.value) == (
        f"{checkpoint}: its weights do not fit the generator of its recipe: '0.0.bias' is (4,), not (100000000,)"
    )
    shutil.rmtree(trained / "checkpoints" / "step-000006")
    with pytest.raises(RunError, match="its weights do not fit the generator of its recipe"):
        resume_training(trained, registry)


def test_a_part_named_by_a_dotted_path_is_looked_up_and_not_imported(registry: Registry, trained: Path) -> None:
    checkpoint = trained / "checkpoints" / "step-000010"
    (trained / "evil.py").write_text("raise SystemExit('imported')")
    recipe = (checkpoint / "recipe.toml").read_text()
    forge(checkpoint, "recipe.toml", recipe.replace('use = "ganfw:normal"', 'use = "evil:Noise"').encode())

    with pytest.raises(RecipeError) as caught:
        open_checkpoint(checkpoint).load_sampler(registry, "cpu")
    assert "no noise is named 'evil:Noise'" in str(caught.value)


def test_a_recipe_that_would_read_other_files_is_refused(registry: Registry, trained: Path) -> None:
    checkpoint = trained / "checkpoints" / "step-000010"
    forge(checkpoint, "recipe.toml", b'extends = "/etc/passwd"\n')

    with pytest.raises(RunError) as caught:
        open_checkpoint(checkpoint).load_sampler(registry, "cpu")
    file = checkpoint / "recipe.toml"
    assert str(caught.value) == (
        f'{file}: no recipe of a checkpoint: {file}:1: extends is refused here\n    extends = "/etc/passwd"'
    )


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/b", ".hidden", ""])
def test_a_file_name_that_leaves_the_checkpoint_is_refused(trained: Path, name: str) -> None:
    path = trained / "checkpoints" / "step-000010" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"][name] = {"bytes": 1, "sha256": "0" * 64}
    path.write_text(json.dumps(manifest))

    with pytest.raises(RunError) as caught:
        open_checkpoint(path.parent)
    assert str(caught.value).startswith(f"{path}: damaged: ")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("step", -1),
        ("step", "6"),
        ("step", 1.5),
        ("name", "../../evil"),
        ("name", ".."),
        ("seed", None),
        ("sample_shape", [0, 28, 28]),
        ("sample_shape", 3),
        ("z_dim", 0),
        ("parts", []),
        ("files", {"state.json": {"bytes": 1 << 60, "sha256": "0" * 64}}),
        ("files", {"state.json": {"bytes": 3}}),
        ("files", None),
        ("extra", 1),
    ],
)
def test_a_manifest_that_says_what_none_can_is_refused(trained: Path, key: str, value: object) -> None:
    path = trained / "checkpoints" / "step-000010" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))

    with pytest.raises(RunError) as caught:
        open_checkpoint(path.parent)
    assert str(caught.value).startswith(f"{path}: damaged: ")


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (b"[1]", "/state.json: holds no states"),
        (b"[" * 100_000, "/state.json: no JSON: maximum recursion depth exceeded"),
        (b"{}", ": holds no state of 'generator'"),
        (b'{"generator": {"$call": "os.system"}}', None),
        (b'{"generator": {}}', ": its weights do not fit the generator of its recipe: "),
    ],
)
def test_a_forged_state_is_refused(registry: Registry, trained: Path, state: bytes, message: str | None) -> None:
    checkpoint = trained / "checkpoints" / "step-000010"
    forge(checkpoint, "state.json", state)

    with pytest.raises(RunError) as caught:
        open_checkpoint(checkpoint).load_sampler(registry, "cpu")
    if message:
        assert str(caught.value).startswith(f"{checkpoint}{message}")
    else:
        assert str(caught.value).startswith("the saved state has an entry that cannot be read: ")


def test_a_folder_that_is_no_run_is_told(tmp_path: Path) -> None:
    for path, message in (
        (tmp_path / "gone", "no such run directory or checkpoint"),
        (tmp_path, "neither a checkpoint nor a run directory with one in it"),
    ):
        with pytest.raises(RunError) as caught:
            open_checkpoint(path)
        assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize("content", ['{"format": 99}', "[]", '"x"'])
def test_a_manifest_of_another_format_is_told(tmp_path: Path, content: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(content)

    with pytest.raises(RunError) as caught:
        open_checkpoint(tmp_path)
    assert str(caught.value) == f"{path}: no manifest of format 1, which this version of ganfw reads"


def test_a_torn_manifest_is_told(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text('{"format"')

    with pytest.raises(RunError) as caught:
        open_checkpoint(tmp_path)
    assert str(caught.value) == f"{path}: no JSON: Expecting ':' delimiter: line 1 column 10 (char 9)"
