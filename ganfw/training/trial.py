"""Try, once and before training, whether the parts of an experiment fit together.

Each check runs parts on a batch of two and looks at shape, dtype, device and range, so that a misfit is an error that
names the part instead of a crash in a matrix product. The losses of the step's own updates are tried as in training.
"""

import contextlib
import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from attrs import evolve, frozen
from torch import Tensor, nn
from torch.optim import Optimizer

from ganfw.data import Batch
from ganfw.engine.networks import buffers_of, call_network, copy_network, evaluation_mode, inputs_of, outputs_of
from ganfw.engine.random_streams import own_randomness, seeded_generator
from ganfw.engine.updates import Update, weights_of
from ganfw.errors import GanfwError, PartError, PartFailure
from ganfw.recipe.tables import network_address
from ganfw.training.batches import Batches
from ganfw.training.objective import is_relativistic

COUNT = 2
"""Samples in the batch that is tried."""
_MISFITS = (RuntimeError, TypeError, ValueError, IndexError)
"""What torch and Python raise where shapes, dtypes or arguments do not fit."""


@contextlib.contextmanager
def unchanged(parts: Mapping[str, Any], device: torch.device) -> Iterator[None]:
    """Run a block and leave parts as they were: buffers, what they remember, and the global random generators."""
    networks = [part for part in parts.values() if isinstance(part, nn.Module)]
    buffers = [(*each, each[2].clone()) for each in buffers_of(*networks)]
    remembering = [
        (part, copy.deepcopy(part.state_dict()))
        for part in parts.values()
        if hasattr(part, "load_state_dict") and not isinstance(part, nn.Module | Optimizer)
    ]
    try:
        with own_randomness(0, device):
            yield
    finally:
        for module, name, buffer, value in buffers:
            buffer.data.copy_(value)  # unseen by autograd, for a graph that was made before may hold it
            setattr(module, name, buffer)
        for part, state in remembering:
            part.load_state_dict(state)


def to_blame(error: BaseException, parts: Mapping[str, Any]) -> str | None:
    """Return the address of the innermost part whose code an error came through, or None."""
    owners = {id(part): address for address, part in parts.items()}
    for address, part in parts.items():
        if isinstance(part, nn.Module):
            owners.update((id(module), address) for module in part.modules())
    found = None
    traceback = error.__traceback__
    while traceback is not None:
        found = owners.get(id(traceback.tb_frame.f_locals.get("self")), found)
        traceback = traceback.tb_next
    return found


@torch.no_grad()
def doubt_of_logits(network: nn.Module, first: Tensor, **named: Tensor | None) -> str:
    """Return why the outputs of a discriminator cannot be logits with any weights, or `""`.

    Found out by trying random weights and inputs in a copy: a Sigmoid or a Softmax at the end gives only values
    in [0, 1], a ReLU only values of 0 and above. A distance, which is above 0, is accepted.
    """
    network, random = copy_network(network), torch.Generator(first.device).manual_seed(0)
    least, most = math.inf, -math.inf
    for scale in (0.1, 1.0, 10.0) * 2:
        for weight in network.parameters():
            weight.copy_(scale * torch.randn(weight.shape, generator=random, device=weight.device))
        first = torch.randn(first.shape, generator=random, device=first.device)
        logits = outputs_of(call_network(network, first, **named))["logits"]
        least, most = min(least, float(logits.min())), max(most, float(logits.max()))
    if least >= 0 and most <= 1:
        return "gives values in [0, 1] with any weights: leave the sigmoid or softmax to the loss"
    return "gives no value below 0 with any weights: leave the ReLU before the loss out" if least == 0 else ""


def try_parts(experiment: Any) -> list[str]:
    """Try an experiment's parts on a small batch; nothing of their state or of the global random state changes.

    Args:
        experiment: an `Experiment`; it checks itself when it is created.

    Returns:
        What can be trained and is hardly meant, a sentence each.

    Raises:
        PartError: a part does not fit; the message names it, what it gives and what is needed.
        PartFailure: a part raises what is not about shapes, dtypes or arguments.
    """
    leaving_out = ("data", "optimizer", "averaging", "callbacks", "sampler")
    parts = {
        address: part for address, part in experiment.parts().items() if address.partition(".")[0] not in leaving_out
    }
    with unchanged(parts, experiment.device):
        fewest_rows = experiment.batches.fewest_rows(experiment.settings.accumulate)
        trial = _Trial(experiment.batches, experiment.networks, parts, experiment.label, fewest_rows)
        return trial.run(experiment.updates, experiment.optimizers)


@frozen(eq=False)
class _Trial:
    """The parts of one experiment, tried on a small batch.

    Attributes:
        batches: the data, on the device.
        networks: by name.
        parts: by address.
        label: how errors name the part at an address.
        fewest_rows: samples in the smallest part of a batch that goes through a network at once.
    """

    batches: Batches
    networks: Mapping[str, nn.Module]
    parts: Mapping[str, Any]
    label: Callable[[str], str]
    fewest_rows: int

    def run(self, updates: Sequence[Update], optimizers: Mapping[str, Optimizer]) -> list[str]:
        batch, doubts = self._batch(), []
        with torch.no_grad(), evaluation_mode(*self.networks.values()):
            shape, bounds = (COUNT, *self.batches.sample_shape), self.batches.value_range
            z = self._try_noise()
            for name, network in self.networks.items():
                self._check_device(name, network)
            if z is not None:
                self._try_generator(z, batch, shape, bounds)
            logits = self._try_discriminator(z, batch)
            if logits is not None and "loss" in self.parts:
                self._try_loss(logits)
                named = {"labels": batch.labels, "z": z, **batch.more}
                if doubt := doubt_of_logits(self.networks["discriminator"], batch.samples, **named):
                    doubts.append(f"{self.label('discriminator')} {doubt}; it takes logits of both signs")
            for address in self.parts:
                if address.startswith("augmentations."):
                    random = batch.row_random(self._random())
                    self._check(address, self._call(address, batch.samples, random), shape)
        for update in updates:
            self._try_update(update, batch, optimizers[update.optimizer])
        return doubts

    def _batch(self) -> Batch:
        first = self.batches.first(COUNT)
        processes = self.batches.processes
        processes.begin_batch(COUNT * processes.size)

        def enough(entry: Tensor) -> Tensor:
            return entry.expand(COUNT, *entry.shape[1:])

        return evolve(
            first,
            samples=enough(first.samples),
            labels=None if first.labels is None else enough(first.labels),
            more={name: enough(entry) for name, entry in first.more.items()},
            total=COUNT * processes.size,
            rows=processes.rows,
        )

    def _random(self) -> torch.Generator:
        return seeded_generator(self.batches.device, 0, "contract")

    def _try_noise(self) -> Tensor | None:
        noise = self.parts.get("noise")
        if noise is None:
            return None
        if noise.device.type != self.batches.device.type:
            raise PartError(
                f"{self.label('noise')} is on {noise.device}; it must be on the run's {self.batches.device}"
            )
        return self._check("noise", self._call("noise", COUNT, self._random()), (COUNT, noise.z_dim))

    def _check_device(self, name: str, network: nn.Module) -> None:
        for parameter in network.parameters():
            if parameter.device.type != self.batches.device.type:
                label = self.label(network_address(name))
                raise PartError(f"{label} is on {parameter.device}; move it to the run's {self.batches.device}")

    def _try_generator(self, z: Tensor, batch: Batch, shape: tuple[int, ...], bounds: tuple[float, float]) -> None:
        generator = self.networks.get("generator")
        if generator is None or not _can_be_called(generator, batch):
            return
        counts = isinstance(getattr(generator, "num_classes", None), int)
        if "labels" in inputs_of(generator) and self.batches.num_classes is not None and not counts:
            raise PartError(f"{self.label('generator')} is conditional; it must have an attribute num_classes, an int")
        self._check("generator", self._call_network("generator", z, batch), shape, bounds)
        self._try_one_row("generator", z, batch)

    def _try_discriminator(self, z: Tensor | None, batch: Batch) -> Tensor | None:
        discriminator = self.networks.get("discriminator")
        if discriminator is None or not _can_be_called(discriminator, batch, z):
            return None
        returned = self._call_network("discriminator", batch.samples, batch, z=z)
        logits = outputs_of(returned).get("logits")
        if logits is None:
            raise PartError(
                f"{self.label('discriminator')} gives {', '.join(returned) or 'nothing'}; it must give 'logits'"
            )
        shape = (COUNT, 1, *logits.shape[2:])
        self._check("discriminator", logits, shape)
        self._try_one_row("discriminator", batch.samples, batch, z=z)
        return logits

    def _try_loss(self, logits: Tensor) -> None:
        loss = self.parts["loss"]
        if not hasattr(loss, "discriminator") or not hasattr(loss, "generator"):
            return
        reals = {"real_logits": logits} if is_relativistic(loss) else {}
        for call in (loss.discriminator, lambda _, fake_logits: loss.generator(fake_logits, **reals)):
            self._check("loss", self._guarded("loss", call, logits, logits), ())

    def _try_one_row(self, name: str, first: Tensor, batch: Batch, **named: Tensor | None) -> None:
        """Make sure that a network can train on a batch of one, as BatchNorm cannot, where the run has such a batch."""
        is_trained = any(parameter.requires_grad for parameter in self.networks[name].parameters())
        if self.fewest_rows > 1 or not is_trained:
            return
        one, _ = next(batch.split(COUNT))
        named = {key: None if value is None else value[:1] for key, value in named.items()}
        try:
            network = copy_network(self.networks[name]).train()
            call_network(network, first[:1], labels=one.labels, **one.more, **named)
        except _MISFITS as error:
            is_part = self.batches.shortest_batch > 1
            there = (
                "a part of one by run.accumulate; lower it" if is_part else "a batch of one; choose another batch size"
            )
            raise PartError(
                f"{self.label(network_address(name))} cannot train on one sample, and with {self.batches.size:,} "
                f"samples and run.batch_size = {self.batches.batch_size} there is {there}: {error}"
            ) from error

    def _try_update(self, update: Update, batch: Batch, optimizer: Optimizer) -> None:
        """Run the loss of an update as training does, and see that its gradient reaches its optimizer's weights."""
        what = f"{self.label('step')}: the update of '{update.optimizer}'"
        random, weights = self._random(), weights_of(optimizer)

        def run() -> Any:
            drawn = update.draw(batch, random) if update.draw else ()
            return update.loss(batch, batch.row_random(random), *drawn)

        returned = self._guarded("step", run)
        loss, seen = returned if isinstance(returned, tuple) else (returned, {})
        self._check_value(what, loss, ())
        for name, value in (update.observe(seen) if update.observe else seen).items():
            owner = f"regularizers.{name.partition('/')[0]}"
            owner = self.label(owner) if owner in self.parts else what
            self._check_value(f"{owner}: '{name}'" if owner == what else owner, value, ())
        reached = loss.requires_grad and any(
            gradient is not None for gradient in torch.autograd.grad(loss, weights, allow_unused=True)
        )
        if not reached:
            raise PartError(f"{what} has a loss that depends on no weight of its optimizer; name another optimizer")

    def _call_network(self, name: str, first: Tensor, batch: Batch, **named: Tensor | None) -> Any:
        return self._guarded(
            network_address(name),
            lambda x: call_network(self.networks[name], x, labels=batch.labels, **batch.more, **named),
            first,
        )

    def _call(self, address: str, *inputs: Any) -> Any:
        return self._guarded(address, self.parts[address], *inputs)

    def _guarded(self, address: str, call: Callable[..., Any], *inputs: Any) -> Any:
        """Call a part; what it raises becomes an error that names the part whose code it came through."""
        try:
            return call(*inputs)
        except (GanfwError, PartFailure):
            raise
        except Exception as error:
            label = self.label(to_blame(error, self.parts) or address)
            given = ", ".join(f"{tuple(x.shape)}" for x in inputs if isinstance(x, Tensor)) or "a small batch"
            kind = PartError if isinstance(error, _MISFITS) else PartFailure
            name = "" if isinstance(error, _MISFITS) else f"{type(error).__name__}: "
            raise kind(f"{label} fails on {given}: {name}{error}") from error

    def _check(
        self, address: str, value: object, shape: tuple[int, ...], bounds: tuple[float, float] | None = None
    ) -> Tensor:
        return self._check_value(self.label(address), value, shape, bounds)

    def _check_value(
        self, label: str, value: object, shape: tuple[int, ...], bounds: tuple[float, float] | None = None
    ) -> Tensor:
        if not isinstance(value, Tensor):
            raise PartError(f"{label} gives {type(value).__name__}; it must give a tensor")
        if tuple(value.shape) != shape:
            raise PartError(f"{label} gives shape {tuple(value.shape)}; {shape} is needed")
        if value.dtype != torch.float32:
            raise PartError(f"{label} gives {value.dtype}; torch.float32 is needed")
        if value.device.type != self.batches.device.type:
            raise PartError(f"{label} gives a tensor on {value.device}; it must be on the run's {self.batches.device}")
        if not torch.isfinite(value).all():
            raise PartError(f"{label} gives values that are not finite; all must be finite")
        low, high = (float(value.min()), float(value.max())) if bounds else (0.0, 0.0)
        if bounds and not (bounds[0] <= low and high <= bounds[1]):
            least, most = (f"{bound:g}" for bound in bounds)
            raise PartError(f"{label} gives values from {low:.3g} to {high:.3g}; images must be in [{least}, {most}]")
        return value


def _can_be_called(network: nn.Module, batch: Batch, z: Tensor | None = None) -> bool:
    """Whether the data and the noise give a network what it asks for; if not, only its step can."""
    there = {"labels": batch.labels, "z": z, **batch.more}
    return all(there.get(name) is not None for name, required in inputs_of(network).items() if required)
