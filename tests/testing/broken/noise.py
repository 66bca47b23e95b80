"""Noise that breaks its contract."""

import torch

from ganfw.testing import noises


class Normal:
    def __init__(self, device, /) -> None:
        self.device = torch.device(device)
        self.z_dim = 4

    def __call__(self, count, random):
        return torch.randn(count, self.z_dim, generator=random, device=self.device)


class InPairs(Normal):
    def __call__(self, count, random):
        half = super().__call__(count // 2, random)
        return torch.cat([half, -half])


class Global(Normal):
    def __call__(self, count, random):
        return torch.randn(count, self.z_dim, device=self.device)


class Growing(Normal):
    drawn = 0

    def __call__(self, count, random):
        self.drawn += 1
        return self.drawn * super().__call__(count, random)


class Fixed(Normal):
    def __call__(self, count, random):
        return super().__call__(count, torch.Generator().manual_seed(0))


class Standing(Normal):
    def __call__(self, count, random):
        return super().__call__(count, torch.Generator().manual_seed(random.initial_seed()))


class OneForAll(Normal):
    def __call__(self, count, random):
        return super().__call__(1, random).expand(count, -1)


class Twins(Normal):
    def __call__(self, count, random):
        return super().__call__(count, random).repeat_interleave(2, 0)[:count]


class WithConstant(Normal):
    def __call__(self, count, random):
        z = super().__call__(count, random)
        z[:, 2] = 1
        return z


class WithCopy(Normal):
    def __call__(self, count, random):
        z = super().__call__(count, random)
        z[:, 3] = -z[:, 1]
        return z


class Zero(Normal):
    def __call__(self, count, random):
        return torch.zeros(count, self.z_dim)


class Rejecting(Normal):
    def __init__(self, device, /, *, threshold: float = 9.0) -> None:
        super().__init__(device)
        self.threshold = threshold

    def __call__(self, count, random):
        z = super().__call__(count, random)
        while self.threshold and (outside := z.abs() > self.threshold).any():
            z[outside] = torch.randn(int(outside.sum()), generator=random)
        return z * (self.threshold > 0)

    def truncated(self, threshold):
        return type(self)(self.device, threshold=threshold)


class NeverTruncated(Rejecting):
    def truncated(self, threshold):
        return self if threshold else Zero(self.device)


BROKEN = (
    (noises.draws_vectors, InPairs, "what it draws must have the shape (1, 4), not (0, 4)"),
    (
        noises.draws_only_from_the_generator,
        Global,
        "it draws from a global random generator: draw from the one that it is given",
    ),
    (noises.draws_only_from_the_generator, Growing, "with one seed it draws other numbers the second time"),
    (noises.draws_only_from_the_generator, Fixed, "with another seed it draws the same numbers"),
    (
        noises.draws_only_from_the_generator,
        Standing,
        "it does not move the generator on: its second draw is its first",
    ),
    (noises.rows_are_independent, OneForAll, "all rows are the same"),
    (
        noises.rows_are_independent,
        Twins,
        "a row says something of the one 1 further on: they correlate by 0.50",
    ),
    (noises.coordinates_vary, WithConstant, "coordinates that never vary: [2]"),
    (noises.coordinates_vary, WithCopy, "coordinates 1 and 3 are copies of each other"),
    (noises.truncation_shrinks, NeverTruncated, "truncated at 0.1 it still draws "),
    (noises.truncation_shrinks, Rejecting, "from threshold "),
)
