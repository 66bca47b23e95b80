"""LeCam: its term and its running means against the formula in plain Python, and that they are saved."""

from pathlib import Path

import pytest
import torch
from contexts import context

import ganfw
from ganfw.testing import check_exact_resume, small_recipe
from ganfw_algorithms.lecam import LeCam

STEPS = [([1.0, 3.0], [-1.0, 0.0]), ([2.0, 2.5], [0.5, -2.0]), ([-1.0, 0.0], [1.0, 4.0])]
"""Logits of real samples and of fakes, in three steps; in the last the two sides have changed places."""


def test_term_is_the_squared_distance_from_the_mean_of_the_other_side_so_far() -> None:
    lecam = LeCam(torch.device("cpu"), weight=0.5, decay=0.9)
    for step in range(len(STEPS)):
        so_far = STEPS[: step + 1]
        weights = [0.1 * 0.9 ** (step - past) for past in range(step + 1)]
        of_real, of_fake = (
            sum(weight * sum(logits[side]) / 2 for weight, logits in zip(weights, so_far, strict=True)) / sum(weights)
            for side in (0, 1)
        )
        real, fake = STEPS[step]
        distances = [(logit - of_fake) ** 2 / 2 for logit in real] + [(logit - of_real) ** 2 / 2 for logit in fake]

        sides = ({"logits": torch.tensor(each)[:, None]} for each in (real, fake))
        term = lecam.discriminator(context(**dict(zip(("real_outputs", "fake_outputs"), sides, strict=True))))

        assert term.item() == pytest.approx(0.5 * sum(distances), rel=1e-5)


def test_no_gradient_flows_through_the_running_means() -> None:
    logits = torch.tensor([[1.0], [3.0]], requires_grad=True)
    LeCam(torch.device("cpu"), weight=1.0).discriminator(
        context(real_outputs={"logits": logits}, fake_outputs={"logits": torch.zeros(2, 1)})
    ).backward()
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, torch.tensor([[1.0], [3.0]]))  # 2 (D(x) - 0) / 2


def test_running_means_are_saved_and_the_trial_before_training_leaves_no_trace(
    registry: ganfw.Registry, tmp_path: Path
) -> None:
    recipe = ganfw.Recipe(name="lecam", extends=small_recipe(registry), regularizers={"lecam": {"use": "lecam"}})
    lecam = ganfw.assemble(ganfw.resolve(recipe, registry)).regularizers["lecam"]
    assert not lecam.state_dict()["sums"].any()

    check_exact_resume(recipe, registry, tmp_path, stop_at=3, steps=6)

    (run,) = (tmp_path / "stopped").iterdir()
    saved = ganfw.open_checkpoint(run).part_state("regularizers.lecam")["sums"]
    assert saved[2].item() == pytest.approx(1 - 0.99**6, rel=1e-4)
    assert saved[:2].all()


def test_it_keeps_logits_closer_together(registry: ganfw.Registry) -> None:
    gaps = {}
    for weight in (0.0, 1.0):
        regularizers = {"lecam": {"use": "lecam", "weight": weight, "decay": 0.9}}
        recipe = ganfw.Recipe(
            name="lecam", extends=small_recipe(registry), run={"max_steps": 60}, regularizers=regularizers
        ).with_overrides(["optimizer.discriminator.lr=0.01"])
        experiment = ganfw.assemble(ganfw.resolve(recipe, registry))
        ganfw.train(experiment)
        with torch.no_grad():
            real, fake = (
                experiment.networks["discriminator"](samples).mean()
                for samples in (experiment.batches.first(64).samples, experiment.source.sample(64))
            )
        gaps[weight] = float(real - fake)
    assert 0 < gaps[1.0] < 0.5 * gaps[0.0]
