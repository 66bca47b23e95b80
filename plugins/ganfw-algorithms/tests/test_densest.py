"""Instance selection: densities from scipy, and which samples are kept."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

import ganfw
from ganfw import InputError
from ganfw_algorithms import densest as module
from ganfw_algorithms.densest import densest, features_of, log_densities

POINTS = """
import torch
from ganfw import Part, TensorData, hookimpl

@hookimpl
def ganfw_parts():
    for kind, name in (("data", "points"), ("data", "listed"), ("embedding", "itself")):
        yield Part(kind=kind, name=name, target=f"{__name__}:{name}")

def points(*, split="train"):
    points = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 5.0])
    return TensorData(points, torch.arange(1000) % 3, 3, more={"row": torch.arange(1000)}, licence="CC0-1.0")

def listed(*, split="train"):
    return [torch.zeros(2)] * 9

class itself:
    identity = "itself"

    def __call__(self, samples):
        return samples, None
"""


@pytest.fixture(scope="session")
def with_points(tmp_path_factory: pytest.TempPathFactory) -> ganfw.Registry:
    """Return a registry that has the parts of `POINTS`."""
    script = tmp_path_factory.mktemp("points") / "few_points.py"
    script.write_text(POINTS)
    return ganfw.discover(scripts=[script])


@pytest.fixture
def points(monkeypatch: pytest.MonkeyPatch, with_points: ganfw.Registry) -> None:
    """Let the parts of `POINTS` be found."""
    monkeypatch.setattr(module, "discover", lambda: with_points)


def test_densities_are_those_of_scipys_normal_distribution_up_to_a_constant() -> None:
    random = torch.Generator().manual_seed(0)
    features = (torch.randn(300, 4, generator=random) @ torch.randn(4, 4, generator=random) + 3).double()
    fitted = multivariate_normal(features.mean(0).numpy(), np.cov(features.T.numpy()))
    differences = log_densities(features).numpy() - fitted.logpdf(features.numpy())
    assert np.ptp(differences) < 1e-3


def test_a_feature_that_is_always_the_same_does_no_harm() -> None:
    features = torch.randn(300, 2, generator=torch.Generator().manual_seed(0)).double()
    wider = torch.cat([features, torch.full((300, 1), 7.0)], dim=1)
    torch.testing.assert_close(log_densities(wider), log_densities(features), rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("points")
def test_samples_within_an_ellipse_are_kept_with_all_that_belongs_to_them() -> None:
    whole, kept = (densest(data="points", embedding="itself", keep=keep) for keep in (1.0, 0.3))
    assert (len(whole), len(kept)) == (1000, 300)
    rows = kept.more["row"]
    assert torch.equal(rows, rows.sort().values)
    assert torch.equal(kept.samples, whole.samples[rows])
    assert kept.labels is not None
    assert torch.equal(kept.labels, rows % 3)
    assert (kept.num_classes, kept.licence) == (3, "CC0-1.0")
    radii = (whole.samples / torch.tensor([1.0, 5.0])).norm(dim=1)
    left_out = torch.ones(1000, dtype=torch.bool).index_fill(0, rows, False)
    assert radii[rows].mean() < 0.6  # sqrt(-2 log 0.7) = 0.84 bounds three in ten of N(0, I)
    assert radii[rows].max() < 1.0
    assert radii[left_out].min() > 0.7


@pytest.mark.usefixtures("points")
def test_samples_to_test_with_are_all_kept() -> None:
    assert len(densest(data="points", embedding="itself", keep=0.1, split="test")) == 1000


@pytest.mark.usefixtures("points")
def test_data_that_is_not_in_memory_is_refused() -> None:
    with pytest.raises(InputError, match="densest needs data that is held in memory, and 'listed' is not"):
        densest(data="listed", embedding="itself")


@pytest.mark.parametrize(("embedding", "length"), [("ganfw:mnist_classifier", 64), ("ganfw:pixels", 196)])
def test_features_are_those_of_the_embedding(registry: ganfw.Registry, embedding: str, length: int) -> None:
    images = registry.load("data", "ganfw:mnist")(split="test").samples[:6]
    features = features_of(images, embedding)
    assert features.shape == (6, length)
    torch.testing.assert_close(features_of(images.float() / 255, embedding), features)
