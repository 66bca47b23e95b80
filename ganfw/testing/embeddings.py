"""What embeddings must do."""

from typing import Any

import torch
from torch import Tensor

from ganfw.images import to_uint8
from ganfw.testing.subject import Subject

_COUNT = 64


def gives_features(subject: Subject) -> None:
    """It gives features `(n, d)`, and probabilities `(n, num_classes)` or None; and it has an identity."""
    embedding = subject.part
    features, probabilities = _embed(embedding, _images(subject))
    assert features.ndim == 2, f"its features have the shape {tuple(features.shape)}, not (n, d)"
    subject.require_tensor(features, "its features", (_COUNT, features.shape[1]))
    assert features.device.type == "cpu", f"its features are on {features.device}, not on the CPU"
    if probabilities is not None:
        subject.require_tensor(probabilities, "its probabilities", (_COUNT, probabilities.shape[-1]))
        sums = probabilities.sum(1)
        right = bool((probabilities >= 0).all()) and torch.allclose(sums, torch.ones_like(sums), atol=1e-4)
        assert right, "its probabilities are not >= 0 with a sum of 1 for each sample"
    is_text = isinstance(embedding.identity, str) and embedding.identity
    assert is_text, "its identity must be a text that is not empty"


def embeds_each_sample_independently(subject: Subject) -> None:
    """Features depend only on the sample: not on its neighbours, on chance, or on how often it is asked."""
    embedding, samples = subject.part, _images(subject)
    with subject.draws_nothing("an embedding draws nothing"):
        (features, _), (again, _) = (_embed(embedding, samples) for _ in range(2))
    assert torch.equal(features, again), "the same samples have other features the second time"
    few, _ = _embed(embedding, samples[:3])
    alone = torch.allclose(features[:3], few, rtol=1e-4, atol=1e-5)
    assert alone, "the features of a sample depend on the samples beside it: use evaluation mode"
    rebuilt = subject.again().part
    assert rebuilt.identity == embedding.identity, "built again it has another identity"
    same = torch.equal(_embed(rebuilt, samples)[0], features)
    assert same, "built again it has other features under the same identity"


def _embed(embedding: Any, samples: Tensor) -> Any:
    found: Any = embedding(samples)
    is_pair = isinstance(found, tuple) and len(found) == 2
    assert is_pair, "it must give a pair: features, and probabilities or None"
    return found


def _images(subject: Subject) -> Tensor:
    """Return samples as embeddings and metrics get them: images as uint8."""
    samples = subject.samples(_COUNT).cpu()
    return to_uint8(samples) if samples.ndim == 4 else samples
