"""Instance selection: training samples from where there are many, by a density of features."""

import inspect
from typing import Annotated, Any, Literal

import torch
from annotated_types import Gt, Le
from torch import Tensor

from ganfw import InputError, TensorData, discover, to_uint8

CHUNK = 5000


def densest(
    *,
    data: Annotated[str, "name of the data, held in memory, with a key split"] = "ganfw:mnist",
    embedding: Annotated[str, "name of the embedding that makes the features"] = "ganfw:mnist_classifier",
    keep: Annotated[float, Gt(0), Le(1), "share of the samples that is kept"] = 0.5,
    split: Annotated[Literal["train", "test"], "of the data; the part to test with is kept as a whole"] = "train",
) -> TensorData:
    """The samples of other data with the highest density, so that a GAN need not learn those that are rare.

    The density is that of a normal distribution with the mean and the covariance of the features of all samples. The
    samples stay in their order. Those to test with are all kept, so that recall falls by what the choice has left out.

    Source: DeVries, Drozdzal and Taylor, "Instance Selection for GANs", 2020, with the Gaussian model.

    Returns:
        The samples, labels and further entries that are kept: their number times `keep`, rounded, at least 1.

    Raises:
        InputError: the data is not held in memory.
    """
    whole = discover().load("data", data)(split=split)
    if not isinstance(whole, TensorData):
        raise InputError(f"densest needs data that is held in memory, and '{data}' is not")
    if split == "test" or keep == 1:
        return whole
    features = features_of(whole.samples, embedding)
    count = max(1, round(keep * len(whole)))
    rows = log_densities(features).argsort(descending=True, stable=True)[:count].sort().values
    labels = None if whole.labels is None else whole.labels[rows]
    return TensorData(
        whole.samples[rows],
        labels,
        whole.num_classes,
        more={name: entry[rows] for name, entry in whole.more.items()},
        value_range=whole.value_range,
        licence=whole.licence,
    )


def features_of(samples: Tensor, embedding: str) -> Tensor:
    """Return the features `(n, d)` float64 that an embedding of this name gives for `(n, *sample_shape)` samples."""
    made: Any = discover().load("embedding", embedding)
    context = {"sample_shape": tuple(samples.shape[1:]), "device": torch.device("cpu")}
    asked = [each for each in inspect.signature(made).parameters.values() if each.kind is each.POSITIONAL_ONLY]
    embed = made(*(context[each.name] for each in asked))
    are_rounded = samples.ndim == 4 and samples.is_floating_point()  # embeddings are given images as uint8
    chunks = (to_uint8(chunk) if are_rounded else chunk for chunk in samples.split(CHUNK))
    return torch.cat([embed(chunk)[0] for chunk in chunks]).double()


def log_densities(features: Tensor) -> Tensor:
    """Return the logarithms of the densities of features under the normal distribution that fits them, less a constant.

    They are minus half the squared Mahalanobis distances from the mean. A millionth of the mean variance is added to
    each variance, so that features that are always the same do no harm.

    Args:
        features: `(n, d)` float64.

    Returns:
        `(n,)` float64.
    """
    centred = features - features.mean(0)
    covariance = centred.T @ centred / (len(features) - 1)
    variances = covariance.diagonal()
    variances += 1e-6 * variances.mean()
    distances: Tensor = (centred * torch.linalg.solve(covariance, centred.T).T).sum(1)
    return -distances / 2
