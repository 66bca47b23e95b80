"""Updates as data, and the one place where an update of any algorithm is done."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from attrs import define, field, frozen
from torch import Tensor
from torch.optim import Optimizer

from ganfw.data import Batch
from ganfw.distributed.process_group import ProcessGroup
from ganfw.engine.compilation import Compiler, Loss, differentiate
from ganfw.errors import PartError


@frozen(eq=False)
class Update:
    """One update of a step: what an optimizer minimises.

    Attributes:
        optimizer: the name of the optimizer.
        loss: `loss(batch, random, *drawn)` returns what is minimised, a float32 scalar; or a pair of it and a mapping
            of what else it computed, by name. It is the same function in each step, for `run.compile` compiles it
            together with its gradients; random numbers for rows come from `random`, a `RowRandom`. What it is logged
            as: `loss/OPTIMIZER`.
        draw: `draw(batch, random)` returns what the loss is given besides: tensors with a row for each row of the
            batch, such as noise from `random`, a `torch.Generator`; scalar tensors; and constants, each set of which
            is compiled apart. It is called outside what is compiled. A tensor may carry a graph: the gradient goes
            through it to the optimizer's weights.
        times: how often the update is made with each batch.
        every_steps: the update is made in the first step and then in each n-th.
        after: called after the optimizer's step, for instance to clip weights.
        observe: given what the loss computed besides, after each pass; returns the statistics to log, detached
            floating point scalars by name. Without it, what the loss computed is what is logged.
    """

    optimizer: str
    loss: Loss
    draw: Callable[[Batch, torch.Generator], tuple[Any, ...]] | None = field(default=None, kw_only=True)
    times: int = field(default=1, kw_only=True)
    every_steps: int = field(default=1, kw_only=True)
    after: Callable[[], None] | None = field(default=None, kw_only=True)
    observe: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]] | None = field(default=None, kw_only=True)


class Step(Protocol):
    """The updates that an algorithm makes with each batch.

    They are made one after the other. A step that needs another order has a method
    `drive(batch, random, apply)` besides, which calls `apply(update, batch, random)` itself.
    """

    def updates(self) -> Sequence[Update]:
        """Return the updates, in their order; the same ones each time."""
        ...


@define(eq=False)
class Updater:
    """Makes updates: gradients, their sum over parts of the batch and over processes, clipping, step, what follows.

    Attributes:
        optimizers: by name.
        processes: the processes that share each batch.
        accumulate: parts that a batch is computed in.
        clip_norms: the largest norm of the gradient that an optimizer steps on, by its name.
        followers: what is called after each step of an optimizer, by its name.
        compiler: compiles losses, or None.
    """

    optimizers: Mapping[str, Optimizer]
    processes: ProcessGroup = field(factory=ProcessGroup)
    accumulate: int = 1
    clip_norms: Mapping[str, float] = field(factory=dict)
    followers: Mapping[str, Sequence[Callable[[], None]]] = field(factory=dict)
    compiler: Compiler | None = None
    _seen: dict[str, list[tuple[Tensor, float]]] = field(factory=dict, init=False)

    def run(self, step: Step, updates: Sequence[Update], batch: Batch, random: torch.Generator) -> dict[str, Tensor]:
        """Make all updates of a step with a batch; return its statistics, detached scalars on the device."""
        self._seen = {}
        drive = getattr(step, "drive", None)
        if drive is not None:
            drive(batch, random, self.apply)
        else:
            for update in updates:
                self.apply(update, batch, random)
        names = sorted(self._seen, key=lambda name: not name.startswith("loss/"))  # losses first, each as it came
        return {name: _mean(self._seen[name]) for name in names}

    def apply(self, update: Update, batch: Batch, random: torch.Generator) -> None:
        """Make an update as often as it says, if it is due in this step."""
        if batch.step % update.every_steps == 0:
            for _ in range(update.times):
                self._apply_once(update, batch, random)

    def _apply_once(self, update: Update, batch: Batch, random: torch.Generator) -> None:
        optimizer = self.optimizers[update.optimizer]
        weights = weights_of(optimizer)
        drawn = update.draw(batch, random) if update.draw else ()
        for weight in weights:
            weight.grad = None
        carried = {index: torch.zeros_like(value) for index, value in enumerate(drawn) if _has_graph(value)}
        self._add_gradients(update, batch, random, weights, drawn, carried)
        if carried:
            torch.autograd.backward([drawn[index] for index in carried], list(carried.values()), inputs=weights)
        gradients: list[Tensor] = [weight.grad for weight in weights if weight.grad is not None]
        if self.processes.size > 1 and gradients:
            torch._foreach_mul_(gradients, self.processes.weight)
            self.processes.add_up(gradients)
        if update.optimizer in self.clip_norms:
            torch.nn.utils.clip_grad_norm_(weights, self.clip_norms[update.optimizer])
        optimizer.step()
        if update.after is not None:
            with torch.no_grad():
                update.after()
        for follow in self.followers.get(update.optimizer, ()):
            follow()

    def _add_gradients(
        self,
        update: Update,
        batch: Batch,
        random: torch.Generator,
        weights: list[Tensor],
        drawn: tuple[Any, ...],
        carried: Mapping[int, Tensor],
    ) -> None:
        """Add the gradients of each part of the batch; every part draws the random numbers of the whole.

        Those of what was drawn with a graph are added to `carried`, by its place in `drawn`.
        """
        count = self.processes.parts_of(batch.total, self.accumulate)
        state = random.get_state() if count > 1 else None
        for part, rows in batch.split(count) if count > 1 else ((batch, None),):
            share = 1.0 if rows is None else len(part) / len(batch)
            if state is not None:
                random.set_state(state)
            inputs = tuple(_leaf(_rows_of(value, rows, len(batch))) for value in drawn)
            loss, seen = differentiate(update.loss, weights, part, random, inputs, share, self.compiler)
            for index, gradient in carried.items():
                if inputs[index].grad is not None:
                    _rows_of(gradient, rows, len(batch)).add_(inputs[index].grad)
            self._note(f"loss/{update.optimizer}", loss, share)
            for name, value in (update.observe(seen) if update.observe else seen).items():
                self._note(name, value.detach(), share)

    def _note(self, name: str, value: Tensor, share: float) -> None:
        self._seen.setdefault(name, []).append((value, share))


def weights_of(optimizer: Optimizer) -> list[Tensor]:
    """Return what an optimizer updates."""
    return [weight for group in optimizer.param_groups for weight in group["params"] if weight.requires_grad]


def check_updates(label: str, updates: Sequence[Update], optimizers: Mapping[str, Optimizer]) -> None:
    """Make sure that updates and optimizers belong together.

    Args:
        label: how errors name the step.
        updates: what it returned.
        optimizers: by name.

    Raises:
        PartError: an update is of an optimizer that is not there, or an optimizer has no update.
    """
    for update in updates:
        if not isinstance(update, Update):
            raise PartError(f"{label}: updates must return ganfw.Update, not {type(update).__name__}")
        if update.optimizer not in optimizers:
            there = ", ".join(optimizers) or "none"
            raise PartError(
                f"{label} updates '{update.optimizer}', but the recipe has no [optimizer.{update.optimizer}]; "
                f"optimizers are {there}"
            )
    for name in optimizers:
        if name not in {update.optimizer for update in updates}:
            raise PartError(f"{label} makes no update of [optimizer.{name}]; remove it, or choose another step")


def _mean(noted: list[tuple[Tensor, float]]) -> Tensor:
    """Return the mean of what was noted, each with its share in the rows."""
    if len(noted) == 1:
        return noted[0][0]
    rows = sum(share for _, share in noted)
    return torch.stack([value * (share / rows) for value, share in noted]).sum()


def _has_graph(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


def _leaf(value: Any) -> Any:
    """Cut a tensor from its graph, and let it collect the gradient that flows through it."""
    return value.detach().requires_grad_() if _has_graph(value) else value


def _rows_of(value: Any, rows: slice | None, total: int) -> Any:
    is_of_rows = rows is not None and isinstance(value, Tensor) and value.ndim > 0 and len(value) == total
    return value[rows] if is_of_rows else value
