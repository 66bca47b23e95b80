"""Gradients of a loss, as written or compiled together with it by torch.compile."""

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from attrs import field, frozen
from torch import Tensor

from ganfw.data import Batch, RowRandom
from ganfw.distributed.process_group import ProcessGroup

Loss = Callable[..., Tensor | tuple[Tensor, Mapping[str, Tensor]]]
Seen = Mapping[str, Tensor]
_Request = tuple[str, tuple[int, ...], int]
"""Random numbers that a loss asks for: how they are distributed, the shape of a row's, and the bound of integers."""


def differentiate(
    loss_of: Loss,
    weights: Sequence[Tensor],
    batch: Batch,
    random: torch.Generator,
    drawn: tuple[Any, ...],
    share: float,
    compiler: "Compiler | None",
) -> tuple[Tensor, Seen]:
    """Add the gradients of a loss to those of some weights, and of drawn tensors that require one.

    Args:
        loss_of: returns the loss, a scalar, or a pair of it and what else it computed.
        weights: leaves.
        batch: what it is given first.
        random: what its random numbers for rows come from.
        drawn: what it is given last.
        share: what gradients are multiplied by.
        compiler: compiles the loss together with its gradients, or None.

    Returns:
        The loss, detached, and what else it computed.
    """
    leaves = [*weights, *(value for value in drawn if isinstance(value, Tensor) and value.requires_grad)]
    passes = compiler.passes(loss_of, batch, drawn) if compiler else None
    if passes is None:
        loss, seen = _pair(loss_of(batch, batch.row_random(random), *drawn))
        (loss if share == 1 else loss * share).backward(inputs=leaves)
        return loss.detach(), seen
    return passes(leaves, batch, random, drawn, share)


def _pair(returned: Any) -> tuple[Tensor, Seen]:
    return returned if isinstance(returned, tuple) else (returned, {})


def compile_blocker(device: torch.device, processes: ProcessGroup) -> str:
    """Return why torch.compile cannot be used, or `""`: on a device it is tried on a sum."""
    if processes.size > 1:
        return "there are several processes"
    options = inspect.signature(torch.compile).parameters
    if "isolate_recompiles" not in options or not hasattr(torch._dynamo.config, "trace_autograd_ops"):
        return f"torch {torch.__version__} cannot compile a loss together with its gradients; a newer one can"
    try:
        torch.compile(lambda x: x + 1)(torch.zeros(1, device=device))
    except Exception as error:  # every backend has errors of its own
        return f"torch.compile fails here: {error}".strip().partition("\n")[0]
    return ""


class Compiler:
    """Compiles losses together with their gradients, on CUDA into CUDA graphs.

    A loss is compiled when it is first asked for, which takes seconds, and once for each set of constants that it is
    given: with a lazy term, and without. A short last batch is not worth that and runs as written, as a loss does
    that the compiler fails on. What happens to a batch does not depend on those before it: a resumed run computes
    what an unbroken one does, to the last bit.
    """

    def __init__(
        self,
        device: torch.device,
        rows: int,
        say: Callable[[str], None],
        unchanged: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        """Prepare to compile.

        Args:
            device: where losses are computed.
            rows: rows of the batches that are compiled.
            say: called with a line on what is not compiled, and why.
            unchanged: a block in which a loss can be tried without a trace.
        """
        self.device = device
        self.rows = rows
        self.mode = "reduce-overhead" if device.type == "cuda" else None
        self.unchanged = unchanged
        self._say = say
        self._passes: dict[Any, _CompiledPasses | None] = {}

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Within the block, let gradients be part of what is compiled."""
        config: Any = torch._dynamo.config
        with config.patch(trace_autograd_ops=True):
            yield

    def passes(self, loss_of: Loss, batch: Batch, drawn: tuple[Any, ...]) -> "_CompiledPasses | None":
        """Return both passes of a loss, compiled, or None where they run as written."""
        if len(batch) != self.rows:
            return None
        key = (loss_of, tuple(value for value in drawn if not isinstance(value, Tensor)))
        if key not in self._passes:
            self._passes[key] = _CompiledPasses(self, loss_of)
        return self._passes[key]

    def leave(self, passes: "_CompiledPasses", why: str) -> None:
        """Let a loss run as written from now on."""
        for key in [key for key, compiled in self._passes.items() if compiled is passes]:
            self._passes[key] = None
        name = getattr(passes.loss_of, "__name__", "a loss").strip("_").replace("_", " ")
        self._say(f"run.compile: not compiled: {name}: {why}")


class _CompiledPasses:
    """Both passes of one loss, compiled for batches of one size and one set of constants."""

    def __init__(self, compiler: Compiler, loss_of: Loss) -> None:
        compile_: Any = torch.compile  # its types do not know all that it takes
        self.loss_of = loss_of
        self._compiler = compiler
        self._compiled = compile_(
            _loss_and_gradients, fullgraph=True, dynamic=False, mode=compiler.mode, isolate_recompiles=True
        )
        self._requests: list[_Request] | None = None

    def __call__(
        self, leaves: Sequence[Tensor], batch: Batch, random: torch.Generator, drawn: tuple[Any, ...], share: float
    ) -> tuple[Tensor, Seen]:
        numbers = self._draw(batch, random, drawn)
        try:
            loss, seen, gradients = self._compiled(self.loss_of, leaves, batch, numbers, drawn)
        except torch._dynamo.exc.TorchDynamoException as error:
            self._compiler.leave(self, str(error).strip().partition("\n")[0])
            loss, seen = _pair(self.loss_of(batch, _Drawn(numbers), *drawn))
            gradients = torch.autograd.grad(loss, leaves, allow_unused=True)
        in_a_graph = self._compiler.mode is not None  # whose next run writes to the same memory
        _add(leaves, gradients, share, copies=in_a_graph)
        if in_a_graph:
            return loss.detach().clone(), {name: value.clone() for name, value in seen.items()}
        return loss.detach(), seen

    def _draw(self, batch: Batch, random: torch.Generator, drawn: tuple[Any, ...]) -> list[Tensor]:
        """Draw ahead what the loss asks for; what that is, is found out by trying it once."""
        row_random = batch.row_random(random)
        if self._requests is None:
            state = random.get_state()
            trial = _Recorder(random, batch.total, batch.rows)
            with self._compiler.unchanged(), torch.enable_grad():
                self.loss_of(batch, trial, *drawn)
            random.set_state(state)
            self._requests = trial.requests
        return [row_random.draw(*request) for request in self._requests]


def _loss_and_gradients(
    loss_of: Loss, leaves: Sequence[Tensor], batch: Batch, numbers: list[Tensor], drawn: tuple[Any, ...]
) -> tuple[Tensor, Seen, tuple[Tensor | None, ...]]:
    loss, seen = _pair(loss_of(batch, _Drawn(numbers), *drawn))
    gradients = torch.autograd.grad(loss, leaves, allow_unused=True)
    return loss.detach(), {name: value.detach() for name, value in seen.items()}, gradients


@frozen(eq=False)
class _Recorder(RowRandom):
    """Notes what random numbers are asked for."""

    requests: list[_Request] = field(factory=list)

    def draw(self, distribution: str, shape: tuple[int, ...], high: int = 0) -> Tensor:
        self.requests.append((distribution, tuple(shape), high))
        return super().draw(distribution, shape, high)


class _Drawn:
    """Gives random numbers that were drawn ahead, in the order in which they are asked for."""

    def __init__(self, numbers: Sequence[Tensor]) -> None:
        self._numbers = numbers
        self._given = 0

    def _next(self, *_asked: int) -> Tensor:
        self._given += 1
        return self._numbers[self._given - 1]

    uniform = normal = integers = _next


def _add(leaves: Sequence[Tensor], gradients: Sequence[Tensor | None], share: float, *, copies: bool) -> None:
    """Add gradients as autograd would: laid out as their leaves are, each in memory of its own."""
    memory = set()
    for leaf, gradient in zip(leaves, gradients, strict=True):
        if gradient is None:
            continue
        if leaf.grad is not None:
            leaf.grad.add_(gradient, alpha=share)
            continue
        if copies or gradient.stride() != leaf.stride() or gradient.data_ptr() in memory:
            gradient = torch.empty_like(leaf).copy_(gradient)
        memory.add(gradient.data_ptr())
        leaf.grad = gradient if share == 1 else gradient * share
