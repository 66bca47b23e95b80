"""A script with a sampler that asks for the discriminator: of two samples it gives the one with the higher logit."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

import ganfw
from ganfw import Noise, Part, SampleRequest, hookimpl


class BestOfTwo:
    def __init__(self, generator: nn.Module, discriminator: nn.Module, noise: Noise, /) -> None:
        self.generator, self.discriminator, self.noise = generator, discriminator, noise

    @torch.no_grad()
    def __call__(self, request: SampleRequest) -> Tensor:
        pairs = ganfw.sample(self.generator, self.noise, 2 * request.count, seed=request.seed).unflatten(0, (-1, 2))
        with ganfw.evaluation_mode(self.discriminator):
            best = self.discriminator(pairs.flatten(0, 1)).reshape(-1, 2).argmax(1)
        return pairs[torch.arange(len(pairs)), best]


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    yield Part(kind="sampler", name="best_of_two", target="best_of_two:BestOfTwo", help="the better of two")
