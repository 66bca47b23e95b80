"""Generators and discriminators that break their contract."""

import torch
from torch import nn

from ganfw.testing import networks


class Generator(nn.Module):
    def __init__(self, z_dim, sample_shape, /) -> None:
        super().__init__()
        self.sample_shape = sample_shape
        self.layer = nn.Linear(z_dim, 28 * 28)

    def forward(self, z):
        return self.layer(z).sigmoid().unflatten(1, self.sample_shape)


class Squeezing(Generator):
    def forward(self, z):
        samples = super().forward(z)
        return samples[0] if len(samples) == 1 else samples


class JitteringInTraining(Generator):
    def forward(self, z):
        return super().forward(z) + self.training


class OnBatchStatistics(Generator):
    def __init__(self, z_dim, sample_shape, /) -> None:
        super().__init__(z_dim, sample_shape)
        self.norm = nn.BatchNorm1d(z_dim, track_running_stats=False)

    def forward(self, z):
        return super().forward(self.norm(z))


class WithSpareLayer(Generator):
    def __init__(self, z_dim, sample_shape, /) -> None:
        super().__init__(z_dim, sample_shape)
        self.spare = nn.Linear(2, 2)


class InPlace(Generator):
    def forward(self, z):
        return super().forward(z.relu_())


class WithLooseTensor(Generator):
    def __init__(self, z_dim, sample_shape, /) -> None:
        super().__init__(z_dim, sample_shape)
        self.scale = torch.ones(z_dim)

    def forward(self, z):
        return super().forward(z * self.scale)


class MakingTensorsOnTheCpu(Generator):
    def forward(self, z):
        return super().forward(torch.cat([z[:, :1], torch.ones(len(z), z.shape[1] - 1)], 1))


class Discriminator(nn.Module):
    def __init__(self, sample_shape, /) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 1))

    def forward(self, samples):
        return self.layers(samples)


class OneLogitTooMany(Discriminator):
    def forward(self, samples):
        logits = super().forward(samples)
        return torch.cat([logits, logits], 1) if len(samples) == 1 else logits


class WithSigmoid(Discriminator):
    def forward(self, samples):
        return super().forward(samples).sigmoid()


class Rounding(Discriminator):
    def forward(self, samples):
        return super().forward(samples.round())


class InPlaceDiscriminator(Discriminator):
    def forward(self, samples):
        return super().forward(samples.sub_(0.5))


BROKEN_GENERATORS = (
    (
        networks.gives_samples,
        Squeezing,
        "what it gives for 1 rows in evaluation mode must have the shape (1, 1, 28, 28), not (1, 28, 28)",
    ),
    (
        networks.gives_samples,
        JitteringInTraining,
        "what it gives for 5 rows in training mode is from ",
    ),
    (
        networks.samples_stand_alone,
        OnBatchStatistics,
        "in evaluation mode a sample changes with what is generated beside it",
    ),
    (networks.every_parameter_learns, WithSpareLayer, "no gradient reaches the parameter 'spare.weight'"),
    (
        networks.leaves_its_input_alone,
        InPlace,
        "it writes into its input: its first layer must not work in place",
    ),
    (
        networks.moves_to_another_device,
        WithLooseTensor,
        "the tensor 'scale' does not move with it: use register_buffer",
    ),
    (networks.moves_to_another_device, MakingTensorsOnTheCpu, "moved to another device it fails: "),
)
BROKEN_DISCRIMINATORS = (
    (
        networks.gives_logits,
        OneLogitTooMany,
        "what it gives for 1 rows in evaluation mode must have the shape (1, 1), not (1, 2)",
    ),
    (
        networks.gives_no_probabilities,
        WithSigmoid,
        "whatever its weights, it gives values in [0, 1]: leave the sigmoid to the loss",
    ),
    (
        networks.gradients_reach_the_samples,
        Rounding,
        "no finite gradient reaches the samples, so no generator can learn from it",
    ),
    (
        networks.leaves_its_input_alone,
        InPlaceDiscriminator,
        "it writes into its input: its first layer must not work in place",
    ),
)
