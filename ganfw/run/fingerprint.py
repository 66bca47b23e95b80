"""A few samples in a checkpoint, by which networks that are built again as others are noticed."""

import torch
from torch import Tensor

from ganfw.engine.sampling import SampleSource
from ganfw.errors import RunError
from ganfw.training.trial import unchanged

FILE_NAME = "fingerprint.safetensors"
"""The file of a checkpoint that holds a few samples."""
_COUNT = 2
_TOLERANCE = 1e-3


def samples_of(source: SampleSource, seed: int, device: torch.device) -> Tensor | None:
    """Return `(2, *sample_shape)` float32 samples of a seed on the CPU, None where none can be made from it.

    Nothing of the parts changes.
    """
    with unchanged({**source.networks, "noise": source.noise, "sampler": source.sampler}, device):
        try:
            return source.sample(_COUNT, seed=seed).float()
        except Exception:  # a generator that needs more than noise, or a sampler that needs input, fails in its own way
            return None


def check_samples(source: SampleSource, seed: int, device: torch.device, saved: Tensor) -> None:
    """Make sure that networks give the samples that they gave when they were saved.

    Raises:
        RunError: they do not.
    """
    found = samples_of(source, seed, device)
    if found is None:
        return  # asking for samples says why there are none
    if found.shape != saved.shape:
        differ = f"of shape {tuple(found.shape)} instead of {tuple(saved.shape)}"
    elif torch.allclose(found, saved, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True):
        return
    else:
        differ = f"which differ by up to {float((found - saved).abs().max()):.3g}"
    raise RunError(
        f"its networks are built again and give other samples than when they were saved, {differ}: the code of a "
        "part has changed, or a part keeps something that is not in its state_dict()"
    )
