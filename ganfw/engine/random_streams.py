"""Random numbers: every stream follows from the run's seed and a name, and all state can be saved."""

import contextlib
import hashlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch


def derive_seed(seed: int, *names: str | int) -> int:
    """Return a seed in [0, 2**63) for the stream called `names`, independent of all other names' streams."""
    text = "/".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def seeded_generator(device: torch.device | str, seed: int, *names: str | int) -> torch.Generator:
    """Return a torch generator on `device` for the stream called `names`."""
    return torch.Generator(device).manual_seed(derive_seed(seed, *names))


def seed_global(seed: int, device: torch.device) -> None:
    """Seed the generators that parts may use unasked: torch's on the CPU and on `device`, Python's and NumPy's."""
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        _set_device_state(torch.Generator(device).manual_seed(seed).get_state(), device)
    random.seed(seed)
    np.random.seed(seed % 2**32)


def global_state(device: torch.device) -> dict[str, Any]:
    """Return the state of the global generators, `device`'s among them, for `set_global_state`."""
    numpy_state: dict[str, Any] = dict(np.random.get_state(legacy=False))
    inner = numpy_state["state"]
    state = {
        "torch": torch.get_rng_state(),
        "python": random.getstate(),
        "numpy": {**numpy_state, "state": {**inner, "key": torch.from_numpy(inner["key"].astype(np.int64))}},
    }
    if device.type != "cpu":
        state["device"] = torch.get_device_module(device).get_rng_state(*_place(device))
    return state


def set_global_state(state: dict[str, Any], device: torch.device) -> None:
    """Restore what `global_state` returned.

    Raises:
        ValueError: NumPy's position is beyond its numbers; NumPy itself would read there.
    """
    torch.set_rng_state(state["torch"])
    random.setstate(state["python"])
    numpy_state = state["numpy"]
    inner = numpy_state["state"]
    if inner["pos"] not in range(len(inner["key"]) + 1):
        raise ValueError(f"NumPy's generator has no position {inner['pos']}")
    np.random.set_state({**numpy_state, "state": {**inner, "key": inner["key"].numpy().astype(np.uint32)}})
    if device.type != "cpu" and "device" in state:
        _set_device_state(state["device"], device)


def _set_device_state(state: torch.Tensor, device: torch.device) -> None:
    torch.get_device_module(device).set_rng_state(state, *_place(device))


def _place(device: torch.device) -> tuple[torch.device, ...]:
    """Return what the functions of a device's module take to say which device is meant; there is one MPS only."""
    return () if device.type == "mps" else (device,)


@contextlib.contextmanager
def own_randomness(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Run a block with the global generators seeded, and put them back afterwards."""
    device = torch.device(device)
    state = global_state(device)
    seed_global(seed, device)
    try:
        yield
    finally:
        set_global_state(state, device)
