"""A part that is checked, and the experiment that it is tried in."""

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from attrs import evolve, field, frozen
from torch import Tensor, nn

from ganfw.engine.device import choose_device
from ganfw.engine.random_streams import global_state, seeded_generator
from ganfw.engine.updates import weights_of
from ganfw.plugins.registry import RegisteredPart, Registry
from ganfw.recipe.document import Recipe
from ganfw.recipe.resolution import resolve
from ganfw.run.state import flatten_state
from ganfw.testing.recipe import address_of, recipe_using
from ganfw.training.batches import Batches
from ganfw.training.builder import Builder
from ganfw.training.experiment import Experiment, build_experiment
from ganfw.training.loop import Training


@frozen(slots=False)
class Subject:
    """One part under test, and the others of its recipe, each built when it is first asked for.

    Attributes:
        registered: the part.
        registry: where all other parts are found.
        base: the recipe that it goes into.
        folder: an empty folder, for runs.
        parameters: its keys that are not left at their defaults.
        overrides: changes of the recipe: `"run.max_steps=3"`.
    """

    registered: RegisteredPart
    registry: Registry
    base: Recipe
    folder: Path
    parameters: Mapping[str, Any] = field(factory=dict)
    overrides: tuple[str, ...] = ()

    def again(self, *overrides: str) -> "Subject":
        """Return the same part, to be built anew, in a recipe with further changes."""
        return evolve(self, overrides=(*self.overrides, *overrides))

    @property
    def address(self) -> str:
        """Where the part stands in the recipe: `"regularizers.checked"`."""
        return address_of(self.registered, self.base)

    @property
    def name(self) -> str:
        """The last word of the address: for networks, their name."""
        return self.address.rpartition(".")[2]

    @property
    def recipe(self) -> Recipe:
        """The recipe with the part in it."""
        return recipe_using(self.registered, self.base, self.parameters).with_overrides(self.overrides)

    @functools.cached_property
    def builder(self) -> Builder:
        """What builds the parts of the recipe."""
        resolved = resolve(self.recipe, self.registry)
        return Builder(resolved, choose_device(resolved.settings.device))

    @functools.cached_property
    def part(self) -> Any:
        """The part, whether it fits the others or not."""
        return self.builder.part(self.address)

    @functools.cached_property
    def experiment(self) -> Experiment:
        """The part together with the others, which it must fit."""
        return build_experiment(self.builder)

    @property
    def batches(self) -> Batches:
        """The recipe's data."""
        return self.builder.batches

    @property
    def device(self) -> torch.device:
        """Where networks are."""
        return self.builder.device

    def random(self, seed: int = 0) -> torch.Generator:
        """Return a generator of random numbers on the device."""
        return seeded_generator(self.device, seed, "check")

    def randomness(self) -> list[Any]:
        """Return the state of all global random generators, to be compared."""
        return comparable(global_state(self.device))

    def samples(self, count: int) -> Tensor:
        """Return `(count, *sample_shape)` real samples, repeated where the data has fewer."""
        samples = self.batches.first(count).samples
        return samples[torch.arange(count, device=samples.device) % len(samples)]

    def take_steps(self, count: int) -> list[dict[str, Tensor]]:
        """Take some steps, as training does, and return their statistics."""
        experiment, random = self.experiment, self.random()
        batches = zip(self.batches.epoch(0), range(count), strict=False)
        with Training(experiment).engine() as updater:
            return [updater.run(experiment.step, experiment.updates, batch, random) for batch, _ in batches]

    def trained_networks(self) -> dict[str, nn.Module]:
        """Return the networks of which an optimizer holds weights, by name."""
        held = {id(weight) for optimizer in self.experiment.optimizers.values() for weight in weights_of(optimizer)}
        networks = self.experiment.networks.items()
        return {name: each for name, each in networks if any(id(weight) in held for weight in each.parameters())}

    def require(self, condition: bool | Tensor, complaint: str) -> None:
        """Raise an error that names the part unless the condition holds.

        Raises:
            AssertionError: it does not.
        """
        require(self.registered, condition, complaint)

    def require_tensor(
        self, value: object, what: str, shape: tuple[int, ...], dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Return a value that is a finite tensor of this shape and dtype.

        Raises:
            AssertionError: it is not.
        """
        if not isinstance(value, Tensor):
            raise AssertionError(f"{self.registered}: {what} must be a tensor, not {type(value).__name__}")
        self.require(tuple(value.shape) == shape, f"{what} must have the shape {shape}, not {tuple(value.shape)}")
        self.require(value.dtype == dtype, f"{what} must be {dtype}, not {value.dtype}")
        self.require(value.is_meta or torch.isfinite(value).all(), f"{what} must be finite")
        return value

    def require_samples(self, value: object, what: str, count: int) -> None:
        """Make sure that a value has the form and the range of so many samples of the data.

        Raises:
            AssertionError: it has not.
        """
        samples = self.require_tensor(value, what, (count, *self.batches.sample_shape))
        low, high = float(samples.min()), float(samples.max())
        least, most = self.batches.value_range
        in_range = least <= low and high <= most
        self.require(in_range, f"{what} is from {low:.3g} to {high:.3g}; images are in [{least:g}, {most:g}]")

    def require_statistics(self, passes: Iterable[Mapping[str, object]]) -> None:
        """Make sure that each pass gives finite scalars on the device, detached, by the same names.

        Raises:
            AssertionError: one does not.
        """
        names: set[str] | None = None
        for statistics in passes:
            for name, value in statistics.items():
                what = f"the statistic '{name}'"
                tensor = self.require_tensor(value, what, ())
                self.require(not tensor.requires_grad, f"{what} holds on to the graph: detach it")
                here = tensor.device.type == self.device.type
                self.require(here, f"{what} is on {tensor.device}, not on {self.device}")
            names = set(statistics) if names is None else names
            self.require(set(statistics) == names, "its statistics have other names in another step")


def require(owner: object, condition: bool | Tensor, complaint: str) -> None:
    """Raise an error that names what is checked unless the condition holds.

    Raises:
        AssertionError: it does not.
    """
    if not condition:
        raise AssertionError(f"{owner}: {complaint}")


def comparable(state: Any) -> list[Any]:
    """Return state as numbers and texts, which can be compared."""
    values, tensors = flatten_state(state)
    return [values, {name: tensor.tolist() for name, tensor in tensors.items()}]


def copies_of(network: nn.Module) -> list[Tensor]:
    """Return copies of the weights of a network, without gradient."""
    return [weight.detach().clone() for weight in network.parameters()]
