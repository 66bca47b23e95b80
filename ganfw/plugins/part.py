"""What a plugin says about a part, and the words that recipes and parts share."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import pluggy
from attrs import Attribute, field, frozen

hookimpl = pluggy.HookimplMarker("ganfw")
"""Marks a plugin's implementation of a ganfw hook."""

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "data": "real samples to learn from",
        "noise": "samplers of the generator's input",
        "generator": "networks from noise to samples",
        "discriminator": "networks from samples to logits",
        "loss": "numbers from logits",
        "regularizer": "further terms of a network's loss, and limits of its weights",
        "augmentation": "changes of real and fake samples alike, before the discriminator sees them",
        "optimizer": "update rules for one network's parameters",
        "schedule": "learning rates along the way",
        "averaging": "means of the generator's weights, to sample from",
        "step": "what happens with one batch",
        "callback": "what is told, shown and saved along the way",
        "embedding": "features of samples, in which distances mean something",
        "metric": "how good samples are",
        "recipe": "whole experiments, ready to run",
    }
)
"""The kinds this version uses. A plugin may offer parts of further kinds: they are listed, and never used."""

CONTEXT: Mapping[str, str] = MappingProxyType(
    {
        "seed": "int, the run's seed",
        "device": "torch.device the run trains on",
        "sample_shape": "tuple of ints, the shape of one sample: (channels, height, width) for images",
        "num_classes": "int, or None where the data has no labels",
        "z_dim": "int, the length of one noise vector",
        "noise": "the noise sampler",
        "generator": "the generator, on the device",
        "discriminator": "the discriminator, on the device",
        "parameters": "list of the parameters of the network that an optimizer is for",
        "loss": "the loss",
        "regularizers": "mapping of the regularizers, by their names in the recipe",
        "augmentations": "mapping of the augmentations, by their names in the recipe, in order",
        "generator_optimizer": "the generator's optimizer",
        "discriminator_optimizer": "the discriminator's optimizer",
    }
)
"""The facts a part may ask for, by the name of a positional-only parameter.

They become known in this order (data, noise, networks, loss, regularizers, augmentations, optimizers, step,
callbacks), and a part may ask only for what is known when it is built.
"""


def _written_as(pattern: str) -> Callable[[Any, "Attribute[str]", object], None]:
    def check(_part: Any, attribute: "Attribute[str]", value: object) -> None:
        if not (isinstance(value, str) and re.fullmatch(pattern, value)):
            raise ValueError(f"the {attribute.name} of a part must be written as {pattern}, not {value!r}")

    return check


@frozen(kw_only=True)
class Part:
    """One part that a plugin offers, described without importing it.

    Attributes:
        kind: what it is for, one of `KINDS`.
        name: what recipes call it, in lower case: `"wgan"`.
        target: where it is, as `"module:attribute"`, imported only when a recipe uses the part. For a recipe,
            the TOML file beside the module: `"package:file.toml"`.
        help: one line for listings.

    Raises:
        ValueError: a field is not written as above.
    """

    kind: str = field(validator=_written_as(r"[a-z][a-z0-9_]*"))
    name: str = field(validator=_written_as(r"[a-z][a-z0-9_]*"))
    target: str = field(validator=_written_as(r"[\w.]+:[\w.]+"))
    help: str = field(default="", validator=_written_as(r".*"))
