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
    features, probabilities = _embed(subject, embedding, _images(subject, _COUNT))
    subject.require(features.ndim == 2, f"its features have the shape {tuple(features.shape)}, not (n, d)")
    subject.require_tensor(features, "its features", (_COUNT, features.shape[1]))
    subject.require(features.device.type == "cpu", f"its features are on {features.device}, not on the CPU")
    if probabilities is not None:
        subject.require_tensor(probabilities, "its probabilities", (_COUNT, probabilities.shape[-1]))
        sums = probabilities.sum(1)
        right = bool((probabilities >= 0).all()) and torch.allclose(sums, torch.ones_like(sums), atol=1e-4)
        subject.require(right, "its probabilities are not >= 0 with a sum of 1 for each sample")
    identity = embedding.identity
    subject.require(isinstance(identity, str) and bool(identity), "its identity must be a text that is not empty")


def embeds_each_sample_alone(subject: Subject) -> None:
    """Features follow from the sample alone: not from its neighbours, from chance, or from how often it is asked."""
    embedding, samples = subject.part, _images(subject, _COUNT)
    before = subject.randomness()
    features, _ = _embed(subject, embedding, samples)
    again, _ = _embed(subject, embedding, samples)
    untouched = subject.randomness() == before
    subject.require(untouched, "it draws from a global random generator")
    subject.require(torch.equal(features, again), "the same samples have other features the second time")
    few, _ = _embed(subject, embedding, samples[:3])
    alone = torch.allclose(features[:3], few, rtol=1e-4, atol=1e-5)
    subject.require(alone, "the features of a sample depend on the samples beside it: use evaluation mode")
    rebuilt = subject.again().part
    subject.require(rebuilt.identity == embedding.identity, "built again it has another identity")
    same = torch.equal(_embed(subject, rebuilt, samples)[0], features)
    subject.require(same, "built again it has other features under the same identity")


def _embed(subject: Subject, embedding: Any, samples: Tensor) -> tuple[Tensor, Tensor | None]:
    found = embedding(samples)
    is_pair = isinstance(found, tuple) and len(found) == 2
    subject.require(is_pair, "it must give a pair: features, and probabilities or None")
    features, probabilities = found
    return features, probabilities


def _images(subject: Subject, count: int) -> Tensor:
    """Return samples as embeddings and metrics get them: images as uint8."""
    samples = subject.samples(count).cpu()
    return to_uint8(samples) if samples.ndim == 4 else samples
