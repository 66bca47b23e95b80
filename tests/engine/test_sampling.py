import math

import numpy as np
import pytest
import torch
from attrs import evolve
from torch import Tensor, nn

import ganfw
from ganfw import InputError, Noise, Recipe, Registry, draw_noise, evaluation_mode, generate, interpolate, sample


@pytest.fixture(scope="module")
def generator(device: torch.device, registry: Registry) -> nn.Module:
    """Return a generator of the reference size whose BatchNorm has seen data."""
    torch.manual_seed(0)
    network: nn.Module = registry.load("generator", "mlp")(64, (1, 28, 28)).to(device)
    with torch.no_grad():
        for _ in range(20):
            network(torch.randn(128, 64).to(device))
    return network


@pytest.fixture(scope="module")
def noise(device: torch.device, registry: Registry) -> Noise:
    """Return standard normal noise."""
    sampler: Noise = registry.load("noise", "normal")(device, z_dim=64)
    return sampler


def test_samples_are_float_images_in_0_to_1(generator: nn.Module, noise: Noise) -> None:
    images = sample(generator, noise, 25)

    assert (images.shape, images.dtype, images.device.type) == ((25, 1, 28, 28), torch.float32, "cpu")
    assert 0 <= float(images.min()) < float(images.max()) <= 1


def test_samples_are_a_function_of_the_seed(generator: nn.Module, noise: Noise) -> None:
    assert torch.equal(sample(generator, noise, 9, seed=4), sample(generator, noise, 9, seed=4))
    assert not torch.equal(sample(generator, noise, 9, seed=4), sample(generator, noise, 9, seed=5))


@pytest.mark.parametrize("batch_size", [64, 65, 100, 999, 5000])
def test_batch_size_does_not_change_a_bit(generator: nn.Module, noise: Noise, batch_size: int) -> None:
    expected = sample(generator, noise, 1000)

    assert torch.equal(sample(generator, noise, 1000, batch_size=batch_size), expected)


@pytest.mark.parametrize("batch_size", [1, 7, 63])
def test_fewer_rows_than_a_block_change_last_digits_at_most(
    generator: nn.Module, noise: Noise, batch_size: int
) -> None:
    expected = sample(generator, noise, 100)

    torch.testing.assert_close(sample(generator, noise, 100, batch_size=batch_size), expected, rtol=0, atol=1e-6)


class Spy(nn.Module):
    """Gives its noise back, and notes of how many rows it was."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def forward(self, z: Tensor) -> Tensor:
        self.seen.append(len(z))
        return z


@pytest.mark.parametrize(
    ("batch_size", "seen"), [(100, [128, 128, 64]), (64, [64] * 5), (63, [63] * 5), (200, [256, 64])]
)
def test_batch_size_bounds_what_goes_through_at_once(noise: Noise, batch_size: int, seen: list[int]) -> None:
    spy = Spy()

    assert sample(spy, noise, 300, batch_size=batch_size).shape == (300, 64)
    assert spy.seen == seen


@pytest.mark.parametrize(("trained_with", "rows"), [(2, 2), (63, 63), (64, 64), (96, 64), (128, 128), (200, 192)])
def test_as_many_go_through_at_once_as_in_training(
    registry: Registry, tiny: Recipe, trained_with: int, rows: int
) -> None:
    experiment = ganfw.assemble(ganfw.resolve(Recipe(extends=tiny, run={"batch_size": trained_with}), registry))
    spy = Spy()
    source = evolve(experiment.source, networks={"generator": spy})
    source.sample(300)
    assert max(spy.seen) == rows
    spy.seen.clear()
    source.sample(300, batch_size=300)
    assert spy.seen == [320]


def test_too_little_memory_says_what_to_lower(noise: Noise) -> None:
    class Vast(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            return torch.empty(1 << 45)

    with pytest.raises(InputError) as caught:
        sample(Vast(), noise, 3, batch_size=100)
    assert str(caught.value) == "the memory is too small for 128 at once: lower --batch-size"


def test_sampling_leaves_modes_statistics_and_randomness_alone(generator: nn.Module, noise: Noise) -> None:
    generator.train()
    generator[0][1].eval()  # a module in a mode of its own
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    random_state = torch.get_rng_state()

    sample(generator, noise, 9)

    assert [module.training for module in generator[0]] == [True, False, True]
    assert all(torch.equal(before[name], value) for name, value in generator.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random_state)
    generator.train()


def test_evaluation_mode_is_left_after_an_error(generator: nn.Module) -> None:
    def fail() -> None:
        with evaluation_mode(generator):
            assert not generator.training
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert generator.training


def test_truncation_reduces_diversity_step_by_step(generator: nn.Module, noise: Noise) -> None:
    spreads = [
        float(sample(generator, noise, 200, truncation=truncation).std(0).mean()) for truncation in (0.1, 0.5, 1, 2, 8)
    ]

    assert spreads == sorted(spreads)
    assert spreads[0] < spreads[-1] / 5


def test_truncation_zero_gives_one_image_alone(generator: nn.Module, noise: Noise) -> None:
    images = sample(generator, noise, 9, truncation=0)
    with torch.no_grad(), evaluation_mode(generator):
        mean = generator(torch.zeros(1, 64, device=noise.device)).cpu()

    torch.testing.assert_close(images, mean.expand(9, -1, -1, -1))


def test_far_truncation_changes_nothing_visible(generator: nn.Module, noise: Noise) -> None:
    torch.testing.assert_close(sample(generator, noise, 9, truncation=12), sample(generator, noise, 9))


def test_uniform_noise_has_no_truncation(device: torch.device, registry: Registry) -> None:
    uniform = registry.load("noise", "uniform")(device)

    with pytest.raises(InputError) as caught:
        draw_noise(uniform, 3, truncation=0.5)
    assert str(caught.value) == "noise of type Uniform has no truncation; choose normal noise, or leave truncation out"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "the number of samples must be >= 1, not 0"),
        ({"count": 3, "truncation": -1}, "the truncation threshold must be >= 0, not -1"),
        ({"count": 3, "truncation": math.nan}, "the truncation threshold must be >= 0, not nan"),
        ({"count": 3, "batch_size": 0}, "the batch size must be >= 1, not 0"),
    ],
)
def test_arguments_out_of_range_are_refused(
    generator: nn.Module, noise: Noise, arguments: dict[str, float], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        sample(generator, noise, **arguments)
    assert str(caught.value) == message


def test_linear_interpolation_is_the_straight_line() -> None:
    start, end = torch.tensor([[0.0, 0.0]]), torch.tensor([[4.0, -2.0]])

    assert interpolate(start, end, 3, "linear").tolist() == [[[0, 0], [2, -1], [4, -2]]]


def test_spherical_interpolation_is_whites_slerp() -> None:
    random = np.random.default_rng(0)
    start, end = random.standard_normal((2, 5, 16)).astype(np.float32)
    expected = np.empty((5, 9, 16))
    for row, (low, high) in enumerate(zip(start.astype(float), end.astype(float), strict=True)):
        angle = np.arccos(np.dot(low / np.linalg.norm(low), high / np.linalg.norm(high)))
        for column, weight in enumerate(np.linspace(0, 1, 9)):
            expected[row, column] = (np.sin((1 - weight) * angle) * low + np.sin(weight * angle) * high) / np.sin(angle)

    actual = interpolate(torch.from_numpy(start), torch.from_numpy(end), 9, "spherical")

    np.testing.assert_allclose(actual.numpy(), expected, atol=2e-6)


def test_spherical_interpolation_of_equal_lengths_keeps_the_length() -> None:
    start, end = (torch.nn.functional.normalize(x, dim=1) * 8 for x in torch.randn(2, 6, 64))

    lengths = interpolate(start, end, 7, "spherical").norm(dim=-1)

    torch.testing.assert_close(lengths, torch.full((6, 7), 8.0))


@pytest.mark.parametrize("factor", [1.0, 2.0, -1.0, 0.0])
def test_spherical_interpolation_goes_straight_where_no_arc_is_defined(factor: float) -> None:
    start = torch.tensor([[3.0, 4.0]])

    way = interpolate(start, factor * start, 5, "spherical")

    torch.testing.assert_close(way, interpolate(start, factor * start, 5, "linear"))


@pytest.mark.parametrize("method", ["linear", "spherical"])
def test_interpolation_starts_and_ends_at_its_ends(method: str) -> None:
    start, end = torch.randn(2, 6, 64)

    way = interpolate(start, end, 5, method)

    torch.testing.assert_close(way[:, 0], start)
    torch.testing.assert_close(way[:, -1], end)


def test_interpolation_needs_two_steps() -> None:
    with pytest.raises(InputError) as caught:
        interpolate(torch.zeros(1, 2), torch.ones(1, 2), 1, "linear")
    assert str(caught.value) == "the number of steps must be >= 2, not 1"


def test_generate_takes_noise_of_ones_own(generator: nn.Module, noise: Noise) -> None:
    z = draw_noise(noise, 10, seed=3)

    assert torch.equal(generate(generator, z), sample(generator, noise, 10, seed=3))
    assert ganfw.generate is generate
