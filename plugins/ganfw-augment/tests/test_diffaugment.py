"""DiffAugment's policies against the authors' formulas, shifts by hand, and counted holes."""

import numpy as np
import pytest
import torch
from torch import Tensor

import ganfw
from ganfw_augment.diffaugment import DiffAugment, change_colour, cut_out, translate

SHAPES = [(channels, side, side) for side in (28, 32, 64) for channels in (1, 3)]


def draws(count: int, seed: int = 0) -> ganfw.RowRandom:
    return ganfw.RowRandom(torch.Generator().manual_seed(seed), count)


def images(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1), dtype=dtype)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_images_keep_their_shape_and_each_row_changes_in_its_own_way(shape: tuple[int, ...]) -> None:
    same = images(1, *shape).expand(6, *shape)
    changed = DiffAugment(shape)(same, draws(6))
    assert changed.shape == same.shape
    assert changed.dtype == torch.float32
    assert torch.isfinite(changed).all()
    assert len({row.numpy().tobytes() for row in changed}) == 6


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_without_policies_nothing_changes(shape: tuple[int, ...]) -> None:
    x = images(4, *shape)
    assert torch.equal(DiffAugment(shape, colour=False, translation=0.0, cutout=0.0)(x, draws(4)), x)


def test_a_seed_gives_the_same_images_and_global_randomness_is_not_used() -> None:
    x = images(4, 3, 32, 32)
    augment = DiffAugment((3, 32, 32))
    before = torch.get_rng_state()
    first = augment(x, draws(4))
    torch.testing.assert_close(torch.get_rng_state(), before)
    assert torch.equal(first, augment(x, draws(4)))
    assert not torch.equal(first, augment(x, draws(4, seed=1)))


def test_a_share_of_the_rows_is_augmented_as_in_the_whole_batch() -> None:
    x = images(6, 3, 32, 32)
    whole = DiffAugment((3, 32, 32))(x, draws(6))
    half = DiffAugment((3, 32, 32))(x[2:4], ganfw.RowRandom(torch.Generator().manual_seed(0), 6, slice(2, 4)))
    torch.testing.assert_close(half, whole[2:4])


@pytest.mark.parametrize("channels", [1, 3])
def test_colour_is_that_of_the_authors_for_images_between_minus_1_and_1(channels: int) -> None:
    x = images(5, channels, 6, 6)
    u = draws(5).uniform(3, 1, 1, 1).numpy()
    expected = 2 * x.numpy() - 1
    expected = expected + (u[:, 0] - 0.5)
    mean = expected.mean(1, keepdims=True)
    expected = (expected - mean) * (u[:, 1] * 2) + mean
    mean = expected.mean((1, 2, 3), keepdims=True)
    expected = (expected - mean) * (u[:, 2] + 0.5) + mean
    np.testing.assert_allclose(change_colour(x, draws(5)).numpy(), (expected + 1) / 2, atol=1e-5)


def test_translation_moves_whole_pixels_and_fills_the_rest() -> None:
    x = images(200, 1, 8, 16)
    moved = translate(x, draws(200), 0.25, fill=0.5)
    found = set()
    for before, after in zip(x[:, 0].numpy(), moved[:, 0].numpy(), strict=True):
        candidates = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-4, 5)
            if np.array_equal(moved_by_hand(before, down, right), after)
        ]
        assert len(candidates) == 1
        found.add(candidates[0])
    assert {down for down, _ in found} == set(range(-2, 3))
    assert {right for _, right in found} == set(range(-4, 5))


def moved_by_hand(image: np.ndarray, down: int, right: int) -> np.ndarray:
    moved = np.full_like(image, 0.5)
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            if 0 <= row + down < image.shape[0] and 0 <= column + right < image.shape[1]:
                moved[row + down, column + right] = image[row, column]
    return moved


@pytest.mark.parametrize(("side", "most"), [(28, 4), (32, 4), (64, 8)])
def test_translation_goes_as_far_as_an_eighth_of_the_side(side: int, most: int) -> None:
    columns = torch.arange(float(side)).expand(500, 1, side, side)
    middle = translate(columns, draws(500), 0.125, fill=-1.0)[:, 0, side // 2, side // 2]
    shifts = side // 2 - middle[middle >= 0]
    assert (shifts.min(), shifts.max()) == (-most, most)


@pytest.mark.parametrize("side", [28, 32, 64, 9])
def test_hole_is_a_rectangle_of_half_the_side_around_any_pixel(side: int) -> None:
    x = torch.zeros(2000, 1, side, side)
    holes = (cut_out(x, draws(2000), 0.5, fill=1.0)[:, 0] == 1).numpy()
    length = int(side * 0.5 + 0.5)
    for dim in (1, 2):
        spans = holes.any(dim)
        lengths = spans.sum(1)
        assert lengths.max() == length
        assert lengths.min() == (length // 2 if length % 2 == 0 else length // 2 + 1)
        assert all(np.ptp(np.flatnonzero(span)) + 1 == span.sum() for span in spans)
    np.testing.assert_array_equal(holes, holes.any(2, keepdims=True) & holes.any(1, keepdims=True))


def test_hole_covers_as_much_as_its_place_says() -> None:
    side, length = 32, 16
    x = torch.zeros(20_000, 1, side, side)
    area = cut_out(x, draws(20_000), 0.5, fill=1.0).mean((1, 2, 3))
    # Along one side: starts from -8 to 24, 33 of them, each as likely; what is left within the image.
    span = np.mean([min(start + length, side) - max(start, 0) for start in range(-8, 25)]) / side
    assert area.mean().item() == pytest.approx(span**2, abs=5 * area.std().item() / len(area) ** 0.5)


@pytest.mark.parametrize("channels", [1, 3])
def test_gradients_are_those_of_finite_differences(channels: int) -> None:
    x = images(3, channels, 4, 4, dtype=torch.float64).requires_grad_()
    augment = DiffAugment((channels, 4, 4), translation=0.25)
    assert torch.autograd.gradcheck(lambda x: augment(x, double_draws(3)), (x,))


def double_draws(count: int) -> ganfw.RowRandom:
    class Double(ganfw.RowRandom):
        """Draws whose numbers are float64, to be compared with differences of that precision."""

        def uniform(self, *shape: int) -> Tensor:
            return super().uniform(*shape).double()

    return Double(torch.Generator().manual_seed(0), count)


@pytest.mark.parametrize("shape", [(2,), (2, 28, 28)], ids=str)
def test_samples_that_are_no_images_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ganfw.InputError) as refusal:
        DiffAugment(shape)
    assert str(refusal.value) == (
        f"this augmentation needs images, (1 or 3, height, width), not samples of shape {shape}"
    )
