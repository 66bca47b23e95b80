"""Inception features through torch-fidelity: weights from a file, and the scores that torch-fidelity computes."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn
from torch.utils.data import Dataset

import ganfw
from ganfw import Evaluator, GanfwError, Registry, SampleSource, TensorData
from ganfw.builtin import inception as module
from ganfw.builtin.inception import FidelityEmbedding, inception
from ganfw.builtin.mnist import mnist
from ganfw.builtin.noise import Normal
from ganfw.cli import main
from ganfw.evaluation.features import gather

torch_fidelity = pytest.importorskip("torch_fidelity")
from torch_fidelity.feature_extractor_base import FeatureExtractorBase  # noqa: E402
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3  # noqa: E402

CPU = torch.device("cpu")
COLOUR = (3, 32, 32)


class Untrained(FeatureExtractorInceptionV3):  # type: ignore[misc]  # it has no types
    """The network with the weights that it starts from, whatever its file holds."""

    def load_state_dict(self, state: Any) -> None:
        for weights in self.parameters():
            if weights.ndim > 1:
                nn.init.kaiming_normal_(weights)


def save(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of weights as torch-fidelity reads it; they have learnt nothing."""
    folder = tmp_path_factory.mktemp("weights")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Untrained("it", ["2048"], feature_extractor_weights_path=save(folder / "empty.pth", {}))
    return save(folder / "own.pth", network.state_dict())


def images(count: int, shape: tuple[int, ...] = COLOUR, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, *shape), dtype=torch.uint8, generator=random)


def refusal(shape: tuple[int, ...] = COLOUR, **keys: Any) -> str:
    with pytest.raises(GanfwError) as caught:
        inception(shape, CPU, **keys)
    return str(caught.value)


def test_features_are_those_of_torch_fidelity_with_the_same_file(weights: Path) -> None:
    grey = images(2, (1, 20, 20))

    embedding = inception((1, 20, 20), CPU, weights=str(weights))
    features, probabilities = embedding(grey)

    network = FeatureExtractorInceptionV3("it", ["2048", "logits_unbiased"], feature_extractor_weights_path=weights)
    expected, logits = network(grey.repeat(1, 3, 1, 1))
    assert features.shape == (2, 2048)
    assert features.std() > 0.01
    assert torch.equal(features, expected)
    assert torch.equal(probabilities, logits.softmax(1))
    assert embedding.identity == f"inception sha256:{hashlib.sha256(weights.read_bytes()).hexdigest()}"


def test_a_hash_is_insisted_on(weights: Path) -> None:
    right, wrong = hashlib.sha256(weights.read_bytes()).hexdigest(), "ab" * 32

    assert inception(COLOUR, CPU, weights=str(weights), sha256=right.upper()).identity.endswith(right)
    assert refusal(weights=str(weights), sha256=wrong) == (
        f"{weights}: its SHA-256 is {right}, not {wrong}; replace it by the file that was meant"
    )


class Command:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def test_a_file_that_would_run_code_runs_none(tmp_path: Path) -> None:
    path = save(tmp_path / "bad.pth", {"fc.weight": Command(f"touch {tmp_path / 'ran'}")})

    assert refusal(weights=str(path)).startswith(
        f"{path}: not weights of torch-fidelity's Inception v3; leave embedding.weights out to download them: "
        "Weights only load failed."
    )
    assert not (tmp_path / "ran").exists()


def test_files_of_other_things_are_refused(tmp_path: Path, weights: Path) -> None:
    state = torch.load(weights, weights_only=True)
    text = tmp_path / "text.pth"
    text.write_text("weights")
    files = {
        text: "",
        save(tmp_path / "number.pth", 7): "'int' object has no attribute 'values'",
        save(tmp_path / "other.pth", nn.Linear(2, 2).state_dict()): "Error(s) in loading state_dict for Feature",
        save(tmp_path / "nan.pth", state | {"fc.bias": state["fc.bias"] * torch.nan}): "a value is not finite",
    }

    for path, reason in files.items():
        assert refusal(weights=str(path)).startswith(
            f"{path}: not weights of torch-fidelity's Inception v3; leave embedding.weights out to download them: "
            f"{reason}"
        )


def test_a_file_that_is_missing_or_too_large_is_refused(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = tmp_path / "missing.pth"
    assert refusal(weights=str(missing)) == f"{missing}: cannot be read: No such file or directory"
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    assert refusal(weights=str(weights)) == f"{weights}: larger than 1000 bytes"


@pytest.mark.parametrize("shape", [(2,), (4, 32, 32)])
def test_other_samples_than_images_are_refused(shape: tuple[int, ...]) -> None:
    assert refusal(shape) == f"it needs images of 1 or 3 channels, but the samples are {shape}"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return where torch keeps downloads; nothing can be downloaded."""
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    before = torch.hub.get_dir()
    torch.hub.set_dir(tmp_path)
    yield tmp_path
    torch.hub.set_dir(before)


def test_weights_that_cannot_be_downloaded_are_asked_for(hub: Path) -> None:
    url = torch_fidelity.feature_extractor_inceptionv3.URL_INCEPTION_V3

    assert refusal() == (
        f"its weights cannot be downloaded; give their file, embedding.weights = FILE, from {url}: "
        "<urlopen error [Errno 111] Connection refused>"
    )
    assert not list(hub.rglob("*.pth"))


def test_downloaded_weights_must_be_the_published_ones(hub: Path, weights: Path) -> None:
    kept = hub / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    kept.parent.mkdir()
    kept.symlink_to(weights)

    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert refusal() == (
        f"{weights}: its SHA-256 is {digest}, not {module.SHA256}; replace it by the file that was meant"
    )


class Small(FeatureExtractorBase):  # type: ignore[misc]  # it has no types
    """A small network of the interface of torch-fidelity's."""

    def __init__(self, name: str, features_list: list[str], **_: Any) -> None:
        super().__init__(name, features_list)
        self.hidden = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.logits = nn.Linear(32, 5)
        random = torch.Generator().manual_seed(0)
        for values in self.parameters():
            values.requires_grad_(False).copy_(torch.randn(values.shape, generator=random))

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        return "features", "logits"

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return "logits" if metric == "isc" else "features"

    @staticmethod
    def can_be_compiled() -> bool:
        return False

    def forward(self, values: Tensor) -> tuple[Tensor, ...]:
        found = self.hidden(values.float() / 255)
        outputs = {"features": found, "logits": self.logits(found)}
        return tuple(outputs[name] for name in self.features_list)


class Images(Dataset[Tensor]):
    """Images as torch-fidelity takes them."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        return self.images[index]


class Shaded(nn.Module):
    """Makes images whose pixels depend on the noise."""

    def forward(self, z: Tensor) -> Tensor:
        shade = torch.sigmoid(z[:, :3, None, None])
        return shade * torch.sigmoid(3 * z[:, 3:]).reshape(len(z), 1, 8, 8)


def test_scores_are_those_of_torch_fidelity(registry: Registry) -> None:
    torch_fidelity.register_feature_extractor("small", Small)
    names = ("frechet_distance", "kernel_distance", "precision_recall", "classifier_score")
    metrics = {name: registry.load("metric", name)() for name in names}
    embedding = FidelityEmbedding(Small("small", ["features", "logits"]), "small", CPU)
    real = TensorData(ganfw.to_uint8(Shaded()(torch.randn(400, 67, generator=torch.Generator().manual_seed(1)) + 0.2)))
    evaluator = Evaluator.of(real, None, embedding, metrics)

    found = ganfw.evaluate(SampleSource({"generator": Shaded()}, Normal(CPU, z_dim=67)), evaluator, count=400)

    expected = torch_fidelity.calculate_metrics(
        input1=Images(found.samples.samples),
        input2=Images(real.samples),
        feature_extractor="small",
        kid_subsets=1,
        kid_subset_size=400,
        isc_splits=1,
        cuda=False,
        cache=False,
        save_cpu_ram=True,
        verbose=False,
        **dict.fromkeys(("fid", "kid", "prc", "isc"), True),
    )
    assert found["frechet_distance"] == pytest.approx(expected["frechet_inception_distance"], rel=1e-4)
    assert found["kernel_distance"] == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-4)
    assert found["classifier_score"] == pytest.approx(expected["inception_score_mean"], rel=1e-5)
    for name in ("precision", "recall"):
        assert found[name] == pytest.approx(expected[name], abs=1e-6)
        assert 0.05 < expected[name] < 0.999


@pytest.mark.slow
def test_scores_with_a_file_of_weights_and_a_reference_are_those_of_torch_fidelity(
    weights: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained.parent)
    count, own = 24, ["--device", "cpu", "--set", f"embedding={{use='inception', weights='{weights}'}}"]
    kept = CliRunner().invoke(main, ["reference", "mnist_mlp", *own, "-n", str(count), "--set", "data.split=test"])
    assert (kept.exit_code, kept.stdout) == (0, "mnist-inception.npz\n"), kept.output

    done = CliRunner().invoke(
        main, ["evaluate", str(trained), *own, "-n", str(count), "--reference", "mnist-inception.npz", "--json"]
    )

    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert document["embedding"] == {"name": "inception", "identity": f"inception sha256:{digest}", "dimensions": 2048}
    found = {name: result["value"] for name, result in document["metrics"].items()}
    assert found["frechet_distance"] is None  # of 24 samples
    fakes = ganfw.to_uint8(ganfw.open_checkpoint(trained).source(ganfw.discover(), "cpu").sample(count))
    expected = torch_fidelity.calculate_metrics(
        input1=Images(fakes.expand(-1, 3, -1, -1)),
        input2=Images(gather(mnist(split="test"), count).samples.expand(-1, 3, -1, -1)),
        feature_extractor_weights_path=str(weights),
        feature_extractor="inception-v3-compat",
        kid_subsets=1,
        kid_subset_size=count,
        cuda=False,
        cache=False,
        save_cpu_ram=True,
        verbose=False,
        kid=True,
        prc=True,
    )
    assert found["kernel_distance"] == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-3)
    assert (found["precision"], found["recall"]) == pytest.approx((expected["precision"], expected["recall"]))
