"""An experiment: parts that fit together, on one device. Assembled from a recipe, or composed by hand."""

from collections.abc import Mapping
from typing import Any

import torch
from attrs import field, frozen
from torch import nn

from ganfw.data import Data
from ganfw.distributed.noise import SharedNoise
from ganfw.distributed.process_group import ProcessGroup
from ganfw.engine.device import choose_device
from ganfw.engine.precision import require_precision
from ganfw.engine.random_streams import derive_seed, own_randomness
from ganfw.errors import PartError
from ganfw.plugins.registry import RegisteredPart
from ganfw.protocols import Augmentation, Averaging, Loss, Noise, Regularizer, Schedule, Step
from ganfw.recipe.resolution import ResolvedRecipe
from ganfw.recipe.settings import RunSettings
from ganfw.training.batches import Batches
from ganfw.training.callback import Callback
from ganfw.training.contract import check_fit, require_labels


@frozen(eq=False)
class Experiment:
    """Everything that training needs.

    Creating one tries the parts on a small batch, and leaves them as they were.

    Attributes:
        data: real samples: `TensorData`, or a torch `Dataset`.
        noise: the sampler of the generator's input.
        generator: `(n, z_dim)` to `(n, *sample_shape)` float32; images in [0, 1].
        discriminator: `(n, *sample_shape)` to logits `(n, 1)`.
        loss: scalars from logits.
        optimizers: `"generator"` and `"discriminator"`, each with its own network's parameters.
        step: does the updates; it was given the parts above, regularizers and augmentations among them.
        regularizers: further terms of the losses, by name.
        augmentations: changes of what the discriminator sees, by name.
        schedules: learning rates along the way, by the name of an optimizer.
        averaging: a mean of the generator's weights to sample from, or None.
        callbacks: told of what happens, in this order, by name.
        settings: the `[run]` table.
        resolved: the recipe this was assembled from, or None if it was composed by hand.
        world: the processes that train it together.
        batches: the data as it is served, on the device.

    Raises:
        PartError: parts do not fit together; the message names the part and its package.
        DataError: the data is empty or has the wrong form.
        InputError: the settings' device does not exist here, or lacks the precision.
    """

    data: Data
    noise: Noise
    generator: nn.Module
    discriminator: nn.Module
    loss: Loss
    optimizers: Mapping[str, torch.optim.Optimizer]
    step: Step
    callbacks: Mapping[str, Callback] = field(factory=dict)
    regularizers: Mapping[str, Regularizer] = field(factory=dict, kw_only=True)
    augmentations: Mapping[str, Augmentation] = field(factory=dict, kw_only=True)
    schedules: Mapping[str, Schedule] = field(factory=dict, kw_only=True)
    averaging: Averaging | None = field(default=None, kw_only=True)
    settings: RunSettings = field(factory=RunSettings)
    resolved: ResolvedRecipe | None = None
    world: ProcessGroup = field(factory=ProcessGroup)
    batches: Batches = field(init=False)

    def __attrs_post_init__(self) -> None:
        device = choose_device(self.settings.device)
        self.world.require_shareable(device)
        require_precision(self.settings.precision, device)
        batches = open_batches(self.data, self.settings, device, self.world)
        object.__setattr__(self, "batches", batches)
        object.__setattr__(self, "data", batches.data)  # the copy on the device is the only one kept
        if self.world.size > 1:
            self._require_no_statistics()
        for name in self.schedules:
            if name not in self.optimizers:
                raise PartError(f"schedule '{name}' is of no optimizer; they are {', '.join(self.optimizers)}")
            for group in self.optimizers[name].param_groups:
                group.setdefault("initial_lr", group["lr"])
        check_fit(
            batches,
            self.noise,
            self.generator,
            self.discriminator,
            self.loss,
            self.regularizers,
            self.augmentations,
            self._label,
        )

    @property
    def device(self) -> torch.device:
        """The device that the experiment is on."""
        return self.batches.device

    @property
    def offers(self) -> Mapping[str, RegisteredPart]:
        """The registered parts by their recipe table, empty where the experiment was composed by hand."""
        return self.resolved.offers if self.resolved else {}

    @property
    def sampled_generator(self) -> nn.Module:
        """The generator that samples are drawn from: the one with averaged weights, if there is one."""
        return self.averaging.network if self.averaging else self.generator

    def _label(self, address: str, part: object) -> str:
        """Say how errors name a part."""
        return str(self.offers.get(address) or f"{address} {type(part).__name__}")

    def _require_no_statistics(self) -> None:
        """Make sure that no part sees only this process's rows and yet remembers what it saw."""
        for table, parts in (("augmentations", self.augmentations), ("regularizers", self.regularizers)):
            for name, part in parts.items():
                if hasattr(part, "observe") or (hasattr(part, "state_dict") and part.state_dict()):
                    label = self._label(f"{table}.{name}", part)
                    raise PartError(f"{label} keeps statistics of its own process; train in one")

    def stateful_parts(self) -> dict[str, Any]:
        """Return every part that has state to save, by its name."""
        parts: dict[str, Any] = {
            "data": self.data,
            "noise": self.noise,
            "generator": self.generator,
            "discriminator": self.discriminator,
            "loss": self.loss,
            "step": self.step,
            "averaging": self.averaging,
            **{f"regularizers.{name}": regularizer for name, regularizer in self.regularizers.items()},
            **{f"augmentations.{name}": augmentation for name, augmentation in self.augmentations.items()},
            **{f"optimizer.{name}": optimizer for name, optimizer in self.optimizers.items()},
            **{f"callbacks.{name}": callback for name, callback in self.callbacks.items()},
        }
        return {name: part for name, part in parts.items() if hasattr(part, "state_dict")}


def open_batches(data: Data, settings: RunSettings, device: torch.device, world: ProcessGroup) -> Batches:
    """Serve a process's rows of `data` on `device` as the settings say."""
    return Batches(data, settings.batch_size, settings.seed, device, settings.workers, world)


def assemble(resolved: ResolvedRecipe, world: ProcessGroup | None = None) -> Experiment:
    """Build every part that a recipe names, in order: data, noise, networks, loss, optimizers, step, callbacks.

    Regularizers and augmentations follow the loss, schedules and the averaging follow the optimizers.

    Each network is initialised from a random stream of its own, so that changing one leaves the other's start
    as it was. torch's global random state is left as it was.

    Args:
        resolved: the recipe.
        world: the processes that will train together; all but the leading one get no callbacks. None for this alone.

    Raises:
        PartError: a part cannot be built, asks for a fact that is not known yet, or does not fit.
        DataError: data is missing or damaged.
        InputError: a part refuses a parameter, or the device does not exist here.
    """
    settings = resolved.settings
    world = world or ProcessGroup()
    device = choose_device(settings.device)
    facts: dict[str, Any] = {"seed": settings.seed, "device": device}

    def build(address: str, **changed: Any) -> Any:
        with own_randomness(derive_seed(settings.seed, "build", address), device):
            return resolved.offers[address].build({**facts, **changed}, resolved.parameters(address))

    data = build("data")
    batches = open_batches(data, settings, device, world)
    facts["sample_shape"], facts["num_classes"] = batches.sample_shape, batches.num_classes
    facts["noise"] = build("noise")
    facts["z_dim"] = facts["noise"].z_dim
    for name in ("generator", "discriminator"):
        network = resolved.offers[name].load()
        if isinstance(network, type) and issubclass(network, nn.Module):  # told before it fails for want of classes
            require_labels(network, str(resolved.offers[name]), str(resolved.offers["data"]), batches)
        facts[name] = build(name).to(device)
    facts["loss"] = build("loss")
    for table in ("regularizers", "augmentations"):
        facts[table] = {name: build(f"{table}.{name}") for name in resolved.names_in(table)}
        if facts[table] and table not in resolved.offers["step"].signature().facts:
            raise PartError(f"{resolved.offers['step']} does not use the recipe's {table}: {', '.join(facts[table])}")
    optimizers = {}
    for name in ("generator", "discriminator"):
        facts["parameters"] = list(facts[name].parameters())
        optimizers[name] = facts[f"{name}_optimizer"] = build(f"optimizer.{name}")
    del facts["parameters"]
    step_noise = facts["noise"] if world.size == 1 else SharedNoise(facts["noise"], world)
    step = build("step", noise=step_noise)
    schedules = {name: build(f"schedule.{name}") for name in resolved.names_in("schedule")}
    averaging = build("averaging") if "averaging" in resolved.offers else None
    callbacks = {name: build(f"callbacks.{name}") for name in resolved.names_in("callbacks") if world.leads}
    return Experiment(
        data=batches.data,
        noise=facts["noise"],
        generator=facts["generator"],
        discriminator=facts["discriminator"],
        loss=facts["loss"],
        optimizers=optimizers,
        step=step,
        regularizers=facts["regularizers"],
        augmentations=facts["augmentations"],
        schedules=schedules,
        averaging=averaging,
        callbacks=callbacks,
        settings=settings,
        resolved=resolved,
        world=world,
    )
