"""InfoGAN: its term against torch's own distributions, codes, traversals, and purity by hand."""

from pathlib import Path

import pytest
import torch
from small_recipes import small
from torch import Tensor, nn
from torch.distributions import Categorical, Normal

import ganfw
from ganfw import InputError, RowRandom, UpdateContext
from ganfw_algorithms.infogan import Codes, Information, Traversal, purity

CPU = torch.device("cpu")


def codes() -> Codes:
    return Codes(CPU, noise_dim=3, categories=4, continuous=2)


def test_codes_are_split_and_joined() -> None:
    noise = codes()
    z = noise(2000, torch.Generator().manual_seed(0))
    pieces = noise.split(z)

    assert torch.equal(noise.join(**pieces), z)
    assert torch.equal(pieces["category"].sum(1), torch.ones(2000))
    assert pieces["category"].mean(0).tolist() == pytest.approx([0.25] * 4, abs=0.04)
    assert pieces["continuous"].abs().max() <= 1
    assert pieces["continuous"].var(0).tolist() == pytest.approx([1 / 3] * 2, abs=0.03)
    assert pieces["noise"].std(0).tolist() == pytest.approx([1.0] * 3, abs=0.06)


class Guess(nn.Module):
    """Takes features for guesses."""

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        category, mean, log_variance = features.split([4, 2, 2], dim=1)
        return {"category": category, "mean": mean, "log_variance": log_variance}


def test_term_is_the_negative_log_likelihood_of_the_codes() -> None:
    random = torch.Generator().manual_seed(0)
    noise, features = codes(), torch.randn(5, 8, generator=random)
    z = noise(5, random)
    outputs = {"logits": torch.zeros(5, 1), "features": features}
    seen = UpdateContext(
        real=features,
        fake=features,
        real_outputs=None,
        fake_outputs=outputs,
        z=z,
        discriminate=lambda samples: samples,
        generate=lambda z: z,
        networks={"q": Guess()},
        random=RowRandom(random, 5),
    )

    term = Information(noise, category_weight=2.0, continuous_weight=0.3)
    found = term.generator(seen)

    pieces, guess = noise.split(z), Guess()(features)
    category = -Categorical(logits=guess["category"]).log_prob(pieces["category"].argmax(1)).mean()
    numbers = Normal(guess["mean"], (guess["log_variance"] / 2).exp())
    likelihood = numbers.log_prob(pieces["continuous"]).sum(1).mean()
    constant = 2 * torch.log(torch.tensor(2 * torch.pi)) / 2
    assert term.discriminator(seen).item() == found.item()
    assert found.item() == pytest.approx(float(2 * category + 0.3 * (-likelihood - constant)), rel=1e-5)


def test_noise_without_codes_is_refused(registry: ganfw.Registry) -> None:
    recipe = small("mnist_infogan", registry).tables
    tables = {**recipe, "noise": {"use": "normal", "z_dim": 9}}
    with pytest.raises(InputError, match="the noise has no codes to guess"):
        ganfw.assemble(ganfw.resolve(ganfw.Recipe(name="without", **tables), registry))


@pytest.mark.parametrize(("code", "moving"), [("category", slice(3, 7)), ("continuous", slice(7, 8))])
def test_traversal_moves_one_code_alone(code: str, moving: slice) -> None:
    sampler = Traversal(nn.Identity(), codes(), code=code)  # type: ignore[arg-type]
    steps = 4 if code == "category" else 10

    z = sampler(ganfw.SampleRequest(count=2 * steps)).unflatten(0, (2, steps))

    still = torch.ones(9, dtype=torch.bool)
    still[moving] = False
    assert torch.equal(z[:, :, still], z[:, :1, still].expand(-1, steps, -1))
    assert not torch.equal(z[0, 0, still], z[1, 0, still])
    expected = torch.eye(4) if code == "category" else torch.linspace(-2, 2, 10)[:, None]
    assert torch.equal(z[0, :, moving], expected)


def test_purity_by_hand() -> None:
    groups = torch.tensor([0, 0, 0, 1, 1, 1, 3, 3])
    labels = torch.tensor([5, 5, 2, 1, 1, 5, 2, 0])
    assert purity(groups, labels) == (pytest.approx(5 / 8), 3)


def test_traversal_of_a_run_is_drawn(registry: ganfw.Registry, tmp_path: Path) -> None:
    experiment = ganfw.assemble(ganfw.resolve(small("mnist_infogan", registry), registry))
    directory = ganfw.create_run_directory(tmp_path, experiment)
    ganfw.train(experiment, directory=directory, steps=3)

    source = ganfw.open_checkpoint(directory).source(registry, "cpu", ["sampler.code=continuous", "sampler.index=1"])

    assert source.sample(20).shape == (20, 1, 28, 28)
