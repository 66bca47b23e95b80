from pathlib import Path

import pytest
import torch

from ganfw import InputError, choose_device
from ganfw.engine.device import device_name

no_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")


def test_auto_is_the_best_there_is() -> None:
    best = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"

    assert choose_device("auto") == torch.device(best)
    assert choose_device("cpu") == torch.device("cpu")


@no_cuda
@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_cuda_where_there_is_none_is_refused(name: str) -> None:
    with pytest.raises(InputError) as caught:
        choose_device(name)
    assert str(caught.value) == f"device '{name}': this machine has none that torch can use; use auto or cpu"


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x"])
def test_an_unknown_device_is_refused(name: str) -> None:
    with pytest.raises(InputError) as caught:
        choose_device(name)
    expected = f"device '{name}' is unknown to torch; use auto, cpu, cuda, cuda:1 or mps"
    assert str(caught.value) == expected


def test_a_processor_has_the_name_that_the_system_tells() -> None:
    told = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in told.read_text().splitlines() if line.startswith("model name")]
    if not names:
        pytest.skip("this system does not tell")

    assert device_name(torch.device("cpu")) == names[0]
