"""Self-attention against its equations (Zhang et al., 2019), computed place by place."""

import math

import torch

from ganfw_conv.layers.attention import SelfAttention


def by_hand(layer: SelfAttention, image: torch.Tensor) -> torch.Tensor:
    """Return what equations 1 to 3 give for one `(channels, height, width)` image."""
    f, g, h, v = (part.weight[:, :, 0, 0] for part in (layer.f, layer.g, layer.h, layer.v))
    places = [(row, column) for row in range(image.shape[1]) for column in range(image.shape[2])]
    y = torch.empty_like(image)
    for j in places:
        scores = [torch.dot(f @ image[:, *i], g @ image[:, *j]).item() for i in places]
        total = math.fsum(math.exp(score) for score in scores)
        o = sum(math.exp(score) / total * (h @ image[:, *i]) for score, i in zip(scores, places, strict=True))
        y[:, *j] = layer.gamma * (v @ o) + image[:, *j]
    return y


def test_attention_is_that_of_the_equations() -> None:
    torch.manual_seed(0)
    layer = SelfAttention(16, spectral=False).double()
    torch.nn.init.constant_(layer.gamma, 0.7)
    x = torch.randn(2, 16, 3, 4, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), torch.stack([by_hand(layer, image) for image in x]))


def test_attention_starts_as_the_identity() -> None:
    x = torch.randn(2, 16, 5, 5)
    assert torch.equal(SelfAttention(16, spectral=True)(x), x)


def test_inner_maps_have_an_eighth_of_the_channels_and_at_least_one() -> None:
    assert SelfAttention(64, spectral=False).f.out_channels == 8
    assert SelfAttention(4, spectral=False).f.out_channels == 1
