"""The views of the page as values: which samples each shows, and the code that makes the same."""

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from attrs import field, frozen
from torch import Tensor

from ganfw.engine.sampling import draw_noise, generate, interpolate
from ganfw.errors import InputError
from ganfw.evaluation.evaluator import MAX_TRAINING
from ganfw.evaluation.neighbours import nearest_samples
from ganfw.images import to_uint8
from ganfw.play.runs import Model
from ganfw.protocols import Noise

PATH_STEPS = 31
"""Samples on a way. Both ways are 62, which go through a generator as one block of 64."""
MAP_SIDE = 7
"""Samples on a side of the map of a plane."""
NEIGHBOURS = 8
"""Training samples that are shown beside a sample."""


@frozen(eq=False)
class Shown:
    """What a view shows.

    Attributes:
        samples: `(n, *sample_shape)` float32 on the CPU; images in [0, 1].
        about: what the page must know to lay them out.
    """

    samples: Tensor
    about: Mapping[str, Any] = field(factory=dict)


class View(Protocol):
    """A view."""

    @property
    def count(self) -> int:
        """How many samples it draws."""
        ...

    def show(self, model: Model) -> Shown:
        """Return its samples.

        Raises:
            GanfwError: there are none.
        """
        ...

    def python(self, model: Model) -> list[str]:
        """Return lines of Python that make `samples`, given `ganfw`, `checkpoint`, `registry` and `source`."""
        ...

    def command(self, model: Model) -> list[str] | str:
        """Return the words after `ganfw VERB CHECKPOINT`, the verb first; or why no command makes these samples."""
        ...


@frozen(kw_only=True)
class Grid:
    """Samples as `ganfw sample` draws them, or translations of held-out inputs, with these before them."""

    count: int
    seed: int
    truncation: float | None = None
    label: int | None = None

    def show(self, model: Model) -> Shown:
        """Return the samples."""
        if not model.takes_inputs:
            labels = None if self.label is None else torch.full((self.count,), self.label)
            return Shown(
                model.source.sample(self.count, seed=self.seed, truncation=self.truncation, labels=labels),
            )
        inputs = model.inputs(self.count, self.seed)
        made = model.source.sample(len(inputs), seed=self.seed, inputs=inputs)
        if inputs.samples.shape[1:] != made.shape[1:]:
            return Shown(made)
        return Shown(torch.cat([inputs.samples, made]), {"given": len(inputs)})

    def python(self, model: Model) -> list[str]:
        """Return the lines."""
        if not model.takes_inputs:
            labels = "" if self.label is None else f", labels=torch.full(({self.count},), {self.label})"
            return [f"samples = source.sample({self.count}, {_draw(self.seed, self.truncation)}{labels})"]
        return [
            'data = open_data(ganfw.resolve(checkpoint.recipe(), registry, only=["data"]), held_out=True)',
            f'inputs = next(Batches(data, {self.count}, {self.seed}, torch.device("cpu"), workers=0).epoch(0))',
            f"samples = source.sample(len(inputs), seed={self.seed}, inputs=inputs)",
        ]

    def command(self, model: Model) -> list[str] | str:
        """Return the words, or why there are none."""
        if model.takes_inputs:
            return "The command takes inputs from files: ganfw sample RUN --input FILE. These are of the data set."
        words = ["sample", "-n", str(self.count), "--seed", str(self.seed), *_options(self.truncation, self.label)]
        return [*words, *(["--set", f"sampler.use={model.sampler}"] if model.sampler else [])]


@frozen(kw_only=True)
class Anchor:
    """The noise of sample `number`, from 0, of `count` that are drawn from `seed`."""

    seed: int
    number: int
    count: int

    def draw(self, noise: Noise, truncation: float | None) -> Tensor:
        """Return its noise, `(1, z_dim)` float32."""
        z = draw_noise(noise, self.count, seed=self.seed, truncation=truncation)
        return z[self.number : self.number + 1]

    def python(self, truncation: float | None) -> str:
        """Return the expression that draws it."""
        drawn = f"ganfw.draw_noise(source.noise, {self.count}, {_draw(self.seed, truncation)})"
        return f"{drawn}[{self.number}:{self.number + 1}]"


@frozen(kw_only=True)
class Walk:
    """The straight line and, after it, the arc between two noise vectors."""

    start: Anchor
    end: Anchor
    truncation: float | None = None
    label: int | None = None

    @property
    def count(self) -> int:
        """How many samples it draws."""
        return 2 * PATH_STEPS

    def show(self, model: Model) -> Shown:
        """Return the samples."""
        noise = _noise(model)
        start, end = (each.draw(noise, self.truncation) for each in (self.start, self.end))
        ways = [interpolate(start, end, PATH_STEPS, method) for method in ("linear", "spherical")]
        return Shown(_generate(model, torch.cat(ways).flatten(0, 1), self.label))

    def python(self, model: Model) -> list[str]:
        """Return the lines."""
        ways = f'[ganfw.interpolate(start, end, {PATH_STEPS}, method) for method in ("linear", "spherical")]'
        return [
            f"start = {self.start.python(self.truncation)}",
            f"end = {self.end.python(self.truncation)}",
            f"ways = {ways}",
            "z = torch.cat(ways).flatten(0, 1)",
            _generating(self.label),
        ]

    def command(self, model: Model) -> list[str] | str:
        """Return the words, or why there are none."""
        seed = self.start.seed
        if (self.start, self.end) != tuple(Anchor(seed=seed, number=number, count=2) for number in (0, 1)):
            return "ganfw interpolate walks between a pair of one seed; only Python walks between samples of a grid."
        words = ["interpolate", "--pairs", "1", "--steps", str(PATH_STEPS), "--seed", str(seed)]
        return [*words, *_options(self.truncation, self.label)]


@frozen(kw_only=True)
class Plane:
    """A point of the plane through the three noise vectors of a seed, or a map of it.

    The point (x, y) is z0 + x (z1 - z0) + y (z2 - z0).

    Attributes:
        point: x and y; None for a map, rows from y = 1 down to 0, in each x from 0 to 1.
    """

    seed: int
    point: tuple[float, float] | None = None
    truncation: float | None = None
    label: int | None = None

    @property
    def count(self) -> int:
        """How many samples it draws."""
        return MAP_SIDE**2 if self.point is None else 1

    def show(self, model: Model) -> Shown:
        """Return the samples."""
        z = draw_noise(_noise(model), 3, seed=self.seed, truncation=self.truncation)
        if self.point is None:
            ticks = torch.linspace(0, 1, MAP_SIDE)
            points = torch.cartesian_prod(ticks.flip(0), ticks).flip(1)
        else:
            points = torch.tensor([self.point])
        return Shown(_generate(model, z[0] + points.to(z.device) @ (z[1:] - z[0]), self.label), {"side": MAP_SIDE})

    def python(self, model: Model) -> list[str]:
        """Return the lines."""
        ticks = f"torch.linspace(0, 1, {MAP_SIDE})"
        of_map = f"torch.cartesian_prod({ticks}.flip(0), {ticks}).flip(1)"
        return [
            f"z = ganfw.draw_noise(source.noise, 3, {_draw(self.seed, self.truncation)})",
            f"points = {of_map if self.point is None else f'torch.tensor([{self.point}])'}",
            "z = z[0] + points.to(z.device) @ (z[1:] - z[0])",
            _generating(self.label),
        ]

    def command(self, model: Model) -> list[str] | str:
        """Return the words, or why there are none."""
        return "No command moves in a plane."


@frozen(kw_only=True)
class Coordinates:
    """A sample, and the same with some coordinates of its noise changed."""

    anchor: Anchor
    changes: Mapping[int, float]
    truncation: float | None = None
    label: int | None = None

    @property
    def count(self) -> int:
        """How many samples it draws."""
        return 2

    def show(self, model: Model) -> Shown:
        """Return the samples."""
        z = self.anchor.draw(_noise(model), self.truncation)
        drawn = [round(value, 4) for value in z[0].tolist()]
        z = z.repeat(2, 1)
        for index, value in self.changes.items():
            if index >= z.shape[1]:
                raise InputError(f"coordinate {index} does not exist: it must be from 0 to {z.shape[1] - 1}")
            z[1, index] = value
        return Shown(_generate(model, z, self.label), {"z": drawn})

    def python(self, model: Model) -> list[str]:
        """Return the lines."""
        return [
            f"z = {self.anchor.python(self.truncation)}.repeat(2, 1)",
            *(f"z[1, {index}] = {value}" for index, value in self.changes.items()),
            _generating(self.label),
        ]

    def command(self, model: Model) -> list[str] | str:
        """Return the words, or why there are none."""
        return "No command changes single coordinates."


@frozen(kw_only=True)
class Nearest:
    """A sample of a grid, and the training samples that are nearest to it."""

    grid: Grid
    number: int

    @property
    def count(self) -> int:
        """How many samples it draws."""
        return self.grid.count

    def show(self, model: Model) -> Shown:
        """Return the samples."""
        if model.takes_inputs:
            raise InputError("these samples are made from inputs; choose a run whose samples are made from noise")
        chosen = self.grid.show(model).samples[self.number]
        training = model.run.training_data(model).samples
        is_uint8 = training.dtype == torch.uint8
        indices, distances = nearest_samples(to_uint8(chosen) if is_uint8 else chosen, training, NEIGHBOURS)
        found = training[indices].float().div(255 if is_uint8 else 1)
        about = {"distances": [round(each, 4) for each in distances.tolist()], "indices": indices.tolist()}
        return Shown(torch.cat([chosen[None], found]), about)

    def python(self, model: Model) -> list[str]:
        """Return the lines."""
        is_uint8 = model.run.training_data(model).samples.dtype == torch.uint8
        chosen = f"samples[{self.number}]"
        query = f"ganfw.to_uint8({chosen})" if is_uint8 else chosen
        return [
            *self.grid.python(model),
            'data = open_data(ganfw.resolve(checkpoint.recipe(), registry, only=["data"]))',
            f"training = gather(data, {MAX_TRAINING}).samples",
            f"indices, distances = nearest_samples({query}, training, {NEIGHBOURS})",
            f"found = training[indices].float(){' / 255' if is_uint8 else ''}",
            f"samples = torch.cat([{chosen}[None], found])",
        ]

    def command(self, model: Model) -> list[str] | str:
        """Return the words, or why there are none."""
        return "No command finds the neighbours of one sample. ganfw evaluate draws those of several, by features."


def _noise(model: Model) -> Noise:
    noise = model.source.noise
    if noise is None or "generator" not in model.source.networks:
        raise InputError("this run has no generator with noise to walk through; choose another run")
    return noise


def _generate(model: Model, z: Tensor, label: int | None) -> Tensor:
    labels = None if label is None else torch.full((len(z),), label)
    return generate(model.source.networks["generator"], z, labels=labels, batch_size=model.source.batch_size)


def _generating(label: int | None) -> str:
    labels = "" if label is None else f", labels=torch.full((len(z),), {label})"
    return f'samples = ganfw.generate(source.networks["generator"], z{labels}, batch_size=source.batch_size)'


def _draw(seed: int, truncation: float | None) -> str:
    return f"seed={seed}" if truncation is None else f"seed={seed}, truncation={truncation}"


def _options(truncation: float | None, label: int | None) -> list[str]:
    return [
        *(["--truncation", str(truncation)] if truncation is not None else []),
        *(["--class", str(label)] if label is not None else []),
    ]
