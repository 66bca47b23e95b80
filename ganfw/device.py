"""Choose the device a run is on."""

import torch

from ganfw.errors import InputError


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
        raise InputError(f"device '{name}' is none that torch knows; use auto, cpu, cuda, cuda:1 or mps") from None
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not available.get(device.type, False):
        raise InputError(f"device '{name}': this machine has none that torch can use; use auto or cpu")
    return device
