"""Choose the device a run is on, and name it."""

import contextlib
import platform
import re
from collections.abc import Iterator
from pathlib import Path

import torch

from ganfw.errors import InputError, size_problem


def choose_device(name: str = "auto") -> torch.device:
    """Return the device called `name`; `"auto"` is CUDA where there is one, then MPS, then the CPU.

    Raises:
        InputError: torch knows no such device, or this machine has none.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"device '{name}' is unknown to torch; use auto, cpu, cuda, cuda:1 or mps") from None
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not available.get(device.type, False):
        raise InputError(f"device '{name}': this machine has none that torch can use; use auto or cpu")
    return device


@contextlib.contextmanager
def fitting_memory(what: str) -> Iterator[None]:
    """Within the block, let an error of too little memory say what does not fit and what to lower.

    Raises:
        InputError: there is too little memory for `what`.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if size_problem(error) is None:
            raise
        raise InputError(f"the memory is too small for {what}") from error


def device_name(device: torch.device) -> str:
    """Return what its maker calls a device: the GPU, or the processor if the system names it, else the architecture."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        named = re.search(r"^model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        named = None
    return named.group(1) if named else platform.processor() or platform.machine()
