"""The optimizers of torch.optim, with torch's own defaults.

Torch decorates methods of its optimizers for torch.compile, and the first call of any of them imports `torch._dynamo`,
which takes as long as most of what a run does before its first step. ganfw compiles no optimizer: the classes here call
the same methods without their decorators.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import torch
from annotated_types import Ge, Lt
from torch import optim
from torch.nn import Parameter

from ganfw import InputError

Kind = TypeVar("Kind", bound=optim.Optimizer)
LearningRate = Annotated[float, Ge(0), "learning rate"]
Epsilon = Annotated[float, Ge(0), "added to the denominator"]
Decay = Annotated[float, Ge(0), "weight decay"]
AMSGrad = Annotated[bool, "use the largest second moment so far"]
Betas = Annotated[
    tuple[Annotated[float, Ge(0), Lt(1)], Annotated[float, Ge(0), Lt(1)]],
    "decay rates of the running means of the gradient and its square",
]
Momentum = Annotated[float, Ge(0), "momentum"]


class _Undecorated(optim.Optimizer):
    """The methods that torch decorates alike in every optimizer."""

    add_param_group = inspect.unwrap(optim.Optimizer.add_param_group)
    state_dict = inspect.unwrap(optim.Optimizer.state_dict)
    load_state_dict = inspect.unwrap(optim.Optimizer.load_state_dict)
    zero_grad = inspect.unwrap(optim.Optimizer.zero_grad)


class Adam(_Undecorated, optim.Adam):
    """Torch's Adam."""

    step = torch.no_grad()(inspect.unwrap(optim.Adam.step))


class AdamW(_Undecorated, optim.AdamW):
    """Torch's AdamW."""

    step = torch.no_grad()(inspect.unwrap(optim.AdamW.step))


class RMSprop(_Undecorated, optim.RMSprop):
    """Torch's RMSprop."""

    step = torch.no_grad()(inspect.unwrap(optim.RMSprop.step))


class SGD(_Undecorated, optim.SGD):
    """Torch's SGD."""

    step = torch.no_grad()(inspect.unwrap(optim.SGD.step))


def adam(
    parameters: Sequence[Parameter],
    /,
    *,
    lr: LearningRate = 1e-3,
    betas: Betas = (0.9, 0.999),
    eps: Epsilon = 1e-8,
    weight_decay: Decay = 0.0,
    amsgrad: AMSGrad = False,
) -> Adam:
    """Adam: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1."""
    options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad}
    return _fused(Adam, parameters, **options)


def adamw(
    parameters: Sequence[Parameter],
    /,
    *,
    lr: LearningRate = 1e-3,
    betas: Betas = (0.9, 0.999),
    eps: Epsilon = 1e-8,
    weight_decay: Decay = 1e-2,
    amsgrad: AMSGrad = False,
    decay_vectors: Annotated[bool, "biases, and the factors and offsets of norms, decay like weights"] = True,
) -> AdamW:
    """AdamW: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019, algorithm 2."""
    options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad}
    optimizer = _fused(AdamW, parameters, **options)
    if not decay_vectors:
        (group,) = optimizer.param_groups
        vectors = [parameter for parameter in group["params"] if parameter.ndim < 2]
        group["params"] = [parameter for parameter in group["params"] if parameter.ndim >= 2]
        optimizer.add_param_group({**group, "params": vectors, "weight_decay": 0.0})
    return optimizer


def rmsprop(
    parameters: Sequence[Parameter],
    /,
    *,
    lr: LearningRate = 1e-2,
    alpha: Annotated[float, Ge(0), Lt(1), "decay rate of the running mean of the squared gradient"] = 0.99,
    eps: Epsilon = 1e-8,
    weight_decay: Decay = 0.0,
    momentum: Momentum = 0.0,
    centered: Annotated[bool, "divide by the estimated variance"] = False,
) -> RMSprop:
    """RMSprop: Tieleman and Hinton, "Neural Networks for Machine Learning", lecture 6.5, 2012."""
    options: dict[str, Any] = {"eps": eps, "weight_decay": weight_decay, "momentum": momentum, "centered": centered}
    return RMSprop(list(parameters), lr=lr, alpha=alpha, **options)


def sgd(
    parameters: Sequence[Parameter],
    /,
    *,
    lr: LearningRate = 1e-3,
    momentum: Momentum = 0.0,
    dampening: Annotated[float, "dampening of the momentum"] = 0.0,
    weight_decay: Decay = 0.0,
    nesterov: Annotated[bool, "Nesterov's momentum"] = False,
) -> SGD:
    """Stochastic gradient descent, with momentum if wished.

    Source: Robbins and Monro, "A Stochastic Approximation Method", 1951; momentum: Sutskever et al., "On the Importance
    of Initialization and Momentum in Deep Learning", 2013, section 2.

    Raises:
        InputError: Nesterov's momentum without momentum, or with dampening.
    """
    if nesterov and (momentum == 0 or dampening != 0):
        raise InputError("nesterov needs a momentum above 0 and no dampening")
    options = {"momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov}
    return _fused(SGD, parameters, lr=lr, **options)


def _fused(make: Callable[..., Kind], parameters: Sequence[Parameter], **options: Any) -> Kind:
    """Make an optimizer that updates all parameters in one kernel if it can; on a CPU that is several times faster."""
    parameters = list(parameters)
    can_fuse = all(each.device.type in ("cpu", "cuda", "mps") and each.is_floating_point() for each in parameters)
    return make(parameters, **options, fused=can_fuse and bool(parameters))
