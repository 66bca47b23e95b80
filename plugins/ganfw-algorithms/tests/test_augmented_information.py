"""InfoGAN with a Q that sorts real images: its changes against scipy, its term against torch's distributions."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from contexts import context
from scipy.ndimage import affine_transform
from torch import Tensor, nn
from torch.distributions import Categorical, Normal, kl_divergence

from ganfw import InputError, RowRandom
from ganfw_algorithms.augmented_information import AugmentedInformation, CodeReader, sorting_loss
from ganfw_algorithms.infogan import Codes

NOISE = Codes(torch.device("cpu"), noise_dim=3, categories=4, continuous=2)
SHAPE = (1, 8, 12)
NOTHING = {"turn_degrees": 0.0, "shear": 0.0, "stretch": 0.0, "shift": 0.0}


def drawing(rows: int = 4) -> RowRandom:
    return RowRandom(torch.Generator().manual_seed(0), rows)


def test_change_of_nothing_leaves_images_as_they_are() -> None:
    images = torch.rand(4, *SHAPE)
    torch.testing.assert_close(AugmentedInformation(NOISE, SHAPE, **NOTHING).change(images, drawing()), images)


def test_changes_are_affine_in_pixels() -> None:
    images = torch.rand(4, *SHAPE, generator=torch.Generator().manual_seed(1))
    sizes = {"turn_degrees": 30.0, "shear": 0.4, "stretch": 0.2, "shift": 0.25}

    changed = AugmentedInformation(NOISE, SHAPE, **sizes).change(images, drawing())

    turn, shear, wide, high, right, down = (2 * drawing().uniform(6) - 1).double().numpy().T
    middle = (np.array(SHAPE[1:]) - 1) / 2
    for row in range(4):
        angle, x, y = math.radians(30) * turn[row], math.exp(0.2 * wide[row]), math.exp(0.2 * high[row])
        down_right = np.array([[math.cos(angle) * y, math.sin(angle) * x], [0.0, math.cos(angle) * x]])
        down_right[1, 0] = 0.4 * shear[row] - math.sin(angle) * y
        moved = 0.25 * np.array([down[row], right[row]]) * np.array(SHAPE[1:]) / 2
        offset = middle - down_right @ middle + moved
        padded = np.pad(images[row, 0].double().numpy(), 1)  # a frame of zeros, as outside of the image
        offset = offset + 1 - down_right @ np.ones(2)
        expected = affine_transform(padded, down_right, offset, order=1, mode="constant")[1:-1, 1:-1]
        np.testing.assert_allclose(changed[row, 0].numpy(), expected, atol=1e-4)


def test_each_image_is_changed_in_its_own_way() -> None:
    image = torch.rand(1, *SHAPE).expand(3, *SHAPE)
    changed = AugmentedInformation(NOISE, SHAPE).change(image, drawing(3))
    assert not torch.equal(changed[0], changed[1])
    assert not torch.equal(changed[1], changed[2])


def test_sorting_loss_is_that_of_imsat() -> None:
    logits, changed = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0)).unbind()

    q, of_changed = Categorical(logits=logits), Categorical(logits=changed)
    information = 4 * Categorical(probs=q.probs.mean(0)).entropy() - q.entropy().mean()
    expected = kl_divergence(q, of_changed).mean() - 0.1 * information
    torch.testing.assert_close(sorting_loss(logits, changed), expected)


def test_changed_images_follow_the_others_and_not_the_reverse() -> None:
    logits, changed = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 2.0]], requires_grad=True)
    same = logits.clone().requires_grad_()
    (pulled,) = torch.autograd.grad(sorting_loss(logits, changed), changed)
    (own,) = torch.autograd.grad(sorting_loss(same, changed.detach()), same)
    (of_entropies,) = torch.autograd.grad(sorting_loss(same, same.detach()), same)

    torch.testing.assert_close(-pulled, logits.softmax(1) - changed.detach().softmax(1))
    torch.testing.assert_close(own, of_entropies)


def test_images_all_of_one_category_are_the_worst_and_even_and_sure_ones_the_best() -> None:
    sure = 50 * torch.eye(4)
    one, even, unsure = sure[:1].expand(4, 4), sure, torch.zeros(4, 4)
    best = -0.1 * 4 * math.log(4)
    assert sorting_loss(even, even).item() == pytest.approx(best, abs=1e-4)
    assert sorting_loss(one, one).item() == pytest.approx(0, abs=1e-4)
    assert sorting_loss(unsure, unsure).item() == pytest.approx(best + 0.1 * math.log(4), abs=1e-4)


class Read(nn.Module):
    """Takes the first pixels for guesses."""

    def forward(self, samples: Tensor) -> dict[str, Tensor]:
        category, mean, log_variance = samples.flatten(1)[:, :8].split([4, 2, 2], dim=1)
        return {"category": category, "mean": mean, "log_variance": log_variance}


def seen(**further: Any) -> Any:
    random = torch.Generator().manual_seed(0)
    real, fake = torch.rand(2, 4, *SHAPE, generator=random).unbind()
    return context(**{"real": real, "fake": fake, "z": NOISE(4, random), "networks": {"q": Read()}, **further})


def test_term_is_the_likelihood_of_the_codes_and_the_sorting_of_real_images() -> None:
    weights = {"category_weight": 0.7, "continuous_weight": 0.2, "real_weight": 3.0}
    update = seen()

    found = AugmentedInformation(NOISE, SHAPE, **weights, **NOTHING).generator(update)

    codes, guess, of_real = NOISE.split(update.z), Read()(update.fake), Read()(update.real)["category"]
    category = -Categorical(logits=guess["category"]).log_prob(codes["category"].argmax(1)).mean()
    numbers = Normal(guess["mean"], (guess["log_variance"] / 2).exp()).log_prob(codes["continuous"]).sum(1).mean()
    likelihood = numbers + math.log(2 * math.pi)  # of two numbers, without the constant
    expected = 0.7 * category - 0.2 * likelihood + 3 * sorting_loss(of_real, of_real)
    torch.testing.assert_close(found, expected)


def test_without_weight_real_images_do_not_count() -> None:
    term = AugmentedInformation(NOISE, SHAPE, real_weight=0.0)
    assert term.generator(seen()).item() == term.generator(seen(real=torch.zeros(4, *SHAPE))).item()


def test_discriminator_has_no_term() -> None:
    assert not hasattr(AugmentedInformation(NOISE, SHAPE), "discriminator")


def test_reader_gives_all_codes() -> None:
    guess = CodeReader(NOISE, SHAPE, channels=2, hidden_dim=4)(torch.rand(5, *SHAPE))
    assert {name: tuple(codes.shape) for name, codes in guess.items()} == {
        "category": (5, 4),
        "mean": (5, 2),
        "log_variance": (5, 2),
    }


def test_without_q_it_is_refused() -> None:
    with pytest.raises(InputError, match=r"^augmented_information needs \[networks.q\], which reads samples, such as"):
        AugmentedInformation(NOISE, SHAPE).generator(seen(networks={}))


def test_points_are_refused() -> None:
    with pytest.raises(InputError, match=r"^augmented_information needs images, not samples of shape \(2,\)$"):
        AugmentedInformation(NOISE, (2,))
    with pytest.raises(InputError, match=r"^code_reader needs images with sides that 4 divides, not .* \(1, 6, 8\)$"):
        CodeReader(NOISE, (1, 6, 8))
