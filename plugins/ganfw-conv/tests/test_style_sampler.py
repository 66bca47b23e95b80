"""The sampler of style-based generators: truncation in w, injected noise, and `ganfw sample`."""

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from style_recipes import small_style
from torch import Tensor, nn

import ganfw
from ganfw.cli import main
from ganfw_conv.style.generator import ConditionalStyleGenerator, StyleGenerator
from ganfw_conv.style.sampler import StyleSampler

SHAPE = (1, 28, 28)
Z_DIM = 5


class Noise:
    """Normal noise."""

    z_dim = Z_DIM
    device = torch.device("cpu")

    def __call__(self, count: int, random: torch.Generator) -> Tensor:
        return torch.randn(count, Z_DIM, generator=random)


def trained(generator: nn.Module, strength: float = 0.3) -> nn.Module:
    """Give a generator a mean of w and injected noise of a strength."""
    nn.init.normal_(generator.mapping.mean)
    for convolution in generator.synthesis.convolutions:
        nn.init.constant_(convolution.strength, strength)
    return generator


@pytest.fixture
def generator() -> nn.Module:
    torch.manual_seed(0)
    return trained(StyleGenerator(Z_DIM, SHAPE, base_channels=2))


def sample(generator: nn.Module, count: int = 4, *, injected: str = "fixed", **request: object) -> Tensor:
    return StyleSampler(generator, Noise(), injected_noise=injected)(ganfw.SampleRequest(count=count, **request))


@pytest.mark.parametrize("psi", [0.0, 0.3, 1.0, 1.5])
def test_truncation_moves_w_towards_its_mean(generator: nn.Module, psi: float) -> None:
    z = ganfw.draw_noise(Noise(), 4, seed=3)
    with torch.no_grad(), ganfw.evaluation_mode(generator):
        w, mean = generator.mapping(z), generator.mapping.mean
        expected = generator.synthesis(mean + psi * (w - mean))
    torch.testing.assert_close(sample(generator, seed=3, truncation=psi), expected)


def test_truncation_of_a_conditional_generator_is_towards_the_mean_of_the_class() -> None:
    torch.manual_seed(0)
    generator = trained(ConditionalStyleGenerator(Z_DIM, SHAPE, 3, base_channels=2))
    images = sample(generator, 6, truncation=0.0)
    torch.testing.assert_close(images[:3], images[3:])
    assert not torch.allclose(images[0], images[1])
    with torch.no_grad(), ganfw.evaluation_mode(generator):
        torch.testing.assert_close(images[:3], generator.synthesis(generator.mapping.mean))
    chosen = sample(generator, 2, truncation=0.0, labels=torch.tensor([2, 0]))
    torch.testing.assert_close(chosen, images[[2, 0]])


def test_without_truncation_and_with_fixed_noise_samples_are_the_generators_own(generator: nn.Module) -> None:
    expected = ganfw.sample(generator, Noise(), 4, seed=1)
    torch.testing.assert_close(sample(generator, seed=1), expected)


def test_at_truncation_0_samples_differ_only_by_injected_noise(generator: nn.Module) -> None:
    fixed = sample(generator, truncation=0.0)
    torch.testing.assert_close(fixed, fixed[:1].expand_as(fixed))
    drawn = sample(generator, injected="drawn", truncation=0.0)
    assert not torch.allclose(drawn[0], drawn[1])
    silent = sample(trained(generator, 0.0), injected="drawn", truncation=0.0)
    torch.testing.assert_close(silent, silent[:1].expand_as(silent))


def test_injected_noise_of_a_sample_depends_on_the_seed_and_its_row_only(generator: nn.Module) -> None:
    sampler = StyleSampler(generator, Noise())
    few, many, other = (
        sampler._injected(ganfw.SampleRequest(count=count, seed=seed)) for count, seed in ((3, 5), (9, 5), (9, 6))
    )
    assert torch.equal(many[:3], few)
    correlations = torch.corrcoef(torch.cat([many, other]))[~torch.eye(18, dtype=torch.bool)]
    assert correlations.abs().max() < 0.1
    torch.testing.assert_close(
        sample(generator, 9, injected="drawn", seed=5, batch_size=2), sample(generator, 9, injected="drawn", seed=5)
    )


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({"count": 0}, "the number of samples must be >= 1, not 0"),
        ({"truncation": -0.5}, "the truncation in w must be >= 0, not -0.5"),
        ({"labels": torch.zeros(4).long()}, "this generator is not conditional and takes no labels; leave them out"),
    ],
)
def test_request_that_cannot_be_fulfilled_is_refused(
    generator: nn.Module, request_: dict[str, object], error: str
) -> None:
    with pytest.raises(ganfw.InputError) as refusal:
        sample(generator, **request_)
    assert str(refusal.value) == error


def test_generator_without_a_mean_of_w_is_refused() -> None:
    with pytest.raises(ganfw.InputError) as refusal:
        StyleSampler(nn.Linear(5, 5), Noise())
    assert str(refusal.value) == "this sampler needs a generator that keeps a mean of w, such as 'style'; choose one"


def test_ganfw_sample_truncates_in_w(registry: ganfw.Registry, tmp_path: Path) -> None:
    recipe = ganfw.Recipe(
        name="style",
        extends=small_style(registry, "generator.inject_noise=true", "run.max_steps=2"),
        sampler={"use": "style", "injected_noise": "fixed"},
        averaging={"generator": {"use": "ema"}},
    )
    experiment = ganfw.assemble(ganfw.resolve(recipe, registry))
    run = ganfw.create_run_directory(tmp_path, experiment)
    ganfw.train(experiment, directory=run)
    images = {}
    for psi in ("0", "0.7", "1"):
        place = tmp_path / f"{psi}.npy"
        result = CliRunner().invoke(main, ["sample", str(run), "-n", "6", "--truncation", psi, "-o", str(place)])
        assert result.exit_code == 0, result.output
        images[psi] = np.load(place)
    spread = {psi: float(each.std(0).mean()) for psi, each in images.items()}
    assert spread["0"] < 1e-6 < spread["0.7"] < spread["1"]
