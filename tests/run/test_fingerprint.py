"""What was trained is what is sampled, or else it is noticed."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import ganfw
from ganfw import Recipe, Registry, RunError, open_checkpoint

SCRIPT = Path(__file__).with_name("open_parts.py")


@pytest.fixture(scope="session")
def open_registry() -> Registry:
    """Return a registry with a generator that has a random buffer which is not saved."""
    return ganfw.discover(scripts=[SCRIPT])


@pytest.fixture
def fourier(tiny: Recipe) -> Recipe:
    """Return a recipe with that generator."""
    return Recipe(name="fourier", extends=tiny, generator={"use": "fourier"})


@pytest.mark.parametrize("averaging", [{}, {"generator": {"use": "ema"}}])
def test_a_random_buffer_that_is_not_saved_is_drawn_again_as_it_was(
    device: torch.device, open_registry: Registry, fourier: Recipe, tmp_path: Path, averaging: dict[str, object]
) -> None:
    recipe = Recipe(name="fourier", extends=fourier, averaging=averaging)
    experiment = ganfw.assemble(ganfw.resolve(recipe, open_registry))
    directory = ganfw.create_run_directory(tmp_path, experiment)
    ganfw.train(experiment, directory=directory)
    expected = experiment.source.sample(10, seed=3)
    torch.manual_seed(1234)

    source = open_checkpoint(directory).source(open_registry, device)

    assert torch.equal(source.sample(10, seed=3), expected)


def test_a_checkpoint_keeps_two_samples_of_the_seed(device: torch.device, registry: Registry, trained: Path) -> None:
    checkpoint = open_checkpoint(trained)
    saved = load_file(checkpoint.path / "fingerprint.safetensors")

    assert list(saved) == ["samples"]
    assert saved["samples"].dtype == torch.float32
    assert torch.equal(saved["samples"], checkpoint.source(registry, device).sample(2, seed=checkpoint.manifest.seed))
    assert checkpoint.manifest.device == device.type


def test_networks_that_sample_otherwise_than_when_they_were_saved_are_refused(
    device: torch.device, registry: Registry, tiny: Recipe, tmp_path: Path
) -> None:
    script = tmp_path / "changing_network.py"
    script.write_text(SCRIPT.read_text().replace("open_parts:", "changing_network:"))
    before = ganfw.discover(scripts=[script])
    recipe = Recipe(name="fourier", extends=tiny, generator={"use": "fourier"})
    experiment = ganfw.assemble(ganfw.resolve(recipe, before))
    directory = ganfw.create_run_directory(tmp_path, experiment)
    ganfw.train(experiment, directory=directory)
    script.write_text(script.read_text().replace("torch.sin", "torch.cos"))
    changed = ganfw.discover(scripts=[script])

    with pytest.raises(RunError) as caught:
        open_checkpoint(directory).source(changed, device)
    message = str(caught.value)
    start = (
        f"{open_checkpoint(directory).path}: its networks are built again and give other samples than when they were "
        "saved, which differ by up to 0."
    )
    end = ": the code of a part has changed, or a part keeps something that is not in its state_dict()"
    assert message.startswith(start)
    assert message.endswith(end)
    with pytest.raises(RunError, match="give other samples"):
        ganfw.resume_training(directory, changed)


def test_an_experiment_that_cannot_sample_from_a_seed_has_no_fingerprint(
    registry: Registry, tiny: Recipe, tmp_path: Path
) -> None:
    experiment = ganfw.assemble(ganfw.resolve(tiny, registry))
    experiment.noise = None
    checkpoint = ganfw.save_checkpoint(ganfw.Training(experiment, tmp_path))

    assert "fingerprint.safetensors" not in open_checkpoint(checkpoint).manifest.files


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"precision": "bf16"}, marks=pytest.mark.bf16),
        pytest.param({"compile": True}, marks=pytest.mark.slow),
        {"accumulate": 4},
    ],
)
def test_samples_are_the_same_however_a_run_computes(
    device: torch.device, registry: Registry, tiny: Recipe, tmp_path: Path, settings: dict[str, object]
) -> None:
    experiment = ganfw.assemble(ganfw.resolve(Recipe(name="tiny", extends=tiny, run=settings), registry))
    directory = ganfw.create_run_directory(tmp_path, experiment)
    ganfw.train(experiment, directory=directory)

    checkpoint = open_checkpoint(directory)
    saved = load_file(checkpoint.path / "fingerprint.safetensors")["samples"]
    assert torch.allclose(checkpoint.source(registry, device).sample(2, seed=0), saved, atol=1e-6)
