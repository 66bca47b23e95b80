"""Samplers that let the discriminator choose among the generator's samples."""

from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le
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

ROUNDS = 1 << 32
"""Rounds of candidates of one seed; those of the next seed come after them."""


class _Candidates:
    """Rounds of samples of a request, each row with its own label, and their logits."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module, noise: Noise, request: SampleRequest) -> None:
        if request.count < 1:
            raise InputError(f"the number of samples must be >= 1, not {request.count}")
        self.generator, self.discriminator, self.noise, self.request = generator, discriminator, noise, request
        self.labels = request.labels
        num_classes = getattr(generator, "num_classes", None)
        if self.labels is None and "labels" in inputs_of(generator) and isinstance(num_classes, int):
            self.labels = each_class_in_turn(num_classes, request.count)

    def draw(self, round_: int, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the candidates of a round for some rows, `(n, *sample_shape)` and logits `(n,)`, both on the CPU."""
        request = self.request
        seed = (request.seed + 1) * ROUNDS + round_
        z = draw_noise(self.noise, len(rows), seed=seed, truncation=request.truncation)
        labels = None if self.labels is None else self.labels[rows.to(self.labels.device)]
        samples = generate(self.generator, z, labels=labels, batch_size=request.batch_size)
        return samples, self.logits(samples, z, labels)

    @torch.no_grad()
    def logits(self, samples: Tensor, z: Tensor, labels: Tensor | None) -> Tensor:
        """Return the logits of samples, `(n,)` float32 on the CPU; of patches, their mean."""
        found = []
        with evaluation_mode(self.discriminator):
            for rows in torch.arange(len(samples)).split(self.request.batch_size):
                named = {"z": z[rows.to(z.device)], "labels": None if labels is None else labels[rows].to(z.device)}
                outputs = outputs_of(call_network(self.discriminator, samples[rows].to(z.device), **named))
                found.append(outputs["logits"].float().flatten(1).mean(1).cpu())
        return torch.cat(found)


class Rejection:
    """Discriminator rejection sampling: a sample is kept with a probability that grows with its logit.

    With an optimal discriminator exp(logit) is the ratio of the densities of real samples and fakes, so that keeping a
    fake with probability exp(logit - M), M the largest logit, gives real ones. That keeps too few. Instead the
    probability is sigmoid(F), with F = (logit - M) - log(1 - exp(logit - M - eps)) - gamma, and gamma the percentile of
    F among fakes that `percentile` names, so that about 100 - percentile of 100 are kept. M and gamma are estimated
    from `estimated` fakes. Rows keep their label, and draw again until they are kept or `rounds` are over.

    Source: Azadi et al., "Discriminator Rejection Sampling", 2019, which first trains the last layer of the
    discriminator on, as the step `discriminator_only` trains all of it, and keeps M up to date while sampling; here M
    is taken as estimated.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        noise: Noise,
        /,
        *,
        percentile: Annotated[float, Ge(0), Le(100), "percentile of F that is gamma; higher keeps fewer"] = 80.0,
        estimated: Annotated[int, Ge(10), "fakes that M and gamma are estimated from"] = 2000,
        eps: Annotated[float, Gt(0), "keeps the logarithm finite"] = 1e-8,
        rounds: Annotated[int, Ge(1), "at most so many candidates for a row"] = 100,
    ) -> None:
        self.generator, self.discriminator, self.noise = generator, discriminator, noise
        self.percentile, self.estimated, self.eps, self.rounds = percentile, estimated, eps, rounds

    def __call__(self, request: SampleRequest) -> Tensor:
        """Return `(count, *sample_shape)` float32 on the CPU.

        Raises:
            InputError: what is asked for cannot be made, such as truncation where the noise has none.
        """
        candidates = _Candidates(self.generator, self.discriminator, self.noise, request)
        rows = torch.arange(self.estimated) % request.count
        _, logits = candidates.draw(0, rows)
        largest = float(logits.max())
        gamma = float(torch.quantile(self.raw(logits, largest), self.percentile / 100))
        random = torch.Generator().manual_seed(request.seed)
        left, kept = torch.arange(request.count), None
        for round_ in range(1, self.rounds + 1):
            samples, logits = candidates.draw(round_, left)
            kept = samples.new_empty(request.count, *samples.shape[1:]) if kept is None else kept
            kept[left] = samples  # the last candidate of a row stays if none is kept
            probability = torch.sigmoid(self.raw(logits, largest) - gamma)
            left = left[torch.rand(len(left), generator=random) >= probability]
            if not len(left):
                break
        assert kept is not None
        return kept

    def raw(self, logits: Tensor, largest: float) -> Tensor:
        """Return F without gamma, `(n,)` float64: the logit of the exact probability of keeping a sample."""
        difference = (logits.double() - largest).clamp(max=0.0)
        return difference - torch.log1p(-torch.exp(difference - self.eps))


class MetropolisHastings:
    """Metropolis-Hastings: each sample is the end of a chain of fakes, which moves to a better one for sure.

    A chain moves from x to the next fake x' with probability min(1, r' / r), where r = D / (1 - D) = exp(logit) is the
    ratio of the densities of real samples and fakes, if the discriminator is optimal. It starts from a fake; the paper
    starts from a real sample, which a checkpoint does not have, and calibrates the discriminator on real samples first.

    Source: Turner et al., "Metropolis-Hastings Generative Adversarial Networks", 2019, which has chains of 640 fakes.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        noise: Noise,
        /,
        *,
        chain: Annotated[int, Ge(1), "fakes that a chain is offered"] = 20,
        temperature: Annotated[float, Gt(0), "what logits are divided by: above 1 for a discriminator too sure"] = 1.0,
    ) -> None:
        self.generator, self.discriminator, self.noise = generator, discriminator, noise
        self.chain, self.temperature = chain, temperature

    def __call__(self, request: SampleRequest) -> Tensor:
        """Return `(count, *sample_shape)` float32 on the CPU.

        Raises:
            InputError: what is asked for cannot be made, such as truncation where the noise has none.
        """
        candidates = _Candidates(self.generator, self.discriminator, self.noise, request)
        random = torch.Generator().manual_seed(request.seed)
        rows = torch.arange(request.count)
        samples, logits = candidates.draw(0, rows)
        for round_ in range(1, self.chain + 1):
            offered, theirs = candidates.draw(round_, rows)
            moves = torch.rand(len(rows), generator=random).log() < (theirs - logits) / self.temperature
            samples[moves], logits[moves] = offered[moves], theirs[moves]
        return samples
