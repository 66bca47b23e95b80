"""The inputs and results of metrics."""

from collections.abc import Mapping
from typing import Literal, Protocol

from attrs import field, frozen
from torch import Tensor

from ganfw.data import form


class Embedding(Protocol):
    """Turns samples into features in which distances mean something, and perhaps into probabilities of classes."""

    @property
    def identity(self) -> str:
        """What makes results comparable: a name and the hash of all weights, such as `"mnist_classifier sha256:…"`."""
        ...

    def __call__(self, samples: Tensor) -> tuple[Tensor, Tensor | None]:
        """Embed samples.

        Args:
            samples: `(n, channels, height, width)` uint8 images, or `(n, *sample_shape)` float32, on the CPU.

        Returns:
            Features `(n, d)` float32 on the CPU; and probabilities `(n, num_classes)` float32, or None.
        """
        ...


@frozen(eq=False)
class Moments:
    """The mean and the covariance of the features of a set of samples.

    Attributes:
        mean: `(d,)` float64.
        covariance: `(d, d)` float64, the unbiased one.
    """

    mean: Tensor = field(repr=form)
    covariance: Tensor = field(repr=form)

    @classmethod
    def of(cls, features: Tensor) -> "Moments":
        """Return those of features, `(n, d)` float64, n >= 2."""
        mean = features.mean(0)
        centred = features - mean
        return cls(mean, centred.T @ centred / (len(features) - 1))


@frozen(eq=False)
class SampleSet:
    """Samples with their features.

    Attributes:
        samples: `(n, channels, height, width)` uint8 images, or `(n, *sample_shape)` float32, on the CPU.
        features: `(n, d)` float64.
        probabilities: `(n, num_classes)` float64, or None where the embedding knows no classes.
        labels: `(n, ...)` int64 or float32 on the CPU: of real samples their own, of generated ones those that the
            generator was given; None where there are none.
        moments: of the features of a larger set that these are a part of; None where these are the whole set.
    """

    samples: Tensor = field(repr=form)
    features: Tensor = field(repr=form)
    probabilities: Tensor | None = field(default=None, repr=form)
    labels: Tensor | None = field(default=None, repr=form)
    moments: Moments | None = None

    def __len__(self) -> int:
        return len(self.samples)

    def select(self, rows: Tensor | slice) -> "SampleSet":
        """Return some of the samples with their features; `rows` is a slice, or `(m,)` int64 indices."""
        probabilities = None if self.probabilities is None else self.probabilities[rows]
        labels = None if self.labels is None else self.labels[rows]
        return SampleSet(self.samples[rows], self.features[rows], probabilities, labels)


@frozen(eq=False)
class MetricInputs:
    """The inputs of a metric.

    Attributes:
        samples: what is measured: a generator's samples, or real ones in their place.
        reference: real samples that were held out where the data has such, to compare with. One that was read from a
            file has features and moments, but no samples: `(0, *sample_shape)`.
        training: real samples that the generator has learnt from; none of them are in `samples`. It is empty where
            the reference was read from a file.
        seed: of the metric's own random choices.
    """

    samples: SampleSet
    reference: SampleSet
    training: SampleSet
    seed: int = 0


@frozen
class MetricValue:
    """A number, or a list of them, or the reason why there is none.

    Attributes:
        value: the number; a tuple for a histogram; None where it cannot be computed.
        better: whether lower or higher values are better; `""` where neither is.
        reason: why the value is None.
    """

    value: float | tuple[float, ...] | None
    better: Literal["lower", "higher", ""] = ""
    reason: str = ""


class Metric(Protocol):
    """Measures samples. It computes in float64, and its results depend on the inputs only.

    A metric with an attribute `takes_moments = True` needs no features of the reference where that has `moments`. Other
    metrics are left out if a reference has nothing else.
    """

    def __call__(self, inputs: MetricInputs) -> Mapping[str, MetricValue]:
        """Return the results by names in snake case: `{"precision": …, "recall": …}`."""
        ...
