"""Compare the saved state of an optimizer with what a step of it leaves, before it is loaded.

torch checks little of it, and its fused kernels trust the shapes: with others they write beyond their memory.
"""

import copy
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganfw.errors import RunError
from ganfw.plugins.signature import INTEGERS


def check_optimizer_state(name: str, optimizer: Optimizer, state: Any) -> None:
    """Make sure that saved state is of an optimizer with these options and of these parameters.

    An optimizer that cannot do a step on torch's meta device, where there is no memory, is not compared.

    Args:
        name: how the error calls the state.
        optimizer: the optimizer; it is left as it is.
        state: what its `state_dict` is said to have returned.

    Raises:
        RunError: it is not.
    """
    try:
        expected = _state_after_a_step(optimizer)
    except Exception:  # it needs a closure, or reads a value back: each fails in its own way
        return
    groups = optimizer.state_dict()["param_groups"]
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    match state:
        case {"param_groups": list(saved_groups), "state": dict(saved)} if len(saved_groups) == len(groups):
            if not all(map(_has_options, saved_groups, groups)):
                raise RunError(f"the state of '{name}' is of an optimizer with other options")
            for index, values in saved.items():
                if index not in range(len(parameters)) or not _fits(values, expected.get(index, {}), parameters[index]):
                    raise RunError(f"the state of '{name}' does not fit its parameter {index}")
        case _:
            raise RunError(f"the state of '{name}' is of no such optimizer")


def _state_after_a_step(optimizer: Optimizer) -> Mapping[int, Mapping[str, Any]]:
    """Return the state for each parameter that a copy of the optimizer has after its first step."""
    skeletons = {}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            skeletons[id(parameter)] = nn.Parameter(torch.empty_like(parameter, device="meta"))
            skeletons[id(parameter)].grad = torch.empty_like(parameter, device="meta")
    trial = copy.deepcopy(optimizer, {id(optimizer.state): defaultdict(dict), **skeletons})
    for group in trial.param_groups:
        group.update({switch: False for switch in ("fused", "foreach") if switch in group})
    trial.step()
    state: Mapping[int, Mapping[str, Any]] = trial.state_dict()["state"]
    return state


def _has_options(saved: Any, own: Mapping[str, Any]) -> bool:
    """Whether a saved group is of these parameters, has the same switches, and numbers where there are numbers.

    The numbers themselves may differ, for a schedule changes them; a switch that another version of torch does not
    know may be missing.
    """
    if not isinstance(saved, dict) or saved.get("params") != own["params"]:
        return False
    return all(_alike(saved[key], value) if key in saved else _is_switch(value) for key, value in own.items())


def _is_switch(value: object) -> bool:
    return value is None or isinstance(value, bool | str)


def _alike(saved: Any, own: Any) -> bool:
    if _is_switch(own):
        return type(saved) is type(own) and bool(saved == own)
    if isinstance(own, int | float):
        return type(saved) is float or (type(saved) is int and saved in INTEGERS)
    if isinstance(own, list | tuple):
        return isinstance(saved, list | tuple) and len(saved) == len(own) and all(map(_alike, saved, own))
    if isinstance(own, Tensor):
        return isinstance(saved, Tensor) and saved.shape == own.shape
    return type(saved) is type(own)


def _fits(saved: Any, expected: Mapping[str, Any], parameter: Tensor) -> bool:
    """Whether saved state of one parameter is as after a step, and what came later is of the parameter's shape."""
    if not isinstance(saved, dict):
        return False
    for key in expected.keys() | saved.keys():
        value, own = saved.get(key), expected.get(key)
        if isinstance(own, Tensor):
            fits = isinstance(value, Tensor) and (value.shape, value.dtype) == (own.shape, own.dtype)
        elif isinstance(value, Tensor):
            fits = value.shape in (parameter.shape, ())
        else:
            fits = own is None or type(value) is type(own)
        if not fits:
            return False
    return True
