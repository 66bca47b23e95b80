"""PacGAN: packs of rows, judged together."""

import pytest
import torch

from ganfw_algorithms.pacgan import PackedMLPDiscriminator


@pytest.mark.parametrize(("count", "packs"), [(6, [[0, 1, 2], [3, 4, 5]]), (4, [[0, 1, 2], [3, 0, 1]]), (1, [[0] * 3])])
def test_rows_of_a_pack_share_the_logit_of_all(count: int, packs: list[list[int]]) -> None:
    network = PackedMLPDiscriminator((1, 4, 4), pack=3, hidden_dim=2)
    samples = torch.rand(count, 1, 4, 4)

    logits = network(samples)

    expected = torch.stack([network.last(network.layers(samples[pack].flatten()[None]))[0] for pack in packs])
    torch.testing.assert_close(logits, expected.repeat_interleave(3, 0)[:count])


def test_packs_of_one_are_the_plain_discriminator() -> None:
    network = PackedMLPDiscriminator((1, 4, 4), pack=1, hidden_dim=2)
    samples = torch.rand(5, 1, 4, 4)
    torch.testing.assert_close(network(samples), network.last(network.layers(samples.flatten(1))))
