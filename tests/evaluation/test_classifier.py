"""The classifier: its network, its file, and files that are none."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save
from torch import nn

from ganfw import GanfwError, TensorData, TrainedClassifier, train_classifier
from ganfw.builtin.mnist import mnist
from ganfw.builtin.mnist_classifier import SHA256, WEIGHTS, classifier, mnist_classifier
from ganfw.evaluation.classifier import FORMAT, Classifier, accuracy
from ganfw.evaluation.features import select

CPU = torch.device("cpu")


def untrained(shape: tuple[int, ...] = (1, 28, 28), num_classes: int = 10) -> TrainedClassifier:
    return TrainedClassifier(Classifier(shape[0], num_classes).eval(), shape, num_classes, {"accuracy": "0.5"})


def refusal(path: Path, **keywords: Any) -> str:
    with pytest.raises(GanfwError) as caught:
        TrainedClassifier.read(path, **keywords)
    return str(caught.value)


def with_claims(claims: Any, **changed: torch.Tensor) -> bytes:
    """Return a file of a network for ten classes that claims something."""
    tensors = {name: value.contiguous() for name, value in Classifier(1, 10).state_dict().items()}
    return save({**tensors, **changed}, {FORMAT: json.dumps(claims)})


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 32, 32), (3, 32, 32), (3, 64, 64), (3, 8, 8), (1, 20, 30)])
def test_images_of_any_size_give_64_features_and_probabilities(shape: tuple[int, ...]) -> None:
    images = torch.randint(0, 256, (600, *shape), dtype=torch.uint8)

    features, probabilities = untrained(shape, 7)(images)

    assert (features.shape, features.dtype) == ((600, 64), torch.float32)
    assert (probabilities.shape, probabilities.dtype) == ((600, 7), torch.float32)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(600))


def test_logits_are_a_linear_function_of_the_features() -> None:
    network = Classifier(1, 10).eval()

    features, logits = network(torch.rand(5, 1, 28, 28))

    torch.testing.assert_close(logits, features @ network.logits.weight.T + network.logits.bias)


def test_file_holds_all_and_has_the_same_bytes_again(tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    made = untrained((3, 16, 16), 4)
    path.write_bytes(made.to_bytes())

    read = TrainedClassifier.read(path, sample_shape=(3, 16, 16))

    assert (read.sample_shape, read.num_classes, read.about) == ((3, 16, 16), 4, {"accuracy": "0.5"})
    assert read.identity == f"own sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    assert read.to_bytes() == path.read_bytes()
    images = torch.randint(0, 256, (9, 3, 16, 16), dtype=torch.uint8)
    assert torch.equal(read(images)[0], made(images)[0])
    assert not any(weight.requires_grad for weight in read.network.parameters())


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    not_written = f"{path}: not a classifier; train one with ganfw train-evaluator: "
    good = {"sample_shape": [1, 28, 28], "num_classes": 10}

    assert refusal(path) == f"{path}: cannot be read: No such file or directory"
    for content in (b"", b"PK", bytes(100), untrained().to_bytes()[:-4]):
        path.write_bytes(content)
        assert refusal(path).startswith(not_written)
    path.write_bytes(save({"a": torch.zeros(1)}, {"format": "pt"}))
    assert refusal(path) == f"{not_written}it has no 'ganfw classifier 1' in its metadata"
    for claims, said in (
        ({**good, "num_classes": 10**12}, "it claims 1000000000000 classes of images of shape [1, 28, 28]"),
        ({**good, "num_classes": True}, "it claims True classes of images of shape [1, 28, 28]"),
        ({**good, "sample_shape": [1, 28]}, "it claims 10 classes of images of shape [1, 28]"),
        ({**good, "sample_shape": [1, 28, 10**9]}, "it claims 10 classes of images of shape [1, 28, 1000000000]"),
    ):
        path.write_bytes(with_claims(claims))
        assert refusal(path) == not_written + said
    path.write_bytes(with_claims({**good, "num_classes": 11}))
    assert "size mismatch for logits.weight" in refusal(path)
    path.write_bytes(with_claims(good, **{"logits.bias": torch.full((10,), torch.nan)}))
    assert refusal(path) == f"{path}: holds a weight that is not finite; train it again: ganfw train-evaluator"
    path.write_bytes(bytes((16 << 20) + 1))
    assert refusal(path) == f"{path}: larger than 16777216 bytes"


def test_images_of_another_shape_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    path.write_bytes(untrained().to_bytes())
    end = (
        "knows images of 1 x 28 x 28, and the samples are 3 x 32 x 32; train one for them (ganfw train-evaluator "
        "RECIPE -o FILE) or choose another embedding: --set embedding.use=pixels"
    )

    assert refusal(path, sample_shape=(3, 32, 32)) == f"{path} {end}"
    with pytest.raises(GanfwError) as caught:
        untrained()(torch.zeros(2, 3, 32, 32, dtype=torch.uint8))
    assert str(caught.value) == f"classifier {end}"


def test_shipped_classifier_is_the_one_whose_hash_is_known() -> None:
    shipped = mnist_classifier((1, 28, 28), CPU)

    assert shipped.identity == f"mnist_classifier sha256:{SHA256}"
    assert (shipped.sample_shape, shipped.num_classes) == ((1, 28, 28), 10)
    assert shipped.about["trained_on"] == mnist().sha256()
    assert WEIGHTS.stat().st_size < 1_500_000


def test_damage_of_the_shipped_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytearray(WEIGHTS.read_bytes())
    content[-1] ^= 1
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(content)
    monkeypatch.setattr("ganfw.builtin.mnist_classifier.WEIGHTS", copy)

    with pytest.raises(GanfwError) as caught:
        mnist_classifier((1, 28, 28), CPU)

    assert str(caught.value) == f"{copy}: damaged: its SHA-256 is not {SHA256}; replace it by the original"


def test_shipped_classifier_knows_the_test_images() -> None:
    shipped = mnist_classifier((1, 28, 28), CPU)

    measured = accuracy(shipped, mnist(split="test"))

    assert measured >= 0.994
    assert shipped.about["accuracy"] == f"{measured:.4f}"


def test_own_classifier_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    path.write_bytes(untrained().to_bytes())

    assert classifier((1, 28, 28), CPU, weights=str(path)).identity.startswith("own sha256:")
    assert classifier((1, 28, 28), CPU).identity == f"mnist_classifier sha256:{SHA256}"


def squares(count: int, shape: tuple[int, ...]) -> TensorData:
    """Return images with a bright patch in the left or the right half, which is their class."""
    random = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 2, (count,), generator=random)
    images = torch.randint(0, 60, (count, *shape), dtype=torch.uint8, generator=random)
    half = shape[2] // 2
    for image, label in zip(images, labels.tolist(), strict=True):
        image[:, 2:6, label * half + 2 : label * half + 6] = 250
    return TensorData(images, labels, 2)


def test_training_is_a_function_of_the_seed_and_learns() -> None:
    data = squares(1024, (3, 16, 16))
    told: list[str] = []
    state = torch.get_rng_state()

    first, again, other = (
        train_classifier(data, squares(200, (3, 16, 16)), epochs=3, seed=seed, say=told.append) for seed in (0, 0, 1)
    )

    assert torch.equal(torch.get_rng_state(), state)
    assert first.to_bytes() == again.to_bytes() != other.to_bytes()
    assert accuracy(first, squares(300, (3, 16, 16))) > 0.98
    assert float(first.about["accuracy"]) > 0.98
    assert told[0].startswith("epoch 1 of 3: loss 0.")
    assert not first.network.training


class OneLayer(nn.Module):
    """A perceptron without a hidden layer, whose features are the pixels."""

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.logits = nn.Linear(channels * 64, num_classes)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return images.flatten(1), self.logits(images.flatten(1))


def test_another_network_can_be_trained() -> None:
    data = squares(512, (1, 8, 8))

    trained = train_classifier(data, epochs=2, make_network=OneLayer)

    features, probabilities = trained(data.samples)
    assert isinstance(trained.network, OneLayer)
    assert features.shape == (512, 64)
    assert probabilities.shape == (512, 2)
    assert trained.about["trained_on"] == data.sha256()


def test_data_that_cannot_be_learnt_from_is_refused() -> None:
    images = squares(4, (1, 8, 8))
    said = "a classifier needs images with labels of at least two classes, which this data does not have"

    for data in (
        TensorData(images.samples),
        TensorData(torch.zeros(4, 2), images.labels, 2),
        TensorData(images.samples, torch.zeros(4, dtype=torch.int64), 1),
    ):
        with pytest.raises(GanfwError) as caught:
            train_classifier(data)
        assert str(caught.value) == said
    with pytest.raises(GanfwError) as caught:
        train_classifier(images, epochs=0)
    assert str(caught.value) == "the number of epochs must be >= 1, not 0"


@pytest.mark.slow
def test_command_that_made_the_shipped_classifier_learns_nearly_as_well_in_an_epoch() -> None:
    trained = train_classifier(mnist(), epochs=1)

    assert accuracy(trained, mnist(split="test")) > 0.988


def test_accuracy_needs_labels() -> None:
    with pytest.raises(GanfwError) as caught:
        accuracy(untrained(), TensorData(torch.zeros(3, 1, 28, 28, dtype=torch.uint8)))

    assert str(caught.value) == "accuracy needs labels; this data has none"


def test_accuracy_of_some_is_that_of_their_labels() -> None:
    some = select(mnist(split="test"), torch.arange(100))
    assert some.labels is not None
    shipped = mnist_classifier((1, 28, 28), CPU)
    wrong = TensorData(some.samples, (some.labels + 1) % 10, 10)

    assert accuracy(shipped, some) + accuracy(shipped, wrong) <= 1
