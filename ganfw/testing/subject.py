"""A part that is checked, and the experiment that it is tried in."""

import contextlib
import functools
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
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
from ganfw.run.directory import create_run_directory
from ganfw.run.state import flatten_state
from ganfw.testing.recipe import address_of, recipe_using
from ganfw.training.batches import Batches
from ganfw.training.builder import Builder
from ganfw.training.experiment import Experiment, build_experiment
from ganfw.training.loop import Training, train

_SECONDS = 300
"""How long a further process may take."""


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

    @contextlib.contextmanager
    def draws_nothing(self, instead: str) -> Iterator[None]:
        """Make sure that a block uses no global random generator; `instead` is what a part has to do."""
        before = comparable(global_state(self.device))
        yield
        same = comparable(global_state(self.device)) == before
        assert same, f"it draws from a global random generator: {instead}"

    def require_tensor(self, value: object, what: str, shape: tuple[int, ...]) -> Tensor:
        """Return a value, making sure that it is a finite float32 tensor of this shape."""
        assert isinstance(value, Tensor), f"{what} must be a tensor, not {type(value).__name__}"
        assert tuple(value.shape) == shape, f"{what} must have the shape {shape}, not {tuple(value.shape)}"
        assert value.dtype == torch.float32, f"{what} must be {torch.float32}, not {value.dtype}"
        assert value.is_meta or torch.isfinite(value).all(), f"{what} must be finite"
        return value

    def require_samples(self, value: object, what: str, count: int) -> None:
        """Make sure that a value has the form and the range of this many samples of the data."""
        samples = self.require_tensor(value, what, (count, *self.batches.sample_shape))
        low, high = float(samples.min()), float(samples.max())
        least, most = self.batches.value_range
        in_range = least <= low and high <= most
        assert in_range, f"{what} is from {low:.3g} to {high:.3g}; images are in [{least:g}, {most:g}]"

    def require_statistics(self, passes: Iterable[Mapping[str, object]]) -> None:
        """Make sure that each pass gives finite scalars on the device, detached, by the same names."""
        names: set[str] | None = None
        for statistics in passes:
            for name, value in statistics.items():
                what = f"the statistic '{name}'"
                tensor = self.require_tensor(value, what, ())
                assert not tensor.requires_grad, f"{what} holds on to the graph: detach it"
                here = tensor.device.type == self.device.type
                assert here, f"{what} is on {tensor.device}, not on {self.device}"
            names = set(statistics) if names is None else names
            assert set(statistics) == names, "its statistics have other names in another step"


def train_in(folder: Path, experiment: Experiment) -> Training:
    """Train an experiment in a run directory, which its main process makes in a folder."""
    directory = create_run_directory(folder, experiment) if experiment.processes.is_main else None
    return train(experiment, directory=directory)


def run_python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, where it finds what is found here, and wait for its end."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )


def comparable(state: Any) -> list[Any]:
    """Return state as numbers and texts, which can be compared."""
    values, tensors = flatten_state(state)
    return [values, {name: tensor.tolist() for name, tensor in tensors.items()}]
