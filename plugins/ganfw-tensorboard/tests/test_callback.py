"""What the callback writes, read back with TensorBoard's own reader."""

import io
from collections import Counter
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import ganfw
from ganfw import Callback, Recipe, Registry, Training
from ganfw.testing import assert_same_run, check_exact_resume


def read(directory: Path) -> EventAccumulator:
    """Return everything that TensorBoard sees."""
    keep_all = {"scalars": 0, "images": 0, "histograms": 0, "tensors": 0}
    return EventAccumulator(str(directory / "tensorboard"), size_guidance=keep_all).Reload()


def steps(directory: Path) -> dict[str, list[int]]:
    """Return the steps that each tag was written at."""
    events, found = read(directory), {}
    for kind, of_tag in (("scalars", events.Scalars), ("images", events.Images), ("histograms", events.Histograms)):
        found |= {tag: [event.step for event in of_tag(tag)] for tag in events.Tags()[kind]}
    return found


def run(recipe: Recipe, registry: Registry, folder: Path, *, steps: int = 8, **callbacks: Callback) -> Training:
    """Train, with further callbacks or with others of the same names."""
    experiment = ganfw.assemble(ganfw.resolve(recipe, registry))
    directory = ganfw.create_run_directory(folder, experiment)
    experiment = attrs.evolve(experiment, callbacks={**experiment.callbacks, **callbacks})
    return ganfw.train(experiment, steps=steps, directory=directory)


def directory_of(training: Training) -> Path:
    assert training.directory is not None
    return training.directory


class Watcher(Callback):
    """Notes what the last windows were made of."""

    def __init__(self) -> None:
        self.means: dict[int, dict[str, float]] = {}

    def on_log(self, training: Training) -> None:
        self.means[training.step] = training.means


class StopAt(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, training: Training) -> None:
        if training.step == self.step:
            training.stop("the test")


class CrashAt(StopAt):
    def on_step(self, training: Training) -> None:
        if training.step == self.step:
            raise KeyboardInterrupt


def test_scalars_are_the_means_of_each_window_and_the_learning_rates(
    small: Recipe, registry: Registry, tmp_path: Path
) -> None:
    watcher = Watcher()
    events = read(directory_of(run(small, registry, tmp_path, watcher=watcher)))

    assert set(events.Tags()["scalars"]) == {
        "loss/discriminator",
        "loss/generator",
        "learning_rate/discriminator",
        "learning_rate/generator",
    }
    for name in ("loss/discriminator", "loss/generator"):
        written = {event.step: event.value for event in events.Scalars(name)}
        assert written == {step: pytest.approx(watcher.means[step][name], rel=1e-6) for step in (2, 4, 6, 8)}
    assert [event.value for event in events.Scalars("learning_rate/generator")] == [pytest.approx(1e-5)] * 4


def test_pictures_are_the_grids_of_a_fixed_noise(small: Recipe, registry: Registry, tmp_path: Path) -> None:
    training = run(small, registry, tmp_path)
    events = read(directory_of(training))

    assert steps(directory_of(training))["samples"] == [2, 4, 6, 8]
    assert [event.step for event in events.Images("real")] == [0]
    picture = Image.open(io.BytesIO(events.Images("samples")[-1].encoded_image_string)).convert("L")
    fake = ganfw.sample(training.experiment.networks["generator"], training.experiment.noise, 6)
    assert np.array_equal(np.asarray(picture), ganfw.image_grid(fake, 3)[0].numpy())


def test_histograms_hold_every_weight_gradient_and_logit(small: Recipe, registry: Registry, tmp_path: Path) -> None:
    training = run(small, registry, tmp_path)
    experiment, events = training.experiment, read(directory_of(training))

    for owner in ("generator", "discriminator"):
        for name, weight in experiment.networks[owner].named_parameters():
            for kind, tensor in (("weights", weight.detach()), ("gradients", weight.grad)):
                assert tensor is not None
                histograms = events.Histograms(f"{kind}/{owner}.{name}")
                assert [event.step for event in histograms] == [4, 8]
                last = histograms[-1].histogram_value
                assert last.num == tensor.numel()
                assert (last.min, last.max) == pytest.approx((float(tensor.min()), float(tensor.max())))
                assert last.sum == pytest.approx(float(tensor.double().sum()), rel=1e-4, abs=1e-7)
    discriminator = experiment.networks["discriminator"]
    with torch.no_grad():
        discriminator.eval()
        real = discriminator(experiment.batches.first(32).samples)
        fake = discriminator(ganfw.sample(experiment.networks["generator"], experiment.noise, 32))
    for name, logits in (("real", real), ("fake", fake)):
        last = events.Histograms(f"logits/{name}")[-1].histogram_value
        assert (last.num, last.sum) == (32, pytest.approx(float(logits.sum()), rel=1e-4))


def test_the_recipe_is_written(small: Recipe, registry: Registry, tmp_path: Path) -> None:
    events = read(directory_of(run(small, registry, tmp_path)))
    text = events.Tensors("recipe/text_summary")[0].tensor_proto.string_val[0].decode()

    table = text.removeprefix("```toml\n").removesuffix("\n```")
    assert Recipe.parse(table).tables["callbacks"]["tensorboard"]["histogram_every_windows"] == 2


def test_a_window_that_is_cut_short_is_left_out(small: Recipe, registry: Registry, tmp_path: Path) -> None:
    training = run(small, registry, tmp_path, steps=7)

    assert steps(directory_of(training))["loss/generator"] == [2, 4, 6]


def test_training_is_the_same_as_without(small: Recipe, registry: Registry, tmp_path: Path) -> None:
    with_it = directory_of(run(small, registry, tmp_path))
    without = directory_of(run(small, registry, tmp_path, tensorboard=Callback()))

    assert_same_run(with_it, without)
    assert not (without / "tensorboard").exists()


def test_networks_keep_their_modes_and_the_random_state_its_place(
    small: Recipe, registry: Registry, tmp_path: Path
) -> None:
    experiment = ganfw.assemble(ganfw.resolve(small, registry))
    training = Training(experiment, tmp_path)
    training.step, training.means = 4, {"loss/generator": 1.0}
    discriminator = experiment.networks["discriminator"]
    discriminator.train()
    discriminator[0].eval()
    modes = [module.training for module in discriminator.modules()]
    before = torch.get_rng_state()
    callback = experiment.callbacks["tensorboard"]

    callback.on_start(training)
    callback.on_log(training)
    callback.on_end(training)

    assert [module.training for module in discriminator.modules()] == modes
    assert torch.equal(before, torch.get_rng_state())
    assert "logits/real" in read(tmp_path).Tags()["histograms"]


@pytest.mark.parametrize("ending", [StopAt(5), CrashAt(7)], ids=["stopped", "crashed"])
def test_a_resumed_run_has_every_step_once(ending: StopAt, small: Recipe, registry: Registry, tmp_path: Path) -> None:
    undisturbed = steps(directory_of(run(small, registry, tmp_path / "undisturbed", steps=12)))
    with_length = small.with_overrides(["run.max_steps=12"])
    experiment = ganfw.assemble(ganfw.resolve(with_length, registry))
    directory = ganfw.create_run_directory(tmp_path / "disturbed", experiment)
    experiment = attrs.evolve(experiment, callbacks={**experiment.callbacks, "end": ending})
    training = Training(experiment, directory)
    if isinstance(ending, CrashAt):
        with pytest.raises(KeyboardInterrupt):
            training.run()
        # What a killed process would have left: everything flushed, and the file neither closed nor ended.
        assert steps(directory)["loss/generator"] == [2, 4, 6]
        experiment.callbacks["tensorboard"].on_end(training)
    else:
        training.run()

    resumed = ganfw.resume_training(directory, registry)[0]
    assert resumed.step == (4 if isinstance(ending, CrashAt) else 5)
    resumed.run()

    assert steps(directory) == undisturbed
    assert Counter(undisturbed["loss/generator"]) == dict.fromkeys((2, 4, 6, 8, 10, 12), 1)


def test_resuming_is_exact(small: Recipe, registry: Registry, tmp_path: Path) -> None:
    check_exact_resume(small, registry, tmp_path)


def test_points_have_everything_but_pictures(small: Recipe, registry: Registry, tmp_path: Path) -> None:
    points: dict[str, Any] = {"use": "grid", "size": 200}
    recipe = Recipe(
        name="points",
        extends=small,
        data=points,
        generator={"output": "linear"},
        callbacks={"samples": {"use": "sample_scatter"}},
    )
    tags = read(directory_of(run(recipe, registry, tmp_path))).Tags()

    assert tags["images"] == []
    assert {"logits/real", "logits/fake"} < set(tags["histograms"])


def test_without_a_directory_it_is_left_out(
    small: Recipe, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    ganfw.train(ganfw.assemble(ganfw.resolve(small, registry)), steps=1)

    assert list(tmp_path.iterdir()) == []
