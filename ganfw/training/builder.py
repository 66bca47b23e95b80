"""The one place where parts are built from a resolved recipe: to train, sample, evaluate, resume and test."""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from ganfw.distributed.noise import SharedNoise
from ganfw.distributed.process_group import ProcessGroup
from ganfw.engine.networks import call_network, evaluation_mode, inputs_of, is_lazy
from ganfw.engine.random_streams import derive_seed, own_randomness
from ganfw.engine.sampling import SampleSource, rows_of_training
from ganfw.errors import GanfwError, InputError, PartError, PartFailure, size_problem
from ganfw.plugins.context import CONTEXT
from ganfw.plugins.registry import describe
from ganfw.recipe.resolved import ResolvedRecipe
from ganfw.recipe.tables import NETWORKS, network_address
from ganfw.training.batches import Batches


class Builder:
    """Builds the parts of a recipe: each once, with the parts it asks for, from a random stream of its own.

    The stream of a part follows from the run's seed and the part's address. So a part is the same whichever other
    parts are built and in any order, when a run starts and when a checkpoint is read years later. The global
    random generators are left as they were.
    """

    def __init__(
        self,
        resolved: ResolvedRecipe,
        device: torch.device,
        *,
        seed: int | None = None,
        processes: ProcessGroup | None = None,
        known: Mapping[str, Any] | None = None,
        check: Callable[[str], None] = lambda address: None,
        load: Callable[[str, Any], None] = lambda address, part: None,
    ) -> None:
        """Prepare to build.

        Args:
            resolved: the recipe.
            device: where networks are.
            seed: what the random streams follow from; by default the recipe's seed.
            processes: the processes that train together; None for this one only.
            known: context arguments that are known without building what they come from, such as `sample_shape`.
            check: called with the address of each network before it is built.
            load: called with the address of each part and the part, once it is built: to give it saved state.
        """
        self.resolved = resolved
        self.device = device
        self.seed = resolved.settings.seed if seed is None else seed
        self.processes = processes or ProcessGroup()
        self._known = {"seed": self.seed, "device": device, **(known or {})}
        self._check = check
        self._load = load
        self._built: dict[str, Any] = {}

    def part(self, address: str) -> Any:
        """Return the part at an address, `"optimizer.generator"`; it is built when it is first asked for.

        Raises:
            PartError: it cannot be built, or breaks its contract.
            InputError: it refuses a parameter.
            PartFailure: it raises anything else.
        """
        if address not in self._built:
            if _is_network(address):
                self._require_labels(address)
                self._check(address)
            self._built[address] = self._finished(address, self.build(address))
            self._load(address, self._built[address])
        return self._built[address]

    def build(self, address: str, **changed: Any) -> Any:
        """Return a part built anew, with changed parameters."""
        part = self.resolved.parts[address]
        context = _Context(self, address)
        try:
            with own_randomness(derive_seed(self.seed, "build", address), self.device):
                return part.build(context, {**self.resolved.parameters(address), **changed})
        except GanfwError:
            raise
        except Exception as error:
            if reason := size_problem(error):
                raise InputError(f"{part} cannot be built: {reason}; check its sizes") from error
            raise PartFailure(f"{part} fails while it is built: {describe(error)}") from error

    def parts_in(self, table: str) -> dict[str, Any]:
        """Return the parts of a table of several, by name: of `"schedule"`, `"regularizers"`."""
        return {name: self.part(f"{table}.{name}") for name in self.resolved.names_in(table)}

    def optional(self, address: str) -> Any:
        """Return the part at an address, or None where the recipe has none."""
        return self.part(address) if address in self.resolved.parts else None

    @functools.cached_property
    def batches(self) -> Batches:
        """The data as it is served on the device."""
        settings = self.resolved.settings
        data = self.build("data")
        return Batches(data, settings.batch_size, settings.seed, self.device, settings.workers, self.processes)

    def networks(self, names: list[str] | None = None) -> dict[str, nn.Module]:
        """Return networks by name; by default all."""
        return {name: self.part(network_address(name)) for name in names or self.resolved.network_names()}

    def sampled_network(self, name: str) -> nn.Module:
        """Return the network of a name, with mean weights if a mean is kept of it."""
        for mean in self.resolved.names_in("averaging"):
            if name in self.resolved.networks_of(f"averaging.{mean}"):
                network: nn.Module = self.part(f"averaging.{mean}").networks[name]
                return network
        return self.networks([name])[name]

    def source(self) -> SampleSource:
        """Return what samples are made with; no other part is built."""
        has_generator = {"generator", "noise"} <= self.resolved.parts.keys()
        networks = {"generator": self.sampled_network("generator")} if has_generator else {}
        rows = rows_of_training(self.resolved.settings.batch_size)
        return SampleSource(networks, self.optional("noise"), self.optional("sampler"), rows)

    def value(self, name: str, address: str) -> Any:
        """Return a context argument of the part at an address."""
        if name in self._known:
            return self._known[name]
        table = address.partition(".")[0]
        match name:
            case "sample_shape" | "num_classes" | "entry_shapes":
                return getattr(self.batches, name)
            case "noise":
                noise = self.part("noise")
                shared = table == "step" and self.processes.size > 1
                return SharedNoise(noise, self.processes) if shared else noise
            case "z_dim":
                return self.part("noise").z_dim
            case "loss":
                return self.part("loss")
            case "regularizers" | "augmentations":
                return self.parts_in(name)
            case "networks" if table == "averaging":
                return self.networks(self.resolved.networks_of(address))
            case "networks" if table == "sampler":
                return {each: self.sampled_network(each) for each in self.resolved.network_names()}
            case "networks":
                return self.networks()
            case "parameters":
                return self._parameters(address)
        return self.sampled_network(name) if table == "sampler" else self.part(network_address(name))

    def has(self, name: str) -> bool:
        """Whether there is a context argument of this name."""
        if name in ("noise", "z_dim", "loss"):
            return name in self._known or name.replace("z_dim", "noise") in self.resolved.parts
        return name in CONTEXT or network_address(name) in self.resolved.parts

    def _parameters(self, address: str) -> list[nn.Parameter]:
        """Return the parameters of an optimizer's networks, each once."""
        networks = self.networks(self.resolved.networks_of(address))
        return list({id(each): each for network in networks.values() for each in network.parameters()}.values())

    def _finished(self, address: str, part: Any) -> Any:
        """Return a part as it is used: networks on the device, with the weights they start from."""
        if address.startswith("optimizer."):
            self._require_held(address, part)
        if not _is_network(address):
            return part
        label = self.resolved.parts[address]
        if not isinstance(part, nn.Module):
            raise PartError(f"{label} gives {type(part).__name__}; a network must be a torch.nn.Module")
        network = part.to(self.device)
        if is_lazy(network):
            self._initialise(address, network)
        frozen = self.resolved.own_keys(address)["frozen"]
        return network.requires_grad_(False).eval() if frozen else network

    def _initialise(self, address: str, network: nn.Module) -> None:
        """Let a network's lazy layers find their sizes, on an input of zeros.

        Raises:
            PartError: only a step knows what the network takes, or it fails.
        """
        label = self.resolved.parts[address]
        if address not in ("generator", "discriminator"):
            raise PartError(f"{label} has lazy layers, whose sizes only its step could find; give them their sizes")
        num_classes, entries = self.value("num_classes", address), self.value("entry_shapes", address)
        shape = (self.value("z_dim", address),) if address == "generator" else self.value("sample_shape", address)
        named = {name: torch.zeros(1, *shape, device=self.device) for name, shape in entries.items()}
        if num_classes is not None:
            named["labels"] = torch.zeros(1, dtype=torch.int64, device=self.device)
        if self.has("z_dim"):
            named["z"] = torch.zeros(1, self.value("z_dim", address), device=self.device)
        try:
            with own_randomness(derive_seed(self.seed, "build", address), self.device), evaluation_mode(network):
                call_network(network, torch.zeros(1, *shape, device=self.device), **named)
        except Exception as error:
            raise PartError(
                f"{label} fails on zeros, on which its lazy layers find their sizes; give them their sizes: {error}"
            ) from error

    def _require_labels(self, address: str) -> None:
        """Make sure that the data has labels if a network asks for them, before it fails for want of classes."""
        part = self.resolved.parts[address]
        network = part.load()
        is_class = isinstance(network, type) and issubclass(network, nn.Module) and "sample_shape" not in self._known
        if is_class and inputs_of(network).get("labels") and self.batches.first(1).labels is None:
            raise PartError(
                f"{part} is conditional on labels, which {self.resolved.parts['data']} does not have; choose other data"
            )

    def _require_held(self, address: str, optimizer: Any) -> None:
        """Make sure that an optimizer holds the parameters that its table says, and no others."""
        held = {id(each) for group in optimizer.param_groups for each in group["params"]}
        if held != {id(each) for each in self._parameters(address)}:
            networks = ", ".join(self.resolved.networks_of(address))
            raise PartError(
                f"{self.resolved.parts[address]} holds other parameters than those of {networks}; "
                "it must hold those it was given"
            )


class _Context(Mapping[str, Any]):
    """The context arguments of one part, each found when it is asked for."""

    def __init__(self, builder: Builder, address: str) -> None:
        self._builder = builder
        self._address = address

    def __getitem__(self, name: str) -> Any:
        return self._builder.value(name, self._address)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._builder.has(name)

    def __iter__(self) -> Iterator[str]:
        return iter(CONTEXT)

    def __len__(self) -> int:
        return len(CONTEXT)


def _is_network(address: str) -> bool:
    return address in NETWORKS or address.startswith("networks.")
