"""What metrics must do."""

import math
import re
from typing import Any

import torch

from ganfw.evaluation.inputs import MetricInputs, MetricValue, SampleSet
from ganfw.images import to_uint8
from ganfw.testing.subject import Subject

_COUNT = 64
_DIMENSIONS = 8


def measures(subject: Subject) -> None:
    """It finds finite numbers by names in snake case, or says why there is none."""
    for name, found in _find(subject.part, _inputs(subject)).items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name) is not None, f"the name '{name}' is not in snake case"
        assert isinstance(found, MetricValue), f"'{name}' must be a MetricValue, not {type(found).__name__}"
        if found.value is None:
            assert found.reason, f"'{name}' has no value, and no reason why"
            continue
        numbers: tuple[object, ...] = found.value if isinstance(found.value, tuple) else (found.value,)
        for number in numbers:
            a_float = isinstance(number, int | float) and math.isfinite(number)
            assert a_float, f"'{name}' must be a finite number, not {number!r}"
        assert found.better in ("lower", "higher", ""), f"'{name}' says that {found.better!r} is better"


def measures_the_same_every_time(subject: Subject) -> None:
    """Its results depend only on its inputs, which it does not change."""
    metric, inputs = subject.part, _inputs(subject)
    kept = [part.features.clone() for part in (inputs.samples, inputs.reference, inputs.training)]
    with subject.draws_nothing("make one from inputs.seed"):
        first, second = (_find(metric, inputs) for _ in range(2))
    assert first == second, "the same evidence gives another result"
    now = (inputs.samples, inputs.reference, inputs.training)
    assert all(map(torch.equal, [part.features for part in now], kept)), "it writes into the features"


def measures_without_probabilities(subject: Subject) -> None:
    """Where the embedding knows no classes it still answers, by the same names."""
    metric = subject.part
    expected = _find(metric, _inputs(subject)).keys()
    try:
        found = _find(metric, _inputs(subject, probabilities=False))
    except (TypeError, AttributeError, RuntimeError) as error:
        complaint = "without probabilities of classes it fails; give MetricValue(None, reason=…)"
        raise AssertionError(f"{complaint}: {error}") from error
    assert found.keys() == expected, "without probabilities of classes it finds something of another name"


def _find(metric: Any, inputs: MetricInputs) -> dict[str, Any]:
    found: Any = metric(inputs)
    names_results = isinstance(found, dict) and found
    assert names_results, "it must give a dict that names what it found"
    return dict(found)


def _inputs(subject: Subject, *, probabilities: bool = True) -> MetricInputs:
    """Return real samples as reference and training set, and noisy ones to judge; features are random projections.

    All is on the CPU, where metrics compute.
    """
    batch, classes = subject.batches.first(3 * _COUNT), subject.batches.num_classes
    rows, random = torch.arange(3 * _COUNT) % len(batch), torch.Generator().manual_seed(0)
    samples = batch.samples.cpu()[rows]
    samples[:_COUNT] += 0.2 * torch.rand(samples[:_COUNT].shape, generator=random)
    if samples.ndim == 4:
        samples = to_uint8(samples.clamp(0, 1))
    directions = torch.randn(samples[0].numel(), _DIMENSIONS, generator=random, dtype=torch.float64)
    features = samples.flatten(1).double() @ directions / samples[0].numel()
    sure = None
    if probabilities and batch.labels is not None and classes is not None:
        sure = 0.9 * torch.nn.functional.one_hot(batch.labels.cpu()[rows].clamp(0), classes).double() + 0.1 / classes
    judged, reference, training = (
        SampleSet(samples[rows], features[rows], None if sure is None else sure[rows])
        for rows in (slice(start, start + _COUNT) for start in (0, _COUNT, 2 * _COUNT))
    )
    return MetricInputs(judged, reference, training)
