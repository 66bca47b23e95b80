"""Semi-supervised learning: its losses against a softmax of K + 1 classes, and data of which few have a label."""

import json
from pathlib import Path

import pytest
import torch
from small_recipes import small
from torch import Tensor, nn

import ganfw
from ganfw import Batch, InputError, RowRandom
from ganfw_algorithms.semi_supervised import OpenSetMLP, SemiSupervised, few_labels


class Outputs(nn.Module):
    """Takes samples for logits of classes."""

    def forward(self, samples: Tensor) -> dict[str, Tensor]:
        return {"logits": samples.logsumexp(1, keepdim=True), "classes": samples, "features": samples.square()}


def test_losses_are_those_of_a_softmax_with_a_class_for_fakes() -> None:
    random = torch.Generator().manual_seed(0)
    real, labelled, fake = (3 * torch.randn(6, 4, generator=random) for _ in range(3))
    classes = torch.tensor([0, 1, 2, 3, 0, 1])
    batch = Batch(real, more={"labelled": labelled, "classes": classes})
    step = SemiSupervised(nn.Identity(), Outputs(), lambda count, random: fake, unlabelled_weight=0.7)

    loss, terms = step.discriminator_loss(batch, RowRandom(random, 6), fake)

    def open_set(logits: Tensor) -> Tensor:
        return torch.cat([logits, torch.zeros(len(logits), 1)], dim=1).softmax(1)

    unlabelled = -(1 - open_set(real)[:, 4]).log().mean() / 2 - open_set(fake)[:, 4].log().mean() / 2
    right = labelled.softmax(1)[torch.arange(6), classes]
    assert terms["supervised"].item() == pytest.approx(float(-right.log().mean()), rel=1e-5)
    assert loss.item() == pytest.approx(float(-right.log().mean() + 0.7 * unlabelled), rel=1e-5)
    matched = step.generator_loss(batch, RowRandom(random, 6), fake).item()
    difference = (real.square().mean(0) - fake.square().mean(0)).square().mean()
    assert matched == pytest.approx(float(difference), rel=1e-5)


def test_a_sample_is_real_with_the_probability_of_its_classes_together() -> None:
    network = OpenSetMLP((1, 4, 4), {"labelled": (1, 4, 4), "classes": ()}, classes=3, hidden_dim=2).eval()
    outputs = network(torch.rand(5, 1, 4, 4))
    whole = outputs["classes"].exp().sum(1)
    torch.testing.assert_close(outputs["logits"].sigmoid()[:, 0], whole / (whole + 1))


def test_few_labels_are_as_many_of_each_class() -> None:
    data = few_labels(labels=50)
    classes, images = data.more["classes"], data.more["labelled"]
    assert classes.bincount().tolist() == [6000] * 10
    assert len(images.unique(dim=0)) == 50
    assert data.labels is None
    assert not torch.equal(images[:50], few_labels(labels=50, seed=1).more["labelled"][:50])


def test_a_number_of_labels_that_cannot_be_shared_out_is_refused() -> None:
    with pytest.raises(InputError, match="labels must be a multiple of 10, as many for each class, not 55"):
        few_labels(labels=55)


def test_test_error_is_the_share_of_wrong_classes(registry: ganfw.Registry, tmp_path: Path) -> None:
    recipe = small("mnist_100_labels", registry, "callbacks.test_error.every_steps=5")
    experiment = ganfw.assemble(ganfw.resolve(recipe, registry))
    ganfw.train(experiment, directory=tmp_path)

    found = json.loads((tmp_path / "test_error.json").read_text())

    data, network = few_labels(split="test"), experiment.networks["discriminator"].eval()
    classes = network(data.samples.float() / 255)["classes"].argmax(1)
    assert [each["step"] for each in found] == [5, 10]
    assert found[-1]["test_error"] == pytest.approx(float((classes != data.more["classes"]).float().mean()), abs=1e-4)
