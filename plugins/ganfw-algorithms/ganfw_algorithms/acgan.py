"""AC-GAN: the term of the classes, and how often samples are of the class that was asked for."""

from collections.abc import Mapping
from typing import Annotated

from annotated_types import Ge
from torch import Tensor
from torch.nn.functional import cross_entropy

from ganfw import InputError, MetricInputs, MetricValue, UpdateContext


class AuxiliaryClassifier:
    """Adds the cross-entropy of the classes, of real samples and fakes, to the losses of both networks.

    The discriminator has an output `classes`, `(n, num_classes)`, beside its logit. Both networks maximise the
    likelihood of the right class, L_C, while they disagree about the source, L_S.

    Source: Odena, Olah and Shlens, "Conditional Image Synthesis with Auxiliary Classifier GANs", 2017. There the
    generator has no term of real samples, for it cannot change it; nor has it here.

    Raises:
        InputError: in training, the discriminator gives no classes, or the data has no labels.
    """

    def __init__(self, *, weight: Annotated[float, Ge(0), "weight of the cross-entropy"] = 1.0) -> None:
        self.weight = weight

    def discriminator(self, context: UpdateContext) -> Tensor:
        """Return the cross-entropies of real samples and of fakes, added up, a scalar."""
        assert context.real_outputs is not None
        return self.weight * (_entropy(context.real_outputs, context) + _entropy(context.fake_outputs, context))

    def generator(self, context: UpdateContext) -> Tensor:
        """Return the cross-entropy of the fakes, a scalar."""
        return self.weight * _entropy(context.fake_outputs, context)


def _entropy(outputs: Mapping[str, Tensor], context: UpdateContext) -> Tensor:
    if "classes" not in outputs or context.labels is None:
        missing = "the data has no labels" if "classes" in outputs else "the discriminator gives no output 'classes'"
        raise InputError(f"{missing}, which auxiliary_classifier needs; take discriminator.use = 'mlp_classes'")
    return cross_entropy(outputs["classes"], context.labels)


class LabelAgreement:
    """The share of samples that the embedding's classifier takes for the class that they were made for.

    For real samples it is the classifier's accuracy, which is the most that a generator should reach.
    Source of the idea: Odena, Olah and Shlens, 2017, who measure the discriminability of samples with a classifier.
    """

    def __call__(self, inputs: MetricInputs) -> Mapping[str, MetricValue]:
        """Return `label_agreement`, in [0, 1]."""
        probabilities, labels = inputs.samples.probabilities, inputs.samples.labels
        if probabilities is None or labels is None:
            reason = "the samples were made without labels" if labels is None else "the embedding knows no classes"
            return {"label_agreement": MetricValue(None, "higher", reason)}
        share = (probabilities.argmax(1) == labels).double().mean()
        return {"label_agreement": MetricValue(float(share), "higher")}
