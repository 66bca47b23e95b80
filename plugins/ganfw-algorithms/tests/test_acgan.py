"""AC-GAN: its term against a softmax written out, and the share of samples that are what they should be."""

import math

import pytest
import torch
from small_recipes import small

import ganfw
from ganfw import InputError, MetricInputs, RowRandom, SampleSet, UpdateContext
from ganfw_algorithms.acgan import AuxiliaryClassifier, LabelAgreement


def context(real: list[list[float]], fake: list[list[float]], labels: list[int]) -> UpdateContext:
    outputs = [{"logits": torch.zeros(len(labels), 1), "classes": torch.tensor(each)} for each in (real, fake)]
    return UpdateContext(
        real=torch.zeros(len(labels), 1),
        fake=torch.zeros(len(labels), 1),
        real_outputs=outputs[0],
        fake_outputs=outputs[1],
        labels=torch.tensor(labels),
        discriminate=lambda samples: samples,
        generate=lambda z: z,
        networks={},
        random=RowRandom(torch.Generator(), len(labels)),
    )


def test_term_is_the_negative_log_likelihood_of_the_right_class() -> None:
    seen = context([[2.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [3.0, 0.0]], [0, 1])

    real = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-1))) / 2
    fake = (math.log(2) + math.log(1 + math.exp(3))) / 2
    assert AuxiliaryClassifier(weight=0.5).discriminator(seen).item() == pytest.approx((real + fake) / 2)
    assert AuxiliaryClassifier(weight=2.0).generator(seen).item() == pytest.approx(2 * fake)


def test_a_discriminator_without_classes_is_refused(registry: ganfw.Registry) -> None:
    recipe = small("mnist_acgan", registry, "discriminator.use=ganfw:mlp")
    with pytest.raises(InputError, match="the discriminator gives no output 'classes'"):
        ganfw.assemble(ganfw.resolve(recipe, registry))


def test_agreement_is_the_share_of_samples_that_are_read_as_their_label() -> None:
    probabilities = torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3]]).double()
    samples = SampleSet(torch.zeros(4, 2), torch.zeros(4, 2).double(), probabilities, torch.tensor([0, 0, 1, 1]))

    assert LabelAgreement()(MetricInputs(samples, samples, samples))["label_agreement"].value == 0.5


def test_without_labels_there_is_no_agreement() -> None:
    samples = SampleSet(torch.zeros(4, 2), torch.zeros(4, 2).double(), torch.ones(4, 2).double())

    found = LabelAgreement()(MetricInputs(samples, samples, samples))["label_agreement"]

    assert (found.value, found.reason) == (None, "the samples were made without labels")
