"""References: kept features, files of other programs, and what is refused."""

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor, nn

import ganfw
from ganfw import DataError, Evaluator, GanfwError, InputError, Reference, Registry, SampleSource, TensorData
from ganfw.builtin.noise import Normal
from ganfw.evaluation import arrays

CPU = torch.device("cpu")
SHAPE = (1, 2, 2)


class Pixels:
    """The values of images as features, and which of two pixels is brighter as classes."""

    def __init__(self, identity: str = "values sha256:1") -> None:
        self.identity = identity

    def __call__(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        values = samples.flatten(1).float() / 255
        return values, values[:, :2].softmax(1)


class Images(nn.Module):
    """Makes images of its noise."""

    def forward(self, z: Tensor) -> Tensor:
        return torch.sigmoid(z).reshape(len(z), *SHAPE)


def real(count: int = 300) -> TensorData:
    noise = torch.randn(count, 4, generator=torch.Generator().manual_seed(1))
    mixing = torch.tensor([[1.0, 0.5, 0, 0], [0, 1, 0.5, 0], [0, 0, 1, 0.5], [0.5, 0, 0, 1]])
    return TensorData(ganfw.to_uint8(Images()(0.3 + noise @ mixing)), (torch.arange(count) % 10 == 0).long(), 2)


def source() -> SampleSource:
    return SampleSource({"generator": Images()}, Normal(CPU, z_dim=4))


def metrics(registry: Registry, *names: str) -> dict[str, Any]:
    chosen = names or ("frechet_distance", "kernel_distance", "precision_recall", "density_coverage", "diversity")
    return {name: registry.load("metric", name)() for name in chosen}


def write(path: Path, **values: Any) -> Path:
    np.savez(path, **values)
    return path


def kept(path: Path, **options: Any) -> Path:
    path.write_bytes(Reference.of(real(), Pixels(), data_name="dots", split="train", **options).to_bytes())
    return path


def moments(count: int = 300) -> tuple[np.ndarray, np.ndarray]:
    features = real(count).samples.flatten(1).double().numpy() / 255
    return features.mean(0), np.cov(features, rowvar=False)


def refusal(path: Path) -> str:
    with pytest.raises(GanfwError) as caught:
        Reference.read(path)
    return str(caught.value).removeprefix(f"{path}: not a reference; make one with ganfw reference: ")


def test_a_file_has_the_mean_and_the_covariance_of_all_samples(tmp_path: Path) -> None:
    path = kept(tmp_path / "dots.npz", kept=20)

    with np.load(path, allow_pickle=False) as found:
        mean, covariance = moments()
        np.testing.assert_allclose(found["mu"], mean, rtol=1e-6)
        np.testing.assert_allclose(found["sigma"], covariance, rtol=1e-5)
        assert found["mu"].dtype == found["sigma"].dtype == np.float64
        rows = found["features"]
        assert (rows.shape, rows.dtype) == ((20, 4), np.float32)
        assert {tuple(row) for row in rows} <= {tuple(row) for row in (real().samples.flatten(1).float() / 255).numpy()}


def test_what_is_read_is_what_was_kept(tmp_path: Path) -> None:
    path = kept(tmp_path / "dots.npz")
    made = Reference.of(real(), Pixels(), data_name="dots", split="train")

    found = Reference.read(path)

    for name in ("features", "probabilities", "labels"):
        assert torch.equal(getattr(found, name), getattr(made, name)), name
    assert torch.equal(found.moments.mean, made.moments.mean)
    assert torch.equal(found.moments.covariance, made.moments.covariance)
    assert (found.embedding, found.sample_shape) == ("values sha256:1", SHAPE)
    digest = found.about["file_sha256"]
    assert found.about == {
        "data": "dots",
        "split": "train",
        "count": 300,
        "sha256": real().sha256(),
        "file": "dots.npz",
        "file_sha256": digest,
    }
    assert kept(tmp_path / "again.npz").read_bytes() == path.read_bytes()


def test_an_evaluation_with_a_file_finds_what_one_with_the_data_finds(tmp_path: Path, registry: Registry) -> None:
    with_data = Evaluator.of(real(), None, Pixels(), metrics(registry))
    reference = Reference.read(kept(tmp_path / "dots.npz"))
    with_file = Evaluator.of_reference(reference, Pixels(), metrics(registry), sample_shape=SHAPE)

    expected, found = (ganfw.evaluate(source(), each, count=200) for each in (with_data, with_file))

    assert found.results.keys() == expected.results.keys()
    for name, result in found.results.items():
        assert result.samples.value == pytest.approx(expected[name], rel=1e-5), name
        assert result.real_data is None
    assert torch.equal(with_file.labels, real().labels)


def test_the_moments_of_another_program_give_the_usual_distance(tmp_path: Path, registry: Registry) -> None:
    mean, covariance = moments()
    told: list[str] = []
    for dtype in (np.float32, np.float64):
        path = write(tmp_path / "other.npz", mu=mean.astype(dtype), sigma=covariance.astype(dtype), arr_0=np.zeros(3))
        reference = Reference.read(path)
        evaluator = Evaluator.of_reference(reference, Pixels(), metrics(registry), sample_shape=SHAPE, say=told.append)

        found = ganfw.evaluate(source(), evaluator, count=200)

        features = found.samples.features.numpy()
        own = np.cov(features, rowvar=False)
        root = scipy.linalg.sqrtm(own @ covariance).real
        expected = ((features.mean(0) - mean) ** 2).sum() + np.trace(own + covariance - 2 * root)
        assert found["frechet_distance"] == pytest.approx(expected, rel=1e-5)
        assert set(found.results) == {"frechet_distance", "frechet_distance_infinite"}
        assert told.pop() == (
            "the reference has only mu and sigma, so these metrics are left out: kernel_distance, precision_recall, "
            "density_coverage, diversity"
        )
        assert reference.about["count"] is None


def test_moments_are_of_no_use_to_other_metrics(tmp_path: Path, registry: Registry) -> None:
    mean, covariance = moments()
    reference = Reference.read(write(tmp_path / "other.npz", mu=mean, sigma=covariance))

    with pytest.raises(InputError) as caught:
        Evaluator.of_reference(reference, Pixels(), metrics(registry, "diversity"), sample_shape=SHAPE)

    assert str(caught.value) == "the reference has only mu and sigma; it needs a metric such as frechet_distance"


EYE = np.eye(4)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"mu": EYE, "sigma": np.zeros(4)}, "mu is (4, 4) and sigma is (4,): they are swapped"),
        ({"mu": np.zeros(3), "sigma": EYE}, "mu is (3,) and sigma is (4, 4); they must be (d,) and (d, d)"),
        ({"mu": np.zeros(4), "sigma": EYE[:3]}, "mu is (4,) and sigma is (3, 4); they must be (d,) and (d, d)"),
        ({"mu": np.zeros(0), "sigma": EYE[:0, :0]}, "mu is (0,) and sigma is (0, 0); they must be (d,) and (d, d)"),
        ({"mu": np.zeros(4)}, "it has no sigma"),
        ({"sigma": EYE}, "it has no mu"),
        ({"mu": np.full(4, np.nan), "sigma": EYE}, "not all numbers of mu are finite"),
        ({"mu": np.zeros(4), "sigma": np.full((4, 4), np.inf)}, "not all numbers of sigma are finite"),
        ({"mu": np.zeros(4), "sigma": np.triu(np.ones((4, 4)))}, "sigma is not symmetric"),
        ({"mu": np.zeros(4), "sigma": -EYE}, "sigma has the eigenvalue -1, so it is not a covariance"),
        ({"mu": np.zeros(4, dtype=np.int64), "sigma": EYE}, "mu is of type int64"),
        ({"mu": np.zeros(4), "sigma": EYE, "features": np.zeros((5, 3))}, "features is (5, 3), and must be (n, 4)"),
        (
            {"mu": np.zeros(4), "sigma": EYE, "features": np.zeros((5, 4)), "probabilities": np.ones((4, 2))},
            "probabilities is (4, 2), and must be (5, classes)",
        ),
        ({"mu": np.zeros(4), "sigma": EYE, "labels": np.zeros((2, 2), np.int64)}, "labels is (2, 2), and must be (n,)"),
        ({"mu": np.zeros(4), "sigma": EYE, "ganfw": np.array("{}")}, "its description is not that of format 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_a_mean_and_a_covariance_is_refused(tmp_path: Path, values: dict[str, Any], reason: str) -> None:
    assert refusal(write(tmp_path / "wrong.npz", **values)) == reason


@pytest.mark.parametrize("change", [{"count": "1"}, {"sha256": "x"}, {"sample_shape": [0]}, {"data": "\x1b[2J"}])
def test_a_description_that_was_changed_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with np.load(kept(tmp_path / "dots.npz")) as found:
        values = dict(found)
    description = json.loads(values.pop("ganfw").item()) | change

    path = write(tmp_path / "changed.npz", ganfw=np.array(json.dumps(description)), **values)

    assert refusal(path) == "its description is not that of format 1"


class Command:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def test_a_file_that_would_run_code_runs_none(tmp_path: Path) -> None:
    mu = np.array([Command(f"touch {tmp_path / 'ran'}")] * 4, dtype=object)

    path = write(tmp_path / "bad.npz", mu=mu, sigma=EYE)

    assert refusal(path) == "Object arrays cannot be loaded when allow_pickle=False"
    assert not (tmp_path / "ran").exists()


def test_an_array_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "MAX_ARRAY_BYTES", 1000)
    path = tmp_path / "large.npz"
    np.savez_compressed(path, mu=np.zeros(4), sigma=np.zeros((1000, 1000)), other=np.zeros(10_000))

    assert refusal(path) == "sigma is larger than 1000 bytes"


def test_an_array_that_claims_more_than_there_is_is_refused(tmp_path: Path) -> None:
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": "<f8", "fortran_order": False, "shape": (1 << 50,)})
    with zipfile.ZipFile(tmp_path / "claims.npz", "w") as archive:
        archive.writestr("mu.npy", content.getvalue())

    assert refusal(tmp_path / "claims.npz").startswith("Unable to allocate 8.00 PiB for an array")


@pytest.mark.parametrize("content", [b"", b"mu", b"PK\x03\x04" + bytes(100)], ids=["empty", "text", "zip"])
def test_files_of_other_things_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.npz"
    path.write_bytes(content)

    assert refusal(path) == "File is not a zip file"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.npz") == f"{tmp_path / 'no.npz'}: cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("identity", "shape", "message"),
    [
        (
            "values sha256:2",
            SHAPE,
            "dots.npz: its features are of 'values sha256:1', not of 'values sha256:2'; make one of these with "
            "ganfw reference",
        ),
        (
            "values sha256:1",
            (1, 4, 1),
            "dots.npz: it is of samples (1, 2, 2), not (1, 4, 1); make one of these with ganfw reference",
        ),
    ],
)
def test_a_file_of_another_embedding_or_of_other_samples_is_refused(
    tmp_path: Path, registry: Registry, identity: str, shape: tuple[int, ...], message: str
) -> None:
    reference = Reference.read(kept(tmp_path / "dots.npz"))

    with pytest.raises(DataError) as caught:
        Evaluator.of_reference(reference, Pixels(identity), metrics(registry), sample_shape=shape)

    assert str(caught.value) == message


def test_other_dimensions_are_refused(tmp_path: Path, registry: Registry) -> None:
    reference = Reference.read(write(tmp_path / "inception.npz", mu=np.zeros(2048), sigma=np.eye(2048)))

    with pytest.raises(DataError) as caught:
        Evaluator.of_reference(reference, Pixels(), metrics(registry), sample_shape=SHAPE)

    assert str(caught.value) == (
        "inception.npz: its features have 2048 dimensions, and those of 'values sha256:1' have 4; choose the embedding "
        "that made them, or make one of these with ganfw reference"
    )


def test_a_covariance_of_one_sample_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        Reference.of(real(), Pixels(), count=1)

    assert str(caught.value) == "a covariance needs at least 2 samples, not 1"
