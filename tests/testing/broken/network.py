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


class WithRelu(Discriminator):
    def forward(self, samples):
        return super().forward(samples).relu()


class WithSoftmax(Discriminator):
    def forward(self, samples):
        return super().forward(samples).softmax(1)


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
        networks.samples_are_independent,
        OnBatchStatistics,
        "in evaluation mode a sample changes with what is generated beside it",
    ),
    (networks.every_parameter_learns, WithSpareLayer, "in 5 steps no gradient reaches 'spare.weight' of the generator"),
    (
        networks.does_not_change_its_input,
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
BOUNDED = (
    "it gives values in [0, 1] with any weights: leave the sigmoid or softmax to the loss; it takes logits of "
    "both signs"
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
        BOUNDED,
    ),
    (
        networks.gives_no_probabilities,
        WithSoftmax,
        BOUNDED,
    ),
    (
        networks.gives_no_probabilities,
        WithRelu,
        "it gives no value below 0 with any weights: leave the ReLU before the loss out; it takes logits of both signs",
    ),
    (
        networks.gradients_reach_the_samples,
        Rounding,
        "no finite gradient reaches the samples, so no generator can learn from it",
    ),
    (
        networks.does_not_change_its_input,
        InPlaceDiscriminator,
        "it writes into its input: its first layer must not work in place",
    ),
)


class Encoder(nn.Module):
    """Scales samples by as much as it has learnt."""

    def __init__(self, sample_shape, /) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(sample_shape))

    def forward(self, samples):
        return samples * self.scale


class WithoutItsWeights(Encoder):
    def __init__(self, sample_shape, /) -> None:
        super().__init__(sample_shape)
        self.spare = nn.Parameter(torch.ones(2))


class InPlaceEncoder(Encoder):
    def forward(self, samples):
        return super().forward(samples.sub_(0.5))


class OnTheCpu(Encoder):
    def forward(self, samples):
        super().forward(samples)
        return torch.ones(samples.shape)


BROKEN_NETWORKS = (
    (networks.every_parameter_learns, WithoutItsWeights, "in 5 steps no gradient reaches 'spare' of the encoder"),
    (
        networks.does_not_change_its_input,
        InPlaceEncoder,
        "it writes into its input: its first layer must not work in place",
    ),
    (
        networks.moves_to_another_device,
        OnTheCpu,
        "moved to another device, what it gives is still on cpu",
    ),
)
