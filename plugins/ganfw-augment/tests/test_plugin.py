"""The package as a plugin: what it offers, and that its parts and recipes keep their contracts."""

import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch

import ganfw
from ganfw.testing import Check, check_exact_resume, checks_of, small_recipe

README = Path(__file__).parents[1] / "README.md"


def test_parts_are_discovered(registry: ganfw.Registry) -> None:
    plugin = next(plugin for plugin in registry.plugins if plugin.distribution == "ganfw-augment")
    assert (plugin.status, plugin.reason) == ("active", "")
    assert plugin.version == version("ganfw-augment")
    assert [(part.kind, part.name) for part in plugin.parts] == [
        ("augmentation", "diffaugment"),
        ("augmentation", "ada"),
        ("augmentation", "instance_noise"),
        ("loss", "bce_smooth"),
        ("recipe", "mnist_small_diffaugment"),
        ("recipe", "mnist_small_ada"),
    ]


CHECKS = checks_of("ganfw-augment")


def test_every_part_and_recipe_is_checked() -> None:
    assert len({check.subject for check in CHECKS}) == 1 + 4 + 2


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_parts_keep_their_contract(device: torch.device, check: Check, tmp_path: Path) -> None:
    check(tmp_path, device=device)


def test_adaptive_augmentation_resumes_bit_for_bit_while_its_probability_moves(
    registry: ganfw.Registry, tmp_path: Path
) -> None:
    noise = {"use": "instance_noise", "updates": 6}
    recipe = ganfw.Recipe(
        name="adaptive",
        extends=small_recipe(registry),
        augmentations={"ada": {"use": "ada", "target": -0.9, "speed_images": 200, "every_passes": 2}, "noise": noise},
    )
    check_exact_resume(recipe, registry, tmp_path, stop_at=3, steps=8)


def test_probability_follows_the_signs_of_a_run(registry: ganfw.Registry, tmp_path: Path) -> None:
    recipe = ganfw.Recipe(
        name="adaptive",
        extends=small_recipe(registry),
        augmentations={"ada": {"use": "ada", "target": 0.5, "speed_images": 2000, "every_passes": 2}},
    )
    experiment = ganfw.assemble(ganfw.resolve(recipe, registry))
    ada = experiment.augmentations["ada"]
    ada.p.fill_(0.5)
    signs = []
    experiment.networks["discriminator"].register_forward_hook(
        lambda network, inputs, logits: signs.append(logits[:32].sign().mean().item()) if len(logits) == 64 else None
    )  # 32 real samples and 32 fakes go through in one pass
    ganfw.train(experiment, directory=tmp_path)
    assert len(signs) == 10
    changes = [1 if first + second > 2 * 0.5 else -1 for first, second in zip(signs[::2], signs[1::2], strict=True)]
    assert ada.p.item() == pytest.approx(0.5 + sum(changes) * 64 / 2000)


def test_recipe_in_the_readme_is_right(registry: ganfw.Registry) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) == 1
    experiment = ganfw.assemble(ganfw.resolve(ganfw.Recipe.parse(blocks[0]), registry))
    assert list(experiment.augmentations) == ["augment", "noise"]
    assert experiment.loss.real_target == 0.9


def test_python_in_the_readme_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) == 1
    names: dict[str, Any] = {}
    exec(blocks[0], names)
    assert names["augmented"].shape == (8, 3, 32, 32)
