"""Take state apart into JSON and tensors, and put it together again. No pickle: only values, never code."""

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ganfw.errors import RunError


def flatten_state(state: Any) -> tuple[Any, dict[str, Tensor]]:
    """Separate nested state into JSON values and named CPU tensors, both copies.

    State may hold None, booleans, numbers, strings, tensors, and lists, tuples and dicts of these with keys that
    are strings or ints.

    Raises:
        RunError: it holds anything else.
    """
    tensors: dict[str, Tensor] = {}
    return _encode(state, "", tensors), tensors


def _encode(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        name = path or "value"
        while name in tensors:  # {"a": {"b": …}, "a.b": …}
            name += "'"
        tensors[name] = value.detach().to("cpu", copy=True).contiguous()
        return {"$tensor": name}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) is list:
        return [_encode(element, f"{path}.{index}", tensors) for index, element in enumerate(value)]
    if type(value) is tuple:
        return {"$tuple": _encode(list(value), path, tensors)}
    if isinstance(value, Mapping):
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: _encode(element, f"{path}.{key}".lstrip("."), tensors) for key, element in value.items()}
        if all(type(key) in (str, int) for key in value):
            return {"$items": [[key, _encode(element, f"{path}.{key}", tensors)] for key, element in value.items()]}
    raise RunError(f"the state '{path}' is of type {type(value).__name__}, which a checkpoint cannot hold")


def unflatten_state(tree: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Undo `flatten_state`.

    Raises:
        RunError: the tree is not one that `flatten_state` made, or a tensor is missing.
    """
    if isinstance(tree, list):
        return [unflatten_state(element, tensors) for element in tree]
    if not isinstance(tree, dict):
        return tree
    match tree:
        case {"$tensor": str(name)} if name in tensors:
            return tensors[name]
        case {"$float": "nan" | "inf" | "-inf" as text}:
            return float(text)
        case {"$tuple": list(elements)}:
            return tuple(unflatten_state(elements, tensors))
        case {"$items": list(items)} if all(isinstance(item, list) and len(item) == 2 for item in items):
            return {key: unflatten_state(element, tensors) for key, element in items if isinstance(key, str | int)}
    if any(key.startswith("$") for key in tree):
        raise RunError(f"the saved state has an entry that cannot be read: {str(tree)[:60]}")
    return {key: unflatten_state(element, tensors) for key, element in tree.items()}


def must_be_finite(address: str) -> bool:
    """Whether the tensors of a part are saved, and read again, only if they are finite."""
    return address.partition(".")[0] in ("generator", "discriminator", "networks", "averaging", "optimizer")
