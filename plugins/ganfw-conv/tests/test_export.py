"""The code of this package's generators can be taken along: `ganfw export --format torch`."""

import re
import runpy
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import ganfw
from ganfw.cli import main

GENERATORS = {
    "dcgan": {"base_channels": 2},
    "dcgan_conditional": {"base_channels": 2},
    "resnet": {"channels": 2, "attention": 14},
    "resnet_conditional": {"channels": 2},
    "r3gan": {"base_channels": 8, "patch": 2},
    "r3gan_conditional": {"base_channels": 8},
    "progressive": {"base_channels": 2},
    "style": {"base_channels": 2},
    "style_conditional": {"base_channels": 2},
}


@pytest.mark.parametrize("name", GENERATORS)
def test_samples_without_ganfw_are_the_same(name: str, registry: ganfw.Registry, tmp_path: Path) -> None:
    recipe = ganfw.Recipe(
        name="small",
        extends="mnist_mlp_short",
        run={"max_steps": 1, "batch_size": 8, "device": "cpu"},
        data={"split": "test"},
        generator={"use": name, **GENERATORS[name]},
        discriminator={"hidden_dim": 2},
        callbacks={"samples": {"enabled": False}},
    )
    experiment = ganfw.assemble(ganfw.resolve(recipe, registry))
    run = ganfw.create_run_directory(tmp_path / "runs", experiment)
    ganfw.train(experiment, directory=run)

    result = CliRunner().invoke(main, ["export", str(run), "--format", "torch", "-o", str(tmp_path / "alone")])

    assert result.exit_code == 0, result.output
    code = (tmp_path / "alone" / "generator.py").read_text(encoding="utf-8")
    assert not re.search(r"^\s*(import|from) ganfw", code, re.MULTILINE)
    alone = runpy.run_path(str(tmp_path / "alone" / "generator.py"))["load_generator"]()
    z = torch.randn(10, experiment.noise.z_dim)
    labels = (torch.arange(10),) if name.endswith("conditional") else ()
    generator = experiment.networks["generator"].eval()
    with torch.no_grad():
        assert torch.equal(alone(z, *labels), generator(z, *labels))
