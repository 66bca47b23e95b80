from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ganfw.engine.networks import treats_rows_independently


class Centred(nn.Module):
    """Subtracts the mean of the batch, with or without a gradient through it."""

    def __init__(self, *, detached: bool) -> None:
        super().__init__()
        self.detached = detached

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(0)
        return x - (mean.detach() if self.detached else mean)


ALONE: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 1)),
    "convolution": lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.LeakyReLU(), nn.Flatten(), nn.Linear(144, 1)),
    "group norm": lambda: nn.Sequential(nn.GroupNorm(1, 1), nn.Flatten(), nn.Linear(64, 1)),
    "dropout": lambda: nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(64, 1)),
    "batch norm in evaluation mode": lambda: nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(64, 1)).eval(),
}
TOGETHER: dict[str, Callable[[], nn.Module]] = {
    "batch norm": lambda: nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(64, 1)),
    "batch norm without running means": lambda: nn.Sequential(
        nn.BatchNorm2d(1, track_running_stats=False), nn.Flatten(), nn.Linear(64, 1)
    ),
    "a mean of the batch": lambda: nn.Sequential(Centred(detached=False), nn.Flatten(), nn.Linear(64, 1)),
    "a detached mean of the batch": lambda: nn.Sequential(Centred(detached=True), nn.Flatten(), nn.Linear(64, 1)),
    "spectral norm, which steps in each pass": lambda: nn.Sequential(nn.Flatten(), spectral_norm(nn.Linear(64, 1))),
}


@pytest.mark.parametrize("name", ALONE)
def test_layers_that_look_at_each_row_alone(name: str) -> None:
    assert treats_rows_independently(ALONE[name](), torch.rand(5, 1, 8, 8))


@pytest.mark.parametrize("name", TOGETHER)
def test_layers_that_mix_the_batch_or_leave_a_trace(name: str) -> None:
    assert not treats_rows_independently(TOGETHER[name](), torch.rand(5, 1, 8, 8))


@pytest.mark.parametrize("name", [*ALONE, *TOGETHER])
def test_finding_out_changes_nothing(name: str) -> None:
    network = (ALONE | TOGETHER)[name]()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    random_state = torch.get_rng_state()

    treats_rows_independently(network, torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0)))

    assert torch.equal(torch.get_rng_state(), random_state)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_a_buffer_that_a_pass_replaces_is_a_trace_and_is_put_back() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("passes", torch.zeros(()))

        def forward(self, x: Tensor) -> Tensor:
            self.passes = self.passes + 1
            return x

    network = Counting()
    buffer = network.passes

    assert not treats_rows_independently(network, torch.rand(5, 2))
    assert network.passes is buffer
    assert float(buffer) == 0
