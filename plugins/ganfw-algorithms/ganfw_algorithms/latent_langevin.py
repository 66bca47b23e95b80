"""A sampler that moves noise to where the discriminator takes samples for real."""

from typing import Annotated

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn

from ganfw import (
    InputError,
    Noise,
    SampleRequest,
    call_network,
    draw_noise,
    each_class_in_turn,
    evaluation_mode,
    generate,
    inputs_of,
    outputs_of,
)


class LatentLangevin:
    """Discriminator driven latent sampling: Langevin steps in the noise, before samples are made of it.

    With an optimal discriminator exp(logit) is the ratio of the densities of real samples and fakes. So noise with the
    density p0(z) exp(d(G(z))), d being the logit and p0 that of N(0, I), makes real samples: its energy is

        E(z) = |z|^2 / 2 - d(G(z)) / temperature

    Each noise vector z takes `steps` steps z <- z - step_size / 2 dE/dz + sqrt(step_size) n, n from N(0, I). Shorter
    steps, and more of them, come nearer to that density. The noise must be `normal`.

    Source: Che et al., "Your GAN is Secretly an Energy-based Model and You Should Use Discriminator Driven Latent
    Sampling", 2020.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        noise: Noise,
        /,
        *,
        steps: Annotated[int, Ge(0), "steps of each noise vector"] = 200,
        step_size: Annotated[float, Gt(0), "variance of what a step adds"] = 0.01,
        temperature: Annotated[float, Gt(0), "what logits are divided by: above 1 for a discriminator too sure"] = 1.0,
    ) -> None:
        self.generator, self.discriminator, self.noise = generator, discriminator, noise
        self.steps, self.step_size, self.temperature = steps, step_size, temperature

    def __call__(self, request: SampleRequest) -> Tensor:
        """Return `(count, *sample_shape)` float32 on the CPU.

        Raises:
            InputError: no sample is asked for, or the request asks for truncation.
        """
        if request.count < 1:
            raise InputError(f"the number of samples must be >= 1, not {request.count}")
        if request.truncation is not None:
            raise InputError("latent_langevin moves noise out of any bounds; leave --truncation out")
        labels, num_classes = request.labels, getattr(self.generator, "num_classes", None)
        if labels is None and "labels" in inputs_of(self.generator) and isinstance(num_classes, int):
            labels = each_class_in_turn(num_classes, request.count)
        z = draw_noise(self.noise, request.count, seed=request.seed)
        random = torch.Generator().manual_seed(request.seed)
        for _ in range(self.steps):
            drift = self.energy_gradient(z, labels, request.batch_size)
            z = z - self.step_size / 2 * drift + self.step_size**0.5 * torch.randn(z.shape, generator=random).to(z)
        return generate(self.generator, z, labels=labels, batch_size=request.batch_size)

    def energy_gradient(self, z: Tensor, labels: Tensor | None, batch_size: int) -> Tensor:
        """Return dE/dz, `(n, z_dim)`, for noise `(n, z_dim)`; of logits of patches, d is the mean."""
        slopes = []
        with evaluation_mode(self.generator, self.discriminator), torch.enable_grad():
            for rows in torch.arange(len(z)).split(batch_size):
                chunk = z[rows.to(z.device)].detach().requires_grad_()
                given = None if labels is None else labels[rows.to(labels.device)].to(z.device)
                samples = call_network(self.generator, chunk, labels=given)
                outputs = outputs_of(call_network(self.discriminator, samples, z=chunk, labels=given))
                logits = outputs["logits"].float().flatten(1).mean(1)
                slopes.append(torch.autograd.grad(logits.sum(), chunk)[0])
        return z - torch.cat(slopes) / self.temperature
