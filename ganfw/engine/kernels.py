"""Let PyTorch use what a machine has, without a change in any result's precision unless a recipe asks for one."""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import torch

_matmul: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]  # torch has no types for it


@contextlib.contextmanager
def fast_kernels(device: torch.device, *, tf32: bool = False) -> Iterator[None]:
    """Within the block, compute on `device` with the fastest kernels of full precision.

    On a CPU, float32 matrix products go to oneDNN where it keeps float32 precision: the default, MKL, leaves half
    of the speed of AVX-512 unused on processors that are not Intel's. A choice of the user's own in
    `torch.backends.mkldnn.matmul.fp32_precision` is not changed.

    On CUDA, float32 products and convolutions are those of float32, or with `tf32` those of TF32. A choice outside of
    the block has no effect in it.
    """
    if device.type == "cuda":
        with _float32_products("tf32" if tf32 else "ieee"):
            yield
        return
    if device.type != "cpu" or _matmul.fp32_precision != "none" or not _onednn_is_exact():
        yield
        return
    _matmul.fp32_precision = "bf16"
    try:
        yield
    finally:
        _matmul.fp32_precision = "none"


@contextlib.contextmanager
def _float32_products(precision: str) -> Iterator[None]:
    """Within the block, let cuBLAS and cuDNN compute float32 products in a precision: `"ieee"` or `"tf32"`.

    By its default torch computes matrix products in float32, and convolutions in TF32: factors are rounded to 10 bits.
    cuDNN's convolutions and recurrent layers are set alike, for torch refuses to read one switch of both otherwise.
    Source: "CUDA semantics" in the documentation of torch, section "TensorFloat-32".
    """
    cudnn: Any = torch.backends.cudnn  # torch has no types for what these modules turn into
    switches: tuple[Any, ...] = (torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn)
    before = [switch.fp32_precision for switch in switches]
    for switch in switches:
        switch.fp32_precision = precision
    try:
        yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch.fp32_precision = value


@functools.cache
def _onednn_is_exact() -> bool:
    """Whether oneDNN, allowed to round the factors of a float32 product to bfloat16, does not.

    It does so only where that is faster (with AMX); elsewhere the permission selects its float32 kernels.
    """
    if not torch.backends.mkldnn.is_available():
        return False
    random = torch.Generator().manual_seed(0)
    left, right = (torch.rand(128, 128, generator=random) for _ in range(2))
    exact = left.double() @ right.double()
    _matmul.fp32_precision = "bf16"
    try:
        error = (left @ right - exact).abs().max() / exact.abs().max()
    finally:
        _matmul.fp32_precision = "none"
    return bool(error < 1e-5)  # float32 gives 1e-7, bfloat16 1e-3
