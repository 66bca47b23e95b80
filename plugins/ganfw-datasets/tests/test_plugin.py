"""The package as a plugin: what it offers, that its recipe trains and its data resumes."""

import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

import ganfw
from ganfw.testing import check_exact_resume

README = Path(__file__).parents[1] / "README.md"
SMALL: dict[str, Any] = {
    "run": {"batch_size": 16, "log_every_steps": 5, "device": "cpu", "workers": 0},
    "generator": {"hidden_dim": 4},
    "discriminator": {"hidden_dim": 4},
}


def test_parts_are_discovered(registry: ganfw.Registry) -> None:
    plugin = next(plugin for plugin in registry.plugins if plugin.distribution == "ganfw-datasets")
    assert (plugin.status, plugin.reason) == ("active", "")
    assert plugin.version == version("ganfw-datasets")
    assert [(part.kind, part.name) for part in plugin.parts] == [
        ("data", "fashion_mnist"),
        ("data", "kmnist"),
        ("data", "emnist"),
        ("data", "cifar10"),
        ("data", "image_folder"),
        ("data", "sines"),
        ("data", "two_columns"),
        ("metric", "sine_fit"),
        ("metric", "columns"),
        ("recipe", "fashion_mlp"),
        ("recipe", "images_mlp"),
        ("recipe", "sines_mlp"),
        ("recipe", "two_columns_mlp"),
    ]


def test_every_key_of_every_part_is_documented_and_has_a_default(registry: ganfw.Registry) -> None:
    offers = [offer for offer in registry.parts() if offer.plugin.distribution == "ganfw-datasets"]
    parts = [offer for offer in offers if offer.part.kind != "recipe"]
    for offer in parts:
        for key in offer.signature().keys.values():
            assert key.help, f"{offer}: {key.name}"
            assert not key.required, f"{offer}: {key.name}"
    assert len(parts) == 9


def test_recipe_changes_the_data_and_the_length_of_mnist_mlp(registry: ganfw.Registry) -> None:
    base = ganfw.Recipe.load("mnist_mlp", registry).tables
    recipe = ganfw.Recipe.load("fashion_mlp", registry).tables
    assert {name for name in recipe if recipe[name] != base[name]} == {"run", "data"}
    assert recipe["data"] == {"use": "ganfw-datasets:fashion_mnist", "download": True}


def test_recipe_trains_on_files_that_are_there(registry: ganfw.Registry, root: Path, tmp_path: Path) -> None:
    recipe = ganfw.Recipe(extends="fashion_mlp", registry=registry, data={"root": str(root)}, **SMALL)
    experiment = ganfw.assemble(ganfw.resolve(recipe, registry))
    training = ganfw.train(experiment, steps=5, directory=tmp_path)
    assert training.finished
    assert (tmp_path / "samples" / "step-000005.png").exists()


def test_recipe_of_images_of_ones_own_needs_their_folder_alone(
    registry: ganfw.Registry, tmp_path: Path, write_images: Callable[[Path], None]
) -> None:
    write_images(tmp_path / "images")
    folder = {"folder": str(tmp_path / "images")}
    recipe = ganfw.Recipe(extends="images_mlp", registry=registry, data=folder, **SMALL)
    training = ganfw.train(ganfw.assemble(ganfw.resolve(recipe, registry)), steps=5, directory=tmp_path)
    assert training.experiment.batches.sample_shape == (3, 32, 32)
    assert (tmp_path / "samples" / "step-000005.png").exists()


@pytest.mark.parametrize("name", ["fashion_mnist", "kmnist", "emnist", "cifar10", "image_folder", "folder on disk"])
def test_data_resumes_bit_for_bit(
    name: str, registry: ganfw.Registry, known_cifar: Path, tmp_path: Path, write_images: Callable[[Path], None]
) -> None:
    data: dict[str, Any] = {"use": f"ganfw-datasets:{name}", "root": str(known_cifar)}
    if "folder" in name:
        folder = tmp_path / "images"
        write_images(folder)
        limit = 0 if name == "folder on disk" else 2000
        data = {"use": "image_folder", "folder": str(folder), "size": 8, "memory_limit_mb": limit}
    recipe = ganfw.Recipe(name="small", extends=ganfw.Recipe.load("mnist_mlp", registry), data=data, **SMALL)

    check_exact_resume(recipe, registry, tmp_path / "runs")


def test_recipe_in_the_readme_is_right(registry: ganfw.Registry) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) == 1
    resolved = ganfw.resolve(ganfw.Recipe.parse(blocks[0]), registry)
    assert resolved.recipe.tables["data"] == {
        "use": "image_folder",
        "folder": "~/pictures/cats",
        "size": 32,
        "fit": "crop",
        "channels": 3,
        "background": "white",
        "labels": "auto",
        "memory_limit_mb": 2000,
    }
