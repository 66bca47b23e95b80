"""A part that is checked, and the experiment that it is tried in."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from attrs import field, frozen
from torch import Tensor

from ganfw.engine.random_streams import derive_seed, global_state, own_randomness, seeded_generator
from ganfw.plugins.registry import RegisteredPart, Registry
from ganfw.recipe.document import Recipe
from ganfw.recipe.resolution import resolve
from ganfw.run.assembly import assemble
from ganfw.run.state import flatten_state
from ganfw.testing.recipe import address_of, recipe_using
from ganfw.training.experiment import Experiment


@frozen
class Subject:
    """One part under test.

    Attributes:
        offer: the part.
        registry: where all other parts are found.
        base: the recipe that it goes into.
        parameters: its keys that are not left at their defaults.
    """

    offer: RegisteredPart
    registry: Registry
    base: Recipe
    parameters: Mapping[str, Any] = field(factory=dict)

    @property
    def address(self) -> str:
        """Where the part stands in the recipe: `"regularizers.checked"`."""
        return address_of(self.offer, self.base)

    def recipe(self, *overrides: str) -> Recipe:
        """Return the recipe with the part in it."""
        return recipe_using(self.offer, self.base, self.parameters).with_overrides(overrides)

    def experiment(self, *overrides: str) -> Experiment:
        """Assemble the recipe with the part in it, all of it anew."""
        return assemble(resolve(self.recipe(*overrides), self.registry))

    def part(self, experiment: Experiment) -> Any:
        """Return the part in an experiment; what does not train is built for it."""
        table, _, name = self.address.partition(".")
        tables = {"optimizer": "optimizers", "schedule": "schedules"}
        if table in ("embedding", "metrics"):
            facts = {
                "seed": experiment.settings.seed,
                "device": experiment.device,
                "sample_shape": experiment.batches.sample_shape,
                "num_classes": experiment.batches.num_classes,
            }
            with own_randomness(derive_seed(experiment.settings.seed, "build", self.address), experiment.device):
                return self.offer.build(facts, self.parameters)
        found = getattr(experiment, tables.get(table, table))
        return found[name] if name else found

    def fresh(self) -> Any:
        """Return the part, built anew."""
        return self.part(self.experiment())

    def require(self, condition: bool | Tensor, complaint: str) -> None:
        """Raise an error that names the part unless the condition holds.

        Raises:
            AssertionError: it does not.
        """
        if not condition:
            raise AssertionError(f"{self.offer}: {complaint}")

    def require_tensor(
        self, value: object, what: str, shape: tuple[int, ...], dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Return a value that is a finite tensor of this shape and dtype.

        Raises:
            AssertionError: it is none.
        """
        if not isinstance(value, Tensor):
            raise AssertionError(f"{self.offer}: {what} must be a tensor, not {type(value).__name__}")
        self.require(tuple(value.shape) == shape, f"{what} must have the shape {shape}, not {tuple(value.shape)}")
        self.require(value.dtype == dtype, f"{what} must be {dtype}, not {value.dtype}")
        self.require(value.is_meta or torch.isfinite(value).all(), f"{what} must be finite")
        return value

    def require_statistics(self, passes: Iterable[Mapping[str, object]], device: torch.device) -> None:
        """Make sure that each pass tells finite scalars on the device, detached, by the same names.

        Raises:
            AssertionError: one does not.
        """
        names: set[str] | None = None
        for statistics in passes:
            for name, value in statistics.items():
                what = f"the statistic '{name}'"
                tensor = self.require_tensor(value, what, ())
                self.require(not tensor.requires_grad, f"{what} holds on to the graph: detach it")
                here = tensor.device.type == device.type
                self.require(here, f"{what} is on {tensor.device}, not on {device}")
            names = set(statistics) if names is None else names
            self.require(set(statistics) == names, "its statistics have other names in another step")


def random_on(experiment: Experiment, seed: int = 0) -> torch.Generator:
    """Return a generator of random numbers on an experiment's device."""
    return seeded_generator(experiment.device, seed, "check")


def randomness(experiment: Experiment) -> list[Any]:
    """Return the state of all global random generators, to be compared."""
    values, tensors = flatten_state(global_state(experiment.device))
    return [values, {name: tensor.tolist() for name, tensor in tensors.items()}]


def samples_of(experiment: Experiment, count: int) -> Tensor:
    """Return `(count, *sample_shape)` real samples, repeated where the data has fewer."""
    samples = experiment.batches.first(count).samples
    return samples[torch.arange(count, device=samples.device) % len(samples)]


def labels_of(experiment: Experiment, count: int) -> Tensor | None:
    """Return `(count,)` int64 labels, or None where the data has none."""
    labels = experiment.batches.first(count).labels
    return None if labels is None else labels[torch.arange(count, device=labels.device) % len(labels)]
