"""What a recipe lacks, has for nothing, or trains by nobody."""

from typing import Any

import pytest

from ganfw import Part, Recipe, RecipeError, Registry, ResolvedRecipe, resolve
from ganfw.plugins.registry import Plugin


class Network:
    def __init__(self, z_dim: int, /) -> None: ...


class BiGAN:
    def __init__(
        self, generator: object, discriminator: object, encoder: object, noise: object, loss: object, /
    ) -> None: ...


class Autoencoder:
    def __init__(self, encoder: object, decoder: object, /) -> None: ...


class AnyNetworks:
    def __init__(self, networks: object, /) -> None: ...


def adam(parameters: object, /) -> None: ...


def ema(networks: object, /) -> None: ...


def nothing() -> None: ...


PARTS = {
    **{(kind, "net"): "Network" for kind in ("generator", "discriminator", "network")},
    **{("step", name): target for name, target in (("bigan", "BiGAN"), ("autoencoder", "Autoencoder"))},
    ("step", "any"): "AnyNetworks",
    ("optimizer", "adam"): "adam",
    ("averaging", "ema"): "ema",
    **{(kind, "some"): "nothing" for kind in ("data", "noise", "loss", "schedule", "regularizer")},
}
REGISTRY = Registry(
    (
        Plugin(
            "toy",
            "1.0",
            __name__,
            tuple(Part(kind=kind, name=name, target=f"{__name__}:{target}") for (kind, name), target in PARTS.items()),
        ),
    )
)
NET, ADAM = {"use": "net"}, {"use": "adam"}
BASE: dict[str, Any] = {
    "data": {"use": "some"},
    "noise": {"use": "some"},
    "generator": NET,
    "discriminator": NET,
    "networks": {"encoder": NET},
    "loss": {"use": "some"},
    "step": {"use": "bigan"},
    "optimizer": {"generator": {**ADAM, "networks": ["generator", "encoder"]}, "discriminator": ADAM},
    "callbacks": {name: {"enabled": False} for name in ("health", "progress", "metrics", "checkpoint")},
    "metrics": {
        name: {"enabled": False}
        for name in (
            *("frechet_distance", "kernel_distance", "precision_recall"),
            *("density_coverage", "nearest_neighbours", "diversity"),
        )
    },
}


def resolved(**tables: Any) -> ResolvedRecipe:
    return resolve(Recipe(name="open", **{**BASE, **tables}), REGISTRY)


def refusal(**tables: Any) -> str:
    with pytest.raises(RecipeError) as caught:
        resolved(**{name: table for name, table in tables.items() if table is not None})
    return str(caught.value)


def test_networks_are_an_open_table_and_optimizers_may_hold_several() -> None:
    found = resolved()
    assert found.network_names() == ["generator", "discriminator", "encoder"]
    assert found.networks_of("optimizer.generator") == ["generator", "encoder"]
    assert found.networks_of("optimizer.discriminator") == ["discriminator"]


def test_a_step_that_asks_for_all_networks_uses_any() -> None:
    tables = {name: table for name, table in BASE.items() if name not in ("noise", "loss")}
    anything = {"networks": {"a": NET, "b": NET}, "step": {"use": "any"}, "optimizer": {"a": ADAM, "b": ADAM}}
    del tables["generator"], tables["discriminator"]
    recipe = Recipe(name="open", **{**tables, **anything, "noise": {"use": "some"}})
    assert resolve(recipe, REGISTRY).network_names() == ["a", "b"]


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "a network that the step asks for is missing": (
        {"networks": {}, "optimizer": {"generator": ADAM, "discriminator": ADAM}},
        "Python: step 'bigan' (toy 1.0) asks for 'encoder': the recipe has no [networks.encoder]\n"
        "  add the table; see: ganfw parts network",
    ),
    "a network that the step asks for has another name": (
        {
            "networks": {"encodr": NET},
            "optimizer": {"generator": {**ADAM, "networks": ["generator", "encodr"]}, "discriminator": ADAM},
        },
        "2 problems in recipe 'open'\n\n"
        "Python: step 'bigan' (toy 1.0) asks for 'encoder': the recipe has no [networks.encoder]\n"
        "  did you mean 'encodr'?\n"
        "  add the table; see: ganfw parts network\n\n"
        "Python: [networks.encodr] is not used: step 'bigan' (toy 1.0) does not ask for it\n"
        "  remove the table, or choose another step",
    ),
    "two averages of one network": (
        {
            "averaging": {
                "encoder": {"use": "ema"},
                "all": {"use": "ema", "networks": ["generator", "encoder"]},
            },
        },
        "Python: [averaging.all] is for the network 'encoder', and so is [averaging.encoder]\n"
        "  samples are made with one of both: remove the other",
    ),
    "an average of networks of two optimizers": (
        {"averaging": {"all": {"use": "ema", "networks": ["generator", "encoder", "discriminator"]}}},
        "Python: [averaging.all] is for networks of several optimizers, discriminator, generator: each would move all "
        "means\n"
        "  give the networks of each optimizer an averaging of their own",
    ),
    "a loss and networks that the step does not ask for": (
        {
            "step": {"use": "autoencoder"},
            "networks": {"encoder": NET, "decoder": NET},
            "optimizer": {
                "both": {**ADAM, "networks": ["encoder", "decoder", "generator", "discriminator"]},
            },
        },
        "3 problems in recipe 'open'\n\n"
        + "\n\n".join(
            f"Python: [{table}] is not used: step 'autoencoder' (toy 1.0) does not ask for it\n"
            "  remove the table, or choose another step"
            for table in ("generator", "discriminator", "loss")
        ),
    ),
    "a network that the step does not ask for": (
        {
            "networks": {"encoder": NET, "x": NET},
            "optimizer": {"generator": {**ADAM, "networks": ["generator", "encoder", "x"]}, "discriminator": ADAM},
        },
        "Python: [networks.x] is not used: step 'bigan' (toy 1.0) does not ask for it\n"
        "  remove the table, or choose another step",
    ),
    "a network that nobody trains": (
        {"optimizer": {"generator": ADAM, "discriminator": ADAM}},
        "Python: network 'encoder' is not trained: no optimizer holds it\n"
        '  add [optimizer.encoder], or "encoder" to the networks of another, or frozen = true to [networks.encoder]',
    ),
    "an optimizer of a network that is not there": (
        {"optimizer": {**BASE["optimizer"], "encodr": ADAM}},
        "Python: [optimizer.encodr] is for the network 'encodr', which the recipe does not have\n"
        "  did you mean 'encoder'?\n"
        '  [optimizer.encodr] may say: networks = ["…"]',
    ),
    "an optimizer of a network that is frozen": (
        {"networks": {"encoder": {**NET, "frozen": True}}},
        "Python: [optimizer.generator] is for the network 'encoder', which is frozen\n"
        "  leave it out of the optimizer's networks, or remove the key frozen",
    ),
    "a schedule without an optimizer": (
        {"schedule": {"generatorr": {"use": "some"}}},
        "Python: [schedule.generatorr] has no optimizer to follow: the recipe has no [optimizer.generatorr]\n"
        "  did you mean 'generator'?",
    ),
    "a network of its own table among the others": (
        {"networks": {"encoder": NET, "generator": NET}},
        "Python: no network can be called 'generator' in [networks]\n"
        "  the generator has a table of its own, [generator]",
    ),
    "a network with the name of a context argument": (
        {
            "networks": {"encoder": NET, "loss": NET},
            "optimizer": {"generator": {**ADAM, "networks": ["generator", "encoder", "loss"]}, "discriminator": ADAM},
        },
        "Python: no network can be called 'loss' in [networks]\n  choose another name",
    ),
    "an averaging of a network that is not there": (
        {"averaging": {"generator": {"use": "ema", "networks": ["generator", "mapping"]}}},
        "Python: [averaging.generator] is for the network 'mapping', which the recipe does not have\n"
        "  its networks are generator, discriminator, encoder\n"
        '  [averaging.generator] may say: networks = ["…"]',
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_misfit_is_reported_where_it_is_with_what_to_do(case: str) -> None:
    tables, message = CASES[case]
    assert refusal(**tables) == message


def test_all_misfits_are_reported_at_once() -> None:
    told = refusal(
        networks={"x": NET},
        optimizer={"generator": ADAM, "discriminator": ADAM, "decoder": ADAM},
        schedule={"encoder": {"use": "some"}},
        averaging={"mapping": {"use": "ema"}},
    )
    head, *problems = told.split("\n\n")
    assert head == "6 problems in recipe 'open'"
    assert [problem.partition("\n")[0].removeprefix("Python: ") for problem in problems] == [
        "step 'bigan' (toy 1.0) asks for 'encoder': the recipe has no [networks.encoder]",
        "[networks.x] is not used: step 'bigan' (toy 1.0) does not ask for it",
        "[schedule.encoder] has no optimizer to follow: the recipe has no [optimizer.encoder]",
        "[optimizer.decoder] is for the network 'decoder', which the recipe does not have",
        "[averaging.mapping] is for the network 'mapping', which the recipe does not have",
        "network 'x' is not trained: no optimizer holds it",
    ]
