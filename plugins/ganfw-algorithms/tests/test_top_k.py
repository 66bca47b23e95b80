"""Top-k training: the gradient of the k best fakes only, and the schedule of k."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

import ganfw
from ganfw import Batch, Recipe
from ganfw.testing import check_exact_resume, checks_of, small_recipe
from ganfw_algorithms.top_k import TopK

REGISTRY = ganfw.discover()
IN_TWO_PROCESSES = [
    check
    for check in checks_of("ganfw-algorithms", registry=REGISTRY)
    if str(check) == "step top_k: trains in two processes"
]
"""With its defaults, with which the generator at first learns from all fakes."""


class Games:
    """A generator that is a table of samples, and a discriminator that adds up their coordinates."""

    def __init__(self, loss: str, **keys: Any) -> None:
        self.generator, self.discriminator = nn.Linear(2, 2, bias=False), nn.Linear(2, 1, bias=False)
        self.z = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-3.0, 1.0], [0.5, 0.5], [2.0, -1.0]])
        self.batch = Batch(torch.rand(5, 2))
        part = REGISTRY.load("loss", f"ganfw:{loss}")()
        self.step = TopK(self.generator, self.discriminator, part, lambda *_: self.z, **keys)

    def gradient(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the gradient of the generator's weights, and what is logged."""
        random = torch.Generator()
        update = self.step.updates()[1]
        assert update.draw is not None
        loss, seen = update.loss(batch, batch.row_random(random), *update.draw(batch, random))
        (gradient,) = torch.autograd.grad(loss, self.generator.weight)
        return gradient, {**seen, "loss": loss.detach()}


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("logistic", lambda fake, real: softplus(-fake)),
        ("wasserstein", lambda fake, real: -fake),
        ("lsgan", lambda fake, real: (fake - 1) ** 2 / 2),
        ("relativistic", lambda fake, real: softplus(real - fake)),
    ],
)
def test_generator_learns_from_the_mean_over_the_best_fakes(
    name: str, loss: Callable[[Tensor, Tensor], Tensor]
) -> None:
    game = Games(name, least=0.6, decay=0.01, every_steps=10)
    found, seen = game.gradient(Batch(game.batch.samples, step=10))

    fake, real = game.discriminator(game.generator(game.z)), game.discriminator(game.batch.samples).detach()
    best = fake.flatten().topk(3).indices
    (expected,) = torch.autograd.grad(loss(fake, real)[best].mean(), game.generator.weight, retain_graph=True)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(seen["loss"], loss(fake, real).mean().detach())


def test_share_falls_by_a_factor_every_so_many_steps_and_then_stays() -> None:
    step = Games("bce", decay=0.9, every_steps=100, least=0.75).step
    assert [step.share(each) for each in (0, 99, 100, 299, 300, 10_000)] == [1.0, 1.0, 0.9, 0.9**2, 0.75, 0.75]


def test_all_fakes_count_at_first_and_one_at_least() -> None:
    first, seen = (game := Games("wasserstein", least=0.01, decay=0.01, every_steps=1)).gradient(game.batch)
    fakes = game.discriminator(game.generator(game.z))
    (expected,) = torch.autograd.grad(-fakes.mean(), game.generator.weight)
    torch.testing.assert_close(first, expected)
    assert seen["top_k/share"] == 1

    one, seen = game.gradient(Batch(game.batch.samples, step=1))
    (expected,) = torch.autograd.grad(-game.discriminator(game.generator(game.z)).max(), game.generator.weight)
    torch.testing.assert_close(one, expected)


def test_patches_of_a_sample_count_together() -> None:
    game = Games("wasserstein", least=0.4, decay=0.01, every_steps=1)
    logits = torch.tensor([[5.0, -9.0], [1.0, 1.0], [-1.0, 4.0], [0.0, 0.5]])[:, None].requires_grad_()
    game.step.loss.share = torch.tensor(0.5)
    (gradient,) = torch.autograd.grad(game.step.loss.generator(logits), logits)
    torch.testing.assert_close(gradient, torch.tensor([0.0, -0.25, -0.25, 0.0])[:, None, None].expand(4, 1, 2))


def test_a_run_resumes_exactly_while_the_share_falls(tmp_path: Path) -> None:
    step = {"use": "top_k", "every_steps": 2, "decay": 0.8}
    recipe = Recipe(name="top_k", extends=small_recipe(REGISTRY), step=step)
    check_exact_resume(recipe, REGISTRY, tmp_path, stop_at=3, steps=8)


@pytest.mark.slow
def test_where_all_fakes_count_two_processes_train_as_one(tmp_path: Path) -> None:
    (check,) = IN_TWO_PROCESSES
    check(tmp_path)
