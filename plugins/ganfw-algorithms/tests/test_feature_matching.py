"""Feature matching: the distance of mean features against a loop, and what it needs."""

import pytest
import torch
from contexts import context
from torch import Tensor, nn

import ganfw
from ganfw import InputError
from ganfw.testing import small_recipe
from ganfw_algorithms.feature_matching import FeatureMatching


class Squares(nn.Module):
    """A discriminator whose features are a sample and its square."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, samples: Tensor) -> dict[str, Tensor]:
        features = self.scale * torch.cat([samples, samples.square()], dim=1)
        return {"logits": features.sum(1, keepdim=True), "features": features}


def test_term_is_the_squared_distance_of_the_mean_features() -> None:
    network, real = Squares(), torch.rand(4, 2)
    fake = torch.rand(4, 2, requires_grad=True)
    expected = sum(
        (sum(2 * real[row, at] ** power - 2 * fake[row, at] ** power for row in range(4)) / 4) ** 2
        for at in (0, 1)
        for power in (1, 2)
    )

    term = FeatureMatching(weight=3.0).generator(
        context(real=real, fake=fake, fake_outputs=network(fake), networks={"discriminator": network})
    )

    torch.testing.assert_close(term, 3.0 * expected)
    (found,) = torch.autograd.grad(term, fake, retain_graph=True)
    torch.testing.assert_close(found, torch.autograd.grad(3.0 * expected, fake)[0])


def test_a_discriminator_without_features_is_refused(registry: ganfw.Registry) -> None:
    regularizers = {"match": {"use": "feature_matching"}}
    recipe = ganfw.Recipe(name="matching", extends=small_recipe(registry), regularizers=regularizers)
    with pytest.raises(InputError) as caught:
        ganfw.assemble(ganfw.resolve(recipe, registry))
    assert str(caught.value) == (
        "the discriminator gives no output 'features', which feature_matching needs; "
        "take discriminator.use = 'mlp_features'"
    )
