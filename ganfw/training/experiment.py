"""An experiment: parts that fit together, on one device. Built from a recipe, or composed by hand."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import torch
from attrs import define, field
from torch import nn

from ganfw.data import Data, data_hash
from ganfw.display import html_table
from ganfw.distributed.process_group import ProcessGroup
from ganfw.engine.device import choose_device
from ganfw.engine.networks import is_lazy
from ganfw.engine.precision import require_precision
from ganfw.engine.sampling import SampleSource, rows_of_training
from ganfw.engine.updates import Step, Update, check_updates, weights_of
from ganfw.errors import PartError
from ganfw.plugins.registry import RegisteredPart
from ganfw.protocols import Augmentation, Averaging, Loss, Noise, Regularizer, Sampler, Schedule
from ganfw.recipe.resolved import ResolvedRecipe
from ganfw.recipe.settings import RunSettings
from ganfw.recipe.tables import network_address
from ganfw.training.batches import Batches
from ganfw.training.builder import Builder
from ganfw.training.trial import try_parts


def _count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _names(parts: Mapping[str, Any]) -> str:
    return ", ".join(parts) or "none"


@define(eq=False, kw_only=True)
class Experiment:
    """Everything that training needs.

    Creating one tries the parts on a small batch, and leaves them as they were.

    Attributes:
        data: real samples: `TensorData`, or a torch `Dataset`.
        networks: by name: `"generator"`, `"discriminator"` and any others that the step asks for.
        optimizers: by name, each with the parameters of one network or of several.
        step: what is minimised, as updates.
        noise: the sampler of the generator's input, or None.
        loss: scalars from logits, or None.
        regularizers: further terms of the losses, and limits of weights, by name.
        augmentations: changes of what the discriminator sees, by name.
        schedules: learning rates during training, by the name of an optimizer.
        averaging: means of networks' weights to sample with, by name.
        sampler: makes samples; None for the generator from noise.
        callbacks: called at the events of training, in this order, by name.
        clip_norms: the largest norm of the gradient that an optimizer steps on, by its name.
        settings: the `[run]` table.
        resolved: the recipe this was built from, or None if it was composed by hand.
        processes: the processes that train it together.
        initial_weights: of networks that started from saved weights, where these came from, and their hash.
        batches: the data as it is served, on the device.
        updates: the updates of the step.
        doubts: what can be trained and is hardly meant, a sentence each, which training says.

    Raises:
        PartError: parts do not fit together; the message names the part and its package.
        DataError: the data is empty or has the wrong form.
        InputError: the settings' device does not exist here, or lacks the precision.
    """

    data: Data = field(repr=False)
    networks: Mapping[str, nn.Module] = field(repr=_names)
    optimizers: Mapping[str, torch.optim.Optimizer] = field(repr=_names)
    step: Step = field(repr=lambda step: type(step).__name__)
    noise: Noise | None = field(default=None, repr=lambda noise: type(noise).__name__)
    loss: Loss | None = field(default=None, repr=lambda loss: type(loss).__name__)
    regularizers: Mapping[str, Regularizer] = field(factory=dict, repr=_names)
    augmentations: Mapping[str, Augmentation] = field(factory=dict, repr=_names)
    schedules: Mapping[str, Schedule] = field(factory=dict, repr=_names)
    averaging: Mapping[str, Averaging] = field(factory=dict, repr=_names)
    sampler: Sampler | None = field(default=None, repr=lambda sampler: type(sampler).__name__)
    callbacks: Mapping[str, Any] = field(factory=dict, repr=_names)
    clip_norms: Mapping[str, float] = field(factory=dict)
    settings: RunSettings = field(factory=RunSettings)
    resolved: ResolvedRecipe | None = field(default=None, repr=False)
    processes: ProcessGroup = field(factory=ProcessGroup, repr=False)
    initial_weights: Mapping[str, Mapping[str, str]] = field(factory=dict, repr=False)
    batches: Batches = field(init=False, repr=False)
    updates: tuple[Update, ...] = field(init=False, repr=False)
    doubts: list[str] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        settings = self.settings
        device = choose_device(settings.device)
        self.batches = Batches(self.data, settings.batch_size, settings.seed, device, settings.workers, self.processes)
        self.data = self.batches.data  # the copy on the device is the only one kept
        self.processes.require_shareable(self.device)
        require_precision(self.settings.precision, self.device)
        if self.processes.size > 1:
            self._require_no_statistics()
        for name in self.schedules:
            if name not in self.optimizers:
                raise PartError(
                    f"schedule '{name}' is not named after an optimizer; optimizers are {', '.join(self.optimizers)}"
                )
            for group in self.optimizers[name].param_groups:
                group.setdefault("initial_lr", group["lr"])
        for name, network in self.networks.items():
            if is_lazy(network):
                label = self.label(network_address(name))
                raise PartError(f"{label} has lazy layers: call it on a batch once, before its optimizer is made")
        self.updates = tuple(self.step.updates())
        check_updates(self.label("step"), self.updates, self.optimizers)
        self.doubts = try_parts(self)

    @property
    def device(self) -> torch.device:
        """The device that the experiment is on."""
        return self.batches.device

    @functools.cached_property
    def data_sha256(self) -> str | None:
        """The hash of the data when it was first asked for, or None if the data cannot be hashed."""
        return data_hash(self.data)

    @property
    def source(self) -> SampleSource:
        """What samples are made with: networks with mean weights, where there are any, ready to be sampled from."""
        means = {name: mean for each in self.averaging.values() for name, mean in each.networks.items()}
        rows = rows_of_training(self.settings.batch_size)
        return SampleSource({**self.networks, **means}, self.noise, self.sampler, rows)

    def label(self, address: str) -> str:
        """Return how errors name the part at an address: `"generator"`, `"networks.encoder"`, `"callbacks.samples"`."""
        if self.resolved and address in self.resolved.parts:
            return str(self.resolved.parts[address])
        return f"{address} {type(self.parts().get(address)).__name__}"

    @property
    def registered(self) -> Mapping[str, RegisteredPart]:
        """The registered parts by their recipe table, empty where the experiment was composed by hand."""
        return self.resolved.parts if self.resolved else {}

    def summary(self) -> list[tuple[str, str, str]]:
        """Return the parts that are trained or train, a row each: its address, its name, and how large it is."""
        batches = self.batches
        steps = batches.steps(self.settings.max_steps, self.settings.epochs)
        details = {
            "data": f"{batches.size:,} samples of {' x '.join(map(str, batches.sample_shape))}",
            **({"noise": f"{self.noise.z_dim} dimensions"} if self.noise else {}),
            **{network_address(name): f"{_count(network):,} parameters" for name, network in self.networks.items()},
            "step": f"{steps:,} steps, {batches.per_epoch:,} an epoch, batch {batches.batch_size}",
        }
        names = {address: part.part.name for address, part in self.registered.items()}
        names = names or {address: type(part).__name__ for address, part in self.parts().items()}
        aside = ("callbacks", "embedding", "metrics")
        return [
            (address, name, details.get(address, ""))
            for address, name in names.items()
            if address.partition(".")[0] not in aside
        ]

    def _repr_html_(self) -> str:
        name = self.resolved.recipe.name if self.resolved else "experiment"
        rows = [("", "part", ""), *self.summary()]
        return html_table(rows, f"{name} on {self.device}, seed {self.settings.seed}")

    def followers(self) -> dict[str, list[Callable[[], None]]]:
        """Return which means take in weights after the step of each optimizer."""
        found: dict[str, list[Callable[[], None]]] = {}
        for each in self.averaging.values():
            owned = {id(weight) for name in each.networks for weight in self.networks[name].parameters()}
            for name, optimizer in self.optimizers.items():
                if any(id(weight) in owned for weight in weights_of(optimizer)):
                    found.setdefault(name, []).append(each.update)
        return found

    def parts(self) -> dict[str, Any]:
        """Return every part, by its address in a recipe."""
        tables: dict[str, Mapping[str, Any]] = {
            "regularizers": self.regularizers,
            "augmentations": self.augmentations,
            "optimizer": self.optimizers,
            "schedule": self.schedules,
            "averaging": self.averaging,
            "callbacks": self.callbacks,
        }
        single = {"data": self.data, "noise": self.noise, "loss": self.loss, "step": self.step, "sampler": self.sampler}
        return {
            **{address: part for address, part in single.items() if part is not None},
            **{network_address(name): network for name, network in self.networks.items()},
            **{f"{table}.{name}": part for table, parts in tables.items() for name, part in parts.items()},
        }

    def stateful_parts(self) -> dict[str, Any]:
        """Return every part that has state to save, by its address."""
        return {address: part for address, part in self.parts().items() if hasattr(part, "state_dict")}

    def _require_no_statistics(self) -> None:
        """Make sure that no part sees only this process's rows and yet remembers what it saw."""
        for address, part in self.parts().items():
            if address.partition(".")[0] in ("augmentations", "regularizers", "loss", "step") and (
                hasattr(part, "observe") or (hasattr(part, "state_dict") and part.state_dict())
            ):
                raise PartError(f"{self.label(address)} keeps statistics of its own process; train in one")


def build_experiment(builder: Builder) -> Experiment:
    """Build every part of a recipe, and put them together.

    Raises:
        PartError: a part cannot be built, or does not fit.
        DataError: data is missing or damaged.
        InputError: a part refuses a parameter, or the device does not exist here.
    """
    resolved = builder.resolved
    clip_norms = {name: resolved.own_keys(f"optimizer.{name}")["clip_norm"] for name in resolved.names_in("optimizer")}
    return Experiment(
        data=builder.batches.data,
        noise=builder.optional("noise"),
        networks=builder.networks(),
        loss=builder.optional("loss"),
        regularizers=builder.parts_in("regularizers"),
        augmentations=builder.parts_in("augmentations"),
        optimizers=builder.parts_in("optimizer"),
        step=builder.part("step"),
        schedules=builder.parts_in("schedule"),
        averaging=builder.parts_in("averaging"),
        sampler=builder.optional("sampler"),
        callbacks=builder.parts_in("callbacks") if builder.processes.is_main else {},
        clip_norms={name: norm for name, norm in clip_norms.items() if norm is not None},
        settings=resolved.settings,
        resolved=resolved,
        processes=builder.processes,
    )
