"""EBGAN: energies, the margin and the pulling-away term, each written out sample by sample."""

import pytest
import torch
from torch import Tensor

from ganfw import InputError, RowRandom, UpdateContext
from ganfw_algorithms.ebgan import EnergyMargin, MLPAutoencoder, PullingAway


@pytest.mark.parametrize("error", ["squared", "absolute"])
def test_logit_is_minus_the_mean_error_of_the_reconstruction(error: str) -> None:
    network = MLPAutoencoder((1, 3, 3), hidden_dim=2, code_dim=4, error=error)  # type: ignore[arg-type]
    samples = torch.rand(5, 1, 3, 3)

    outputs = network(samples)

    assert outputs["codes"].shape == (5, 4)
    for sample, code, logit in zip(samples, outputs["codes"], outputs["logits"], strict=True):
        differences = [
            abs(x - y) for x, y in zip(sample.flatten().tolist(), network.decoder(code).tolist(), strict=True)
        ]
        expected = sum(each**2 if error == "squared" else each for each in differences) / 9
        assert logit.item() == pytest.approx(-expected, rel=1e-5)


def test_losses_by_hand() -> None:
    loss = EnergyMargin(margin=2.0)
    real, fake = torch.tensor([[-0.5], [-1.5]]), torch.tensor([[-0.5], [-3.0], [-1.0]])
    assert loss.discriminator(real, fake).item() == pytest.approx((0.5 + 1.5) / 2 + (1.5 + 0.0 + 1.0) / 3)
    assert loss.generator(fake).item() == pytest.approx((0.5 + 3.0 + 1.0) / 3)


def context(outputs: dict[str, Tensor]) -> UpdateContext:
    samples = torch.zeros(len(outputs["logits"]), 2)
    return UpdateContext(
        real=samples,
        fake=samples,
        real_outputs=None,
        fake_outputs=outputs,
        discriminate=lambda samples: samples,
        generate=lambda z: z,
        networks={},
        random=RowRandom(torch.Generator(), len(samples)),
    )


@pytest.mark.parametrize(("count", "group"), [(6, 0), (6, 3), (5, 2), (2, 1)])
def test_term_is_the_mean_squared_cosine_of_pairs(count: int, group: int) -> None:
    codes = torch.randn(count, 4, generator=torch.Generator().manual_seed(0)).double()
    pairs = [(i, j) for i in range(count) for j in range(i) if i // (group or count) == j // (group or count)]
    cosines = [codes[i] @ codes[j] / (codes[i].norm() * codes[j].norm()) for i, j in pairs]
    expected = 0.3 * sum(float(cosine) ** 2 for cosine in cosines) / max(1, len(pairs))

    found = PullingAway(weight=0.3, group=group).generator(context({"logits": torch.zeros(count, 1), "codes": codes}))

    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_a_discriminator_without_codes_is_refused() -> None:
    with pytest.raises(InputError, match="pulling_away needs a discriminator that gives codes, such as 'mlp_autoenc"):
        PullingAway().generator(context({"logits": torch.zeros(2, 1)}))
