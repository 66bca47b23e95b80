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
        "network": "further networks of a recipe: encoders, heads, mappings",
        "loss": "numbers from logits",
        "regularizer": "further terms of a loss, and limits of weights",
        "augmentation": "changes of real and fake samples alike, before the discriminator sees them",
        "optimizer": "update rules for the parameters of one network or several",
        "schedule": "learning rates during training",
        "averaging": "means of networks' weights, to sample from",
        "step": "the updates of one batch",
        "sampler": "how samples are made from trained networks",
        "callback": "what is reported, shown and saved during training",
        "embedding": "features of samples, in which distances mean something",
        "metric": "how good samples are",
        "launcher": "where the trials of a sweep run",
        "recipe": "whole experiments, ready to run",
    }
)
"""The kinds this version uses. A plugin may offer parts of further kinds: they are listed, and never used."""


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
