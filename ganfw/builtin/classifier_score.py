"""The classifier score and the classes of samples."""

from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from ganfw import MetricInputs, MetricValue
from ganfw.builtin.shortfall import no_values, shortfall


class ClassifierScore:
    """The classifier score, and which classes there are.

    `classifier_score` is `exp(mean over samples x of KL(p(y|x) || p(y)))` with the mean p(y) of p(y|x) over all
    samples, in one piece: 1 where all samples get the same probabilities, the number of classes where each is surely of
    one class and all classes are equally frequent. It is the inception score, with the probabilities of another
    classifier.

    The predicted class of a sample is its most probable one. `class_histogram` has the share of samples of each
    predicted class. `class_kl` is `KL(f || r) = Σ_c f_c log(f_c / r_c)` in nats, f and r being the shares of predicted
    classes among samples and in the reference. `classes_found` counts the classes c of the reference with
    `f_c >= min_share r_c` and a sample at all, so that a few misread samples do not find a class.

    Sources: Salimans et al., "Improved Techniques for Training GANs", 2016, section 4; the Kullback-Leibler divergence
    of predicted classes and the number of modes as in Lin et al., "PacGAN", 2018.
    """

    def __init__(
        self,
        *,
        min_share: Annotated[float, Ge(0), Le(1), "a class is found from this part of its real share"] = 0.1,
    ) -> None:
        self.min_share = min_share

    def __call__(self, inputs: MetricInputs) -> Mapping[str, MetricValue]:
        """Return `classifier_score`, `class_histogram`, `class_kl` and `classes_found`."""
        samples, reference = inputs.samples.probabilities, inputs.reference.probabilities
        if samples is None or reference is None:
            return _nothing("the embedding gives no probabilities of classes")
        if reason := shortfall({"samples": samples, "reference samples": reference}, 1, "a mean needs"):
            return _nothing(reason)
        shares, real_shares = _shares(samples), _shares(reference)
        found = (shares > 0) & (real_shares > 0) & (shares >= self.min_share * real_shares)
        return {
            "classifier_score": MetricValue(_score(samples), "higher"),
            "class_histogram": MetricValue(tuple(shares.tolist())),
            "class_kl": _divergence(shares, real_shares),
            "classes_found": MetricValue(float(found.sum()), "higher"),
        }


def _nothing(reason: str) -> Mapping[str, MetricValue]:
    return no_values(reason, classifier_score="higher", class_histogram="", class_kl="lower", classes_found="higher")


def _score(probabilities: Tensor) -> float:
    """Return the score of `(n, num_classes)`; 0 log 0 is 0."""
    mean = probabilities.mean(0)
    divergences = torch.xlogy(probabilities, probabilities).sum(1) - torch.xlogy(probabilities, mean).sum(1)
    return float(divergences.mean().exp())


def _shares(probabilities: Tensor) -> Tensor:
    """Return the share of each predicted class, `(num_classes,)` float64."""
    classes = probabilities.shape[1]
    return torch.bincount(probabilities.argmax(1), minlength=classes).double() / len(probabilities)


def _divergence(shares: Tensor, real_shares: Tensor) -> MetricValue:
    if foreign := ((shares > 0) & (real_shares == 0)).nonzero().flatten().tolist():
        return MetricValue(None, "lower", f"infinite: no reference sample is predicted to be of class {foreign[0]}")
    there = shares > 0
    terms = shares[there] * (shares[there] / real_shares[there]).log()
    return MetricValue(max(0.0, float(terms.sum())), "lower")
