"""Compare the saved state of an optimizer with its parameters, before it is loaded.

torch checks little of it, and its fused kernels trust the shapes: with others they write beyond their memory.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from ganfw.errors import RunError
from ganfw.plugins.signature import INTEGERS

_ADAM = ("step", "exp_avg", "exp_avg_sq")
"""What Adam remembers of each parameter."""


def check_optimizer_state(name: str, optimizer: Optimizer, state: Any) -> None:
    """Make sure that saved state is of an optimizer with these options and of these parameters.

    Args:
        name: how the error calls the state.
        optimizer: the optimizer; it is left as it is.
        state: what its `state_dict` is said to have returned.

    Raises:
        RunError: it is not.
    """
    groups = optimizer.state_dict()["param_groups"]
    parameters = [(each, group) for group in optimizer.param_groups for each in group["params"]]
    match state:
        case {"param_groups": list(saved_groups), "state": dict(saved)} if len(saved_groups) == len(groups):
            if not all(map(_has_options, saved_groups, groups)):
                raise RunError(f"the state of '{name}' is of an optimizer with other options")
            for index, values in saved.items():
                if index not in range(len(parameters)) or not _fits(values, *parameters[index]):
                    raise RunError(f"the state of '{name}' does not fit its parameter {index}")
        case _:
            raise RunError(f"the state of '{name}' is not of this optimizer")


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


def _fits(saved: Any, parameter: Tensor, group: Mapping[str, Any]) -> bool:
    """Whether saved state can be of a parameter: what a fused kernel reads is there, and has the right form."""
    if not isinstance(saved, dict) or not group.get("fused"):
        return isinstance(saved, dict)
    if saved and "betas" in group and saved.keys() != {*_ADAM, *(("max_exp_avg_sq",) if group.get("amsgrad") else ())}:
        return False
    forms = {key: ((), torch.float32) if key == "step" else (parameter.shape, parameter.dtype) for key in saved}
    return all(isinstance(value, Tensor) and (value.shape, value.dtype) == forms[key] for key, value in saved.items())
