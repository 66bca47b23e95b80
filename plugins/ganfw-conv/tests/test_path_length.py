"""Path length regularisation against full Jacobians, and its running mean."""

import math
from pathlib import Path

import pytest
import torch
from style_recipes import small_style
from torch import Tensor, nn
from torch.autograd.functional import jacobian

import ganfw
from ganfw.testing import check_exact_resume
from ganfw_conv.style.generator import ConditionalStyleGenerator, StyleGenerator
from ganfw_conv.style.path_length import PathLength

CPU = torch.device("cpu")
SHAPE = (2, 8, 10)
ROWS = 6
Z_DIM = 4


def context(generator: nn.Module, seed: int, labels: Tensor | None = None) -> ganfw.UpdateContext:
    """Return what the update of a generator with this noise has seen, as far as the term asks for it."""
    random = torch.Generator().manual_seed(seed)
    rows = torch.zeros(ROWS, *SHAPE)
    return ganfw.UpdateContext(
        real=rows,
        fake=rows,
        real_outputs=None,
        fake_outputs={"logits": torch.zeros(ROWS, 1)},
        z=torch.randn(ROWS, Z_DIM, generator=random),
        labels=labels,
        discriminate=lambda samples: samples,
        generate=generator,
        networks={"generator": generator},
        random=ganfw.RowRandom(random, ROWS),
    )


def lengths(generator: nn.Module, seen: ganfw.UpdateContext, seed: int, rows: int) -> Tensor:
    """Return ||J^T y|| of the first rows, from the Jacobian of each image."""
    random = torch.Generator().manual_seed(seed)
    torch.randn(ROWS, Z_DIM, generator=random)
    noise = torch.randn(ROWS, generator.synthesis.places, generator=random)
    y = torch.randn(ROWS, *SHAPE, generator=random) / math.sqrt(SHAPE[1] * SHAPE[2])
    found = []
    for row in range(rows):
        label = None if seen.labels is None else seen.labels[row : row + 1]
        w = generator.mapping(seen.z[row : row + 1], label)
        of_image = jacobian(lambda w, row=row: generator.synthesis(w, noise[row : row + 1]), w, create_graph=True)
        found.append((of_image.reshape(y[row].numel(), -1).T @ y[row].flatten()).norm())
    return torch.stack(found)


@pytest.mark.parametrize(("share", "rows"), [(1.0, ROWS), (0.5, 3), (0.01, 1)])
def test_term_and_its_gradient_are_those_of_the_jacobian(share: float, rows: int) -> None:
    torch.manual_seed(0)
    generator = StyleGenerator(Z_DIM, SHAPE, base_channels=2, w_dim=3)
    term_of = PathLength(CPU, weight=3.0, decay=0.2, share=share)
    mean = torch.zeros(())
    for seed in (1, 2):
        seen = context(generator, seed)
        expected_lengths = lengths(generator, seen, seed, rows)
        mean = mean + 0.2 * (expected_lengths.detach().mean() - mean)
        expected = 3 * (expected_lengths - mean).square().mean()
        term = term_of.generator(seen)
        torch.testing.assert_close(term, expected)
        torch.testing.assert_close(term_of.state_dict()["mean"], mean)
        weights = [weight for name, weight in generator.named_parameters() if weight.requires_grad]
        ours, theirs = (torch.autograd.grad(each, weights, allow_unused=True) for each in (term, expected))
        for found, wanted in zip(ours, theirs, strict=True):
            assert (found is None) == (wanted is None)
            if found is not None:
                torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-5)


def test_classes_are_those_of_the_batch() -> None:
    torch.manual_seed(0)
    generator = ConditionalStyleGenerator(Z_DIM, SHAPE, 3, base_channels=2, w_dim=3)
    seen = context(generator, 1, torch.tensor([2, 0, 1, 1, 0, 2]))
    term_of = PathLength(CPU, weight=1.0, decay=1.0, share=1.0)
    torch.testing.assert_close(term_of.generator(seen), lengths(generator, seen, 1, ROWS).var(correction=0))


def test_generator_without_w_is_refused() -> None:
    with pytest.raises(ganfw.InputError) as refusal:
        PathLength(CPU).generator(context(nn.Linear(4, 4), 0))
    assert str(refusal.value) == "path_length needs a generator that makes w from noise, such as 'style'; choose one"


def test_running_mean_is_resumed(registry: ganfw.Registry, tmp_path: Path) -> None:
    recipe = small_style(registry, "generator.mixing=0.9", "generator.inject_noise=true")
    lengths_of = {"use": "path_length", "every_steps": 2}
    recipe = ganfw.Recipe(name="path_length", extends=recipe, regularizers={"lengths": lengths_of})
    check_exact_resume(recipe, registry, tmp_path, stop_at=3, steps=6)
    (run,) = (tmp_path / "stopped").iterdir()
    assert ganfw.open_checkpoint(run).part_state("regularizers.lengths")["mean"] > 0
