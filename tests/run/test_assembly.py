"""Networks that start from saved weights, or stay as they are."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import ganfw
from ganfw import PartError, Recipe, Registry, RunError, open_checkpoint, resume_training
from ganfw.run.assembly import load_weights, read_weights


@pytest.fixture(scope="session")
def open_registry() -> Registry:
    """Return a registry with an encoder, and a step that trains it."""
    return ganfw.discover(scripts=[Path(__file__).with_name("open_parts.py")])


@pytest.fixture
def open_recipe(tiny: Recipe) -> Recipe:
    """Return a recipe with three networks under two optimizers."""
    return Recipe(
        name="open",
        extends=tiny,
        networks={"encoder": {"use": "encoder"}},
        step={"use": "encoding"},
        optimizer={"generator": {"networks": ["generator", "encoder"]}},
    )


def run(recipe: Recipe, registry: Registry, folder: Path) -> Path:
    experiment = ganfw.assemble(ganfw.resolve(recipe, registry))
    directory = ganfw.create_run_directory(folder, experiment)
    ganfw.train(experiment, directory=directory)
    return directory


def weights(run: Path, name: str) -> dict[str, torch.Tensor]:
    return load_file(open_checkpoint(run).path / f"{name}.safetensors")


def assert_equal(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> None:
    assert left.keys() == right.keys()
    assert all(torch.equal(left[name], right[name]) for name in left)


@pytest.mark.parametrize("source", ["run", "checkpoint", "file"])
def test_a_network_starts_from_weights_of_another_run(
    open_registry: Registry, open_recipe: Recipe, tmp_path: Path, source: str
) -> None:
    first = run(open_recipe, open_registry, tmp_path)
    checkpoint = open_checkpoint(first).path
    file = checkpoint / "networks.encoder.safetensors"
    init = {"run": first, "checkpoint": checkpoint, "file": tmp_path / "encoder.safetensors"}[source]
    shutil.copy(file, tmp_path / "encoder.safetensors")
    started = Recipe(name="started", extends=open_recipe, networks={"encoder": {"init": str(init)}})

    experiment = ganfw.assemble(ganfw.resolve(started, open_registry))

    assert_equal(experiment.networks["encoder"].state_dict(), load_file(file))
    directory = ganfw.create_run_directory(tmp_path, experiment)
    assert json.loads((directory / "environment.json").read_text())["initial_weights"] == {
        "encoder": {"path": str(init), "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    }


def test_a_resume_does_not_need_what_a_network_started_from(
    open_registry: Registry, open_recipe: Recipe, tmp_path: Path
) -> None:
    first = run(open_recipe, open_registry, tmp_path)
    started = Recipe(name="started", extends=open_recipe, networks={"encoder": {"init": str(first)}})
    second = run(started, open_registry, tmp_path)
    shutil.rmtree(first)

    training, _ = resume_training(second, open_registry, ["run.max_steps=12"])
    training.run()

    assert open_checkpoint(second).manifest.step == 12


def test_weights_that_do_not_fit_are_refused_before_training(
    open_registry: Registry, open_recipe: Recipe, tmp_path: Path
) -> None:
    file = tmp_path / "encoder.safetensors"
    save_file({"1.weight": torch.zeros(5, 784), "4.bias": torch.ones(64)}, file)

    def started(**keys: Any) -> ganfw.Experiment:
        recipe = Recipe(extends=open_recipe, networks={"encoder": {"init": str(file), **keys}})
        return ganfw.assemble(ganfw.resolve(recipe, open_registry))

    with pytest.raises(PartError) as caught:
        started()
    assert str(caught.value) == (
        f"[networks.encoder] init = '{file}' does not fit: '1.weight' is (5, 784), not (4, 784); "
        "set init_partial = true to take what fits"
    )
    encoder = started(init_partial=True).networks["encoder"].state_dict()
    assert torch.equal(encoder["4.bias"], torch.ones(64))
    assert encoder["1.weight"].shape == (4, 784)
    save_file({"1.weight": torch.zeros(5, 784)}, file)
    for weights in ({"1.weight": torch.zeros(5, 784)}, {}):
        save_file(weights, file)
        with pytest.raises(PartError, match="does not fit: no tensor there has the name and the shape of one of"):
            started(init_partial=True)


class Counted(nn.Linear):
    """A network whose state is more than tensors."""

    calls = 0

    def get_extra_state(self) -> dict[str, int]:
        return {"calls": self.calls}

    def set_extra_state(self, state: dict[str, int]) -> None:
        self.calls = state["calls"]


def test_state_that_is_no_tensor_is_taken_where_it_is_there() -> None:
    first, second, third = Counted(2, 2), Counted(2, 2), Counted(2, 2)
    first.calls = 3
    state = first.state_dict()

    load_weights(second, state, "init")
    load_weights(third, {name: state[name] for name in ("weight", "bias")}, "init")

    for each, calls in ((second, 3), (third, 0)):
        assert torch.equal(each.weight, first.weight)
        assert each.calls == calls
    with pytest.raises(PartError, match="init does not fit: no tensor there"):
        load_weights(second, {"_extra_state": {"calls": 5}}, "init", partial=True)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone", None, "{path}: no such run directory or checkpoint; see: ganfw runs"),
        ("gone.safetensors", None, "{path}: cannot be read: No such file or directory"),
        ("torn.safetensors", b"torn", "{path}: not a safetensors file, which it must be: …"),
    ],
)
def test_weights_that_cannot_be_read_are_reported(
    open_registry: Registry, open_recipe: Recipe, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    recipe = Recipe(extends=open_recipe, networks={"encoder": {"init": str(path)}})

    with pytest.raises(RunError) as caught:
        ganfw.assemble(ganfw.resolve(recipe, open_registry))
    assert str(caught.value).startswith(message.format(path=path).rstrip("…"))


def test_a_run_without_that_network_is_reported(open_registry: Registry, open_recipe: Recipe, trained: Path) -> None:
    recipe = Recipe(extends=open_recipe, networks={"encoder": {"init": str(trained)}})

    with pytest.raises(RunError) as caught:
        ganfw.assemble(ganfw.resolve(recipe, open_registry))
    assert str(caught.value) == f"{open_checkpoint(trained).path}: holds no state of 'networks.encoder'"


def test_state_that_is_not_weights_by_name_is_reported(trained: Path) -> None:
    with pytest.raises(RunError) as caught:
        read_weights(str(trained), "optimizer.generator")
    assert str(caught.value) == (
        f"{open_checkpoint(trained).path}: 'optimizer.generator' is not a network there, because "
        "its state is not weights by name; name a network"
    )


def test_a_frozen_network_stays_as_it_is(open_registry: Registry, open_recipe: Recipe, tmp_path: Path) -> None:
    first = run(open_recipe, open_registry, tmp_path)
    frozen = {"encoder": {"init": str(first), "frozen": True}}
    second = run(
        Recipe(
            name="frozen", extends=open_recipe, networks=frozen, optimizer={"generator": {"networks": ["generator"]}}
        ),
        open_registry,
        tmp_path,
    )

    assert_equal(weights(second, "networks.encoder"), weights(first, "networks.encoder"))  # BatchNorm's means as well
    assert not torch.equal(weights(second, "generator")["0.0.weight"], weights(first, "generator")["0.0.weight"])
