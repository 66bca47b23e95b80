"""The context arguments that parts may ask for, and which kinds of parts are given which."""

from collections.abc import Mapping
from types import MappingProxyType

CONTEXT: Mapping[str, str] = MappingProxyType(
    {
        "seed": "int, the run's seed",
        "device": "torch.device the run trains on",
        "sample_shape": "tuple of ints, the shape of one sample: (channels, height, width) for images",
        "num_classes": "int, or None where the data has no classes",
        "entry_shapes": "mapping of the data's further entries to the shape of one, by name",
        "noise": "the noise sampler",
        "z_dim": "int, the length of one noise vector",
        "parameters": "list of the parameters that an optimizer is for",
        "loss": "the loss",
        "regularizers": "mapping of the regularizers, by their names in the recipe",
        "augmentations": "mapping of the augmentations, by their names in the recipe, in order",
        "networks": "mapping of networks by name, on the device: all, or those that the part's own table names",
    }
)
"""The context arguments a part may ask for, by the name of a positional-only parameter."""

_OF_DATA = ("seed", "device", "sample_shape", "num_classes", "entry_shapes")
_OF_NETWORKS = (*_OF_DATA, "noise", "z_dim")
_OF_STEPS = (*_OF_NETWORKS, "loss", "regularizers", "augmentations", "networks")

CONTEXT_OF: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "data": ("seed", "device"),
        "noise": _OF_DATA,
        "generator": _OF_NETWORKS,
        "discriminator": _OF_NETWORKS,
        "network": _OF_NETWORKS,
        "loss": _OF_NETWORKS,
        "regularizer": _OF_NETWORKS,
        "augmentation": _OF_NETWORKS,
        "optimizer": ("seed", "device", "parameters"),
        "schedule": ("seed", "device"),
        "averaging": (*_OF_NETWORKS, "networks"),
        "step": _OF_STEPS,
        "sampler": _OF_STEPS,
        "callback": _OF_STEPS,
        "embedding": _OF_DATA,
        "metric": _OF_DATA,
    }
)
"""Which context arguments each kind of part is given."""

ASKS_FOR_NETWORKS = ("step", "sampler", "callback")
"""Kinds of which any other positional-only parameter is the name of a network: `encoder` is `[networks.encoder]`."""
