import torch

import ganfw
from ganfw import Recipe, Registry
from ganfw.experiment import assemble


def build(registry: Registry, recipe: Recipe) -> ganfw.Experiment:
    return assemble(ganfw.resolve(recipe, registry))


def weights(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([value.flatten().float() for value in network.state_dict().values()])


def test_parts_are_assembled_as_the_recipe_says(registry: Registry, tiny: Recipe) -> None:
    experiment = build(registry, Recipe(extends=tiny, noise={"z_dim": 9}, step={"generator_steps": 3}))

    assert experiment.noise.z_dim == 9
    assert experiment.generator[0][0].in_features == 9
    assert (experiment.step.discriminator_steps, experiment.step.generator_steps) == (1, 3)
    assert list(experiment.callbacks) == ["health", "progress", "metrics", "checkpoint", "samples"]
    assert {name: optimizer.defaults["lr"] for name, optimizer in experiment.optimizers.items()} == {
        "generator": 1e-5,
        "discriminator": 1e-5,
    }
    assert experiment.batches.per_epoch == 313


def test_each_optimizer_holds_its_own_networks_parameters_alone(registry: Registry, tiny: Recipe) -> None:
    experiment = build(registry, tiny)

    for name, network in (("generator", experiment.generator), ("discriminator", experiment.discriminator)):
        (group,) = experiment.optimizers[name].param_groups
        assert [id(weight) for weight in group["params"]] == [id(weight) for weight in network.parameters()]


def test_one_seed_gives_one_start_and_leaves_global_randomness_alone(registry: Registry, tiny: Recipe) -> None:
    state = torch.get_rng_state()
    first, again = build(registry, tiny), build(registry, tiny)
    other = build(registry, Recipe(extends=tiny, run={"seed": 1}))

    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(weights(first.generator), weights(again.generator))
    assert not torch.equal(weights(first.generator), weights(other.generator))


def test_changing_one_network_leaves_the_start_of_the_other(registry: Registry, tiny: Recipe) -> None:
    plain = build(registry, tiny)
    changed = build(registry, Recipe(extends=tiny, discriminator={"hidden_dim": 5}))

    assert torch.equal(weights(plain.generator), weights(changed.generator))


def test_in_memory_data_is_kept_once_and_as_uint8(registry: Registry, tiny: Recipe) -> None:
    experiment = build(registry, tiny)

    assert experiment.data is experiment.batches.data
    assert experiment.data.samples.dtype == torch.uint8
