"""Samplers that break their contract."""

import torch

from ganfw import InputError, SampleSource
from ganfw.testing import samplers


class Plain:
    def __init__(self, generator, noise, /) -> None:
        self.source = SampleSource({"generator": generator}, noise)

    def __call__(self, request):
        return self.source.sample(request.count, seed=request.seed, batch_size=request.batch_size)


class OneTooFew(Plain):
    def __call__(self, request):
        return super().__call__(request)[1:]


class TooBright(Plain):
    def __call__(self, request):
        return 2 + super().__call__(request)


class Silent(Plain):
    def __call__(self, request):
        if request.inputs is None:
            raise InputError("it translates")
        return super().__call__(request)


class Growing(Plain):
    asked = 0

    def __call__(self, request):
        self.asked += 1
        return super().__call__(request) / self.asked


class Fixed(Plain):
    def __call__(self, request):
        return self.source.sample(request.count)


class OnBatches(Plain):
    def __call__(self, request):
        samples = super().__call__(request)
        return samples - samples[-1] * (request.batch_size < request.count)


class Global(Plain):
    def __call__(self, request):
        return super().__call__(request) * torch.rand(())


class ChangingTheMode(Plain):
    def __call__(self, request):
        self.source.networks["generator"].eval()
        return super().__call__(request)


BROKEN = (
    (
        samplers.gives_samples,
        OneTooFew,
        "what it gives for 1 samples must have the shape (1, 1, 28, 28), not (0, 1, 28, 28)",
    ),
    (samplers.gives_samples, TooBright, "what it gives for 1 samples is from "),
    (
        samplers.says_whether_it_takes_inputs,
        Silent,
        "without inputs it refuses, so it must have takes_inputs = True: it translates",
    ),
    (samplers.follows_from_the_seed, Growing, "with one seed it gives other samples the second time"),
    (
        samplers.follows_from_the_seed,
        Fixed,
        "with another seed and other inputs it gives the same samples",
    ),
    (samplers.batches_change_nothing, OnBatches, "in smaller batches it gives other samples"),
    (
        samplers.changes_nothing_else,
        Global,
        "it draws from a global random generator: make one from request.seed",
    ),
    (
        samplers.changes_nothing_else,
        ChangingTheMode,
        "it changes a network: use ganfw.evaluation_mode and torch.no_grad",
    ),
)
