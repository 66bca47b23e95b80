"""Style-based networks against explicit computations: modulation, deviation, mixing, injected noise, the mean of w."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate

import ganfw
from ganfw_conv.layers.equalised import EqualisedConv2d, EqualisedLinear, activate
from ganfw_conv.layers.minibatch_deviation import MinibatchDeviation
from ganfw_conv.style.discriminator import StyleDiscriminator
from ganfw_conv.style.generator import ConditionalStyleGenerator, StyleGenerator, mix
from ganfw_conv.style.mapping import StyleMapping
from ganfw_conv.style.modulated_convolution import ModulatedConv2d

SHAPE = (2, 28, 28)
Z_DIM = 6


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def small_generator(**keys: float) -> StyleGenerator:
    """Return a generator whose injected noise is felt."""
    torch.manual_seed(0)
    generator = StyleGenerator(Z_DIM, SHAPE, base_channels=2, most_channels=8, w_dim=5, **keys)
    for convolution in generator.synthesis.convolutions:
        nn.init.constant_(convolution.strength, 0.5)
    return generator


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("side", [1, 3])
def test_modulated_convolution_is_one_with_weights_of_its_own_for_each_sample(side: int, demodulate: bool) -> None:
    torch.manual_seed(0)
    layer = ModulatedConv2d(3, 4, side, 5, demodulate=demodulate)
    x, w = normal(6, 3, 7, 8), normal(6, 5, seed=1)
    found = layer(x, w)
    for row in range(6):
        scales = w[row] @ layer.affine.weight.T / math.sqrt(5) + 1
        weight = layer.weight / math.sqrt(3 * side**2) * scales[None, :, None, None]
        if demodulate:
            for output in range(4):
                weight = weight.clone()
                weight[output] /= (weight[output] ** 2).sum().add(1e-8).sqrt()
        torch.testing.assert_close(found[row], conv2d(x[row][None], weight, padding=side // 2)[0])


def test_demodulated_maps_have_a_deviation_of_1_for_any_style() -> None:
    torch.manual_seed(0)
    layer = ModulatedConv2d(8, 6, 3, 5)
    y = layer(normal(20, 8, 50, 50), 3 * normal(20, 5, seed=1))[:, :, 1:-1, 1:-1]
    assert (y.std((2, 3)) - 1).abs().max() < 0.1


def test_without_demodulation_maps_are_as_large_as_their_style_says() -> None:
    torch.manual_seed(0)
    layer = ModulatedConv2d(8, 6, 3, 5, demodulate=False)
    deviations = layer(normal(20, 8, 50, 50), 3 * normal(20, 5, seed=1)).std((2, 3))
    assert deviations.max() / deviations.min() > 3


@pytest.mark.parametrize("rate", [1.0, 0.01])
def test_equalised_layers_keep_the_scale_and_learn_at_their_rate(rate: float) -> None:
    torch.manual_seed(0)
    layer, x = EqualisedLinear(300, 400, bias=2.0, rate=rate), normal(500, 300, seed=1)
    assert layer(x).std().item() == pytest.approx(1, rel=0.02)
    assert layer(x).mean().item() == pytest.approx(2, rel=0.02)
    before = layer(torch.eye(300))
    layer(torch.eye(300)).sum().backward()
    torch.optim.Adam(layer.parameters(), lr=0.1).step()
    moved = 0.1 * rate / math.sqrt(300) + 0.1 * rate  # of a weight and of a bias
    torch.testing.assert_close(before - layer(torch.eye(300)), torch.full((300, 400), moved), rtol=1e-3, atol=1e-6)


def test_equalised_convolution_keeps_the_scale() -> None:
    torch.manual_seed(0)
    y = EqualisedConv2d(20, 30, 3)(normal(10, 20, 20, 20))[:, :, 1:-1, 1:-1]
    assert y.std().item() == pytest.approx(1, rel=0.05)


def test_activation_keeps_the_mean_square() -> None:
    x = normal(100_000)
    assert activate(x).square().mean().item() == pytest.approx(1 + 0.2**2, rel=0.02)


def test_maps_are_doubled_by_linear_interpolation() -> None:
    doubling = StyleGenerator(Z_DIM, (1, 28, 20)).synthesis.doublings[0]
    x = normal(2, 3, 7, 5)
    torch.testing.assert_close(doubling(x), interpolate(x, scale_factor=2, mode="bilinear"))


@pytest.mark.parametrize(("n", "size"), [(8, 4), (6, 3), (4, 4), (2, 2), (5, 1), (1, 1)])
def test_deviation_is_that_of_numpy_over_groups(n: int, size: int) -> None:
    x = normal(n, 3, 4, 5)
    found = MinibatchDeviation(4)(x)
    assert torch.equal(found[:, :3], x)
    apart = n // size
    for first in range(apart):
        expected = np.std(x[first::apart].numpy(), axis=0).mean()
        for row in range(first, n, apart):
            np.testing.assert_allclose(found[row, 3], np.full((4, 5), expected), rtol=1e-5, atol=2e-4)


def test_discriminator_sees_how_different_a_batch_is() -> None:
    torch.manual_seed(0)
    discriminator, images = StyleDiscriminator(SHAPE, base_channels=2, group=8), normal(8, *SHAPE).sigmoid()
    alike = images[:1].expand(8, -1, -1, -1)
    assert not torch.allclose(discriminator(images)[:1], discriminator(alike)[:1])
    alone = StyleDiscriminator(SHAPE, base_channels=2, group=1)
    torch.testing.assert_close(alone(images)[:1], alone(alike)[:1])


def test_sample_does_not_depend_on_the_rows_beside_it() -> None:
    generator = small_generator(mixing=0.0)
    z, noise = normal(6, Z_DIM), normal(6, generator.synthesis.places, seed=1)
    for training in (True, False):
        generator.train(training)
        images = generator.synthesis(generator.mapping(z), noise)
        for row in range(6):
            one = generator.synthesis(generator.mapping(z[row : row + 1]), noise[row : row + 1])
            torch.testing.assert_close(images[row : row + 1], one)


def test_injected_noise_is_drawn_in_training_and_fixed_in_evaluation() -> None:
    generator, z = small_generator(mixing=0.0), normal(1, Z_DIM).expand(4, -1)
    torch.manual_seed(3)
    drawn, drawn_next = generator(z), generator(z)
    torch.manual_seed(3)
    assert torch.equal(drawn, generator(z))
    assert not torch.allclose(drawn, drawn_next)
    assert not torch.allclose(drawn[0], drawn[1])
    state = torch.get_rng_state()
    fixed = generator.eval()(z)
    assert torch.equal(fixed, generator(z))
    torch.testing.assert_close(fixed[0], fixed[1])
    assert torch.equal(state, torch.get_rng_state())


def test_exported_generator_takes_any_number_of_samples() -> None:
    generator = small_generator().eval()
    exported = torch.export.export(generator, (normal(5, Z_DIM),), dynamic_shapes=({0: torch.export.Dim("n")},))
    z = normal(9, Z_DIM, seed=1)
    torch.testing.assert_close(exported.module()(z), generator(z))


def test_without_injected_noise_training_draws_nothing() -> None:
    torch.manual_seed(0)
    generator = StyleGenerator(Z_DIM, SHAPE, base_channels=2, mixing=0.0, inject_noise=False)
    assert not any("strength" in name for name, _ in generator.named_parameters())
    z = normal(3, Z_DIM)
    assert torch.equal(generator(z), generator(z))
    assert torch.equal(generator(z), generator.eval()(z))


def test_each_style_reaches_the_layers_from_its_own_on() -> None:
    generator = small_generator().eval()
    w = normal(1, 5)
    styles = w[:, None].repeat(1, generator.synthesis.styles, 1)
    assert torch.equal(generator.synthesis(w), generator.synthesis(styles))
    for layer in range(generator.synthesis.styles):
        changed = styles.clone()
        changed[0, layer] += 1
        assert not torch.allclose(generator.synthesis(changed), generator.synthesis(styles)), layer


def test_mixed_styles_change_once_at_a_random_layer() -> None:
    torch.manual_seed(0)
    w, others = torch.zeros(4000, 3), torch.ones(4000, 3)
    mixed = mix(w, others, 6, 0.75)
    assert mixed.shape == (4000, 6, 3)
    assert torch.equal(mixed.amin(2), mixed.amax(2))
    of_layers = mixed[:, :, 0]
    assert not of_layers[:, 0].any()
    assert (of_layers.diff(dim=1) >= 0).all()
    shares = torch.bincount(of_layers.sum(1).long(), minlength=6) / 4000
    torch.testing.assert_close(shares, torch.tensor([0.25, *[0.15] * 5]), atol=0.03, rtol=0)


def test_mixing_takes_the_style_of_another_row() -> None:
    generator = small_generator(mixing=1.0)
    given: list[Tensor] = []
    generator.synthesis.register_forward_pre_hook(lambda module, inputs: given.append(inputs[0]))
    z = normal(5, Z_DIM)
    generator(z)
    w = generator.mapping(z)
    torch.testing.assert_close(given[0][:, 0], w)
    torch.testing.assert_close(given[0][:, -1], w.roll(1, 0))


def test_mapping_ignores_the_length_of_the_noise() -> None:
    generator = small_generator().eval()
    z = normal(4, Z_DIM)
    torch.testing.assert_close(generator(z), generator(1000 * z))


def test_running_mean_is_that_of_all_w_and_then_forgets() -> None:
    torch.manual_seed(0)
    mapping = StyleMapping(Z_DIM, 1, 3, 2)
    batches = [normal(4, 3, seed=seed) for seed in range(1000)]
    for w in batches[:400]:
        mapping.note(w, None)
    np.testing.assert_allclose(mapping.mean[0], np.mean(np.concatenate(batches[:400]), axis=0), atol=1e-5)
    expected = np.mean(np.concatenate(batches[:500]), axis=0)
    for w in batches[400:]:
        mapping.note(w, None)
    for w in batches[500:]:
        expected = 0.998 * expected + 0.002 * w.numpy().mean(axis=0)
    np.testing.assert_allclose(mapping.mean[0], expected, atol=1e-5)


def test_each_class_has_a_running_mean() -> None:
    torch.manual_seed(0)
    mapping = StyleMapping(Z_DIM, 3, 2, 1)
    rows = [(normal(5, 2, seed=1), [0, 0, 2, 0, 2]), (normal(2, 2, seed=2), [2, 2])]
    for w, labels in rows:
        mapping.note(w, torch.tensor(labels))
    (first, _), (second, _) = rows
    torch.testing.assert_close(mapping.mean[0], first[[0, 1, 3]].mean(0))
    assert not mapping.mean[1].any()
    torch.testing.assert_close(mapping.mean[2], (first[[2, 4]].mean(0) + second.mean(0)) / 2)
    assert mapping.seen.tolist() == [1, 0, 2]


def test_only_training_moves_the_running_mean() -> None:
    generator, z = small_generator(), normal(8, Z_DIM)
    generator.eval()(z)
    assert not generator.mapping.mean.any()
    generator.train()(z)
    torch.testing.assert_close(generator.mapping.mean[0], generator.mapping(z).mean(0))


def test_w_of_one_noise_differs_by_class() -> None:
    torch.manual_seed(0)
    generator = ConditionalStyleGenerator(Z_DIM, SHAPE, 3, base_channels=2)
    w = generator.mapping(normal(1, Z_DIM).expand(3, -1), torch.arange(3))
    assert torch.pdist(w).min() > 0.1


@pytest.mark.parametrize(
    ("side", "sizes", "channels"),
    [
        (28, [7, 14, 14, 28, 28], [16, 8, 8, 4, 4]),
        (64, [4, 8, 8, 16, 16, 32, 32, 64, 64], [20, 20, 20, 16, 16, 8, 8, 4, 4]),
    ],
)
def test_sizes_double_and_maps_halve_up_to_the_image(side: int, sizes: list[int], channels: list[int]) -> None:
    generator = StyleGenerator(Z_DIM, (3, side, side), base_channels=4, most_channels=20)
    shapes: list[tuple[int, ...]] = []
    for convolution in generator.synthesis.convolutions:
        convolution.register_forward_hook(lambda layer, inputs, output: shapes.append(tuple(output.shape[1:])))
    ganfw.generate(generator, normal(1, Z_DIM))
    assert shapes == [(count, size, size) for count, size in zip(channels, sizes, strict=True)]
    assert generator.synthesis.places == sum(size**2 for size in sizes)
