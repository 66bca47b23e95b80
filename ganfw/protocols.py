"""What the kinds of parts must do. A part needs to inherit nothing: it fits by what it has.

Networks are `torch.nn.Module`s, optimizers `torch.optim.Optimizer`s. The first parameter of a network's `forward` is
its input; it is given what its further parameters name: `labels`, `z`, `samples`, or an entry of the data. A
discriminator returns logits, `(n, 1, ...)` float32, or a mapping of outputs by name, `logits` among them. A part with
state of its own has `state_dict()` and `load_state_dict(state)`, and is saved and resumed with the run.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from attrs import define, field, frozen
from torch import Tensor, nn

from ganfw.data import Batch, RowRandom


class Noise(Protocol):
    """Draws the generator's input.

    Noise with a structure also has `split(z: Tensor) -> Mapping[str, Tensor]`, the pieces of `(n, z_dim)` by name.
    """

    @property
    def z_dim(self) -> int:
        """Length of one noise vector."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the noise is created."""
        ...

    def __call__(self, count: int, random: torch.Generator) -> Tensor:
        """Return `(count, z_dim)` float32 on the device, drawn from `random`, which lives there too."""
        ...


@runtime_checkable
class TruncatableNoise(Noise, Protocol):
    """Noise that knows the truncation trick."""

    def truncated(self, threshold: float) -> Noise:
        """Return a sampler of this distribution conditioned on every coordinate being in [-threshold, threshold]."""
        ...


class Loss(Protocol):
    """Computes numbers from logits. It samples nothing, steps nothing and holds no network."""

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return what the discriminator minimises, a float32 scalar; logits are `(batch, 1, ...)` float32."""
        ...

    @property
    def generator(self) -> Callable[..., Tensor]:
        """A method that returns what the generator minimises, a scalar, from logits, all of them float32.

        Its parameter is `fake_logits`, `(batch, 1, ...)`. A relativistic loss has `real_logits`, `(batch, 1, ...)`
        without gradient, as a second one.
        """
        ...


@define(eq=False, kw_only=True)  # not frozen: torch.compile cannot build a frozen one
class UpdateContext:
    """What the update of one network has seen, for penalties.

    Attributes:
        real: `(batch, *sample_shape)` float32, the real samples as the discriminator saw them, augmented.
        fake: `(batch, *sample_shape)` float32, the fakes as it saw them.
        real_outputs: what the discriminator gave for the real samples, `(batch, ...)` each, by name, with `logits`
            `(batch, 1, ...)` float32; None in the generator's update, unless its loss is relativistic.
        fake_outputs: what it gave for the fakes, `(batch, ...)` each, with `logits` `(batch, 1, ...)` float32.
        z: `(batch, z_dim)` float32, the noise of the fakes, or None where they were not made from noise.
        labels: `(batch, ...)` int64 or float32, or None where the data has none.
        discriminate: the discriminator as a function of samples only, `(n, *sample_shape)` to logits, both float32, n
            as in the batch; it is given the batch's labels if it asks for them.
        generate: the generator as a function of noise only, `(n, z_dim)` to samples, both float32.
        networks: all networks, by name.
        random: random numbers for the rows of the batch.
        step: `()` int64 on the device, how many batches of the run came before; a tensor, so that a compiled loss
            follows it.
        total_steps: how many the run has in all; 0 where that is not known.
    """

    real: Tensor
    fake: Tensor
    real_outputs: Mapping[str, Tensor] | None
    fake_outputs: Mapping[str, Tensor]
    z: Tensor | None = None
    labels: Tensor | None = None
    discriminate: Callable[[Tensor], Tensor]
    generate: Callable[[Tensor], Tensor]
    networks: Mapping[str, nn.Module]
    random: RowRandom
    step: Tensor = field(factory=lambda: torch.zeros((), dtype=torch.int64))
    total_steps: int = 0

    @property
    def real_logits(self) -> Tensor | None:
        """The discriminator's `(batch, 1, ...)` logits of the real samples, or None."""
        return None if self.real_outputs is None else self.real_outputs["logits"]

    @property
    def fake_logits(self) -> Tensor:
        """The discriminator's `(batch, 1, ...)` logits of the fakes."""
        return self.fake_outputs["logits"]


class Penalty(Protocol):
    """A regularizer that adds a term to the loss of one network or of both; it has the methods of those it is for.

    It may have `every_steps: int`: its terms are added in the first step and then in each n-th, multiplied by
    that number: lazy regularization (Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020,
    appendix B). For the generator's loss it has `generator(context) -> Tensor` in the same way.
    """

    def discriminator(self, context: UpdateContext) -> Tensor:
        """Return a float32 scalar to add to the discriminator's loss, weight included."""
        ...


class Constraint(Protocol):
    """A regularizer that limits weights."""

    def constrain(self, discriminator: nn.Module) -> None:
        """Change the discriminator's weights in place, after each of its updates."""
        ...


Regularizer = Penalty | Constraint
"""What `[regularizers.NAME]` holds."""


class Augmentation(Protocol):
    """Changes samples before the discriminator sees them, real ones and fakes alike, so that gradients pass through.

    An adaptive one also has `observe(real_logits: Tensor) -> Mapping[str, Tensor] | None`, given the `(batch, 1, ...)`
    logits of real samples, without gradient, after each of the discriminator's passes. It does not wait for the
    device. What it returns, detached scalars on the device by name, new tensors each time and the same names in each
    pass, stands in the metrics beside the losses: `ada/p`.
    """

    def __call__(self, samples: Tensor, random: RowRandom) -> Tensor:
        """Return `(batch, *sample_shape)` float32 from such samples, different for each row."""
        ...


class Schedule(Protocol):
    """Moves a learning rate during training. It has no state: the rate is a function of the step."""

    def __call__(self, step: int, total_steps: int) -> float:
        """Return the factor of the optimizer's own learning rate in step `step`, 0 <= step < total_steps."""
        ...


class Averaging(Protocol):
    """Keeps means of the weights of networks, which samples are then made with."""

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """The networks with mean weights and buffers, by name, in evaluation mode, on their device.

        They are the same objects each time; asking for them makes them ready to be sampled from.
        """
        ...

    def update(self) -> None:
        """Take in the weights; called after each update of one of the networks. It does not wait for the device."""
        ...


@frozen(kw_only=True, eq=False)
class SampleRequest:
    """Which samples are asked for.

    Attributes:
        count: how many.
        seed: the samples are a function of this.
        truncation: every noise coordinate is conditioned on [-truncation, truncation]; None for no truncation.
        labels: `(count, ...)`, int64 classes or float32 conditions of the samples; None for each class in turn.
        inputs: real samples to start from, for a sampler that translates; None where there are none.
        batch_size: how many go through a network at once, which bounds memory and changes at most last digits.
    """

    count: int
    seed: int = 0
    truncation: float | None = None
    labels: Tensor | None = None
    inputs: Batch | None = None
    batch_size: int = 512


class Sampler(Protocol):
    """Makes samples with trained networks: those that it asks for by name, with mean weights where there are any.

    One that starts from given inputs has `takes_inputs = True`.
    """

    def __call__(self, request: SampleRequest) -> Tensor:
        """Return `(count, *sample_shape)` float32 on the CPU; images in [0, 1].

        Raises:
            InputError: it cannot do what the request asks for.
        """
        ...


@frozen
class TrialTask:
    """One trial of a sweep, to be run as a process of its own.

    Attributes:
        name: what the trial is called.
        command: what to run, wherever the sweep's folder and the working directory are the same. It reads `request`
            from standard input and prints one line at its end. When its standard input is closed before that, it stops
            after the current step, with a checkpoint.
        request: a line of text, without the newline.
        log: the file that the process's standard error is appended to.
    """

    name: str
    command: tuple[str, ...]
    request: str
    log: Path


class TrialJob(Protocol):
    """A trial that a launcher has started."""

    def result(self) -> tuple[int, str] | None:
        """Return None while the process runs, then its exit status, or minus its signal, and what it printed.

        Raises:
            GanfwError: it has neither, because the machine that it ran on is lost; the trial has failed.
        """
        ...

    def stop(self) -> None:
        """Ask the process to stop after the current step, and do not wait for it."""
        ...

    def kill(self) -> None:
        """End the process at once."""
        ...


class Launcher(Protocol):
    """Says where the trials of a sweep run. Processes that it has started stop when the sweep's own process ends."""

    @property
    def jobs(self) -> int:
        """How many trials run at once."""
        ...

    def start(self, task: TrialTask) -> TrialJob:
        """Start a trial, and do not wait for it.

        Raises:
            GanfwError: it cannot be started.
        """
        ...
