"""Runs are chosen and sorted by words that people write."""

from pathlib import Path

import pytest

from ganfw import InputError
from ganfw.ledger.records import RunRecord, Runs
from ganfw.ledger.selection import find_key, select, sort_by

RUNS = Runs(
    RunRecord(
        Path(name),
        name,
        "tiny",
        {
            "loss.use": f"ganfw:{loss}",
            "optimizer.generator.lr": lr,
            "optimizer.discriminator.lr": lr,
            "generator.hidden_dim": 4,
            "discriminator.hidden_dim": 8,
            "step.reuse_fakes": loss == "bce",
            "optimizer.generator.betas": (0.5, 0.9),
        },
        state,
        step=step,
        losses={"loss/generator": 1.0},
        metrics=metrics,
    )
    for name, loss, lr, state, step, metrics in (
        ("a", "bce", 1e-4, "finished", 10, {"frechet_distance": 30.0}),
        ("b", "hinge", 1e-4, "stopped", 4, {}),
        ("c", "hinge", 2e-4, "finished", 10, {"frechet_distance": 7.0}),
    )
)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("loss.use=hinge", "bc"),
        ("loss = hinge", "bc"),
        ("loss=ganfw:bce", "a"),
        ("loss!=hinge", "a"),
        ("lr=1e-4", "ab"),
        ("lr>0.0001", "c"),
        ("step>=10", "ac"),
        ("frechet_distance<10", "c"),
        ("frechet_distance!=7", "ab"),
        ("state=finished", "ac"),
        ("reuse_fakes=true", "a"),
        ("reuse_fakes=1", ""),
        ("betas=[0.5, 0.9]", "abc"),
        ("loss<3", ""),
        ("name=b", "b"),
    ],
)
def test_conditions_choose_runs(condition: str, expected: str) -> None:
    assert "".join(run.name for run in select(RUNS, [condition])) == expected


def test_all_conditions_must_hold() -> None:
    assert [run.name for run in select(RUNS, ["loss=hinge", "state=finished"])] == ["c"]


@pytest.mark.parametrize(
    ("key", "expected"), [("frechet_distance", "cab"), ("-frechet_distance", "acb"), ("loss", "abc"), ("-step", "acb")]
)
def test_runs_without_the_key_come_last(key: str, expected: str) -> None:
    assert "".join(run.name for run in sort_by(RUNS, key)) == expected


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: select(RUNS, ["hidden_dim=4"]),
            "'hidden_dim' is the end of several keys; name one: generator.hidden_dim, discriminator.hidden_dim",
        ),
        (lambda: select(RUNS, ["los=bce"]), "no run has the key 'los'; did you mean 'loss'?"),
        (lambda: sort_by(RUNS, "zzzzz"), "no run has the key 'zzzzz'; see: ganfw runs"),
        (
            lambda: find_key(RUNS, "frechet", only="metrics"),
            "no run has the metric 'frechet'; did you mean 'frechet_distance'?",
        ),
        (
            lambda: find_key(RUNS, "fid", only="metrics"),
            "no run has the metric 'fid'; they have frechet_distance, loss/generator",
        ),
        (
            lambda: select(RUNS, ["loss"]),
            "--where loss: write a key, one of = != < <= > >=, and a value: loss.use=hinge",
        ),
    ],
)
def test_words_that_mean_nothing_are_refused(call: "object", message: str) -> None:
    assert callable(call)
    with pytest.raises(InputError) as caught:
        call()
    assert str(caught.value) == message
