from typing import Any

import pytest
import torch

from ganfw import RunError
from ganfw.distributed.process_group import ProcessGroup
from ganfw.training.means import Window

CPU = torch.device("cpu")


def test_means_are_exact_over_many_steps() -> None:
    window = Window(ProcessGroup())
    values = torch.rand(5000, generator=torch.Generator().manual_seed(0))
    for value in values:
        window.add({"a": value, "b": -value})

    assert window.means() == {
        "a": pytest.approx(float(values.double().mean()), rel=1e-12),
        "b": pytest.approx(-float(values.double().mean()), rel=1e-12),
    }


def test_a_cleared_window_begins_anew() -> None:
    window = Window(ProcessGroup())
    window.add({"a": torch.tensor(5.0)})
    window.clear()
    window.add({"a": torch.tensor(1.0)})

    assert (window.means(), window.steps) == ({"a": 1.0}, 1)


def test_added_statistics_stay_as_they_were() -> None:
    window = Window(ProcessGroup())
    value = torch.tensor(1.0)
    window.add({"a": value})
    window.add({"a": value})

    assert float(value) == 1


def test_state_goes_on_in_another_window() -> None:
    window, other = Window(ProcessGroup()), Window(ProcessGroup())
    window.add({"a": torch.tensor(1.0)})
    other.load_state_dict(window.state_dict(), CPU)
    for each in (window, other):
        each.add({"a": torch.tensor(4.0)})

    assert other.means() == window.means() == {"a": 2.5}


@pytest.mark.parametrize(
    "state",
    [
        {"steps": -1, "sums": {}},
        {"steps": 1.0, "sums": {}},
        {"steps": True, "sums": {}},
        {"steps": 0, "sums": {"a": torch.ones(1)}},
        {"steps": 1, "sums": {"a": torch.ones(2)}},
        {"steps": 1, "sums": {"a": torch.tensor([1])}},
        {"steps": 1, "sums": {"a": 1.0}},
        {"steps": 1, "sums": {"\x1b": torch.ones(1)}},
        {"steps": 1, "sums": {1: torch.ones(1)}},
    ],
)
def test_state_that_no_window_has_is_refused(state: dict[str, Any]) -> None:
    window = Window(ProcessGroup())
    with pytest.raises(RunError) as caught:
        window.load_state_dict(state, CPU)
    assert str(caught.value) == "the state of the window is none that a window has"
    assert window.steps == 0
