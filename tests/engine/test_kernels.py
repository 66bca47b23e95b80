import pytest
import torch

import ganfw
from ganfw import Recipe, Registry, Training
from ganfw.engine.kernels import fast_kernels

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def float32_on_cuda() -> tuple[str, ...]:
    """Return how float32 matrix products, convolutions and recurrent layers are computed on CUDA."""
    backends = torch.backends
    return tuple(each.fp32_precision for each in (backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn))


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


def test_on_cuda_nothing_is_rounded_to_tf32_unless_asked() -> None:
    before = float32_on_cuda()
    with fast_kernels(CUDA, tf32=True):
        asked = float32_on_cuda()
        with fast_kernels(CUDA):
            within = float32_on_cuda()
        after = float32_on_cuda()
    with pytest.raises(ZeroDivisionError), fast_kernels(CUDA):
        1 / 0  # noqa: B018

    assert before == ("none", "tf32", "tf32")  # torch's own default
    assert (asked, within, after) == (("tf32",) * 3, ("ieee",) * 3, ("tf32",) * 3)
    assert float32_on_cuda() == before
    assert torch.backends.cudnn.allow_tf32  # the older switches can be read again
    assert not torch.backends.cuda.matmul.allow_tf32


@pytest.mark.parametrize("tf32", [False, True])
def test_training_computes_as_the_recipe_says(
    tiny: Recipe, registry: Registry, tf32: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = ganfw.assemble(ganfw.resolve(tiny.with_overrides([f"run.tf32={str(tf32).lower()}"]), registry))
    training = Training(experiment)
    monkeypatch.setattr(type(experiment), "device", CUDA)  # the switches are there without a GPU, too

    with training.engine():
        inside = float32_on_cuda()

    assert inside == (("tf32",) * 3 if tf32 else ("ieee",) * 3)
