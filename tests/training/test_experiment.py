import re
from pathlib import Path
from typing import Any

import pytest
import torch
from attrs import evolve

import ganfw
from ganfw import DataError, PartError, Recipe, RecipeError, Registry, RunSettings, TensorData, assemble
from ganfw.distributed.process_group import ProcessGroup
from ganfw.engine.updates import Updater
from ganfw.testing import check_exact_resume
from ganfw.training.builder import Builder
from ganfw.training.experiment import build_experiment

FURTHER = Path(__file__).parents[1] / "further_parts.py"
EVERYTHING: dict[str, Any] = {
    "loss": {"use": "relativistic"},
    "regularizers": {"r1": {"use": "r1", "every_steps": 3}, "gp": {"use": "gradient_penalty"}},
    "augmentations": {"bright": {"use": "adaptive"}, "noise": {"use": "noise"}},
    "schedule": {
        "generator": {"use": "linear", "warmup_steps": 2, "start": 0.25},
        "discriminator": {"use": "cosine"},
    },
    "averaging": {"generator": {"use": "ema"}},
    "optimizer": {"generator": {"lr": 0.01}, "discriminator": {"lr": 0.01}},
}
LABELLED: dict[str, Any] = {"generator": {"use": "labelled"}, "discriminator": {"use": "labelled"}}


@pytest.fixture(scope="module")
def further() -> Registry:
    """Return the registry with the parts of `further_parts.py`."""
    return ganfw.discover(scripts=[FURTHER])


def told(caught: pytest.ExceptionInfo[Exception]) -> str:
    """Return the message, without the hash of the script that the parts are of."""
    return re.sub(r" sha256:\w{64}", "", str(caught.value))


def build(registry: Registry, recipe: Recipe) -> ganfw.Experiment:
    return assemble(ganfw.resolve(recipe, registry))


def of_two(device: torch.device, resolved: ganfw.ResolvedRecipe) -> ganfw.Experiment:
    """Build an experiment as the first of two processes does."""
    return build_experiment(Builder(resolved, device, processes=ProcessGroup(0, 2)))


def weights(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([value.flatten().float() for value in network.state_dict().values()])


def test_parts_are_assembled_as_the_recipe_says(registry: Registry, tiny: Recipe) -> None:
    experiment = build(registry, Recipe(extends=tiny, noise={"z_dim": 9}, step={"generator_steps": 3}))

    assert experiment.noise.z_dim == 9
    assert experiment.networks["generator"][0][0].in_features == 9
    assert (experiment.step.discriminator_steps, experiment.step.generator_steps) == (1, 3)
    assert list(experiment.callbacks) == ["health", "progress", "metrics", "checkpoint", "samples"]
    assert {name: optimizer.defaults["lr"] for name, optimizer in experiment.optimizers.items()} == {
        "generator": 1e-5,
        "discriminator": 1e-5,
    }
    assert experiment.batches.per_epoch == 313


def test_each_optimizer_holds_its_own_networks_parameters_alone(registry: Registry, tiny: Recipe) -> None:
    experiment = build(registry, tiny)

    for name, network in (
        ("generator", experiment.networks["generator"]),
        ("discriminator", experiment.networks["discriminator"]),
    ):
        (group,) = experiment.optimizers[name].param_groups
        assert [id(weight) for weight in group["params"]] == [id(weight) for weight in network.parameters()]


def test_one_seed_gives_one_start_and_leaves_global_randomness_alone(registry: Registry, tiny: Recipe) -> None:
    state = torch.get_rng_state()
    first, again = build(registry, tiny), build(registry, tiny)
    other = build(registry, Recipe(extends=tiny, run={"seed": 1}))

    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(weights(first.networks["generator"]), weights(again.networks["generator"]))
    assert not torch.equal(weights(first.networks["generator"]), weights(other.networks["generator"]))


def test_changing_one_network_leaves_the_start_of_the_other(registry: Registry, tiny: Recipe) -> None:
    plain = build(registry, tiny)
    changed = build(registry, Recipe(extends=tiny, discriminator={"hidden_dim": 5}))

    assert torch.equal(weights(plain.networks["generator"]), weights(changed.networks["generator"]))


def test_in_memory_data_is_kept_once_and_as_uint8(registry: Registry, tiny: Recipe) -> None:
    experiment = build(registry, tiny)

    assert experiment.data is experiment.batches.data
    assert experiment.data.samples.dtype == torch.uint8


def test_optional_tables_are_assembled_and_can_be_dropped(further: Registry, tiny: Recipe) -> None:
    base = Recipe(extends=tiny, **EVERYTHING)
    dropped = {"enabled": False}
    child = Recipe(
        extends=base,
        regularizers={"gp": dropped},
        augmentations={"noise": dropped},
        schedule={"generator": dropped},
        averaging={"generator": dropped},
    )
    whole, less = build(further, base), build(further, child)

    assert (list(whole.regularizers), list(less.regularizers)) == (["r1", "gp"], ["r1"])
    assert (list(whole.augmentations), list(less.augmentations)) == (["bright", "noise"], ["bright"])
    assert (list(whole.schedules), list(less.schedules)) == (["generator", "discriminator"], ["discriminator"])
    assert whole.source.networks["generator"] is whole.averaging["generator"].networks["generator"]
    assert less.averaging == {}
    assert less.source.networks["generator"] is less.networks["generator"]
    assert whole.regularizers["r1"].every_steps == 3
    again = ganfw.resolve(Recipe.parse(ganfw.resolve(child, further).recipe.to_toml()), further)
    assert again.parts.keys() == less.resolved.parts.keys()


def test_a_run_with_everything_resumes_exactly(further: Registry, tiny: Recipe, tmp_path: Path) -> None:
    recipe = Recipe(extends=tiny, **EVERYTHING, callbacks={"samples": {"every_steps": 2}})

    check_exact_resume(recipe, further, tmp_path, stop_at=5, steps=8)


def test_an_adaptive_augmentation_gets_the_logits_of_real_samples(further: Registry, tiny: Recipe) -> None:
    experiment = build(further, Recipe(extends=tiny, **EVERYTHING))
    ganfw.train(evolve(experiment, callbacks={}), steps=3)

    seen = experiment.augmentations["bright"].seen
    assert [tuple(logits.shape) for logits in seen[-3:]] == [(32, 1)] * 3
    assert not any(logits.requires_grad for logits in seen)


def test_a_step_that_would_ignore_tables_is_refused(further: Registry, tiny: Recipe) -> None:
    tables = {"regularizers": {"r1": {"use": "r1"}}, "augmentations": {"noise": {"use": "noise"}}}
    with pytest.raises(RecipeError) as caught:
        build(further, Recipe(extends=tiny, step={"use": "lazy"}, **tables))
    for address in ("regularizers.r1", "augmentations.noise"):
        assert f"[{address}] is not used: step 'lazy' (further_parts.py) does not ask for it" in told(caught)


def test_what_is_changed_by_hand_is_what_is_served_and_tried(
    device: torch.device, further: Registry, tiny: Recipe
) -> None:
    experiment = build(further, tiny)
    data = TensorData(torch.rand(12, 1, 28, 28))

    changed = evolve(experiment, data=data, settings=RunSettings(batch_size=4, device=str(device)), resolved=None)

    assert (changed.batches.size, changed.batches.per_epoch) == (12, 3)
    assert torch.equal(changed.batches.first(12).samples.cpu(), data.samples)


def test_what_keeps_statistics_is_refused_in_several_processes(
    device: torch.device, further: Registry, tiny: Recipe
) -> None:
    resolved = ganfw.resolve(Recipe(extends=tiny, augmentations={"bright": {"use": "adaptive"}}), further)
    with pytest.raises(PartError) as caught:
        of_two(device, resolved)
    assert told(caught) == (
        "augmentation 'adaptive' (further_parts.py) keeps statistics of its own process; train in one"
    )
    assert of_two(device, ganfw.resolve(Recipe(extends=tiny, augmentations={"noise": {"use": "noise"}}), further))

    class Remembers:
        def discriminator(self, context: ganfw.UpdateContext) -> torch.Tensor:
            return context.fake_logits.mean()

        def state_dict(self) -> dict[str, float]:
            return {"mean": 0.0}

    with pytest.raises(PartError) as caught:
        evolve(build(further, tiny), regularizers={"mean": Remembers()}, processes=ProcessGroup(0, 2))
    assert told(caught) == "regularizers.mean Remembers keeps statistics of its own process; train in one"

    class RememberingLoss(type(build(further, tiny).loss)):  # type: ignore[misc]
        def state_dict(self) -> dict[str, float]:
            return {"mean": 0.0}

    with pytest.raises(PartError) as caught:
        evolve(build(further, tiny), loss=RememberingLoss(), processes=ProcessGroup(0, 2))
    assert told(caught).endswith("keeps statistics of its own process; train in one")


def test_conditional_networks_train_sample_and_resume(
    device: torch.device, further: Registry, tiny: Recipe, tmp_path: Path
) -> None:
    tables = {**EVERYTHING, **LABELLED}
    recipe = Recipe(extends=tiny, **tables, callbacks={"samples": {"every_steps": 2}})
    check_exact_resume(recipe, further, tmp_path, stop_at=5, steps=8)

    source = ganfw.open_checkpoint(tmp_path / "stopped" / "experiment-1").source(further, device)
    generator, noise = source.networks["generator"], source.noise
    z = ganfw.draw_noise(noise, 12)
    classes = torch.arange(12) % 10
    assert torch.equal(ganfw.sample(generator, noise, 12), ganfw.generate(generator, z, labels=classes))
    other = ganfw.generate(generator, z, labels=classes.flip(0))
    assert not torch.equal(ganfw.generate(generator, z), other)
    grid = ganfw.sample(generator, noise, 25)
    assert grid.shape == (25, 1, 28, 28)


def test_a_penalty_of_a_conditional_discriminator_is_that_of_each_rows_class(further: Registry, tiny: Recipe) -> None:
    experiment = build(further, Recipe(extends=tiny, regularizers={"r1": {"use": "r1", "weight": 2.0}}, **LABELLED))
    batch = next(experiment.batches.epoch(0))
    expected = experiment.networks["discriminator"].weight.weight[batch.labels].square().sum(1).mean()

    updater, random = Updater(experiment.optimizers), torch.Generator(experiment.device).manual_seed(0)
    statistics = updater.run(experiment.step, experiment.updates, batch, random)

    torch.testing.assert_close(statistics["r1/discriminator"], expected.detach())


@pytest.mark.parametrize("name", ["generator", "discriminator"])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            "unlabelled",
            "{} 'labelled' (further_parts.py) is conditional on labels, which data 'unlabelled' (further_parts.py) "
            "does not have; choose other data",
        ),
        (
            "short_labels",
            "data 'short_labels' (further_parts.py): labels must be torch.int64 classes or torch.float32, "
            "not torch.uint8",
        ),
    ],
)
def test_conditional_networks_want_labels(further: Registry, tiny: Recipe, name: str, data: str, message: str) -> None:
    with pytest.raises((PartError, DataError)) as caught:
        build(further, Recipe(extends=tiny, data={"use": data}, **{name: LABELLED[name]}))
    assert told(caught) == message.format(name)


def test_conditional_networks_composed_by_hand_want_labels_too(further: Registry, tiny: Recipe) -> None:
    experiment = build(further, Recipe(extends=tiny, **LABELLED))
    with pytest.raises(PartError) as caught:
        evolve(experiment, data=TensorData(experiment.data.samples), resolved=None)
    assert (
        told(caught) == "network LabelledGenerator asks for 'labels', but here it is given nothing else; "
        "give the parameter a default"
    )
    del experiment.networks["generator"].num_classes
    with pytest.raises(PartError) as caught:
        evolve(experiment, resolved=None)
    assert told(caught) == ("generator LabelledGenerator is conditional; it must have an attribute num_classes, an int")


LAZY: dict[str, Any] = {name: {"use": "lazy"} for name in ("generator", "discriminator")}


def test_lazy_layers_and_weights_worked_out_are_trained_averaged_resumed_and_sampled(
    further: Registry, tiny: Recipe, tmp_path: Path
) -> None:
    recipe = Recipe(extends=tiny, averaging={"generator": {"use": "ema"}}, **LAZY)

    check_exact_resume(recipe, further, tmp_path)

    (run,) = (tmp_path / "undisturbed").iterdir()
    assert ganfw.open_checkpoint(run).source(further).sample(2).shape == (2, 1, 28, 28)


def test_lazy_layers_that_nobody_can_fill_are_reported(further: Registry, tiny: Recipe) -> None:
    experiment = build(further, tiny)
    with pytest.raises(PartError) as caught:
        evolve(experiment, networks={**experiment.networks, "generator": torch.nn.LazyLinear(1)}, resolved=None)
    assert told(caught) == "generator LazyLinear has lazy layers: call it on a batch once, before its optimizer is made"


def test_what_one_prints_is_short_and_holds_no_tensors(device: torch.device, registry: Registry, tiny: Recipe) -> None:
    resolved = ganfw.resolve(tiny, registry)
    experiment = assemble(resolved)
    training = ganfw.Training(experiment)
    evaluator = ganfw.open_evaluator(resolved, device=str(device))
    found = ganfw.evaluate(experiment.source, evaluator, count=20, real_data=False)
    batch = experiment.batches.first(2)
    for printed in (registry, resolved, experiment, training, evaluator, found, experiment.source, batch):
        assert len(repr(printed)) < 5000, type(printed)
        assert "tensor(" not in repr(printed), type(printed)
    assert repr(batch).startswith("Batch(samples=(2, 1, 28, 28) float32, labels=(2,) int64, ")
    assert repr(training).startswith("Training(step 0 of 10 of Experiment(networks=generator, discriminator, ")
