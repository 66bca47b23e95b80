"""Real samples as metrics see them: gathered, rounded, embedded; features are kept between evaluations.

What is kept is found by the hash of the data and the identity of the embedding, so that a change of either finds
nothing; and it is compared with its own hash when it is read, so that what is damaged is computed again.
"""

import hashlib
import json
import os
from collections.abc import Callable, Sized
from pathlib import Path
from typing import cast

import platformdirs
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from ganfw.data import Data, TensorData
from ganfw.engine.random_streams import seeded_generator
from ganfw.errors import DataError, PartError, RunError
from ganfw.evaluation.inputs import Embedding, SampleSet
from ganfw.files import write_atomically
from ganfw.images import to_uint8
from ganfw.training.batches import SeededItems

CHUNK = 1000
"""Samples that go through an embedding at once."""


def gather(data: Data, limit: int) -> TensorData:
    """Return real samples in memory, on the CPU: all, or a random choice of `limit`, always the same, in their order.

    Images (samples of three dimensions) that are float32 in [0, 1] are rounded to uint8.

    Raises:
        DataError: an item of a torch data set is no sample, or samples differ in shape.
    """
    size = len(cast("Sized", data))
    chosen = torch.arange(size)
    if size > limit:
        chosen = torch.randperm(size, generator=seeded_generator("cpu", 0, "choice"))[:limit].sort().values
    if isinstance(data, TensorData):
        whole = data if size <= limit else select(data, chosen)
        return TensorData(_rounded(whole.samples.cpu()), _on_cpu(whole.labels), whole.num_classes)
    workers = min(4, (os.cpu_count() or 1) - 1)
    items = Subset(SeededItems(data, 0, 0), chosen.tolist())
    samples, labels = [], []
    try:
        for loaded in DataLoader(items, batch_size=256, num_workers=workers, generator=torch.Generator()):
            each, its_labels = loaded if isinstance(loaded, list | tuple) else (loaded, None)
            samples.append(_rounded(each))
            labels += [] if its_labels is None else [its_labels]
        classes = getattr(data, "classes", None)
        num_classes = len(classes) if isinstance(classes, list) else None
        return TensorData(torch.cat(samples), torch.cat(labels) if labels else None, num_classes)
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"the data set cannot be put together for an evaluation: {error}") from error


def select(data: TensorData, chosen: Tensor) -> TensorData:
    """Return some of the samples: `chosen` are indices, or a mask."""
    chosen = chosen.to(data.samples.device)
    labels = None if data.labels is None else data.labels[chosen]
    return TensorData(data.samples[chosen], labels, data.num_classes)


def _on_cpu(labels: Tensor | None) -> Tensor | None:
    return None if labels is None else labels.cpu()


def _rounded(samples: Tensor) -> Tensor:
    return to_uint8(samples) if samples.ndim == 4 and samples.dtype != torch.uint8 else samples


def embed(samples: Tensor, embedding: Embedding) -> SampleSet:
    """Return samples, `(n, channels, height, width)` uint8 or `(n, *sample_shape)` float32, with their features.

    Raises:
        PartError: the embedding does not keep to its contract.
    """
    features, probabilities = [], []
    for chunk in samples.split(CHUNK):
        found, classes = embedding(chunk)
        if found.shape[:1] != chunk.shape[:1] or found.ndim != 2 or not torch.isfinite(found).all():
            raise PartError(
                f"embedding '{embedding.identity}' gives {tuple(found.shape)} features for {len(chunk)} samples, or "
                "values that are not finite; it must give (n, d) finite ones"
            )
        features.append(found.cpu())
        if classes is not None:
            probabilities.append(classes.cpu())
    return _sample_set(samples, torch.cat(features), torch.cat(probabilities) if probabilities else None)


def _sample_set(samples: Tensor, features: Tensor, probabilities: Tensor | None) -> SampleSet:
    return SampleSet(samples, features.double(), None if probabilities is None else probabilities.double())


def embed_real(data: TensorData, embedding: Embedding, say: Callable[[str], None] = lambda line: None) -> SampleSet:
    """Return real samples with their features, from the cache if they are there.

    Args:
        data: what `gather` returned.
        embedding: what makes the features.
        say: told what takes time, and if the cache cannot be written.
    """
    digest = data.sha256()
    path = cache_folder() / f"{_hash(digest, embedding.identity)}.safetensors"
    if (kept := _read(path, digest, embedding.identity, len(data))) is not None:
        return _sample_set(data.samples, *kept)
    say(f"embedding {len(data):,} real samples by {embedding.identity.partition(' ')[0]}, once")
    made = embed(data.samples, embedding)
    try:
        _write(path, digest, embedding.identity, made)
    except (OSError, RunError) as error:
        say(f"the features cannot be kept for the next time: {error}")
    return made


def cache_folder() -> Path:
    """Return the folder of features that are kept: `features/` in `GANFW_CACHE`, or else in the user's cache."""
    chosen = os.environ.get("GANFW_CACHE")
    return (Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("ganfw")) / "features"


def _hash(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _tensors(made: SampleSet) -> dict[str, Tensor]:
    """Return what is kept of features: float32, as embeddings give them."""
    tensors = {"features": made.features.float()}
    if made.probabilities is not None:
        tensors["probabilities"] = made.probabilities.float()
    return tensors


def _digest(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name} {tuple(tensors[name].shape)}".encode())
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()


def _write(path: Path, digest: str, identity: str, made: SampleSet) -> None:
    tensors = _tensors(made)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, save(tensors, _metadata(digest, identity, tensors)))


def _metadata(digest: str, identity: str, tensors: dict[str, Tensor]) -> dict[str, str]:
    """Return what a file says of itself, under one name: several have no fixed order in a safetensors file."""
    return {"ganfw": json.dumps({"data": digest, "embedding": identity, "sha256": _digest(tensors)})}


def _read(path: Path, digest: str, identity: str, count: int) -> tuple[Tensor, Tensor | None] | None:
    """Return kept features and probabilities, or None where there are none that can be trusted."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        if metadata != _metadata(digest, identity, tensors):
            return None
        features, probabilities = tensors["features"], tensors.get("probabilities")
    except Exception:  # missing, or damaged in any way: it is made again
        return None
    return (features, probabilities) if len(features) == count else None
