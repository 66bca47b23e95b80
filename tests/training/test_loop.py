import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from attrs import evolve
from torch import Tensor

import ganfw
from ganfw import Callback, Recipe, Registry, RunError, Step, Training, Update
from ganfw.engine.updates import Updater


class Recorder(Callback):
    """Notes every event."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.events: list[tuple[str, int]] = []
        self.stop_at = stop_at

    def on_start(self, training: Training) -> None:
        self.events.append(("start", training.step))

    def on_log(self, training: Training) -> None:
        self.events.append(("log", training.step))

    def on_step(self, training: Training) -> None:
        self.events.append(("step", training.step))
        if training.step == self.stop_at:
            training.stop("the recorder")

    def on_step_end(self, training: Training) -> None:
        self.events.append(("settled", training.step))

    def on_end(self, training: Training) -> None:
        self.events.append(("end", training.step))


def with_callbacks(registry: Registry, recipe: Recipe, **callbacks: Callback) -> ganfw.Experiment:
    return evolve(ganfw.assemble(ganfw.resolve(recipe, registry)), callbacks=callbacks, resolved=None)


class Spying:
    """A step that notes its batches, and the losses of each."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.batches: list[ganfw.Batch] = []

    def updates(self) -> Sequence[Update]:
        return self.step.updates()

    def drive(self, batch: ganfw.Batch, random: torch.Generator, apply: Any) -> None:
        self.batches.append(batch)
        for update in self.updates():
            apply(update, batch, random)


def test_events_come_in_order(registry: Registry, tiny: Recipe) -> None:
    recorder = Recorder()
    recipe = Recipe(extends=tiny, run={"log_every_steps": 2, "max_steps": 3})

    ganfw.train(with_callbacks(registry, recipe, recorder=recorder))

    assert recorder.events == [
        ("start", 0),
        ("step", 1),
        ("settled", 1),
        ("log", 2),
        ("step", 2),
        ("settled", 2),
        ("step", 3),
        ("settled", 3),
        ("log", 3),
        ("end", 3),
    ]


def test_stop_ends_training_after_the_step_and_tells_no_partial_window(registry: Registry, tiny: Recipe) -> None:
    recorder = Recorder(stop_at=5)

    training = ganfw.train(with_callbacks(registry, tiny, recorder=recorder))

    assert recorder.events[-3:] == [("step", 5), ("settled", 5), ("end", 5)]
    assert (training.step, training.finished, training.stop_reason) == (5, False, "the recorder")


def test_the_first_reason_to_stop_is_kept(registry: Registry, tiny: Recipe) -> None:
    training = Training(with_callbacks(registry, tiny))
    training.stop("one")
    training.stop("two")

    assert training.stop_reason == "one"


@pytest.mark.parametrize(
    ("settings", "steps", "expected"),
    [
        ({"epochs": 2, "batch_size": 128, "max_steps": 10_000}, None, 158),
        ({"epochs": 2, "batch_size": 128, "max_steps": 150}, None, 150),
        ({"epochs": 200, "batch_size": 128, "max_steps": 10**9}, None, 15_800),
        ({"epochs": 1, "batch_size": 128, "max_steps": 5}, 70, 70),
    ],
)
def test_length_follows_epochs_max_steps_or_steps(
    registry: Registry, tiny: Recipe, settings: dict[str, int], steps: int | None, expected: int
) -> None:
    experiment = with_callbacks(registry, Recipe(extends=tiny, run=settings))

    assert Training(experiment, steps=steps).total_steps == expected


@pytest.mark.parametrize(("step", "epoch", "images"), [(0, 1, 0), (1, 1, 128), (79, 1, 10_000), (80, 2, 10_128)])
def test_epoch_and_images_follow_from_the_step(
    registry: Registry, tiny: Recipe, step: int, epoch: int, images: int
) -> None:
    training = Training(with_callbacks(registry, Recipe(extends=tiny, run={"batch_size": 128})))
    training.step = step

    assert (training.epoch, training.images) == (epoch, images)


def test_training_goes_through_every_image_once_an_epoch(registry: Registry, tiny: Recipe) -> None:
    experiment = with_callbacks(registry, Recipe(extends=tiny, run={"batch_size": 2048, "epochs": 2, "max_steps": 99}))
    spy = Spying(experiment.step)
    ganfw.train(evolve(experiment, step=spy))

    seen = [batch.labels for batch in spy.batches]
    assert [len(labels) for labels in seen] == [*[2048] * 4, 1808, *[2048] * 4, 1808]
    counts = torch.cat(seen).bincount()
    assert counts.tolist() == (2 * experiment.data.labels.bincount()).tolist()


def test_global_randomness_outside_is_left_alone(registry: Registry, tiny: Recipe) -> None:
    state = torch.get_rng_state()
    ganfw.train(with_callbacks(registry, tiny))

    assert torch.equal(torch.get_rng_state(), state)


def test_means_are_those_of_the_last_window(registry: Registry, tiny: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = with_callbacks(registry, tiny)
    losses = []
    run = Updater.run

    def spy(*arguments: Any) -> dict[str, Tensor]:
        losses.append(run(*arguments))
        return losses[-1]

    monkeypatch.setattr(Updater, "run", spy)
    training = ganfw.train(experiment, steps=8)

    for name in ("loss/discriminator", "loss/generator"):
        expected = sum(float(each[name]) for each in losses[4:]) / 4
        assert training.means[name] == pytest.approx(expected, rel=1e-9)


def test_a_state_saved_while_means_are_logged_has_none_of_their_sums(registry: Registry, tiny: Recipe) -> None:
    states: list[dict[str, Any]] = []

    class Saving(Callback):
        def on_log(self, training: Training) -> None:
            states.append(training.state_dict())

    recipe = Recipe(extends=tiny, run={"log_every_steps": 2, "max_steps": 4})
    ganfw.train(with_callbacks(registry, recipe, saving=Saving()))

    assert [state["step"] for state in states] == [2, 4]
    assert all(state["running_means"] == {"steps": {}, "sums": {}} for state in states)


def test_a_mean_that_is_not_finite_is_null(registry: Registry, tiny: Recipe, tmp_path: Path) -> None:
    built = ganfw.assemble(ganfw.resolve(tiny, registry))
    experiment = with_callbacks(registry, tiny, metrics=built.callbacks["metrics"])
    weight = next(experiment.networks["generator"].parameters())

    class Diverging:
        def updates(self) -> list[Update]:
            return [Update("generator", lambda batch, random: (weight.sum() * 0, self.told(batch)))]

        def told(self, batch: ganfw.Batch) -> dict[str, Tensor]:
            return {"a": torch.tensor(float("nan") if batch.step else 1.0)}

    optimizers = {"generator": experiment.optimizers["generator"]}
    experiment = evolve(experiment, step=Diverging(), optimizers=optimizers)
    ganfw.train(experiment, steps=4, directory=tmp_path)

    assert json.loads((tmp_path / "metrics.jsonl").read_text(), parse_constant=pytest.fail)["a"] is None


def test_a_callback_that_did_not_say_that_it_writes_fails_without_a_directory(
    registry: Registry, tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = ganfw.assemble(ganfw.resolve(tiny, registry))
    monkeypatch.setattr(type(experiment.callbacks["metrics"]), "needs_directory", False)

    with pytest.raises(RunError) as caught:
        ganfw.train(experiment)
    assert str(caught.value) == "callback 'metrics' writes files: give the training a directory"


def test_one_seed_gives_identical_metrics_and_weights(registry: Registry, tiny: Recipe, tmp_path: Path) -> None:
    def run() -> tuple[list[Any], bytes, bytes]:
        experiment = ganfw.assemble(ganfw.resolve(tiny, registry))
        directory = ganfw.create_run_directory(tmp_path, experiment)
        ganfw.train(experiment, directory=directory)
        lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
        for line in lines:
            del line["seconds"]
        weights = (directory / "checkpoints" / "step-000010" / "generator.safetensors").read_bytes()
        return lines, weights, (directory / "samples" / "step-000010.png").read_bytes()

    assert run() == run()


def test_without_a_directory_the_callbacks_that_write_are_left_out(
    registry: Registry, tiny: Recipe, capsys: pytest.CaptureFixture[str]
) -> None:
    callbacks = {"best": {"use": "evaluate"}, "profile": {"use": "profile"}}
    experiment = ganfw.assemble(ganfw.resolve(Recipe(extends=tiny, callbacks=callbacks), registry))

    training = ganfw.train(experiment, steps=3)

    left_out = [line for line in capsys.readouterr().err.splitlines() if "left out" in line]
    names = "callbacks.metrics, callbacks.checkpoint, callbacks.samples, callbacks.best, callbacks.profile"
    assert left_out == [f"no directory is given: {names} write files and are left out"]
    assert training.means.keys() == {"loss/discriminator", "loss/generator"}


def test_length_can_be_given_in_epochs(registry: Registry, tiny: Recipe) -> None:
    experiment = ganfw.assemble(ganfw.resolve(tiny, registry))
    per_epoch = experiment.batches.per_epoch

    assert Training(experiment, epochs=2).total_steps == 2 * per_epoch
    assert Training(experiment, epochs=2, steps=3).total_steps == 3
    assert Training(experiment, epochs=2, steps=3 * per_epoch).total_steps == 2 * per_epoch


def test_a_directory_may_be_text(registry: Registry, tiny: Recipe, tmp_path: Path) -> None:
    experiment = ganfw.assemble(ganfw.resolve(tiny, registry))
    directory = str(ganfw.create_run_directory(str(tmp_path), experiment))

    ganfw.train(experiment, steps=2, directory=directory)

    assert ganfw.open_checkpoint(directory).manifest.step == 2
    assert ganfw.resume_training(directory, registry)[0].step == 2
