import pytest
import torch

from ganfw.engine.kernels import fast_kernels

CPU = torch.device("cpu")


def test_products_keep_float32_precision() -> None:
    random = torch.Generator().manual_seed(1)
    left, right = torch.randn(128, 1024, generator=random), torch.randn(1024, 784, generator=random)
    exact = left.double() @ right.double()
    plain_error = (left @ right - exact).abs().max()

    with fast_kernels(CPU):
        error = (left @ right - exact).abs().max()

    assert error <= 5 * plain_error


def test_the_settings_are_put_back_even_after_an_error() -> None:
    with fast_kernels(CPU), fast_kernels(CPU):
        pass
    with pytest.raises(ZeroDivisionError), fast_kernels(CPU):
        1 / 0  # noqa: B018

    assert torch.backends.mkldnn.matmul.fp32_precision == "none"
    assert torch.get_float32_matmul_precision() == "highest"


def test_a_choice_of_the_users_own_is_left_alone() -> None:
    torch.backends.mkldnn.matmul.fp32_precision = "ieee"
    try:
        with fast_kernels(CPU):
            inside = torch.backends.mkldnn.matmul.fp32_precision
    finally:
        torch.backends.mkldnn.matmul.fp32_precision = "none"

    assert inside == "ieee"
