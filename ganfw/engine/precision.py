"""Number formats of the training step: float32, or bfloat16 products with float32 weights and losses."""

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ganfw.errors import InputError

Precision = Literal["fp32", "bf16"]


def require_precision(precision: Precision, device: torch.device) -> None:
    """Make sure that a device computes in a precision by itself; an emulation would be slower than float32.

    Raises:
        InputError: it does not.
    """
    if precision == "fp32":
        return
    if device.type == "cuda":
        able = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        able = any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    else:
        able = False
    if not able:
        raise InputError(f'run.precision = "bf16": {device} has no bfloat16 arithmetic of its own; use "fp32"')


@contextlib.contextmanager
def computing_in(precision: Precision, *networks: nn.Module, compiled: bool = False) -> Iterator[None]:
    """Within the block, let training passes of networks compute in a precision.

    With `"bf16"` each forward pass in training mode runs under autocast: matrix products and convolutions in
    bfloat16, reductions such as batch statistics in float32. Weights stay in float32 and get float32 gradients, and
    outputs are float32, so that losses and updates are as they were. Evaluation mode stays in float32: samples are
    those that a checkpoint gives anywhere. Source: Micikevicius et al., "Mixed Precision Training", 2018, section 3.

    Args:
        precision: `"fp32"` or `"bf16"`.
        networks: each on one device.
        compiled: whether passes are part of what is compiled: roundings of weights are then left to the compiler.
    """
    if precision == "fp32":
        yield
        return
    passes = [(_CompilablePasses if compiled else _MixedPasses)(network) for network in networks]
    try:
        yield
    finally:
        for each in passes:
            each.remove()


class _CompilablePasses:
    """Lets one network's training passes compute in bfloat16 in a way that a compiler understands: by autocast."""

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._before = vars(network).get("forward")
        forward = network.forward
        device_type = _device_type(network)

        def mixed(*inputs: Any, **options: Any) -> Any:
            if not network.training:
                return forward(*inputs, **options)
            with torch.autocast(device_type, torch.bfloat16):
                output = forward(*inputs, **options)
            return output.float()

        network.forward = mixed

    def remove(self) -> None:
        """Give the network its own forward pass again."""
        del self._network.forward
        if self._before is not None:
            self._network.forward = self._before


class _MixedPasses:
    """Hooks that let one network's training passes compute in bfloat16.

    Autocast alone would round every weight again in every pass. The first pass shows which weights it rounds; later
    ones are given roundings, remade only after an optimizer's step or a write that autograd knows of.
    """

    def __init__(self, network: nn.Module) -> None:
        self._slots: list[tuple[dict[str, Any], str, nn.Parameter]] | None = None
        self._roundings: list[Tensor] = []  # of the weights in the slots, as they were when all had these marks
        self._marks: list[tuple[int, bool]] = []
        self._device_type = _device_type(network)
        self._open: list[list[AbstractContextManager[Any]]] = []
        self._handles = [
            network.register_forward_pre_hook(self._enter),
            network.register_forward_hook(self._leave, always_call=True),
            register_optimizer_step_post_hook(self._forget),
        ]

    def remove(self) -> None:
        """Take the hooks away."""
        for handle in self._handles:
            handle.remove()

    def _enter(self, network: nn.Module, inputs: Any) -> None:
        if not network.training:
            return
        if self._slots:
            self._round()
            for (parameters, name, _), rounding in zip(self._slots, self._roundings, strict=True):
                parameters[name] = rounding
        contexts: list[AbstractContextManager[Any]] = [torch.autocast(self._device_type, torch.bfloat16)]
        if self._slots is None:
            contexts.append(_Watch())
        for context in contexts:
            context.__enter__()
        self._open.append(contexts)

    def _leave(self, network: nn.Module, inputs: Any, output: Any) -> Any:
        if not network.training:
            return None
        contexts = self._open.pop()
        for context in reversed(contexts):
            context.__exit__(None, None, None)
        for parameters, name, weight in self._slots or ():
            parameters[name] = weight
        if not isinstance(output, Tensor):  # the pass has failed
            return None
        if isinstance(watch := contexts[-1], _Watch):
            rounded = watch.weights()
            self._slots = [
                (module._parameters, name, weight)
                for module in network.modules()
                for name, weight in module._parameters.items()
                if weight is not None and id(weight) in rounded
            ]
        return output.float()

    def _round(self) -> None:
        """Round the weights in the slots, unless they are as before; gradients pass to those that take any."""
        weights = [weight for _, _, weight in self._slots or ()]
        marks = [(weight._version, weight.requires_grad) for weight in weights]
        if marks != self._marks:
            with torch.enable_grad():  # a pass with gradients may use them after one without
                self._roundings = [weight.to(torch.bfloat16) for weight in weights]
            self._marks = marks

    def _forget(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        """Note that an optimizer has changed its weights; fused ones do so unknown to autograd."""
        changed = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
        if any(id(weight) in changed for _, _, weight in self._slots or ()):
            self._marks = []


def _device_type(network: nn.Module) -> str:
    return next((weight.device.type for weight in network.parameters()), "cpu")


class _Watch(TorchDispatchMode):
    """Notes which tensors are rounded to bfloat16, and which are used in any other way."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.rounded: list[Tensor] = []
        self.otherwise: list[Tensor] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        is_rounding = func is torch.ops.aten._to_copy.default and kwargs.get("dtype") == torch.bfloat16
        used = self.rounded if is_rounding else self.otherwise
        used.extend(leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor))
        return func(*args, **kwargs)

    def weights(self) -> set[int]:
        """Return the identities of the tensors that were rounded and not used otherwise."""
        return {id(tensor) for tensor in self.rounded} - {id(tensor) for tensor in self.otherwise}
