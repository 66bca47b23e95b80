"""The recipes of this package, made quick to train."""

import ganfw
from ganfw.testing import small_recipe

RECIPES = (
    "mnist_acgan",
    "mnist_slant",
    "mnist_100_labels",
    "mnist_infogan",
    "mnist_bigan",
    "mnist_aae",
    "mnist_vaegan",
    "mnist_pix2pix",
    "mnist_cyclegan",
    "stacked_mnist_pacgan",
    "grid_d2gan",
    "grid_ebgan",
    "mnist_began",
    "ring_unrolled",
    "grid_gman",
)
"""The recipes of this package."""

SMALL = {
    "mnist_acgan": ["data.split=test", "generator.hidden_dim=4", "discriminator.hidden_dim=4"],
    "mnist_slant": [
        *("data.split=test", "generator.hidden_dim=4", "discriminator.hidden_dim=4"),
        *("callbacks.samples.count=8", "sampler.columns=4", "callbacks.samples.columns=4"),
    ],
    "mnist_100_labels": ["data.split=test", "generator.hidden_dim=4", "discriminator.hidden_dim=2"],
    "mnist_infogan": [
        "data.split=test",
        *("noise.noise_dim=4", "noise.categories=3", "callbacks.samples.count=9", "callbacks.code_purity.count=20"),
        *("generator.hidden_dim=4", "discriminator.hidden_dim=4", "networks.q.channels=2", "networks.q.hidden_dim=4"),
    ],
    "mnist_bigan": [
        "data.split=test",
        *("generator.hidden_dim=4", "discriminator.hidden_dim=2", "networks.encoder.hidden_dim=2"),
        "callbacks.linear_probe.labels=30",
    ],
    "mnist_aae": [
        *("data.split=test", "noise.z_dim=4", "generator.hidden_dim=4", "networks.encoder.hidden_dim=2"),
        "networks.code_discriminator.hidden_dim=2",
    ],
    "mnist_vaegan": [
        *("data.split=test", "noise.z_dim=4", "generator.hidden_dim=4", "networks.encoder.hidden_dim=2"),
        *("discriminator.hidden_dim=4", "callbacks.reconstructed_features.count=20"),
    ],
    "mnist_pix2pix": [
        *("data.split=test", "generator.channels=2", "generator.blocks=1", "discriminator.channels=2"),
        "callbacks.translation_error.count=20",
    ],
    "mnist_cyclegan": [
        "data.split=test",
        *("generator.channels=2", "generator.blocks=1", "networks.back.channels=2", "networks.back.blocks=1"),
        *("discriminator.channels=2", "networks.source_discriminator.channels=2", "step.pool=6"),
        "callbacks.translation_error.count=20",
    ],
    "stacked_mnist_pacgan": ["data.size=500", "generator.hidden_dim=4", "discriminator.hidden_dim=4"],
    "grid_d2gan": [
        *("data.size=500", "generator.hidden_dim=4", "discriminator.hidden_dim=4"),
        "networks.reverse_discriminator.hidden_dim=4",
    ],
    "grid_ebgan": ["data.size=500", "generator.hidden_dim=4", "discriminator.hidden_dim=4"],
    "mnist_began": [
        "data.split=test",
        "generator.hidden_dim=4",
        "discriminator.hidden_dim=4",
        "discriminator.code_dim=3",
    ],
    "ring_unrolled": ["data.size=500", "generator.hidden_dim=4", "discriminator.hidden_dim=4"],
    "grid_gman": [
        *("data.size=500", "generator.hidden_dim=4", "discriminator.hidden_dim=4"),
        *("networks.second.hidden_dim=4", "networks.third.hidden_dim=4"),
    ],
}
"""What makes each of them quick to train: small networks on few images."""


def small(name: str, registry: ganfw.Registry, *overrides: str) -> ganfw.Recipe:
    """Return a recipe of this package, made quick to train: ten steps on test images."""
    recipe = ganfw.Recipe.load(f"ganfw-algorithms:{name}", registry)
    callbacks = recipe.tables.get("callbacks", {})
    seldom = [f"callbacks.{each}.every_steps={5 if each == 'samples' else 100}" for each in callbacks]
    run = ["run.batch_size=16", "run.max_steps=10", "run.epochs=10", "run.log_every_steps=4", "run.device=cpu"]
    return recipe.with_overrides([*run, *seldom, "callbacks.checkpoint.every_steps=6", *SMALL[name], *overrides])


def with_learnt_sharpness(registry: ganfw.Registry) -> ganfw.Recipe:
    """Return `grid_gman`, made quick to train, with a sharpness that the generator's optimizer learns."""
    return ganfw.Recipe(
        name="learnt_sharpness",
        extends=small("grid_gman", registry),
        networks={"sharpness": {"use": "sharpness"}},
        optimizer={"generator": {"networks": ["generator", "sharpness"]}},
    )


def with_shared_layers(registry: ganfw.Registry) -> ganfw.Recipe:
    """Return `mnist_infogan`, made quick to train, with the paper's term, and a Q on features of the discriminator."""
    return ganfw.Recipe(
        name="shared_layers",
        extends=small("mnist_infogan", registry),
        discriminator={"use": "mlp_features", "hidden_dim": 4},
        networks={"q": {"use": "code_head", "features": 4, "hidden_dim": 4}},
        regularizers={"information": {"use": "information"}},
    )


def calibrating(registry: ganfw.Registry, *overrides: str) -> ganfw.Recipe:
    """Return ganfw's own small recipe, in which only the discriminator is trained, on a frozen generator."""
    return ganfw.Recipe(
        name="calibrating",
        extends=small_recipe(registry),
        generator={"frozen": True},
        step={"use": "discriminator_only"},
        optimizer={"generator": {"enabled": False}},
    ).with_overrides(overrides)
