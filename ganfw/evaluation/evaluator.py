"""Evaluate a generator: its samples against real ones, and real samples in their place."""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import torch
from attrs import define, evolve, field, frozen
from torch import Tensor

from ganfw.data import Data, form
from ganfw.display import html_table
from ganfw.engine.random_streams import own_randomness, seeded_generator
from ganfw.engine.sampling import SampleSource, each_class_in_turn
from ganfw.errors import InputError, PartError, TrainingError
from ganfw.evaluation.features import embed, embed_real, gather
from ganfw.evaluation.inputs import Embedding, Metric, MetricInputs, MetricValue, SampleSet
from ganfw.evaluation.reference import Reference
from ganfw.evaluation.table import metric_rows
from ganfw.images import to_uint8

MAX_TRAINING = 60_000
"""At most this many training samples are used, the size of MNIST; of a larger set, a random choice."""
MAX_REFERENCE = 10_000
"""At most this many reference samples are used; of a larger set, a random choice."""
CURVE_METRICS = ("frechet_distance", "precision_recall", "density_coverage")
"""The metrics of a truncation curve, by their names in a recipe."""
Labels = Literal["data", "equal"]
"""Which labels a conditional generator is given: as frequent as in the training data, or each class in turn."""


@frozen
class MetricResult:
    """One result of a metric.

    Attributes:
        samples: the result for the generator's samples.
        real_data: the result for real training samples in their place, or None where that was not asked for.
    """

    samples: MetricValue
    real_data: MetricValue | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the entry of this result in `eval/*.json`."""
        entry = {"value": self.samples.value, "better": self.samples.better, "reason": self.samples.reason}
        if self.real_data is not None:
            entry |= {"real_data": self.real_data.value, "real_data_reason": self.real_data.reason}
        return {key: value for key, value in entry.items() if value or not key.endswith("reason")}


@frozen(eq=False)
class Evaluation:
    """The results of evaluating a generator; `evaluation["frechet_distance"]` is the value of one.

    Attributes:
        results: by name, such as `"frechet_distance"`: the value for the samples, and that for real data.
        count: the number of samples.
        seed: which samples were drawn; metrics that need random numbers use it too.
        truncation: of the noise, or None.
        labels: `"data"` if the generator was given labels as frequent as in the training data, `"equal"` if each class
            in turn, None if it takes no labels.
        seconds: how long it took.
        samples: the generator's samples with their features.
    """

    results: Mapping[str, MetricResult]
    count: int
    seed: int
    truncation: float | None
    labels: Labels | None
    seconds: float
    samples: SampleSet = field(repr=False)

    def __getitem__(self, name: str) -> float | tuple[float, ...] | None:
        """Return the value of a result: `evaluation["frechet_distance"]`."""
        return self.results[name].samples.value

    def _repr_html_(self) -> str:
        rows = metric_rows({name: result.to_json() for name, result in self.results.items()})
        return html_table(list(rows), f"{self.count:,} samples of seed {self.seed}")


@define(eq=False)
class Evaluator:
    """Real samples with their features, an embedding and metrics: all that an evaluation needs but a generator.

    Attributes:
        training: what generators have learnt from, at most 60,000 samples; none where the reference is from a file.
        reference: real samples to compare with, at most 10,000.
        embedding: makes features.
        metrics: by name.
        held_out: whether the reference is apart from the training data.
        training_size: how many training samples there are; None where that is not known.
        about_reference: what `eval/*.json` says of the reference: `data`, `split`, `count`, `sha256`; of a file `file`
            and `file_sha256` too.
        embedding_name: the embedding's name in recipes.
        device: where the embedding computes.
        labels: the labels of real samples, `(n,)` int64 on the CPU, or None.
    """

    training: SampleSet
    reference: SampleSet
    embedding: Embedding
    metrics: Mapping[str, Metric]
    held_out: bool
    training_size: int | None
    about_reference: Mapping[str, Any]
    embedding_name: str
    device: torch.device
    labels: Tensor | None = field(default=None, repr=form)
    _real_data: dict[tuple[int, int], Mapping[str, MetricValue]] = field(factory=dict, init=False)

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
        say: Callable[[str], None] = lambda line: None,
    ) -> "Evaluator":
        """Gather and embed real samples.

        Args:
            training: what the generator has learnt from.
            reference: real samples that were held out, or None to compare with the training data itself.
            embedding: makes features.
            metrics: by name.
            data_name: what the results call the data.
            split: what they call its held-out part.
            embedding_name: by default the beginning of the embedding's identity.
            device: where the embedding computes, for the record.
            say: called with a line of text before slow work.

        Raises:
            DataError: samples cannot be gathered.
            PartError: the embedding does not keep to its contract.
        """
        real = gather(training, MAX_TRAINING)
        compared = gather(training if reference is None else reference, MAX_REFERENCE)
        with own_randomness(0, device or "cpu"):
            return cls(
                training=evolve(embed_real(real, embedding, say), labels=real.labels),
                reference=evolve(embed_real(compared, embedding, say), labels=compared.labels),
                embedding=embedding,
                metrics=metrics,
                held_out=reference is not None,
                training_size=len(training),  # type: ignore[arg-type]  # a torch data set with a length
                about_reference={
                    "data": data_name,
                    "split": split if reference is not None else None,
                    "count": len(compared),
                    "sha256": compared.sha256(),
                },
                embedding_name=embedding_name or embedding.identity.partition(" ")[0],
                device=device or torch.device("cpu"),
                labels=real.labels,
            )

    @classmethod
    def of_reference(
        cls,
        reference: Reference,
        embedding: Embedding,
        metrics: Mapping[str, Metric],
        *,
        sample_shape: tuple[int, ...],
        embedding_name: str = "",
        device: torch.device | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> "Evaluator":
        """Compare with features that were kept, without any real sample.

        Args:
            reference: the features, or only their moments: then only metrics that take moments are measured.
            embedding: makes features of the samples.
            metrics: by name.
            sample_shape: the shape of a sample.
            embedding_name: by default the beginning of the embedding's identity.
            device: where the embedding computes, for the record.
            say: called with a line of text that names the metrics that are left out.

        Raises:
            DataError: the features are those of another embedding, or of samples of another shape.
            InputError: no metric takes moments, and there are only moments.
            PartError: the embedding does not keep to its contract.
        """
        with own_randomness(0, device or "cpu"):
            compared = reference.sample_set(embedding, sample_shape)
        if not len(reference.features):
            left_out = [name for name, metric in metrics.items() if not getattr(metric, "takes_moments", False)]
            metrics = {name: metric for name, metric in metrics.items() if name not in left_out}
            if not metrics:
                raise InputError("the reference has only mu and sigma; it needs a metric such as frechet_distance")
            if left_out:
                say(f"the reference has only mu and sigma, so these metrics are left out: {', '.join(left_out)}")
        return cls(
            training=SampleSet(compared.samples, compared.features[:0]),
            reference=compared,
            embedding=embedding,
            metrics=metrics,
            held_out=True,
            training_size=None,
            about_reference=reference.about,
            embedding_name=embedding_name or embedding.identity.partition(" ")[0],
            device=device or torch.device("cpu"),
            labels=reference.labels,
        )

    def draw_labels(self, count: int, seed: int) -> Tensor | None:
        """Draw `(count,)` int64 labels as frequent as in the training data; None if it has no labels."""
        if self.labels is None:
            return None
        return self.labels[torch.randint(len(self.labels), (count,), generator=seeded_generator("cpu", seed, "labels"))]

    def real_data(self, count: int, seed: int) -> Mapping[str, MetricValue]:
        """Return the results of all metrics for `count` real training samples, chosen by the seed.

        The chosen samples are left out of the training samples that they are compared with. The results are kept
        while the evaluator lives. They are empty where fewer than `2 * count` training samples are there.
        """
        if 2 * count > len(self.training):
            return {}
        if (count, seed) not in self._real_data:
            # The stream keeps the name it had when the published scores were made.
            order = torch.randperm(len(self.training), generator=seeded_generator("cpu", seed, "floor"))
            samples, rest = self.training.select(order[:count]), self.training.select(order[count:])
            others = self.reference if self.held_out else rest.select(slice(len(self.reference)))
            self._real_data[count, seed] = self.measure(MetricInputs(samples, others, rest, seed))
        return self._real_data[count, seed]

    def measure(self, inputs: MetricInputs) -> dict[str, MetricValue]:
        """Return the results of all metrics.

        Raises:
            PartError: two metrics give a result of the same name.
        """
        results: dict[str, MetricValue] = {}
        for name, metric in self.metrics.items():
            with own_randomness(inputs.seed):
                values = metric(inputs)
            for result, value in values.items():
                if result in results:
                    raise PartError(f"two metrics give a result '{result}'; drop one: metrics.{name}.enabled = false")
                results[result] = _finite(value)
        return results


def evaluate(
    source: SampleSource,
    evaluator: Evaluator,
    *,
    count: int = 10_000,
    seed: int = 0,
    truncation: float | None = None,
    labels: Labels = "data",
    real_data: bool = True,
    batch_size: int | None = None,
) -> Evaluation:
    """Measure how good the samples of a generator are.

    The samples are those of `ganfw.sample`; images are rounded to uint8, as real ones are stored. All global random
    state is left as it was.

    Args:
        source: what makes the samples: `experiment.source`, `checkpoint.source(registry)`, or networks of your own.
        evaluator: real samples, an embedding and metrics, from `open_evaluator` or `Evaluator.of`.
        count: how many samples, at least 1.
        seed: which samples.
        truncation: of the noise, at least 0, or None.
        labels: which labels a conditional generator is given: `"data"`, as frequent as in the training data, or
            `"equal"`, each class in turn. Where the data has no labels, each class in turn in both cases.
        real_data: whether to measure real samples as well, where the evaluator has any.
        batch_size: how many samples go through the generator at once; None for the source's own number.

    Returns:
        An `Evaluation`: `evaluation["frechet_distance"]` is a value, `evaluation.results` has all of them, each
        with the score of real data.

    Raises:
        InputError: an argument is out of range, this noise has no truncation, or the samples have another shape than
            the real ones.
        TrainingError: the generator gives values that are not finite.
        PartError: the embedding or a metric does not keep to its contract.
    """
    started = time.perf_counter()
    real_data = real_data and len(evaluator.training) > 0
    if count < 1:
        raise InputError(f"the number of samples must be >= 1, not {count}")
    drawn = evaluator.draw_labels(count, seed) if labels == "data" and source.takes_labels else None
    with own_randomness(seed, evaluator.device):
        made = source.sample(count, seed=seed, truncation=truncation, labels=drawn, batch_size=batch_size)
        samples = embed(as_stored(made, evaluator.reference.samples), evaluator.embedding)
        samples = evolve(samples, labels=given_labels(source, count, drawn))
        values = evaluator.measure(MetricInputs(samples, evaluator.reference, evaluator.training, seed))
        real = evaluator.real_data(count, seed) if real_data else {}
    missing = MetricValue(
        None,
        reason=f"it needs {2 * count:,} training samples: {count:,} to measure and as many to compare with; there are "
        f"{len(evaluator.training):,}",
    )
    results = {
        name: MetricResult(value, real.get(name, missing) if real_data else None) for name, value in values.items()
    }
    given: Labels | None = None if not source.takes_labels else "equal" if drawn is None else "data"
    return Evaluation(results, count, seed, truncation, given, time.perf_counter() - started, samples)


def given_labels(source: SampleSource, count: int, drawn: Tensor | None) -> Tensor | None:
    """Return the labels that a generator was given: those drawn for it, or each class in turn, or None."""
    if drawn is not None or not source.takes_labels:
        return drawn
    num_classes = getattr(source.networks["generator"], "num_classes", None)
    return each_class_in_turn(num_classes, count) if isinstance(num_classes, int) else None


def as_stored(samples: Tensor, real: Tensor) -> Tensor:
    """Return generated samples as real ones are stored: images rounded to uint8.

    Raises:
        TrainingError: a value is not finite.
        InputError: their shape differs.
    """
    if not torch.isfinite(samples).all():
        raise TrainingError("the generator gives values that are not finite; there is nothing to evaluate")
    if samples.shape[1:] != real.shape[1:]:
        raise InputError(
            f"samples are {tuple(samples.shape[1:])}; they must be {tuple(real.shape[1:])} as real ones are"
        )
    return to_uint8(samples) if real.dtype == torch.uint8 and samples.ndim == 4 else samples


def _finite(value: MetricValue) -> MetricValue:
    """Replace a number that JSON cannot hold by a reason."""
    numbers = value.value if isinstance(value.value, tuple) else (value.value,)
    wrong = [number for number in numbers if number is not None and not math.isfinite(number)]
    return evolve(value, value=None, reason=f"the result is {wrong[0]}") if wrong else value


def evaluate_truncations(
    source: SampleSource,
    evaluator: Evaluator,
    thresholds: Sequence[float | None],
    **options: Any,
) -> list[Evaluation]:
    """Evaluate at each threshold of truncation, with the same noise and labels, so that samples only move.

    Only the metrics named `frechet_distance`, `precision_recall` and `density_coverage` are used, without real data;
    the options are `count`, `seed`, `labels` and `batch_size` of `evaluate`.

    Raises:
        InputError: a threshold is out of range, this noise has no truncation, or the evaluator has none of the metrics.
    """
    metrics = {name: evaluator.metrics[name] for name in require_curve_metrics(evaluator.metrics)}
    of_curve = evolve(evaluator, metrics=metrics)
    return [evaluate(source, of_curve, truncation=each, real_data=False, **options) for each in thresholds]


def require_curve_metrics(names: Iterable[str]) -> list[str]:
    """Return which of the metrics of these names are for a truncation curve.

    Raises:
        InputError: there are none.
    """
    if found := [name for name in names if name in CURVE_METRICS]:
        return found
    raise InputError(f"a truncation curve needs one of the metrics {', '.join(CURVE_METRICS)}")
