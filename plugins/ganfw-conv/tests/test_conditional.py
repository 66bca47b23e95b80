"""Conditional layers against their formulas."""

import torch

from ganfw_conv.layers.conditional_batch_norm import ConditionalBatchNorm2d
from ganfw_conv.layers.projection import ProjectionHead
from ganfw_conv.resnet import ConditionalResNetDiscriminator


def test_projection_adds_the_inner_product_with_the_embedding() -> None:
    torch.manual_seed(0)
    head = ProjectionHead(3, 2, spectral=False)
    with torch.no_grad():
        head.linear.weight.copy_(torch.tensor([[1.0, -2.0, 0.5]]))
        head.linear.bias.fill_(0.25)
        head.embedding.weight.copy_(torch.tensor([[0.0, 1.0, 2.0], [-1.0, 0.0, 4.0]]))
    features = torch.tensor([[1.0, 1.0, 2.0], [1.0, 1.0, 2.0], [2.0, 0.0, -1.0]])
    logits = head(features, torch.tensor([0, 1, 1]))
    # linear: 1 - 2 + 1 + 0.25 = 0.25, the same, and 2 - 0.5 + 0.25 = 1.75; products: 1 + 4, -1 + 8, -2 - 4
    assert logits.tolist() == [[5.25], [7.25], [-4.25]]


def test_projection_discriminator_differs_between_classes_by_the_difference_of_their_embeddings() -> None:
    torch.manual_seed(0)
    discriminator = ConditionalResNetDiscriminator((1, 28, 28), 3, channels=8, spectral=False).eval()
    images = torch.rand(5, 1, 28, 28)
    with torch.no_grad():
        ones, twos = (discriminator(images, torch.full((5,), label)) for label in (1, 2))
        embeddings = discriminator.head.embedding.weight
        expected = discriminator.features(images) @ (embeddings[2] - embeddings[1])
    torch.testing.assert_close((twos - ones).squeeze(1), expected)


def test_conditional_batch_norm_normalises_over_all_classes_and_scales_by_each() -> None:
    torch.manual_seed(0)
    layer = ConditionalBatchNorm2d(3, 2)
    torch.nn.init.normal_(layer.scale.weight)
    torch.nn.init.normal_(layer.shift.weight)
    x = 5 + 2 * torch.randn(6, 3, 4, 4)
    labels = torch.tensor([0, 1, 1, 0, 1, 0])
    mean = x.mean((0, 2, 3), keepdim=True)
    variance = x.var((0, 2, 3), correction=0, keepdim=True)
    expected = torch.stack(
        [
            (x[row] - mean[0]) / (variance[0] + 1e-5).sqrt() * layer.scale.weight[label][:, None, None]
            + layer.shift.weight[label][:, None, None]
            for row, label in enumerate(labels)
        ]
    )
    torch.testing.assert_close(layer(x, labels), expected)


def test_conditional_batch_norm_starts_the_same_for_every_class() -> None:
    layer, plain = ConditionalBatchNorm2d(3, 2), torch.nn.BatchNorm2d(3)
    x = torch.randn(4, 3, 5, 5)
    torch.testing.assert_close(layer(x, torch.tensor([0, 1, 1, 0])), plain(x))
