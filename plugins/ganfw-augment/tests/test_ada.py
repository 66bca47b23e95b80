"""Adaptive augmentation: how p moves, what p = 0 and p = 1 do, and the state."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

import ganfw
from ganfw_augment.ada import ADA
from ganfw_augment.shift import shift
from ganfw_augment.tint import change_contrast, turn_hue
from ganfw_augment.zoom_and_turn import zoom_and_turn

CPU = torch.device("cpu")
SHAPES = [(channels, side, side) for side in (28, 32, 64) for channels in (1, 3)]


def draws(count: int, seed: int = 0) -> ganfw.RowRandom:
    return ganfw.RowRandom(torch.Generator().manual_seed(seed), count)


def images(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1), dtype=dtype)


def logits(positive: int, negative: int) -> Tensor:
    return torch.tensor([[2.0]] * positive + [[-0.1]] * negative)


def certain(shape: tuple[int, ...], **keys: bool | float) -> ADA:
    """Return an augmentation that always does what `keys` ask for, and nothing else."""
    nothing = {"shift": 0.0, "zoom": 0.0, "turn_degrees": 0.0, "colour": False}
    ada = ADA(CPU, shape, **{**nothing, **keys})
    ada.p.fill_(1)
    return ada


def test_p_rises_above_the_target_and_falls_below_it() -> None:
    ada = ADA(CPU, (1, 28, 28), speed_images=1000, every_passes=2)
    for _ in range(10):
        ada.observe(logits(17, 3))  # r = 14 / 20 = 0.7
    assert ada.p.item() == pytest.approx(5 * 40 / 1000)
    for _ in range(4):
        told = ada.observe(logits(15, 5))  # r = 0.5
    assert ada.p.item() == told["p"].item() == pytest.approx(3 * 40 / 1000)
    ada.p.zero_()
    assert told["p"] > 0  # what was told stays as it was


def test_p_stays_at_the_target() -> None:
    ada = ADA(CPU, (1, 28, 28), target=0.5, speed_images=100, every_passes=1)
    ada.observe(logits(15, 5))
    assert ada.p.item() == 0


def test_p_is_changed_by_the_mean_over_several_passes() -> None:
    ada = ADA(CPU, (1, 28, 28), speed_images=1000)
    for passed, batch in enumerate([logits(10, 0), logits(10, 0), logits(10, 0)]):
        ada.observe(batch)
        assert ada.p.item() == 0, passed
    ada.observe(logits(4, 6))  # r = (30 - 2) / 40 = 0.7
    assert ada.p.item() == pytest.approx(40 / 1000)


def test_p_stays_between_0_and_1() -> None:
    ada = ADA(CPU, (1, 28, 28), speed_images=30, every_passes=1)
    ada.observe(logits(0, 20))
    assert ada.p.item() == 0
    for _ in range(3):
        ada.observe(logits(20, 0))
    assert ada.p.item() == 1


def test_p_goes_from_0_to_1_within_the_images_of_the_paper() -> None:
    ada = ADA(CPU, (1, 28, 28))
    passes = 0
    while ada.p < 1 - 1e-4:
        ada.observe(logits(125, 0))
        passes += 1
    assert passes * 125 == 500_000


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_with_p_0_nothing_changes(shape: tuple[int, ...]) -> None:
    x = images(8, *shape)
    assert torch.equal(ADA(CPU, shape, flips=True, quarter_turns=True)(x, draws(8)), x)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_with_p_1_every_row_changes_in_its_own_way(shape: tuple[int, ...]) -> None:
    x = images(1, *shape).expand(8, *shape)
    ada = ADA(CPU, shape)
    ada.p.fill_(1)
    changed = ada(x, draws(8))
    assert changed.shape == x.shape
    assert changed.dtype == torch.float32
    assert torch.isfinite(changed).all()
    assert len({row.numpy().tobytes() for row in [*changed, x[0]]}) == 9


def test_share_p_of_the_rows_is_changed() -> None:
    x = images(1, 1, 8, 8).expand(4000, 1, 8, 8)
    ada = certain((1, 8, 8), zoom=0.2)
    ada.p.fill_(0.3)
    changed = (ada(x, draws(4000)) != x).flatten(1).any(1).float().mean()
    assert changed.item() == pytest.approx(0.3, abs=5 * math.sqrt(0.3 * 0.7 / 4000))


def test_flips_mirror_half_of_the_rows() -> None:
    x = images(1, 1, 8, 8).expand(1000, 1, 8, 8)
    changed = certain((1, 8, 8), flips=True)(x, draws(1000))
    mirrored = (changed == x.flip(3)).flatten(1).all(1)
    assert (mirrored ^ (changed == x).flatten(1).all(1)).all()
    assert mirrored.float().mean().item() == pytest.approx(0.5, abs=5 * 0.5 / math.sqrt(1000))


def test_quarter_turns_turn_by_0_to_3_quarters_alike() -> None:
    x = images(1, 3, 8, 8).expand(1000, 3, 8, 8)
    changed = certain((3, 8, 8), quarter_turns=True)(x, draws(1000)).numpy()
    for count in range(4):
        turned = np.rot90(x[0].numpy(), count, axes=(1, 2))
        share = np.mean([np.array_equal(row, turned) for row in changed])
        assert share == pytest.approx(0.25, abs=5 * math.sqrt(0.25 * 0.75 / 1000))


def test_quarter_turns_of_images_that_are_not_square_are_refused() -> None:
    with pytest.raises(ganfw.InputError) as refusal:
        ADA(CPU, (1, 28, 32), quarter_turns=True)
    assert str(refusal.value) == "quarter_turns needs square images, not 28 x 32"


@pytest.mark.parametrize("by", range(-5, 6))
@pytest.mark.parametrize("dim", [2, 3])
def test_shift_mirrors_the_image_at_its_border(by: int, dim: int) -> None:
    x = images(1, 2, 6, 7)
    pad = [(0, 0), (0, 0), (0, 0), (0, 0)]
    pad[dim] = (5, 5)
    padded = np.pad(x.numpy(), pad, mode="reflect")
    expected = np.take(padded, np.arange(x.shape[dim]) + 5 - by, axis=dim)
    np.testing.assert_array_equal(shift(x, torch.tensor([by]), dim).numpy(), expected)


def test_shifts_go_as_far_as_an_eighth_in_both_directions() -> None:
    rows = torch.arange(32.0)[:, None].expand(500, 1, 32, 32)
    moved = certain((1, 32, 32), shift=0.125)(rows, draws(500))
    shifts = 16 - moved[:, 0, 16, 16]
    assert set(shifts.tolist()) == set(range(-4, 5))


def test_a_quarter_turn_by_resampling_is_the_exact_one() -> None:
    x = images(2, 3, 8, 8)
    turned = zoom_and_turn(x, torch.ones(2), torch.tensor([math.pi / 2, -math.pi / 2]))
    np.testing.assert_allclose(turned[0].numpy(), np.rot90(x[0].numpy(), 1, axes=(1, 2)), atol=1e-5)
    np.testing.assert_allclose(turned[1].numpy(), np.rot90(x[1].numpy(), -1, axes=(1, 2)), atol=1e-5)


def test_half_turn_of_an_image_that_is_not_square_is_the_exact_one() -> None:
    x = images(1, 1, 6, 10)
    turned = zoom_and_turn(x, torch.ones(1), torch.tensor([math.pi]))
    torch.testing.assert_close(turned, x.flip(2, 3), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("zoom", "degrees"), [(1.25, 0.0), (0.8, 0.0), (1.0, 20.0), (1.1, -35.0)])
@pytest.mark.parametrize("sides", [(60, 60), (60, 100)])
def test_a_blot_is_moved_about_the_middle(zoom: float, degrees: float, sides: tuple[int, int]) -> None:
    height, width = sides
    y, x = np.mgrid[:height, :width] + 0.5

    def blot(right: float, up: float, width_of_blot: float) -> np.ndarray:
        squares = (x - width / 2 - right) ** 2 + (height / 2 - up - y) ** 2
        return np.exp(-squares / (2 * width_of_blot**2))

    right, up = 6.0, 3.0
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    start = torch.from_numpy(blot(right, up, 4.0)).float()[None, None]
    moved = zoom_and_turn(start, torch.tensor([zoom]), torch.tensor([math.radians(degrees)]))[0, 0].numpy()
    expected = blot(zoom * (cos * right - sin * up), zoom * (sin * right + cos * up), 4.0 * zoom)
    np.testing.assert_allclose(moved, expected, atol=0.025)  # bilinear interpolation flattens the peak


def test_contrast_is_about_the_middle_grey() -> None:
    x = torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 3).expand(2, 1, 1, 3)
    assert change_contrast(x, torch.tensor([0.5, 2.0]))[:, 0, 0].tolist() == [[0.25, 0.5, 0.75], [-0.5, 0.5, 1.5]]


def test_a_third_of_a_circle_makes_red_green_and_green_blue() -> None:
    colours = torch.eye(3)[:, :, None, None]  # red, green, blue
    turned = turn_hue(colours, torch.full((3,), 2 * math.pi / 3), torch.ones(3))
    torch.testing.assert_close(turned, colours.roll(-1, dims=0), atol=1e-6, rtol=0)


def test_hue_and_saturation_are_those_of_a_rotation_matrix() -> None:
    random = np.random.default_rng(0)
    x = random.random((4, 3, 5, 5))
    angles, factors = random.uniform(-math.pi, math.pi, 4), random.uniform(0, 3, 4)
    axis = np.full(3, 1 / math.sqrt(3))
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    for row in range(4):
        rotation = np.eye(3) + math.sin(angles[row]) * cross + (1 - math.cos(angles[row])) * cross @ cross
        keep = np.outer(axis, axis)
        matrix = (keep + (np.eye(3) - keep) * factors[row]) @ rotation
        expected = np.einsum("ij,jhw->ihw", matrix, x[row])
        actual = turn_hue(torch.from_numpy(x[row : row + 1]), *map(torch.tensor, ([angles[row]], [factors[row]])))
        np.testing.assert_allclose(actual[0].numpy(), expected, atol=1e-6)


def test_saturation_0_leaves_greys() -> None:
    x = images(1, 3, 4, 4)
    grey = turn_hue(x, torch.ones(1), torch.zeros(1))
    torch.testing.assert_close(grey, x.mean(1, keepdim=True).expand_as(x))


@pytest.mark.parametrize("channels", [1, 3])
def test_gradients_are_those_of_finite_differences(channels: int) -> None:
    x = images(2, channels, 5, 5, dtype=torch.float64).requires_grad_()
    angles, zooms = torch.tensor([0.3, -0.2]).double(), torch.tensor([1.2, 0.9]).double()
    assert torch.autograd.gradcheck(lambda x: zoom_and_turn(x, zooms, angles), (x,))
    assert torch.autograd.gradcheck(lambda x: change_contrast(x, zooms), (x,))
    assert torch.autograd.gradcheck(lambda x: shift(x, torch.tensor([1, -2]), 3), (x,))
    if channels == 3:
        assert torch.autograd.gradcheck(lambda x: turn_hue(x, angles, zooms), (x,))


def test_gradients_pass_through_all_transforms() -> None:
    ada = ADA(CPU, (3, 28, 28), flips=True, quarter_turns=True)
    ada.p.fill_(1)
    x = images(8, 3, 28, 28).requires_grad_()
    ada(x, draws(8)).square().sum().backward()
    assert torch.isfinite(x.grad).all()
    assert (x.grad.flatten(1).abs().sum(1) > 0).all()


def test_state_continues_where_it_was_saved() -> None:
    one, other = (ADA(CPU, (1, 28, 28), speed_images=1000) for _ in range(2))
    for count in range(6):
        one.observe(logits(10 + count, 1))
    other.load_state_dict(one.state_dict())
    for count in range(5):
        one.observe(logits(10, count))
        other.observe(logits(10, count))
        assert torch.equal(one.p, other.p)
    assert one.p > 0.1


def test_loaded_state_is_a_copy() -> None:
    one, other = (ADA(CPU, (1, 28, 28), every_passes=1) for _ in range(2))
    other.load_state_dict(one.state_dict())
    one.observe(logits(10, 0))
    assert (one.p > 0, other.p.item()) == (True, 0)
