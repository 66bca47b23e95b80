"""From a picture back to the noise that a generator makes it of."""

import torch
from torch import Tensor, nn

from ganfw.engine.device import fitting_memory
from ganfw.engine.networks import call_network, evaluation_mode
from ganfw.engine.sampling import draw_noise, generate
from ganfw.errors import InputError
from ganfw.protocols import Noise

CANDIDATES = 1024
"""Noise vectors among which the search begins at that whose image is nearest."""


def invert(
    generator: nn.Module,
    noise: Noise,
    samples: Tensor,
    *,
    labels: Tensor | None = None,
    seed: int = 0,
    steps: int = 500,
    lr: float = 0.05,
) -> tuple[Tensor, Tensor]:
    """Find noise of which a generator makes given samples, as nearly as it can.

    Of 1,024 noise vectors, that whose sample is nearest to a given one is moved downhill by Adam, with a rate that
    falls to 0. What is made small is the mean squared difference of values. The result may be unlikely under the
    noise.

    Source: Zhu et al., "Generative Visual Manipulation on the Natural Image Manifold", 2016, which projects an image by
    optimisation.

    Args:
        generator: `(n, z_dim)` to `(n, *sample_shape)`; used in evaluation mode, and left as it is.
        noise: the sampler of its input.
        samples: `(n, *sample_shape)` float32; images in [0, 1].
        labels: `(n,)` int64, of a conditional generator; None for others.
        seed: of the first noise vectors.
        steps: of Adam, at least 0.
        lr: Adam's rate at the beginning.

    Returns:
        The noise, `(n, z_dim)` float32, and the mean squared difference of each sample, `(n,)`, both on the CPU.

    Raises:
        InputError: an argument is out of range, labels do not fit, or the memory is too small.
    """
    if steps < 0:
        raise InputError(f"the number of steps must be >= 0, not {steps}")
    z, errors = _nearest(generator, noise, samples, labels, seed)
    best = z.clone().requires_grad_()
    wanted = samples.to(z.device)
    classes = None if labels is None else labels.to(z.device)
    adam = torch.optim.Adam([best], lr=lr)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, max(steps, 1))
    with evaluation_mode(generator), fitting_memory(f"{len(samples)} at once: give fewer images"):
        for _ in range(steps):
            (gradient,) = torch.autograd.grad(_errors(generator, best, wanted, classes).sum(), best)
            best.grad = gradient
            adam.step()
            falling.step()
        with torch.no_grad():
            found = _errors(generator, best, wanted, classes).cpu()
    nearer = found < errors
    return torch.where(nearer[:, None], best.detach().cpu(), z.cpu()), torch.where(nearer, found, errors)


def _nearest(
    generator: nn.Module, noise: Noise, samples: Tensor, labels: Tensor | None, seed: int
) -> tuple[Tensor, Tensor]:
    """Return the best of the first noise vectors for each sample, and the mean squared differences on the CPU."""
    candidates = draw_noise(noise, CANDIDATES, seed=seed)
    chosen, errors = [], []
    for row, sample in enumerate(samples.cpu()):
        along = None if labels is None else labels[row].expand(CANDIDATES)
        if row == 0 or labels is not None:
            made = generate(generator, candidates, labels=along).flatten(1)
        differences = (made - sample.flatten()).square().mean(1)
        chosen.append(candidates[differences.argmin()])
        errors.append(differences.min())
    return torch.stack(chosen), torch.stack(errors)


def _errors(generator: nn.Module, z: Tensor, samples: Tensor, labels: Tensor | None) -> Tensor:
    made: Tensor = call_network(generator, z, labels=labels)
    return (made.float() - samples).square().flatten(1).mean(1)
