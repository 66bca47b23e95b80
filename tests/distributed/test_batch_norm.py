"""Which layers are synchronised, and that each gets its own forward pass back.

What synchronised layers compute, in real processes, is in test_process_group.py.
"""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganfw.distributed.batch_norm import synchronised_batch_norm
from ganfw.distributed.process_group import ProcessGroup


class OneOfTwo(ProcessGroup):
    """One of two processes, of which the other has the same rows."""

    def __init__(self) -> None:
        super().__init__(0, 2)
        self.sums = 0
        self.begin_batch(8)

    def add_up(self, tensors: Any) -> None:
        self.sums += 1
        for tensor in tensors:
            tensor *= 2


class Scaled(nn.BatchNorm1d):
    """BatchNorm as a user changes it."""

    def forward(self, x: Tensor) -> Tensor:
        return 100 * super().forward(x)


class Renamed(nn.BatchNorm1d):
    """BatchNorm under another name."""


ROWS = torch.rand(4, 3, generator=torch.Generator().manual_seed(0))


def test_a_layer_is_synchronised_and_gets_its_forward_pass_back() -> None:
    layer, plain, processes = Renamed(3), nn.BatchNorm1d(3), OneOfTwo()
    with synchronised_batch_norm(processes, nn.Sequential(layer)):
        output = layer(ROWS)

    torch.testing.assert_close(output, plain(torch.cat([ROWS, ROWS]))[:4])
    torch.testing.assert_close(layer.running_var, plain.running_var)
    assert processes.sums == 3
    assert "forward" not in vars(layer)


def test_a_subclass_keeps_a_forward_pass_of_its_own() -> None:
    layer, processes = Scaled(3), OneOfTwo()
    expected = Scaled(3)(ROWS)
    with synchronised_batch_norm(processes, nn.Sequential(layer)):
        output = layer(ROWS)

    torch.testing.assert_close(output, expected)
    assert output.std() > 50
    assert processes.sums == 0
    assert "forward" not in vars(layer)


def test_a_layer_in_evaluation_mode_normalises_what_it_is_given() -> None:
    layer, processes = nn.BatchNorm1d(3, track_running_stats=False).eval(), OneOfTwo()
    expected = layer(ROWS)
    with synchronised_batch_norm(processes, layer):
        torch.testing.assert_close(layer(ROWS), expected)

    assert processes.sums == 0


def test_an_instance_keeps_a_forward_pass_of_its_own() -> None:
    layer = nn.BatchNorm1d(3)
    own = layer.forward = lambda x: x + 1
    with synchronised_batch_norm(OneOfTwo(), layer):
        assert torch.equal(layer(ROWS), ROWS + 1)

    assert layer.forward is own


def test_one_layer_in_two_networks_is_replaced_once() -> None:
    layer = nn.BatchNorm1d(3)
    processes = OneOfTwo()
    with synchronised_batch_norm(processes, nn.Sequential(layer), nn.Sequential(nn.Identity(), layer)):
        layer(ROWS)

    assert processes.sums == 3
    assert "forward" not in vars(layer)


def test_one_process_and_an_error_leave_layers_as_they_are() -> None:
    layer = nn.BatchNorm1d(3)
    with synchronised_batch_norm(ProcessGroup(), layer):
        assert "forward" not in vars(layer)
    with pytest.raises(ZeroDivisionError), synchronised_batch_norm(OneOfTwo(), layer):
        1 / 0  # noqa: B018
    assert "forward" not in vars(layer)
