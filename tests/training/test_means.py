from typing import Any

import pytest
import torch

from ganfw import PartError, RunError
from ganfw.distributed.process_group import ProcessGroup
from ganfw.training.means import RunningMeans, check_statistics

CPU = torch.device("cpu")


def test_means_are_exact_over_many_steps() -> None:
    means = RunningMeans(ProcessGroup())
    values = torch.rand(5000, generator=torch.Generator().manual_seed(0))
    for value in values:
        means.add({"a": value, "b": -value})

    assert means.means() == {
        "a": pytest.approx(float(values.double().mean()), rel=1e-12),
        "b": pytest.approx(-float(values.double().mean()), rel=1e-12),
    }


def test_cleared_means_begin_anew() -> None:
    means = RunningMeans(ProcessGroup())
    means.add({"a": torch.tensor(5.0)})
    means.clear()
    means.add({"a": torch.tensor(1.0)})

    assert means.means() == {"a": 1.0}


def test_added_statistics_stay_as_they_were() -> None:
    means = RunningMeans(ProcessGroup())
    value = torch.tensor(1.0)
    means.add({"a": value})
    means.add({"a": value})

    assert float(value) == 1


def test_state_continues_in_other_means() -> None:
    means, other = RunningMeans(ProcessGroup()), RunningMeans(ProcessGroup())
    means.add({"a": torch.tensor(1.0)})
    other.load_state_dict(means.state_dict(), CPU)
    for each in (means, other):
        each.add({"a": torch.tensor(4.0)})

    assert other.means() == means.means() == {"a": 2.5}


@pytest.mark.parametrize(
    "state",
    [
        {"steps": 1, "sums": {}},
        {"steps": {"a": -1}, "sums": {"a": torch.ones(1)}},
        {"steps": {"a": 1.0}, "sums": {"a": torch.ones(1)}},
        {"steps": {"a": True}, "sums": {"a": torch.ones(1)}},
        {"steps": {"a": 0}, "sums": {"a": torch.ones(1)}},
        {"steps": {}, "sums": {"a": torch.ones(1)}},
        {"steps": {"a": 1, "b": 1}, "sums": {"a": torch.ones(1)}},
        {"steps": {"a": 1}, "sums": {"a": torch.ones(2)}},
        {"steps": {"a": 1}, "sums": {"a": torch.tensor([1])}},
        {"steps": {"a": 1}, "sums": {"a": 1.0}},
        {"steps": {"\x1b": 1}, "sums": {"\x1b": torch.ones(1)}},
        {"steps": {1: 1}, "sums": {1: torch.ones(1)}},
    ],
)
def test_state_that_running_means_never_have_is_refused(state: dict[str, Any]) -> None:
    means = RunningMeans(ProcessGroup())
    with pytest.raises(RunError) as caught:
        means.load_state_dict(state, CPU)
    assert str(caught.value) == "the state of the running means does not fit"
    assert means.state_dict() == {"steps": {}, "sums": {}}


def test_a_statistic_is_averaged_over_the_steps_that_gave_it() -> None:
    means = RunningMeans(ProcessGroup())
    for step in range(6):
        lazy = {"r1": torch.tensor(float(step))} if step % 2 == 0 else {}
        means.add({"loss": torch.tensor(1.0 + step), **lazy})
    again = RunningMeans(ProcessGroup())
    again.load_state_dict(means.state_dict(), CPU)

    assert means.means() == again.means() == {"loss": 3.5, "r1": 2.0}


@pytest.mark.parametrize(
    ("statistics", "message"),
    [
        *(
            (
                {name: torch.zeros(())},
                f"step mine logs a statistic called {name!r}; choose a printable name other than ",
            )
            for name in ("step", "epoch", "images", "seconds", "warnings", "", "a\x1b[31m", "\u202eb")
        ),
        ({"a": torch.zeros((), requires_grad=True)}, "step mine logs 'a' with its graph: detach it"),
        (
            {"a": torch.zeros(1)},
            "step mine logs 'a' as (1,) torch.float32; a scalar tensor () of floating point is needed",
        ),
        (
            {"a": torch.zeros((), dtype=torch.int64)},
            "step mine logs 'a' as () torch.int64; a scalar tensor () of floating point is needed",
        ),
        (
            {"a": torch.zeros((), dtype=torch.complex64)},
            "step mine logs 'a' as () torch.complex64; a scalar tensor () of floating point is needed",
        ),
        ({"a": None}, "step mine logs 'a' as NoneType; a scalar tensor () of floating point is needed"),
        ({"a": 0.5}, "step mine logs 'a' as float; a scalar tensor () of floating point is needed"),
        ({"a": torch.zeros((), device="meta")}, "step mine logs 'a' elsewhere: detach it"),
    ],
)
def test_a_statistic_that_cannot_be_logged_is_refused(statistics: dict[str, Any], message: str) -> None:
    check_statistics("step mine", {"loss/generator": torch.zeros(())}, CPU)
    with pytest.raises(PartError) as caught:
        check_statistics("step mine", {"loss/generator": torch.zeros(()), **statistics}, CPU)
    reserved = "('step', 'epoch', 'images', 'seconds', 'warnings')"
    assert str(caught.value) == (message + reserved if message.endswith("other than ") else message)
