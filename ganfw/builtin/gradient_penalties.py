"""Penalties on the slope of the discriminator: R1, R2, the gradient penalty of WGAN-GP, and that of DRAGAN."""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor

from ganfw import UpdateContext

Gamma = Annotated[float, Ge(0), "gamma; half of it multiplies the mean squared norm"]
Lambda = Annotated[float, Ge(0), "lambda"]
Target = Annotated[float, Ge(0), "the norm that is aimed at"]
EverySteps = Annotated[int, Ge(1), "steps between two penalties; each is multiplied by this number"]


class R1:
    """Adds weight/2 · E[||∇D(x)||²], over real samples x, to the discriminator's loss.

    Source: Mescheder, Geiger and Nowozin, "Which Training Methods for GANs do actually Converge?", 2018, section 4.1;
    with `every_steps` above 1, lazily: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020,
    section 3.1. Weights of papers are for pixels in [-1, 1]. Here they are in [0, 1], where the same discriminator is
    twice as steep: a weight of 10 is one of 40 there.
    """

    def __init__(self, *, weight: Gamma = 10.0, every_steps: EverySteps = 1) -> None:
        self.weight = weight
        self.every_steps = every_steps

    def discriminator(self, context: UpdateContext) -> Tensor:
        """Return the penalty at the real samples, a float32 scalar."""
        return self.weight / 2 * _gradients(context, context.real).square().sum(1).mean()


class R2:
    """Adds weight/2 · E[||∇D(G(z))||²], over fakes, to the discriminator's loss.

    Source: as `R1`. Both together: Huang et al., "The GAN is dead; long live the GAN! A Modern GAN Baseline", 2024,
    section 2.
    """

    def __init__(self, *, weight: Gamma = 10.0, every_steps: EverySteps = 1) -> None:
        self.weight = weight
        self.every_steps = every_steps

    def discriminator(self, context: UpdateContext) -> Tensor:
        """Return the penalty at the fakes, a float32 scalar."""
        return self.weight / 2 * _gradients(context, context.fake).square().sum(1).mean()


class GradientPenalty:
    """Adds weight · E[(||∇D(x̂)|| - target)²] to the discriminator's loss, at points between reals and fakes.

    x̂ = t·x + (1 - t)·G(z), with t uniform on [0, 1) for each row. Where networks are conditional, x̂ has the label of
    its x, which its G(z) has too. Source: Gulrajani et al., "Improved Training of Wasserstein GANs", 2017, section 4
    and algorithm 1. The paper advises against BatchNorm in the discriminator: it makes a sample's logit depend on the
    others, and the penalty is not one of single samples any more.
    """

    def __init__(self, *, weight: Lambda = 10.0, target: Target = 1.0, every_steps: EverySteps = 1) -> None:
        self.weight = weight
        self.target = target
        self.every_steps = every_steps

    def discriminator(self, context: UpdateContext) -> Tensor:
        """Return the penalty, a float32 scalar."""
        t = context.random.uniform(*[1] * (context.real.ndim - 1))
        norms = _norms(context, t * context.real + (1 - t) * context.fake)
        return self.weight * (norms - self.target).square().mean()


class Dragan:
    """Adds weight · E[(||∇D(x + δ)|| - target)²] to the discriminator's loss, around real samples x.

    δ is N(0, noise_std²) in every coordinate. Source: Kodali et al., "On Convergence and Stability of GANs", 2017,
    equation 1, where noise_std² is called c, lambda is 10 and the target k is 1. How far to look around a sample
    depends on the data; the default is for pixels in [0, 1].
    """

    def __init__(
        self,
        *,
        weight: Lambda = 10.0,
        target: Target = 1.0,
        noise_std: Annotated[float, Ge(0), "standard deviation of the perturbation"] = 0.1,
        every_steps: EverySteps = 1,
    ) -> None:
        self.weight = weight
        self.target = target
        self.noise_std = noise_std
        self.every_steps = every_steps

    def discriminator(self, context: UpdateContext) -> Tensor:
        """Return the penalty, a float32 scalar."""
        norms = _norms(context, context.real + self.noise_std * context.random.normal(*context.real.shape[1:]))
        return self.weight * (norms - self.target).square().mean()


def _gradients(context: UpdateContext, samples: Tensor) -> Tensor:
    """Return the gradient of each sample's logit with respect to the sample, as a function of the weights.

    Where layers mix the rows of a batch, as BatchNorm does, it is the gradient of the sum of all logits.

    Args:
        context: whose `discriminate` takes `(n, *sample_shape)` to logits `(n, 1)`.
        samples: `(n, *sample_shape)` float32; where they come from is not differentiated.

    Returns:
        `(n, size of a sample)` float32, with the graph of the weights.
    """
    points = samples.detach().requires_grad_()
    # The mean, and not the sum, is what several processes add up to one gradient over all of their rows.
    (gradients,) = torch.autograd.grad(context.discriminate(points).mean(), points, create_graph=True)
    return gradients.flatten(1) * len(points)


def _norms(context: UpdateContext, samples: Tensor) -> Tensor:
    """Return the Euclidean norm `(n,)` of each row of `_gradients`; its own gradient is 0 where it is 0."""
    norms: Tensor = torch.linalg.vector_norm(_gradients(context, samples), dim=1)
    return norms
