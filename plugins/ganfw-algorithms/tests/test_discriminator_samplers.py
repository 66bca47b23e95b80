"""Samplers that let the discriminator choose: with an optimal one they give what real samples are."""

import math

import pytest
import torch
from torch import Tensor, nn

from ganfw import InputError, SampleRequest
from ganfw_algorithms.discriminator_samplers import MetropolisHastings, Rejection

REAL, FAKE = (0.5, 0.3, 0.2), (0.2, 0.2, 0.6)
"""How often real samples and fakes are 0, 1 and 2."""


class Uniform:
    """Noise on [0, 1)."""

    z_dim, device = 1, torch.device("cpu")

    def __call__(self, count: int, random: torch.Generator) -> Tensor:
        return torch.rand(count, 1, generator=random)


class Fakes(nn.Module):
    """Gives 0, 1 and 2 as often as `FAKE` says."""

    def forward(self, z: Tensor) -> Tensor:
        return (z >= FAKE[0]).float() + (z >= FAKE[0] + FAKE[1]).float()


class Optimal(nn.Module):
    """Gives the logarithm of the ratio of the probabilities."""

    def forward(self, samples: Tensor) -> Tensor:
        ratios = [math.log(real / fake) for real, fake in zip(REAL, FAKE, strict=True)]
        return torch.tensor(ratios)[samples.long()]


def shares(samples: Tensor) -> list[float]:
    return (samples.long().flatten().bincount(minlength=3) / len(samples)).tolist()


def test_without_a_choice_samples_are_fakes() -> None:
    plain = MetropolisHastings(Fakes(), nn.Linear(1, 1), Uniform(), chain=1, temperature=1e9)
    assert shares(plain(SampleRequest(count=20_000))) == pytest.approx(FAKE, abs=0.015)


def test_chains_end_where_real_samples_are() -> None:
    chains = MetropolisHastings(Fakes(), Optimal(), Uniform(), chain=15)
    assert shares(chains(SampleRequest(count=20_000))) == pytest.approx(REAL, abs=0.015)


def test_a_short_chain_has_the_share_of_its_transition_matrix() -> None:
    ratios = torch.tensor([real / fake for real, fake in zip(REAL, FAKE, strict=True)])
    moves = torch.tensor(FAKE)[None] * (ratios[None] / ratios[:, None]).clamp(max=1)
    moves += torch.diag(1 - moves.sum(1))
    expected = (torch.tensor(FAKE) @ moves @ moves).tolist()

    chains = MetropolisHastings(Fakes(), Optimal(), Uniform(), chain=2)

    assert shares(chains(SampleRequest(count=20_000))) == pytest.approx(expected, abs=0.015)


def test_without_gamma_a_sample_is_kept_with_the_exact_probability() -> None:
    rejection = Rejection(Fakes(), Optimal(), Uniform())
    logits = Optimal()(torch.tensor([[0.0], [1.0], [2.0]])).flatten()
    probability = torch.sigmoid(rejection.raw(logits, float(logits.max())))
    assert probability.tolist() == pytest.approx((logits - logits.max()).exp().tolist(), abs=1e-3)


def test_rejection_keeps_each_row_with_the_probability_that_it_says() -> None:
    rejection = Rejection(Fakes(), Optimal(), Uniform(), percentile=30.0, estimated=5000, rounds=200)
    logits = Optimal()(torch.tensor([[0.0], [1.0], [2.0]])).flatten()
    raw = rejection.raw(logits, float(logits.max()))
    gamma = raw.min()  # the 30th percentile, for 0.6 of the fakes are 2, which has the least
    kept = torch.tensor(FAKE) * torch.sigmoid(raw - gamma)

    found = shares(rejection(SampleRequest(count=20_000)))

    assert found == pytest.approx((kept / kept.sum()).tolist(), abs=0.015)


class Labelled(nn.Module):
    """Gives the label, and noise below one half."""

    num_classes = 3

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return labels[:, None] + z / 2


@pytest.mark.parametrize("sampler", [Rejection, MetropolisHastings])
@pytest.mark.parametrize("labels", [None, torch.tensor([2, 2, 0, 1, 0])])
def test_rows_keep_their_label(sampler: type[Rejection], labels: Tensor | None) -> None:
    found = sampler(Labelled(), nn.Linear(1, 1), Uniform())(SampleRequest(count=5, labels=labels))
    assert found.long().flatten().tolist() == ([0, 1, 2, 0, 1] if labels is None else labels.tolist())


def test_no_samples_are_refused() -> None:
    with pytest.raises(InputError, match="the number of samples must be >= 1, not 0"):
        Rejection(Fakes(), Optimal(), Uniform())(SampleRequest(count=0))
