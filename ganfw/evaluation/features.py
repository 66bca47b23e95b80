"""Real samples as metrics see them: gathered, rounded and embedded; features are cached between evaluations.

A cached file is found by the hash of the data and the identity of the embedding, and compared with its own hash when
it is read; features that are damaged, or that the embedding does not give any more, are made again.
"""

import hashlib
import os
from collections.abc import Callable, Sized
from pathlib import Path
from typing import cast

import platformdirs
import torch
from safetensors.torch import load, save
from torch import Tensor

from ganfw.data import Data, TensorData
from ganfw.engine.random_streams import seeded_generator
from ganfw.errors import DataError, PartError, RunError
from ganfw.evaluation.inputs import Embedding, SampleSet
from ganfw.files import expanded, read_bounded, write_atomically
from ganfw.images import to_uint8
from ganfw.training.items import ItemLoader

CHUNK = 1000
"""Samples that go through an embedding at once."""
CHECKED = 64
"""Samples that are embedded again before cached features are used."""
TOLERANCE = 1e-3
"""How far those features may differ, in shares of the largest: devices and numbers of rows round differently."""
MAX_SAMPLE_BYTES = 1 << 16
"""Features of more bytes than this for each sample (16,384 numbers) are not cached, and no larger file is read."""


def gather(data: Data, limit: int) -> TensorData:
    """Return real samples in memory, on the CPU: all, or a random choice of `limit`, always the same, in their order.

    Images (samples of three dimensions) that are float32 in [0, 1] are rounded to uint8.

    Raises:
        DataError: an item of a torch data set is not a sample, or samples differ in shape.
    """
    chosen = choose(len(cast("Sized", data)), limit)
    if isinstance(data, TensorData):
        return select(data, chosen)
    samples, labels = [], []
    try:
        for entries in ItemLoader(data, seed=0).load(0, [chunk.tolist() for chunk in chosen.split(256)]):
            samples.append(_rounded(entries["samples"]))
            labels += [entries["labels"]] if "labels" in entries else []
        classes = getattr(data, "classes", None)
        num_classes = len(classes) if isinstance(classes, list) else None
        return TensorData(torch.cat(samples), torch.cat(labels) if labels else None, num_classes)
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"the data set cannot be put together for an evaluation: {error}") from error


def choose(size: int, limit: int) -> Tensor:
    """Return the indices of at most `limit` of `size` rows, `(n,)` int64 in their order: all, or a random choice."""
    if size <= limit:
        return torch.arange(size)
    return torch.randperm(size, generator=seeded_generator("cpu", 0, "choice"))[:limit].sort().values


def select(data: TensorData, chosen: Tensor) -> TensorData:
    """Return some of the samples, on the CPU, images rounded to uint8: `chosen` are indices, or a mask."""
    labels = None if data.labels is None else data.labels.cpu()[chosen]
    return TensorData(_rounded(data.samples[chosen.to(data.samples.device)].cpu()), labels, data.num_classes)


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
        features.append(found.cpu().double())
        if classes is not None:
            probabilities.append(classes.cpu().double())
    return SampleSet(samples, torch.cat(features), torch.cat(probabilities) if probabilities else None)


def embed_real(data: TensorData, embedding: Embedding, say: Callable[[str], None] = lambda line: None) -> SampleSet:
    """Return real samples with their features, from the cache if they are there.

    Cached features are used only if the embedding still gives the same for a few of the samples, so that a change of
    its code is noticed as well as one of its weights.

    Args:
        data: what `gather` returned.
        embedding: makes the features.
        say: called with a line of text before slow work, and if the cache cannot be written.
    """
    key = hashlib.sha256(f"{data.sha256()}\n{embedding.identity}".encode()).digest()
    limit = len(data) * MAX_SAMPLE_BYTES
    cached = _read(key, limit)
    if cached is not None and _is_current(cached, data, embedding):
        return SampleSet(data.samples, cached["features"], cached.get("probabilities"))
    say(f"embedding {len(data):,} real samples by {embedding.identity.partition(' ')[0]}, once")
    made = embed(data.samples, embedding)
    try:
        _write(key, limit, made)
    except (OSError, RunError) as error:
        say(f"the features cannot be kept for the next time: {error}")
    return made


def cache_folder() -> Path:
    """Return the folder of cached features: `features/` in `GANFW_CACHE`, or else in the user's cache.

    Raises:
        RunError: the user has no home, so the folder is unknown.
    """
    chosen = os.environ.get("GANFW_CACHE")
    try:
        folder = expanded(chosen) if chosen else platformdirs.user_cache_path("ganfw")
    except RuntimeError:
        raise RunError("the user has no home directory; set GANFW_CACHE to a folder") from None
    return folder / "features"


def _file(key: bytes) -> Path:
    return cache_folder() / f"{key.hex()}.features"


def _is_current(cached: dict[str, Tensor], data: TensorData, embedding: Embedding) -> bool:
    """Whether the embedding gives what is cached for some of the samples, up to rounding."""
    rows = torch.linspace(0, len(data) - 1, min(len(data), CHECKED)).long()
    current = _tensors(embed(data.samples[rows], embedding))
    return cached.keys() == current.keys() and all(
        cached[name].shape == (len(data), *expected.shape[1:])
        and torch.allclose(cached[name][rows], expected, rtol=0, atol=TOLERANCE * float(expected.abs().max()))
        for name, expected in current.items()
    )


def _tensors(made: SampleSet) -> dict[str, Tensor]:
    tensors = {"features": made.features, "probabilities": made.probabilities}
    return {name: tensor for name, tensor in tensors.items() if tensor is not None}


def _write(key: bytes, limit: int, made: SampleSet) -> None:
    """Write a hash, of the key and of what follows, and a safetensors file."""
    path = _file(key)
    content = save({name: tensor.float() for name, tensor in _tensors(made).items()})  # as embeddings give them
    if len(key) + len(content) > limit:
        raise RunError(f"{path}: larger than {limit} bytes")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, hashlib.sha256(key + content).digest() + content)


def _read(key: bytes, limit: int) -> dict[str, Tensor] | None:
    """Return cached tensors, or None if there are none or the file is damaged."""
    try:
        content = read_bounded(_file(key), limit)
        digest, content = content[: len(key)], content[len(key) :]
        if digest == hashlib.sha256(key + content).digest():
            return {name: tensor.double() for name, tensor in load(content).items()}
    except Exception:  # safetensors refuses in ways of its own; the features are made again
        pass
    return None
