"""What embeddings and metrics must do."""

import math
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganfw.evaluation.inputs import MetricInputs, MetricValue, SampleSet
from ganfw.images import to_uint8
from ganfw.testing.subject import Subject, labels_of, random_on, randomness, samples_of
from ganfw.training.experiment import Experiment

_COUNT = 64
_DIMENSIONS = 8


def gives_features(subject: Subject, _folder: Path) -> None:
    """It gives features `(n, d)`, and probabilities `(n, num_classes)` or None; and it has an identity."""
    experiment = subject.experiment()
    embedding = subject.part(experiment)
    features, probabilities = _embed(subject, embedding, _images(experiment, _COUNT))
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


def embeds_each_sample_alone(subject: Subject, _folder: Path) -> None:
    """Features follow from the sample alone: not from its neighbours, from chance, or from how often it is asked."""
    experiment = subject.experiment()
    embedding, samples = subject.part(experiment), _images(experiment, _COUNT)
    before = randomness(experiment)
    features, _ = _embed(subject, embedding, samples)
    again, _ = _embed(subject, embedding, samples)
    untouched = randomness(experiment) == before
    subject.require(untouched, "it draws from a global random generator")
    subject.require(torch.equal(features, again), "the same samples have other features the second time")
    few, _ = _embed(subject, embedding, samples[:3])
    alone = torch.allclose(features[:3], few, rtol=1e-4, atol=1e-5)
    subject.require(alone, "the features of a sample depend on the samples beside it: use evaluation mode")
    rebuilt = subject.part(subject.experiment())
    subject.require(rebuilt.identity == embedding.identity, "built again it has another identity")
    same = torch.equal(_embed(subject, rebuilt, samples)[0], features)
    subject.require(same, "built again it has other features under the same identity")


def measures(subject: Subject, _folder: Path) -> None:
    """It finds finite numbers by names in snake case, or says why there is none."""
    for name, found in _find(subject, subject.part(experiment := subject.experiment()), _evidence(experiment)).items():
        subject.require(re.fullmatch(r"[a-z][a-z0-9_]*", name) is not None, f"the name '{name}' is not in snake case")
        if not isinstance(found, MetricValue):
            raise AssertionError(f"{subject.offer}: '{name}' must be a MetricValue, not {type(found).__name__}")
        if found.value is None:
            subject.require(bool(found.reason), f"'{name}' has no value, and no reason why")
            continue
        numbers: tuple[object, ...] = found.value if isinstance(found.value, tuple) else (found.value,)
        for number in numbers:
            a_float = isinstance(number, int | float) and math.isfinite(number)
            subject.require(a_float, f"'{name}' must be a finite number, not {number!r}")
        subject.require(found.better in ("lower", "higher", ""), f"'{name}' says that {found.better!r} is better")


def measures_the_same_every_time(subject: Subject, _folder: Path) -> None:
    """What it finds follows from the evidence alone, which it leaves as it is."""
    experiment = subject.experiment()
    metric, inputs = subject.part(experiment), _evidence(experiment)
    kept = [part.features.clone() for part in (inputs.samples, inputs.reference, inputs.training)]
    before = randomness(experiment)
    first, second = (_find(subject, metric, inputs) for _ in range(2))
    untouched = randomness(experiment) == before
    subject.require(untouched, "it draws from a global random generator: make one from inputs.seed")
    subject.require(first == second, "the same evidence gives another result")
    now = (inputs.samples, inputs.reference, inputs.training)
    same = all(torch.equal(part.features, old) for part, old in zip(now, kept, strict=True))
    subject.require(same, "it writes into the features")


def measures_without_probabilities(subject: Subject, _folder: Path) -> None:
    """Where the embedding knows no classes it still answers, by the same names."""
    experiment = subject.experiment()
    metric = subject.part(experiment)
    expected = _find(subject, metric, _evidence(experiment)).keys()
    try:
        found = _find(subject, metric, _evidence(experiment, probabilities=False))
    except (TypeError, AttributeError, RuntimeError) as error:
        complaint = "without probabilities of classes it fails; give MetricValue(None, reason=…)"
        raise AssertionError(f"{subject.offer}: {complaint}: {error}") from error
    subject.require(found.keys() == expected, "without probabilities of classes it finds something of another name")


def _embed(subject: Subject, embedding: Any, samples: Tensor) -> tuple[Tensor, Tensor | None]:
    found = embedding(samples)
    is_pair = isinstance(found, tuple) and len(found) == 2
    subject.require(is_pair, "it must give a pair: features, and probabilities or None")
    features, probabilities = found
    return features, probabilities


def _find(subject: Subject, metric: Any, inputs: MetricInputs) -> dict[str, Any]:
    found = metric(inputs)
    subject.require(isinstance(found, dict) and bool(found), "it must give a dict that names what it found")
    return dict(found)


def _images(experiment: Experiment, count: int) -> Tensor:
    """Return samples as embeddings and metrics get them: images as uint8."""
    samples = samples_of(experiment, count).cpu()
    return to_uint8(samples) if samples.ndim == 4 else samples


def _evidence(experiment: Experiment, *, probabilities: bool = True) -> MetricInputs:
    """Return real samples as reference and training set, and noisy ones to judge; features are random projections."""
    samples = samples_of(experiment, 3 * _COUNT).cpu()
    labels = labels_of(experiment, 3 * _COUNT)
    classes = experiment.batches.num_classes
    random = random_on(experiment)
    noisy = samples + 0.2 * torch.rand(samples.shape, generator=random)
    samples = torch.where((torch.arange(len(samples)) < _COUNT).reshape(-1, *[1] * (samples.ndim - 1)), noisy, samples)
    if samples.ndim == 4:
        samples = to_uint8(samples.clamp(0, 1))
    directions = torch.randn(samples[0].numel(), _DIMENSIONS, generator=random, dtype=torch.float64)
    features = samples.flatten(1).double() @ directions / samples[0].numel()
    sure = None
    if probabilities and labels is not None and classes is not None:
        sure = 0.9 * torch.nn.functional.one_hot(labels.cpu(), classes).double() + 0.1 / classes
    judged, reference, training = (
        SampleSet(samples[rows], features[rows], None if sure is None else sure[rows])
        for rows in (slice(start, start + _COUNT) for start in (0, _COUNT, 2 * _COUNT))
    )
    return MetricInputs(judged, reference, training)
