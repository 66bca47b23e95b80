"""The recipes for CIFAR-10 and for a folder of colour images work from end to end, with narrow networks."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from colour_images import write_cifar10, write_shapes

import ganfw
from ganfw.cli import main
from ganfw.testing import check_exact_resume

CIFAR10 = ("cifar10_dcgan", "cifar10_resnet", "cifar10_resnet_conditional", "cifar10_r3gan", "cifar10_style")
IMAGES = ("images_dcgan_64", "images_resnet_64", "images_r3gan_64", "images_style_64")
ALL = (*CIFAR10, *IMAGES)
WIDTHS = {
    "dcgan": ("base_channels=4",),
    "resnet": ("channels=4",),
    "r3gan": ("base_channels=8", "max_channels=8", "blocks=1"),
    "style": ("base_channels=2", "most_channels=4"),
}


def small(recipe: str, data: Path) -> list[str]:
    """Return the changes with which a recipe takes seconds, on data that a test has written."""
    widths = [f"{network}.{key}" for network in ("generator", "discriminator") for key in WIDTHS[recipe.split("_")[1]]]
    place = [f"data.root={data}", "data.download=false"] if recipe in CIFAR10 else [f"data.folder={data}"]
    own = {"style": ["generator.w_dim=8", "discriminator.group=4"]}.get(recipe.split("_")[1], [])
    return [*place, *widths, *own, "noise.z_dim=8", "run.batch_size=8", "run.device=cpu"]


@pytest.fixture
def data_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> list[str]:
    recipe = request.getfixturevalue("recipe")
    if recipe in CIFAR10:
        write_cifar10(tmp_path / "data", monkeypatch)
    else:
        write_shapes(tmp_path / "data", each=20)
    return small(recipe, tmp_path / "data")


def call(*arguments: str) -> str:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("recipe", ALL)
def test_a_recipe_fits_its_data(recipe: str, data_of: Sequence[str], registry: ganfw.Registry) -> None:
    found = ganfw.Recipe.load(recipe, registry).with_overrides(data_of)
    experiment = ganfw.assemble(ganfw.resolve(found, registry))

    side, classes = (32, 10) if recipe in CIFAR10 else (64, 3)
    assert experiment.batches.sample_shape == (3, side, side)
    assert experiment.batches.num_classes == classes


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ALL)
def test_a_recipe_trains_is_resumed_sampled_and_evaluated(recipe: str, data_of: Sequence[str], tmp_path: Path) -> None:
    changes = [f"--set={change}" for change in (*data_of, "run.log_every_steps=4")]
    run = call("run", recipe, *changes, "--set=run.max_steps=16", "--out", str(tmp_path / "runs")).strip()
    call("resume", run, "--set=run.max_steps=24")
    call("sample", run, "-n", "4", "-o", str(tmp_path / "drawn"))
    call("evaluate", run, "-n", "100", "--set=metrics.frechet_distance.infinite=false")

    lines = [json.loads(line) for line in (Path(run) / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [4, 8, 12, 16, 20, 24]
    assert len(list((tmp_path / "drawn").glob("*.png"))) == 4
    (evaluation,) = Path(run).glob("eval/*.json")
    assert json.loads(evaluation.read_text())["step"] == 24


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ALL)
def test_a_recipe_resumes_exactly(
    recipe: str, data_of: Sequence[str], registry: ganfw.Registry, tmp_path: Path
) -> None:
    found = ganfw.Recipe.load(recipe, registry).with_overrides(data_of)
    check_exact_resume(found, registry, tmp_path / "runs", stop_at=2, steps=3)
