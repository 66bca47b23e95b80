"""Means, deviations and tests over seeds, against pandas and scipy."""

import math
import random
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from ganfw.ledger.records import RunRecord, Runs
from ganfw.ledger.statistics import compare, group_runs, student_p
from ganfw.ledger.values import plain


def run(loss: str, seed: int, lr: float = 1e-4, **metrics: float) -> RunRecord:
    settings: dict[str, Any] = {"run.seed": seed, "loss.use": f"ganfw:{loss}", "optimizer.generator.lr": lr}
    name = f"loss={loss},lr={lr},seed={seed}"
    return RunRecord(Path(name), name, "tiny", settings, "finished", metrics=metrics)


@pytest.fixture
def runs() -> Runs:
    draw = random.Random(0)
    return Runs(
        run(loss, seed, lr, frechet_distance=draw.lognormvariate(3, 1), recall=draw.random())
        for loss in ("bce", "hinge", "lsgan")
        for lr in (1e-4, 2e-4)
        for seed in range(7)
    )


def test_means_and_deviations_are_those_of_pandas(runs: Runs) -> None:
    pytest.importorskip("pandas")
    table = runs.to_pandas().groupby(["loss.use", "optimizer.generator.lr"])

    keys, groups = group_runs(runs)

    assert keys == ["loss.use", "optimizer.generator.lr"]
    assert len(groups) == 6
    for group in groups:
        for key in ("frechet_distance", "recall"):
            column = table.get_group(tuple(map(plain, group.values)))[key]
            summary = group.summary(key)
            assert summary.n == len(column) == 7
            assert summary.mean == pytest.approx(column.mean(), rel=1e-12, abs=0)
            assert summary.deviation == pytest.approx(column.std(), rel=1e-12, abs=0)


def test_the_paired_test_is_that_of_scipy_corrected_by_holm(runs: Runs) -> None:
    _, groups = group_runs(runs)
    base, *others = groups
    keys = ["frechet_distance", "recall"]

    found = compare(base, others, keys)

    assert [(each.group, each.key) for each in found] == [(other, key) for other in others for key in keys]
    expected = []
    for each in found:
        left, right = ([one.metrics[each.key] for one in group.runs] for group in (each.group, base))
        test = stats.ttest_rel(left, right)
        expected.append(float(test.pvalue))
        assert each.pairs == 7
        assert each.difference == pytest.approx(sum(left) / 7 - sum(right) / 7, rel=1e-12)
        assert each.t == pytest.approx(float(test.statistic), rel=1e-12)
        assert each.p == pytest.approx(float(test.pvalue), rel=1e-12)
    for each, p in zip(found, expected, strict=True):
        smaller = sorted(other for other in expected if other <= p)
        holm = max(min(1.0, other * (len(expected) - rank)) for rank, other in enumerate(smaller))
        assert each.p_holm == pytest.approx(holm, rel=1e-12)


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 9, 30, 200])
def test_p_is_that_of_students_distribution(degrees: int) -> None:
    for t in (0.0, 0.01, 0.3, 1.0, 1.7, -2.5, 4.0, 12.0, 100.0):
        assert student_p(t, degrees) == pytest.approx(2 * stats.t.sf(abs(t), degrees), rel=1e-12, abs=1e-300)


def test_pairs_are_runs_of_the_same_seed() -> None:
    base = [run("bce", seed, score=float(seed)) for seed in (0, 1, 2)]
    other = [run("hinge", seed, score=seed * 3.0) for seed in (2, 1, 5)]
    _, groups = group_runs(Runs([*base, *other]))

    (found,) = compare(groups[0], groups[1:], ["score"])

    assert (found.pairs, found.difference) == (2, 3.0)  # 6 - 2 and 3 - 1
    assert found.t == pytest.approx(3.0)


def test_without_two_pairs_that_differ_there_is_no_test() -> None:
    _, one = group_runs(Runs([run("bce", 0, score=1.0), run("hinge", 0, score=2.0)]))
    _, same = group_runs(Runs([run(loss, seed, score=1.0) for loss in ("bce", "hinge") for seed in (0, 1)]))
    _, none = group_runs(Runs([run("bce", 0, score=1.0), run("hinge", 1, score=2.0)]))

    results = [compare(groups[0], groups[1:], ["score"])[0] for groups in (one, same, none)]

    assert [(each.pairs, each.difference, each.t, each.p, each.p_holm) for each in results] == [
        (1, 1.0, None, None, None),
        (2, 0.0, None, None, None),
        (0, None, None, None, None),
    ]


def test_runs_without_a_value_do_not_count() -> None:
    _, (group,) = group_runs(Runs([run("bce", 0, score=1.0), run("bce", 1), run("bce", 2, score=4.0)]))

    summary = group.summary("score")

    assert (summary.mean, summary.deviation, summary.n) == (2.5, pytest.approx(math.sqrt(4.5)), 2)
    assert (group.summary("nothing").mean, group.summary("nothing").n) == (None, 0)


def test_runs_can_be_put_together_by_one_key() -> None:
    runs = Runs([run("bce", 0, lr=1e-4), run("bce", 0, lr=2e-4), run("hinge", 0, lr=1e-4)])

    keys, groups = group_runs(runs, ["loss.use"])

    assert keys == ["loss.use"]
    assert [(group.values, len(group.runs)) for group in groups] == [(("ganfw:bce",), 2), (("ganfw:hinge",), 1)]
