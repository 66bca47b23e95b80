"""A run directory is read while it grows, each step once."""

import json
from pathlib import Path

import pytest

import ganfw
from ganfw import Recipe, Registry, RunFiles, StepRecord


def write_evaluation(run: Path, name: str, step: int, count: int, **values: float | None) -> None:
    (run / "eval").mkdir(exist_ok=True)
    metrics = {key: {"value": value} for key, value in values.items()}
    (run / "eval" / name).write_text(json.dumps({"step": step, "count": count, "metrics": metrics}))


def test_a_real_run_is_read_step_by_step(tiny: Recipe, registry: Registry, tmp_path: Path) -> None:
    experiment = ganfw.assemble(ganfw.resolve(tiny, registry))
    directory = ganfw.create_run_directory(tmp_path, experiment)
    files = RunFiles(directory, experiment.settings.log_every_steps)
    read: list[StepRecord] = []

    class Reading(ganfw.Callback):
        def on_step_end(self, training: ganfw.Training) -> None:
            read.extend(files.new())

    experiment.callbacks["reading"] = Reading()
    ganfw.train(experiment, directory=directory)

    lines = {line["step"]: line for line in map(json.loads, (directory / "metrics.jsonl").read_text().splitlines())}
    assert [record.step for record in read if record.values] == [4, 8]  # the window of steps 9 and 10 is cut short
    for record in read:
        for name, value in record.values.items():
            assert value == lines[record.step][name]
    assert {record.step: record.picture.name for record in read if record.picture} == {
        0: "real.png",
        5: "step-000005.png",
        10: "step-000010.png",
    }
    assert files.new() == []


def test_evaluations_are_named_by_their_counts_and_lack_what_is_no_number(tmp_path: Path) -> None:
    files = RunFiles(tmp_path, 4)
    write_evaluation(tmp_path, "step-000008.json", 8, 10_000, recall=0.5, precision=None)
    write_evaluation(tmp_path, "step-000008-count-50.json", 8, 50, recall=0.25)
    write_evaluation(tmp_path, "step-000008-truncation-0.5.json", 8, 50, recall=0.75)

    assert files.new() == [StepRecord(8, {"evaluation_10000/recall": 0.5, "evaluation_50/recall": 0.25})]
    write_evaluation(tmp_path, "step-000012-count-50.json", 12, 50, recall=1.0)
    assert files.new() == [StepRecord(12, {"evaluation_50/recall": 1.0})]


@pytest.mark.parametrize("part", [1, 20, -2])
def test_half_a_line_is_left_for_the_next_time(tmp_path: Path, part: int) -> None:
    files = RunFiles(tmp_path, 4)
    text = '{"step": 4, "loss/generator": 1.5, "warnings": ["collapse"]}\n'
    (tmp_path / "metrics.jsonl").write_text(text[:part])
    assert files.new() == []

    (tmp_path / "metrics.jsonl").write_text(text)
    assert files.new() == [StepRecord(4, {"loss/generator": 1.5}, ("collapse",))]
