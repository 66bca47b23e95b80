"""VAE-GAN: its losses in plain PyTorch, torch's own divergence, and what reconstructions keep."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from small_recipes import small
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence
from torch.nn.functional import softplus

import ganfw
from ganfw import Batch, InputError, RowRandom
from ganfw_algorithms.vaegan import VAEGAN, GaussianMLPEncoder, SimilarityMLPDiscriminator, draw_codes

SHAPE = (1, 4, 4)


def random() -> RowRandom:
    return RowRandom(torch.Generator().manual_seed(3), 6)


class Networks:
    """A step with small networks, and the samples and noise that it is tried with."""

    def __init__(self, registry: ganfw.Registry, **keys: float) -> None:
        torch.manual_seed(0)
        self.generator = nn.Sequential(nn.Linear(2, 16), nn.Sigmoid(), nn.Unflatten(1, SHAPE))
        self.encoder = GaussianMLPEncoder(SHAPE, 2, hidden_dim=2).eval()
        self.discriminator = SimilarityMLPDiscriminator(SHAPE, hidden_dim=3)
        self.batch, self.z = Batch(torch.rand(6, *SHAPE)), torch.randn(6, 2)
        loss, noise = registry.load("loss", "ganfw:bce")(), None
        networks: Any = (self.generator, self.encoder, self.discriminator)
        self.step = VAEGAN(*networks, noise, loss, **keys)  # type: ignore[arg-type]

    def reconstruct(self) -> tuple[Tensor, Tensor]:
        """Return reconstructions and the divergence, by torch's own distributions."""
        outputs = self.encoder(self.batch.samples)
        codes = Normal(outputs["z"], outputs["log_variance"].exp().sqrt())
        drawn = codes.loc + codes.scale * torch.randn(6, 2, generator=torch.Generator().manual_seed(3))
        prior = Normal(torch.zeros(2), torch.ones(2))
        return self.generator(drawn), kl_divergence(codes, prior).sum(1).mean()


def gradients(loss: Tensor, network: nn.Module) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss, tuple(network.parameters()), retain_graph=True, materialize_grads=True)


@pytest.mark.parametrize(("features", "pixels"), [(1.0, 0.0), (0.5, 3.0)])
def test_losses_and_their_gradients_are_those_of_plain_pytorch(
    registry: ganfw.Registry, features: float, pixels: float
) -> None:
    keys = {"similarity_weight": 0.7, "adversarial_weight": 2.0, "feature_weight": features, "pixel_weight": pixels}
    tried = Networks(registry, **keys)
    step, batch, discriminator = tried.step, tried.batch, tried.discriminator
    made, divergence = tried.reconstruct()
    sampled = tried.generator(tried.z)
    seen, of_sampled, of_real = (discriminator(each) for each in (made, sampled, batch.samples))
    similarity = features * ((seen["features"] - of_real["features"]) ** 2).sum() / 12
    similarity = similarity + pixels * ((made - batch.samples) ** 2).sum() / 12
    deceived = softplus(-seen["logits"]).mean() + softplus(-of_sampled["logits"]).mean()
    fooled = softplus(seen["logits"]).mean() + softplus(of_sampled["logits"]).mean()
    told = (2 * softplus(-of_real["logits"]).mean() + fooled) / 4  # bce is the mean of both of its halves

    found, statistics = step.encoder_loss(batch, random())
    torch.testing.assert_close(found, divergence + similarity)
    torch.testing.assert_close(statistics["divergence"], divergence)
    expected = gradients(divergence + similarity, tried.encoder)
    torch.testing.assert_close(gradients(found, tried.encoder), expected)
    found, whole = step.generator_loss(batch, random(), tried.z), 0.7 * similarity + deceived
    torch.testing.assert_close(found, whole)
    torch.testing.assert_close(gradients(found, tried.generator), gradients(whole, tried.generator))
    found = step.discriminator_loss(batch, random(), tried.z)
    torch.testing.assert_close(found, told)
    torch.testing.assert_close(gradients(found, discriminator), gradients(told, discriminator))
    assert not any(each.any() for each in gradients(found, tried.generator))


def test_codes_are_drawn_with_the_mean_and_variance_of_the_encoder(registry: ganfw.Registry) -> None:
    tried = Networks(registry)
    sample, seed = tried.batch.samples[:1], torch.Generator().manual_seed(0)
    codes, _ = draw_codes(tried.encoder, sample.expand(20_000, *SHAPE), RowRandom(seed, 20_000))
    outputs = tried.encoder(sample)
    torch.testing.assert_close(codes.mean(0), outputs["z"][0], atol=0.03, rtol=0)
    torch.testing.assert_close(codes.var(0), outputs["log_variance"][0].exp(), atol=0, rtol=0.04)


def test_a_discriminator_without_features_is_refused(registry: ganfw.Registry) -> None:
    recipe = small("mnist_vaegan", registry, "discriminator.use=ganfw:mlp")
    with pytest.raises(InputError, match="the discriminator gives no output 'features'"):
        ganfw.assemble(ganfw.resolve(recipe, registry))


def test_numbers_are_those_of_the_classifier_on_held_out_images(registry: ganfw.Registry, tmp_path: Path) -> None:
    experiment = ganfw.assemble(
        ganfw.resolve(small("mnist_vaegan", registry, "callbacks.reconstructed_features.count=3000"), registry)
    )
    ganfw.train(experiment, directory=tmp_path, steps=3)

    (found,) = json.loads((tmp_path / "reconstructed_features.json").read_text())

    data = registry.load("data", "ganfw:mnist")(split="test")
    samples, labels = data.samples[:3000], data.labels[:3000]
    generator, encoder = (experiment.networks[name].eval() for name in ("generator", "encoder"))
    with torch.no_grad():
        made = (255 * generator(encoder(samples.float() / 255)["z"])).round().to(torch.uint8)
    classifier = registry.load("embedding", "ganfw:mnist_classifier")((1, 28, 28), torch.device("cpu"))
    (features, _), (of_made, probabilities) = classifier(samples), classifier(made)
    kept = (features - of_made).square().sum(1).mean()
    variance = 2 * features.var(0).sum()  # the mean squared distance of two that are drawn
    assert found["distance"] == pytest.approx(float(kept / variance), rel=0.03)
    assert found["agreement"] == pytest.approx(float((probabilities.argmax(1) == labels).float().mean()), abs=1e-4)
