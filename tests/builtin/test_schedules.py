"""The schedules against values by hand, and the rates that optimizers get from them."""

import math
from typing import Any

import pytest
import torch
from attrs import evolve

import ganfw
from ganfw import Callback, Recipe, Registry, Training


def factors(schedule: Any, total_steps: int) -> list[float]:
    return [schedule(step, total_steps) for step in range(total_steps)]


def test_linear_stays_and_then_falls_to_the_end_of_the_run(registry: Registry) -> None:
    linear = registry.load("schedule", "linear")

    assert factors(linear(), 8) == pytest.approx([1, 1, 1, 1, 1, 0.75, 0.5, 0.25])
    assert factors(linear(start=0, final_factor=0.5), 4) == pytest.approx([1, 0.875, 0.75, 0.625])
    assert factors(linear(start=1), 4) == [1, 1, 1, 1]
    assert factors(linear(start=0.25), 2) == pytest.approx([1, 1 - 0.5 / 1.5])  # it starts between two steps


def test_linear_warms_up_from_zero(registry: Registry) -> None:
    linear = registry.load("schedule", "linear")

    assert factors(linear(warmup_steps=4, start=1), 6) == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1])
    assert factors(linear(warmup_steps=4, start=0), 4) == pytest.approx([0.25, 0.5 * 0.75, 0.75 * 0.5, 0.25])


def test_cosine_falls_along_half_a_wave_after_the_warm_up(registry: Registry) -> None:
    cosine = registry.load("schedule", "cosine")
    half = math.sqrt(0.5)

    assert factors(cosine(), 4) == pytest.approx([1, (1 + half) / 2, 0.5, (1 - half) / 2])
    assert factors(cosine(warmup_steps=2, final_factor=0.2), 4) == pytest.approx([0.5, 1, 1, 0.6])
    assert factors(cosine(warmup_steps=9), 3) == pytest.approx([1 / 9, 2 / 9, 3 / 9])


def test_cosine_begins_each_cycle_anew(registry: Registry) -> None:
    cosine = registry.load("schedule", "cosine")

    assert factors(cosine(cycles=2), 8) == pytest.approx(2 * factors(cosine(), 4))
    assert factors(cosine(cycles=3, warmup_steps=2, final_factor=0.2), 8) == pytest.approx([0.5, 1, *3 * [1, 0.6]])
    assert factors(cosine(cycles=2), 3) == pytest.approx([1, 0.25, 0.75])  # a cycle of a step and a half
    assert factors(cosine(cycles=9), 3) == [1, 1, 1]  # each step begins one


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_a_schedule_comes_near_its_final_factor(registry: Registry, name: str) -> None:
    schedule = registry.load("schedule", name)(final_factor=0.1)

    assert schedule(0, 1_000_000) == pytest.approx(1)
    assert schedule(999_999, 1_000_000) == pytest.approx(0.1, abs=1e-5)


class Rates(Callback):
    """Notes the rates of the step that was done."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, float]] = []

    def on_step(self, training: Training) -> None:
        optimizers = training.experiment.optimizers
        self.seen.append(tuple(optimizers[name].param_groups[0]["lr"] for name in ("generator", "discriminator")))


def test_optimizers_train_with_the_rates_of_their_schedules(registry: Registry, tiny: Recipe) -> None:
    rates = Rates()
    recipe = Recipe(
        extends=tiny,
        run={"max_steps": 4},
        optimizer={"generator": {"lr": 0.25}, "discriminator": {"lr": 0.5}},
        schedule={"generator": {"use": "linear", "start": 0}},
    )
    ganfw.train(evolve(ganfw.assemble(ganfw.resolve(recipe, registry)), callbacks={"rates": rates}))

    assert rates.seen == [(0.25, 0.5), (0.1875, 0.5), (0.125, 0.5), (0.0625, 0.5)]


def test_a_rate_of_zero_leaves_the_weights_of_that_network_alone(registry: Registry, tiny: Recipe) -> None:
    experiment = ganfw.assemble(ganfw.resolve(tiny, registry))
    networks = (experiment.networks["generator"], experiment.networks["discriminator"])
    before = [[weight.clone() for weight in network.parameters()] for network in networks]

    ganfw.train(evolve(experiment, callbacks={}, schedules={"generator": lambda step, total_steps: 0.0}), steps=2)

    same = [
        all(torch.equal(old, new) for old, new in zip(weights, network.parameters(), strict=True))
        for weights, network in zip(before, networks, strict=True)
    ]
    assert same == [True, False]


def test_a_schedule_of_no_optimizer_is_refused(registry: Registry, tiny: Recipe) -> None:
    built = ganfw.assemble(ganfw.resolve(tiny, registry))
    with pytest.raises(ganfw.PartError) as caught:
        evolve(built, schedules={"critic": registry.load("schedule", "linear")()})
    assert (
        str(caught.value)
        == "schedule 'critic' is not named after an optimizer; optimizers are generator, discriminator"
    )
