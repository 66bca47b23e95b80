"""Real samples, gathered and embedded, and the cache of their features."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load
from torch import Tensor
from torch.utils.data import Dataset

from ganfw import DataError, PartError, TensorData
from ganfw.evaluation.features import CHECKED, cache_folder, embed, embed_real, gather


class Counting:
    """Flattens, and counts what it has seen."""

    def __init__(self, identity: str = "counting") -> None:
        self.identity = identity
        self.seen = 0

    def __call__(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        self.seen += len(samples)
        values = samples.flatten(1).float() / 3
        return values, values.softmax(1)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANFW_CACHE", str(tmp_path / "a folder" / "that is made"))


@pytest.fixture
def data() -> TensorData:
    return TensorData(
        torch.randint(0, 256, (100, 1, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    )


def files() -> list[Path]:
    return sorted(cache_folder().iterdir())


def test_features_are_made_once_and_come_back_bit_for_bit(data: TensorData) -> None:
    told: list[str] = []
    first, second = Counting(), Counting()

    made = embed_real(data, first, told.append)
    kept = embed_real(data, second, told.append)

    assert (first.seen, second.seen) == (100, CHECKED)
    assert torch.equal(made.features, kept.features)
    assert made.probabilities is not None
    assert kept.probabilities is not None
    assert torch.equal(made.probabilities, kept.probabilities)
    assert torch.equal(kept.samples, data.samples)
    assert kept.features.dtype == kept.probabilities.dtype == torch.float64
    assert told == ["embedding 100 real samples by counting, once"]


def test_other_data_and_other_embeddings_find_nothing(data: TensorData) -> None:
    embed_real(data, Counting())
    changed = data.samples.clone()
    changed[7, 0, 2, 2] += 1

    for samples, embedding in ((changed, Counting()), (data.samples, Counting("counting sha256:2"))):
        embed_real(TensorData(samples), embedding)
        assert embedding.seen == 100
    assert len(files()) == 3


@pytest.mark.parametrize("position", [0, 7, 60, 200, -1])
def test_a_flipped_bit_is_found_and_the_file_made_again(data: TensorData, position: int) -> None:
    made = embed_real(data, Counting())
    (path,) = files()
    good = path.read_bytes()
    damaged = bytearray(good)
    damaged[position] ^= 1
    path.write_bytes(damaged)
    again = Counting()

    found = embed_real(data, again)

    assert again.seen == 100
    assert torch.equal(found.features, made.features)
    assert path.read_bytes() == good


@pytest.mark.parametrize("content", [b"", b"{}", bytes(8), b"\xff" * 100], ids=["empty", "json", "zeros", "ones"])
def test_files_that_are_none_are_made_again(data: TensorData, content: bytes) -> None:
    embed_real(data, Counting())
    (path,) = files()
    path.write_bytes(content)
    again = Counting()

    embed_real(data, again)

    assert again.seen == 100


class Edited(Counting):
    """The same embedding after an edit of its code."""

    def __init__(self, change: Callable[[Tensor, Tensor], tuple[Tensor, Tensor | None]]) -> None:
        super().__init__()
        self.change = change

    def __call__(self, samples: Tensor) -> tuple[Tensor, Tensor | None]:  # type: ignore[override]  # that is the edit
        return self.change(*super().__call__(samples))


@pytest.mark.parametrize(
    "change",
    [
        lambda features, probabilities: (features * 1.01, probabilities),
        lambda features, probabilities: (features, probabilities.flip(1)),
        lambda features, probabilities: (features[:, :8], probabilities),
        lambda features, probabilities: (features, None),
    ],
    ids=["values", "probabilities", "dimensions", "no probabilities"],
)
def test_features_that_the_embedding_does_not_give_any_more_are_made_again(
    data: TensorData, change: Callable[[Tensor, Tensor], tuple[Tensor, Tensor | None]]
) -> None:
    embed_real(data, Counting())

    found = embed_real(data, Edited(change))

    expected, probabilities = Edited(change)(data.samples)
    assert torch.equal(found.features, expected.double())
    assert (found.probabilities is None) == (probabilities is None)
    assert probabilities is None or torch.equal(found.probabilities, probabilities.double())


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX files")
def test_special_files_do_not_hang_an_evaluation(data: TensorData) -> None:
    embed_real(data, Counting())
    (path,) = files()
    path.unlink()
    os.mkfifo(path)
    again = Counting()

    embed_real(data, again)

    assert again.seen == 100
    assert path.is_file()


def test_files_larger_than_any_features_are_not_read(data: TensorData) -> None:
    embed_real(data, Counting())
    (path,) = files()
    with path.open("r+b") as file:
        file.truncate(1 << 40)
    again = Counting()

    embed_real(data, again)

    assert again.seen == 100
    assert path.stat().st_size < 1 << 20


def test_features_that_are_too_large_are_not_cached(monkeypatch: pytest.MonkeyPatch, data: TensorData) -> None:
    monkeypatch.setattr("ganfw.evaluation.features.MAX_SAMPLE_BYTES", 64)
    told: list[str] = []

    embed_real(data, Counting(), told.append)

    assert not cache_folder().exists()
    assert told[1].startswith("the features cannot be kept for the next time: ")
    assert told[1].endswith(".features: larger than 6400 bytes")


def test_file_of_other_data_under_this_name_is_not_taken(data: TensorData) -> None:
    embed_real(data, Counting())
    (path,) = files()
    other = TensorData(255 - data.samples)
    embed_real(other, Counting())
    (stranger,) = set(files()) - {path}
    path.write_bytes(stranger.read_bytes())
    again = Counting()

    found = embed_real(data, again)

    assert again.seen == 100
    assert torch.equal(found.features, (data.samples.flatten(1).float() / 3).double())


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX files")
def test_cache_that_cannot_be_written_is_reported_and_no_harm(
    data: TensorData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GANFW_CACHE", str(tmp_path / "file"))
    told: list[str] = []

    made = embed_real(data, Counting(), told.append)

    assert len(made) == 100
    assert told[1] == (
        f"the features cannot be kept for the next time: [Errno 20] Not a directory: '{tmp_path / 'file' / 'features'}'"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX has users without a home")
def test_without_a_home_there_is_no_cache_and_no_harm(data: TensorData, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GANFW_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 2**31 - 3)  # as in a container that knows no such user
    told: list[str] = []

    made = embed_real(data, Counting(), told.append)

    assert len(made) == 100
    assert told[1] == (
        "the features cannot be kept for the next time: the user has no home directory; set GANFW_CACHE to a folder"
    )


def test_cache_is_in_the_users_own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GANFW_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    folder = cache_folder()

    assert folder.name == "features"
    if sys.platform == "linux":
        assert folder == tmp_path / "ganfw" / "features"
    assert "ganfw" in folder.parts


class Wrong:
    """Breaks the contract in one way."""

    identity = "wrong"

    def __init__(self, result: Tensor) -> None:
        self.result = result

    def __call__(self, samples: Tensor) -> tuple[Tensor, None]:
        return self.result, None


@pytest.mark.parametrize("shape", [(3,), (2, 5), (3, 5, 5)])
def test_embedding_of_another_form_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(PartError) as caught:
        embed(torch.zeros(3, 2), Wrong(torch.zeros(shape)))

    assert str(caught.value) == (
        f"embedding 'wrong' gives {shape} features for 3 samples, or values that are not finite; it must give (n, d) "
        "finite ones"
    )


def test_embedding_of_values_that_are_not_finite_is_refused() -> None:
    with pytest.raises(PartError, match="not finite"):
        embed(torch.zeros(3, 2), Wrong(torch.full((3, 2), torch.nan)))


def test_data_in_memory_is_rounded_as_images_are_and_other_data_is_not() -> None:
    images = gather(TensorData(torch.tensor([0.0, 0.5, 1.0]).reshape(3, 1, 1, 1)), 10)
    numbers = gather(TensorData(torch.tensor([[0.25], [-3.0]])), 10)

    assert images.samples.flatten().tolist() == [0, 128, 255]
    assert images.samples.dtype == torch.uint8
    assert numbers.samples.tolist() == [[0.25], [-3.0]]


class Shades(Dataset[Any]):
    """Images of one shade each, with labels or without."""

    classes = ("dark", "bright")

    def __init__(self, labels: bool) -> None:
        self.labels = labels
        self.classes = ["dark", "bright"]  # type: ignore[assignment]  # as torchvision's data sets have them

    def __len__(self) -> int:
        return 500

    def __getitem__(self, index: int) -> Any:
        image = torch.full((3, 2, 2), (index % 256) / 255)
        return (image, index // 250) if self.labels else image


@pytest.mark.parametrize("labels", [True, False])
def test_torch_data_sets_are_gathered_in_their_order(labels: bool) -> None:
    found = gather(Shades(labels), 1000)

    assert found.samples.shape == (500, 3, 2, 2)
    assert found.samples[:, 0, 0, 0].tolist() == [index % 256 for index in range(500)]
    assert (found.labels is not None) == labels
    assert found.labels is None or found.labels.tolist() == [0] * 250 + [1] * 250
    assert found.num_classes == 2


def test_large_torch_data_sets_are_chosen_from() -> None:
    found = gather(Shades(True), 100)

    assert torch.equal(found.samples, gather(Shades(True), 100).samples)
    assert found.labels is not None
    assert len(found) == 100
    assert 20 < found.labels.sum() < 80


class Ragged(Dataset[Any]):
    """Images of different sizes."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Tensor:
        return torch.zeros(1, index + 1, 2)


def test_data_sets_that_cannot_be_put_together_are_refused() -> None:
    with pytest.raises(DataError) as caught:
        gather(Ragged(), 10)

    assert str(caught.value) == (
        "item 1 of the data: 'samples' is (1, 2, 2) float32; it must be (1, 1, 2) float32, as item 0 has"
    )


def test_the_cache_holds_no_pickle(data: TensorData) -> None:
    embed_real(data, Counting())

    (path,) = files()
    assert os.fspath(path).startswith(os.environ["GANFW_CACHE"])
    assert load(path.read_bytes()[32:]).keys() == {"features", "probabilities"}
