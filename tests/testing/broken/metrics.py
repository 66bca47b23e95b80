"""Embeddings and metrics that break their contract."""

import math
import os

import torch

from ganfw import MetricValue
from ganfw.testing import embeddings, metrics


class Flat:
    identity = "flat"

    def __call__(self, samples):
        return samples.flatten(1).float() / 255, None


class Alone(Flat):
    def __call__(self, samples):
        return super().__call__(samples)[0]


class WithImages(Flat):
    def __call__(self, samples):
        return samples.float(), None


class InDoubles(Flat):
    def __call__(self, samples):
        return samples.flatten(1).double(), None


class Unnormalised(Flat):
    def __call__(self, samples):
        return super().__call__(samples)[0], torch.ones(len(samples), 10)


class Nameless(Flat):
    identity = ""


class WithDropout(Flat):
    def __call__(self, samples):
        return torch.dropout(super().__call__(samples)[0], 0.5, train=True), None


class Centring(Flat):
    def __call__(self, samples):
        features, _ = super().__call__(samples)
        return features - features.mean(0), None


class Counting(Flat):
    asked = 0

    def __call__(self, samples):
        self.asked += 1
        return self.asked * super().__call__(samples)[0], None


class RandomProjection(Flat):
    def __init__(self) -> None:
        random = torch.Generator().manual_seed(int.from_bytes(os.urandom(4), "big"))
        self.weights = torch.randn(28 * 28, 4, generator=random)

    def __call__(self, samples):
        return super().__call__(samples)[0] @ self.weights, None


class NamedByChance(Flat):
    def __init__(self) -> None:
        self.identity = os.urandom(8).hex()


BROKEN_EMBEDDINGS = (
    (embeddings.gives_features, Alone, "it must give a pair: features, and probabilities or None"),
    (embeddings.gives_features, WithImages, "its features have the shape (64, 1, 28, 28), not (n, d)"),
    (embeddings.gives_features, InDoubles, "its features must be torch.float32, not torch.float64"),
    (
        embeddings.gives_features,
        Unnormalised,
        "its probabilities are not >= 0 with a sum of 1 for each sample",
    ),
    (embeddings.gives_features, Nameless, "its identity must be a text that is not empty"),
    (
        embeddings.embeds_each_sample_independently,
        WithDropout,
        "it draws from a global random generator: an embedding draws nothing",
    ),
    (embeddings.embeds_each_sample_independently, Counting, "the same samples have other features the second time"),
    (
        embeddings.embeds_each_sample_independently,
        Centring,
        "the features of a sample depend on the samples beside it: use evaluation mode",
    ),
    (
        embeddings.embeds_each_sample_independently,
        RandomProjection,
        "built again it has other features under the same identity",
    ),
    (embeddings.embeds_each_sample_independently, NamedByChance, "built again it has another identity"),
)


class InCapitals:
    def __call__(self, found):
        return {"FID": MetricValue(1.0)}


class Bare:
    def __call__(self, found):
        return {"distance": 1.0}


class Empty:
    def __call__(self, found):
        return {}


class NotANumber:
    def __call__(self, found):
        return {"distance": MetricValue(math.nan)}


class WithoutReason:
    def __call__(self, found):
        return {"distance": MetricValue(None)}


class Bigger:
    def __call__(self, found):
        return {"distance": MetricValue(1.0, better="bigger")}


class Global:
    def __call__(self, found):
        return {"distance": MetricValue(float(torch.rand(())))}


class CountingMetric:
    asked = 0

    def __call__(self, found):
        self.asked += 1
        return {"distance": MetricValue(float(self.asked))}


class Overwriting:
    def __call__(self, found):
        found.samples.features.zero_()
        return {"distance": MetricValue(0.0)}


class NeedingProbabilities:
    def __call__(self, found):
        return {"score": MetricValue(float(found.samples.probabilities.max()))}


class Renaming:
    def __call__(self, found):
        return {"score" if found.samples.probabilities is not None else "nothing": MetricValue(0.0)}


BROKEN_METRICS = (
    (metrics.measures, InCapitals, "the name 'FID' is not in snake case"),
    (metrics.measures, Bare, "'distance' must be a MetricValue, not float"),
    (metrics.measures, Empty, "it must give a dict that names what it found"),
    (metrics.measures, NotANumber, "'distance' must be a finite number, not nan"),
    (metrics.measures, WithoutReason, "'distance' has no value, and no reason why"),
    (metrics.measures, Bigger, "'distance' says that 'bigger' is better"),
    (
        metrics.measures_the_same_every_time,
        Global,
        "it draws from a global random generator: make one from inputs.seed",
    ),
    (metrics.measures_the_same_every_time, CountingMetric, "the same evidence gives another result"),
    (metrics.measures_the_same_every_time, Overwriting, "it writes into the features"),
    (
        metrics.measures_without_probabilities,
        NeedingProbabilities,
        "without probabilities of classes it fails; give MetricValue(None, reason=…): ",
    ),
    (
        metrics.measures_without_probabilities,
        Renaming,
        "without probabilities of classes it finds something of another name",
    ),
)
