"""Consistency regularization: its terms against loops over rows, and its changes against slices."""

from pathlib import Path

import pytest
import torch
from contexts import context
from torch import nn

import ganfw
from ganfw import InputError, RowRandom
from ganfw.testing import checks_of, small_recipe
from ganfw_algorithms.consistency import BalancedConsistency, LatentConsistency

REGISTRY = ganfw.discover()
BOTH = ganfw.Recipe(
    name="consistency",
    extends=small_recipe(REGISTRY),
    regularizers={"bcr": {"use": "bcr", "noise_std": 0.1}, "zcr": {"use": "zcr"}},
)
"""Both terms with the classic step, which is checked in two processes."""
TOGETHER = [
    check
    for check in checks_of("ganfw", registry=REGISTRY, bases={"step alternating": BOTH})
    if str(check) == "step alternating: trains in two processes"
]


def linear(samples: torch.Tensor) -> torch.Tensor:
    return samples.flatten(1) @ torch.linspace(-1, 2, samples[0].numel())[:, None]


def test_term_is_the_weighted_squared_difference_of_the_logits_of_a_sample_and_its_change() -> None:
    real, fake = torch.rand(4, 2), torch.rand(4, 2)
    noise = torch.Generator().manual_seed(3)
    changes = [0.5 * torch.randn(4, 2, generator=noise) for _ in range(2)]
    expected = sum(
        weight / 4 * (row @ torch.tensor([-1.0, 2.0]) - (row + change) @ torch.tensor([-1.0, 2.0])) ** 2
        for weight, samples, each in zip((2.0, 3.0), (real, fake), changes, strict=True)
        for row, change in zip(samples, each, strict=True)
    )

    term = BalancedConsistency((2,), real_weight=2.0, fake_weight=3.0, shift=0, noise_std=0.5).discriminator(
        context(
            seed=3,
            real=real,
            fake=fake,
            discriminate=linear,
            real_outputs={"logits": linear(real)},
            fake_outputs={"logits": linear(fake)},
        )
    )

    torch.testing.assert_close(term, torch.as_tensor(expected))


def test_images_are_shifted_by_whole_pixels_each_in_its_own_way_and_filled_with_0() -> None:
    images = torch.rand(40, 3, 5, 6) + 1
    changed = BalancedConsistency((3, 5, 6), shift=2).change(images, RowRandom(torch.Generator().manual_seed(0), 40))
    padded = nn.functional.pad(images, (2, 2, 2, 2))
    found = set()
    for row in range(40):
        here = [
            (down, right)
            for down in range(5)
            for right in range(5)
            if torch.equal(changed[row], padded[row, :, down : down + 5, right : right + 6])
        ]
        assert len(here) == 1
        found.update(here)
    assert {down for down, _ in found} == {right for _, right in found} == set(range(5))


def test_half_of_the_images_are_mirrored() -> None:
    images = torch.rand(200, 1, 3, 3)
    part = BalancedConsistency((1, 3, 3), shift=0, flips=True)
    changed = part.change(images, RowRandom(torch.Generator().manual_seed(0), 200))
    mirrored = (changed == images.flip(3)).flatten(1).all(1)
    assert 70 < mirrored.sum() < 130
    assert torch.equal(changed[~mirrored], images[~mirrored])


def test_latent_terms_are_of_the_same_fakes_from_slightly_other_noise() -> None:
    def generate(z: torch.Tensor) -> torch.Tensor:
        return torch.stack([z[:, 0] * z[:, 1], z[:, 0] ** 2], dim=1)

    z = torch.rand(4, 2)
    other = z + 0.5 * torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    fakes, others = generate(z), generate(other)
    seen = {"z": z, "fake": fakes, "fake_outputs": {"logits": linear(fakes)}}
    part = LatentConsistency(discriminator_weight=3.0, generator_weight=0.7, noise_std=0.5)

    of_discriminator = part.discriminator(context(generate=generate, discriminate=linear, **seen))
    of_generator = part.generator(context(generate=generate, **seen))

    logits = [(linear(fakes[row : row + 1]) - linear(others[row : row + 1])) ** 2 for row in range(4)]
    torch.testing.assert_close(of_discriminator, 3.0 * torch.cat(logits).mean())
    torch.testing.assert_close(
        of_generator, -0.7 * sum(((fakes[row] - others[row]) ** 2).sum() for row in range(4)) / 8
    )


@pytest.mark.parametrize(
    ("sample_shape", "keys", "message"),
    [
        (
            (2,),
            {},
            "shift and flips need images (channels, height, width), not samples (2,); "
            "set shift = 0, flips = false and a noise_std",
        ),
        ((1, 4, 4), {"shift": 0}, "T changes nothing; set shift, flips or noise_std"),
    ],
)
def test_a_change_that_cannot_be_made_is_refused(
    sample_shape: tuple[int, ...], keys: dict[str, int], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        BalancedConsistency(sample_shape, **keys)
    assert str(caught.value) == message


def test_fakes_without_noise_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        LatentConsistency().discriminator(context())
    assert str(caught.value) == "zcr needs fakes that are made from noise; remove it, or take a step with [noise]"


@pytest.mark.slow
def test_both_terms_train_in_two_processes_as_in_one(tmp_path: Path) -> None:
    (check,) = TOGETHER
    check(tmp_path)
