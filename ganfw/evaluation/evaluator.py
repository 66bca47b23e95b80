"""Judge a generator: its samples, embedded, against real ones; and the floor, real samples in their place."""

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import torch
from attrs import define, evolve, field, frozen
from torch import Tensor, nn

from ganfw.data import Data
from ganfw.engine.random_streams import own_randomness, seeded_generator
from ganfw.engine.sampling import sample
from ganfw.errors import InputError, PartError, RunError, TrainingError
from ganfw.evaluation.features import embed, embed_real, gather
from ganfw.evaluation.floors import read_floor, write_floor
from ganfw.evaluation.inputs import Embedding, Metric, MetricInputs, MetricValue, SampleSet
from ganfw.images import to_uint8
from ganfw.protocols import Noise

MAX_TRAINING = 60_000
"""Training samples that are looked at, the size of MNIST: a random choice of this many where there are more."""
MAX_REFERENCE = 10_000
"""Reference samples that are compared with: a random choice of this many where there are more."""
CURVE_METRICS = ("frechet_distance", "precision_recall", "density_coverage")
"""The metrics of a truncation curve, by their names in a recipe."""


@frozen
class MetricResult:
    """What a metric found, beside its floor.

    Attributes:
        measured: of the samples.
        floor: of real training samples in their place, or None where that was not asked for.
    """

    measured: MetricValue
    floor: MetricValue | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what `eval/*.json` holds of it."""
        written: dict[str, Any] = {"value": self.measured.value, "better": self.measured.better}
        if self.measured.value is None:
            written["reason"] = self.measured.reason
        if self.floor is not None:
            written["floor"] = self.floor.value
            if self.floor.value is None:
                written["floor_reason"] = self.floor.reason
        return written


@frozen(eq=False)
class Evaluation:
    """What was found about a generator.

    Attributes:
        findings: by the names of results: `"frechet_distance"`.
        count: how many samples were judged.
        seed: of the samples, and of random choices of metrics.
        truncation: of the noise, or None.
        seconds: how long it took.
        samples: what was judged, with features.
    """

    findings: Mapping[str, MetricResult]
    count: int
    seed: int
    truncation: float | None
    seconds: float
    samples: SampleSet = field(repr=False)

    def __getitem__(self, name: str) -> float | tuple[float, ...] | None:
        """Return the value of a result: `evaluation["frechet_distance"]`."""
        return self.findings[name].measured.value


@define(eq=False)
class Evaluator:
    """Real samples with their features, an embedding and metrics: all that judging takes but samples.

    Attributes:
        training: what generators have learnt from, at most 60,000 of them.
        reference: real samples to compare with, at most 10,000 of them.
        embedding: makes features.
        metrics: by name.
        held_out: whether the reference is apart from the training data.
        training_size: how many training samples there are.
        about_reference: what `eval/*.json` says of the reference: `data`, `split`, `count`, `sha256`.
        embedding_name: how recipes call the embedding.
        device: where the embedding computes.
        floor_origin: what the floors follow from besides count and seed; None where they are not to be kept.
        say: told of what takes time.
    """

    training: SampleSet
    reference: SampleSet
    embedding: Embedding
    metrics: Mapping[str, Metric]
    held_out: bool
    training_size: int
    about_reference: Mapping[str, Any]
    embedding_name: str
    device: torch.device
    floor_origin: Mapping[str, Any] | None = None
    say: Callable[[str], None] = lambda line: None
    _floors: dict[tuple[int, int], Mapping[str, MetricValue]] = field(factory=dict, init=False)

    @classmethod
    def of(
        cls,
        training: Data,
        reference: Data | None,
        embedding: Embedding,
        metrics: Mapping[str, Metric],
        *,
        data_name: str = "",
        split: str | None = None,
        embedding_name: str = "",
        device: torch.device | None = None,
        about_metrics: Mapping[str, Any] | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> "Evaluator":
        """Gather and embed real samples.

        Args:
            training: what the generator has learnt from.
            reference: real samples that were held out, or None to compare with the training data itself.
            embedding: makes features.
            metrics: by name.
            data_name: how the data is called in results.
            split: how the held-out part of the data is called.
            embedding_name: how the embedding is called; by default as its identity begins.
            device: where the embedding computes, for the record.
            about_metrics: what `describe_metrics` returned, to keep floors for the next time; None not to.
            say: told of what takes time.

        Raises:
            DataError: samples cannot be gathered.
            PartError: the embedding does not keep to its contract.
        """
        learnt = gather(training, MAX_TRAINING)
        compared = gather(training if reference is None else reference, MAX_REFERENCE)
        about = {
            "data": data_name,
            "split": split if reference is not None else None,
            "count": len(compared),
            "sha256": compared.sha256(),
        }
        origin = None
        if about_metrics is not None:
            origin = {
                "training": learnt.sha256(),
                "reference": about,
                "embedding": embedding.identity,
                "metrics": about_metrics,
            }
        with own_randomness(0, device or "cpu"):
            return cls(
                embed_real(learnt, embedding, say),
                embed_real(compared, embedding, say),
                embedding,
                metrics,
                reference is not None,
                len(training),  # type: ignore[arg-type]  # a torch data set with a length, as batches have asked for
                about,
                embedding_name or embedding.identity.partition(" ")[0],
                device or torch.device("cpu"),
                origin,
                say,
            )

    def measure(self, samples: SampleSet, seed: int, only: Collection[str] | None = None) -> dict[str, MetricValue]:
        """Return what the metrics, or those of certain names, find about samples.

        Raises:
            PartError: two metrics give a result of one name.
        """
        return self._ask(MetricInputs(samples, self.reference, self.training, seed), only)

    def floor(self, count: int, seed: int) -> Mapping[str, MetricValue]:
        """Return what the metrics find about real training samples, as many, chosen by the seed."""
        if (count, seed) not in self._floors:
            self._floors[count, seed] = self._kept_floor(count, seed)
        return self._floors[count, seed]

    def _kept_floor(self, count: int, seed: int) -> Mapping[str, MetricValue]:
        if self.floor_origin is None:
            return self._floor(count, seed)
        origin = {**self.floor_origin, "count": count, "seed": seed}
        if (kept := read_floor(origin)) is not None:
            return kept
        found = self._floor(count, seed)
        try:
            write_floor(origin, found)
        except (OSError, RunError) as error:
            self.say(f"the floors cannot be kept for the next time: {error}")
        return found

    def _floor(self, count: int, seed: int) -> Mapping[str, MetricValue]:
        size = len(self.training)
        if 2 * count > size:
            return {}
        order = torch.randperm(size, generator=seeded_generator("cpu", seed, "floor"))
        chosen, rest = order[:count], order[count:]
        others = self.reference if self.held_out else _choose(self.training, rest[: len(self.reference)])
        inputs = MetricInputs(_choose(self.training, chosen), others, _choose(self.training, rest), seed)
        return self._ask(inputs, None)

    def _ask(self, inputs: MetricInputs, only: Collection[str] | None) -> dict[str, MetricValue]:
        found: dict[str, MetricValue] = {}
        for name, metric in self.metrics.items():
            if only is not None and name not in only:
                continue
            with own_randomness(inputs.seed):
                results = metric(inputs)
            for result, measured in results.items():
                if result in found:
                    raise PartError(f"two metrics give a result '{result}'; drop one: metrics.{name}.enabled = false")
                found[result] = _finite(measured)
        return found


def evaluate(
    generator: nn.Module,
    noise: Noise,
    evaluator: Evaluator,
    *,
    count: int = 10_000,
    seed: int = 0,
    truncation: float | None = None,
    only: Collection[str] | None = None,
    floor: bool = True,
    batch_size: int = 512,
) -> Evaluation:
    """Say how good a generator is.

    Its samples are those of `ganfw.sample`; images are rounded to uint8, as real ones are stored. All global random
    state is left as it was.

    Args:
        generator: `(n, z_dim)` to `(n, *sample_shape)`; used in evaluation mode.
        noise: the sampler of its input.
        evaluator: real samples, an embedding and metrics, from `open_evaluator` or `Evaluator.of`.
        count: how many samples, at least 1.
        seed: which samples.
        truncation: of the noise, at least 0, or None.
        only: the names of metrics to ask; None for all.
        floor: whether to find the floors as well: the same metrics of real samples.
        batch_size: how many samples go through the generator at once.

    Raises:
        InputError: an argument is out of range, this noise has no truncation, or samples are not such as the real.
        TrainingError: the generator gives values that are not finite.
        PartError: the embedding or a metric does not keep to its contract.
    """
    started = time.perf_counter()
    with own_randomness(seed, noise.device):
        made = sample(generator, noise, count, seed=seed, truncation=truncation, batch_size=batch_size)
        judged = embed(as_stored(made, evaluator.reference.samples), evaluator.embedding)
        found = evaluator.measure(judged, seed, only)
        floors = evaluator.floor(count, seed) if floor else {}
    size = len(evaluator.training)
    few = MetricValue(
        None, reason=f"{count:,} of {size:,} training samples are too many to leave as many to compare with"
    )
    findings = {name: MetricResult(each, floors.get(name, few) if floor else None) for name, each in found.items()}
    return Evaluation(findings, count, seed, truncation, time.perf_counter() - started, judged)


def as_stored(samples: Tensor, real: Tensor) -> Tensor:
    """Return generated samples as real ones are stored: images rounded to uint8.

    Raises:
        TrainingError: a value is not finite.
        InputError: their shape is another.
    """
    if not torch.isfinite(samples).all():
        raise TrainingError("the generator gives values that are not finite; there is nothing to judge")
    if samples.shape[1:] != real.shape[1:]:
        raise InputError(f"samples are {tuple(samples.shape[1:])}, and real ones {tuple(real.shape[1:])}")
    return to_uint8(samples) if real.dtype == torch.uint8 and samples.ndim == 4 else samples


def _choose(samples: SampleSet, chosen: Tensor) -> SampleSet:
    probabilities = None if samples.probabilities is None else samples.probabilities[chosen]
    return SampleSet(samples.samples[chosen], samples.features[chosen], probabilities)


def _finite(measured: MetricValue) -> MetricValue:
    """Give a reason in the place of a number that JSON has no word for."""
    values = measured.value if isinstance(measured.value, tuple) else (measured.value,)
    wrong = [value for value in values if value is not None and not math.isfinite(value)]
    return evolve(measured, value=None, reason=f"the result is {wrong[0]}") if wrong else measured


def evaluate_truncations(
    generator: nn.Module,
    noise: Noise,
    evaluator: Evaluator,
    thresholds: Sequence[float | None],
    *,
    count: int = 10_000,
    seed: int = 0,
    batch_size: int = 512,
) -> list[Evaluation]:
    """Evaluate at each threshold of truncation, with one set of noise: from one to the next, samples only move.

    Only the metrics named `frechet_distance`, `precision_recall` and `density_coverage` are asked, and no floors.

    Raises:
        InputError: a threshold is out of range, this noise has no truncation, or the judge has none of the metrics.
    """
    if not set(CURVE_METRICS) & evaluator.metrics.keys():
        raise InputError(f"a truncation curve needs one of the metrics {', '.join(CURVE_METRICS)}")
    return [
        evaluate(
            generator,
            noise,
            evaluator,
            count=count,
            seed=seed,
            truncation=threshold,
            only=CURVE_METRICS,
            floor=False,
            batch_size=batch_size,
        )
        for threshold in thresholds
    ]
