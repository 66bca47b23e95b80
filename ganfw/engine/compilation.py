"""Compile losses together with their gradients, by torch.compile."""

import contextlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

from ganfw.distributed.process_group import ProcessGroup


def differentiate(
    loss_of: Callable[..., Tensor], weights: Sequence[Tensor], inputs: Sequence[Any], compile_blocker: str = ""
) -> Tensor:
    """Give some weights the gradients of a loss, as `.backward()` does; return the loss, detached.

    Within the block of `compiling`, forward and backward pass become one graph, in which small kernels are joined and
    no gradient is computed that is not asked for.

    Args:
        loss_of: returns the loss, a scalar, from the inputs; the same in each step.
        weights: leaves that need a gradient and have none yet.
        inputs: given to `loss_of`.
        compile_blocker: why this loss cannot be compiled, if it cannot; the user is told once.
    """
    compiler = _compiler.get()
    passes = compiler.passes(loss_of, compile_blocker) if compiler else _as_written
    return passes(loss_of, weights, inputs)


def compile_blocker(device: torch.device, world: ProcessGroup) -> str:
    """Return why torch.compile cannot be used, or `""`: on a device it is tried on a sum."""
    if world.size > 1:
        return "there are several processes"
    options = inspect.signature(torch.compile).parameters
    if "isolate_recompiles" not in options or not hasattr(torch._dynamo.config, "trace_autograd_ops"):
        return f"torch {torch.__version__} cannot compile a loss together with its gradients; a newer one can"
    try:
        torch.compile(lambda x: x + 1)(torch.zeros(1, device=device))
    except Exception as error:  # every backend has errors of its own
        return f"torch.compile fails here: {error}".strip().partition("\n")[0]
    return ""


@contextlib.contextmanager
def compiling(device: torch.device, rows: int, say: Callable[[str], None]) -> Iterator[None]:
    """Within the block, compile losses together with their gradients, on CUDA into CUDA graphs.

    Each is compiled when it is first asked for, which takes seconds. A short last batch is not worth that and runs
    as written, as a loss does that the compiler fails on. What happens to a batch does not depend on those before it:
    a resumed run computes what an unbroken one does, to the last bit.

    Args:
        device: where they are computed.
        rows: what the first tensor of a loss's inputs has if it is compiled.
        say: told in a line what is not compiled, and why.
    """
    token = _compiler.set(_Compiler(device, rows, say))
    config: Any = torch._dynamo.config
    try:
        with config.patch(trace_autograd_ops=True):
            yield
    finally:
        _compiler.reset(token)


def _as_written(loss_of: Callable[..., Tensor], weights: Sequence[Tensor], inputs: Sequence[Any]) -> Tensor:
    loss = loss_of(*inputs)
    loss.backward(inputs=weights)
    return loss.detach()


def _loss_and_gradients(
    loss_of: Callable[..., Tensor], weights: Sequence[Tensor], inputs: Sequence[Any]
) -> tuple[Tensor, tuple[Tensor | None, ...]]:
    loss = loss_of(*inputs)
    return loss.detach(), torch.autograd.grad(loss, weights, allow_unused=True)


class _Compiler:
    """Both passes of each loss, as they run within a block."""

    def __init__(self, device: torch.device, rows: int, say: Callable[[str], None]) -> None:
        self._rows = rows
        self._say = say
        self._mode = "reduce-overhead" if device.type == "cuda" else None
        self._passes: dict[Any, Callable[..., Tensor]] = {}

    def passes(self, loss_of: Callable[..., Tensor], why_not: str) -> Callable[..., Tensor]:
        if loss_of not in self._passes:
            if why_not:
                self._leave(loss_of, why_not)
            else:
                self._passes[loss_of] = _CompiledPasses(self._mode, self._rows, self._leave)
        return self._passes[loss_of]

    def _leave(self, loss_of: Callable[..., Tensor], why: str) -> None:
        self._passes[loss_of] = _as_written
        name = getattr(loss_of, "__name__", "a loss").strip("_").replace("_", " ")
        self._say(f"run.compile: not compiled: {name}: {why}")


class _CompiledPasses:
    """Both passes of one loss, compiled for batches of one size."""

    def __init__(self, mode: str | None, rows: int, leave: Callable[[Callable[..., Tensor], str], None]) -> None:
        compile_: Any = torch.compile  # its types do not know all that it takes
        self._compiled = compile_(_loss_and_gradients, dynamic=False, mode=mode, isolate_recompiles=True)
        self._mode = mode
        self._rows = rows
        self._leave = leave

    def __call__(self, loss_of: Callable[..., Tensor], weights: Sequence[Tensor], inputs: Sequence[Any]) -> Tensor:
        first = next((value for value in inputs if isinstance(value, Tensor)), None)
        if first is not None and len(first) != self._rows:
            return _as_written(loss_of, weights, inputs)
        try:
            loss: Tensor
            loss, gradients = self._compiled(loss_of, weights, inputs)
        except torch._dynamo.exc.TorchDynamoException as error:
            self._leave(loss_of, str(error).strip().partition("\n")[0])
            return _as_written(loss_of, weights, inputs)
        in_a_graph = self._mode is not None  # whose next run writes to the same memory
        _give(weights, gradients, copies=in_a_graph)
        return loss.clone() if in_a_graph else loss


def _give(weights: Sequence[Tensor], gradients: Sequence[Tensor | None], *, copies: bool) -> None:
    """Give weights their gradients as autograd would: laid out as they are, each in memory of its own."""
    memory = set()
    for weight, gradient in zip(weights, gradients, strict=True):
        if gradient is not None:
            if copies or gradient.stride() != weight.stride() or gradient.data_ptr() in memory:
                gradient = torch.empty_like(weight).copy_(gradient)
            memory.add(gradient.data_ptr())
        weight.grad = gradient


_compiler: ContextVar[_Compiler | None] = ContextVar("compiler", default=None)
