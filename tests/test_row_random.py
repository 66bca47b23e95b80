"""Random numbers for the rows of a batch."""

import pytest
import torch

from ganfw import Batch, RowRandom
from ganfw.distributed.process_group import ProcessGroup


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("size", "total"), [(2, 6), (3, 7)])
def test_processes_get_the_rows_of_what_one_would_draw(size: int, total: int) -> None:
    def draw(draws: RowRandom) -> list[torch.Tensor]:
        return [draws.uniform(2), draws.normal(1, 3), draws.integers(5), draws.uniform()]

    whole = draw(RowRandom(seeded(), total))
    shares = [draw(RowRandom(seeded(), total, ProcessGroup(rank, size).rows_of(total))) for rank in range(size)]

    assert [tuple(values.shape) for values in whole] == [(total, 2), (total, 1, 3), (total,), (total,)]
    for number, values in enumerate(whole):
        assert torch.equal(torch.cat([share[number] for share in shares]), values)


def test_draws_are_of_their_distributions() -> None:
    draws = RowRandom(seeded(), 20_000)
    uniform, normal, integers = draws.uniform(), draws.normal(), draws.integers(4)

    assert (uniform.dtype, normal.dtype, integers.dtype) == (torch.float32, torch.float32, torch.int64)
    assert 0 <= float(uniform.min()) < float(uniform.max()) < 1
    assert float(uniform.mean()) == pytest.approx(0.5, abs=0.01)
    assert (float(normal.mean()), float(normal.std())) == pytest.approx((0, 1), abs=0.03)
    assert integers.bincount().tolist() == pytest.approx([5000] * 4, rel=0.05)


def test_a_batch_of_its_own_draws_for_all_of_its_rows() -> None:
    draws = Batch(torch.zeros(5, 2)).row_random(seeded())

    assert draws.uniform(3).shape == (5, 3)
    assert torch.equal(draws.uniform(), torch.rand(10, 3, generator=seeded()).flatten()[15:20])
