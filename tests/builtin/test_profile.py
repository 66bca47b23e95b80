"""The profile callback, on real runs whose time is spent where a test says."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from torch import Tensor

import ganfw
from ganfw import Batch, Callback, Experiment, Recipe, Registry, Training
from ganfw.builtin.alternating import Alternating
from ganfw.builtin.profile import Profile

MILLISECONDS = 20
"""What a test adds to a step: far more than a step of the tiny recipe takes."""


class Slow(Callback):
    """Sleeps after each step."""

    def on_step(self, training: Training) -> None:
        time.sleep(MILLISECONDS / 1e3)


def experiment(recipe: Recipe, registry: Registry, **changes: Any) -> Experiment:
    """Return the recipe's experiment without callbacks but those in `changes`."""
    built = ganfw.assemble(ganfw.resolve(recipe, registry))
    given = {field.name: getattr(built, field.name) for field in attrs.fields(Experiment) if field.init}
    return Experiment(**{**given, "callbacks": {}, **changes})


def milliseconds(directory: Path) -> dict[str, tuple[float, float]]:
    """Return the milliseconds a step and the share in percent of each region."""
    regions = (directory / "profile" / "table.txt").read_text().split("\n\n")[1].splitlines()[1:]
    found = [re.fullmatch(r"  (.+?) +([\d.-]+) +([\d.-]+)%", line) for line in regions]
    assert all(found)
    return {match[1]: (float(match[2]), float(match[3])) for match in found if match}


def operators(directory: Path) -> list[str]:
    """Return the names of torch's table, those that took most first."""
    lines = (directory / "profile" / "table.txt").read_text().split("\n\n", 2)[2].splitlines()
    return [line.split("  ")[0] for line in map(str.strip, lines[3:]) if line and not line.startswith(("---", "Self"))]


def test_regions_add_up_to_the_step_and_the_trace_shows_every_one(
    tiny: Recipe, registry: Registry, tmp_path: Path
) -> None:
    profile = Profile(start_step=3, steps=4)
    training = ganfw.train(experiment(tiny, registry, callbacks={"profile": profile}), directory=tmp_path)

    head = (tmp_path / "profile" / "table.txt").read_text().splitlines()[0]
    assert re.fullmatch(r"steps 4 to 7: [\d.]+ ms a step on cpu, threads: 1", head)
    times = milliseconds(tmp_path)
    of_it = "of it Optimizer.step#Adam.step"
    assert list(times) == ["ganfw.step", of_it, "ganfw.data", "ganfw.callbacks.profile", "the loop", "all"]
    assert times["all"][1] == 100
    for column in (0, 1):
        parts = sum(time[column] for name, time in times.items() if name not in (of_it, "all"))
        assert parts == pytest.approx(times["all"][column], abs=0.3)
    assert times["ganfw.step"] > times[of_it] > (0, 0)
    trace = json.loads((tmp_path / "profile" / "trace.json").read_text())
    names = [event.get("name") for event in trace["traceEvents"]]
    assert names.count("ganfw.data") == names.count("ganfw.step") == names.count("Optimizer.step#Adam.step") / 2 == 4
    assert {"ganfw.callbacks.profile", "aten::addmm", "aten::native_batch_norm"} < set(names)
    assert training.finished


def test_what_a_callback_takes_is_the_callbacks(tiny: Recipe, registry: Registry, tmp_path: Path) -> None:
    callbacks = {"profile": Profile(start_step=1, steps=3), "slow": Slow()}
    ganfw.train(experiment(tiny, registry, callbacks=callbacks), steps=5, directory=tmp_path)

    assert milliseconds(tmp_path)["ganfw.callbacks.slow"][0] >= MILLISECONDS


def test_what_loading_takes_is_the_data(tiny: Recipe, registry: Registry, tmp_path: Path) -> None:
    class Slowly(torch.utils.data.Dataset[Tensor]):
        def __len__(self) -> int:
            return 100

        def __getitem__(self, index: int) -> Tensor:
            time.sleep(MILLISECONDS / 1e3 / 5)
            return torch.zeros(1, 28, 28)

    settings = ganfw.RunSettings(batch_size=5, device="cpu", workers=0)
    callbacks = {"profile": Profile(start_step=1, steps=3)}
    changed = experiment(tiny, registry, data=Slowly(), settings=settings, callbacks=callbacks)
    ganfw.train(changed, steps=5, directory=tmp_path)

    assert milliseconds(tmp_path)["ganfw.data"][0] >= MILLISECONDS


@pytest.mark.parametrize(
    ("name", "work"),
    [
        ("aten::mm", lambda x: x @ x),
        ("aten::sin", torch.sin),
        ("ganfw.step", lambda x: time.sleep(1e-3)),
    ],
)
def test_the_operator_that_took_most_comes_first(
    name: str, work: Callable[[Tensor], Any], tiny: Recipe, registry: Registry, tmp_path: Path
) -> None:
    x = torch.rand(512, 512)

    class Working(Alternating):
        def drive(self, batch: Batch, random: torch.Generator, apply: Any) -> None:
            end = time.perf_counter() + MILLISECONDS / 1e3
            while time.perf_counter() < end:
                work(x)

    callbacks = {"profile": Profile(start_step=1, steps=3)}
    made = experiment(tiny, registry, callbacks=callbacks)
    assert made.loss
    assert made.noise
    step = Working(made.networks["generator"], made.networks["discriminator"], made.loss, made.noise)
    ganfw.train(attrs.evolve(made, step=step), steps=5, directory=tmp_path)

    assert operators(tmp_path)[0] == name


def test_a_training_that_ends_early_has_the_profile_of_its_steps(
    tiny: Recipe, registry: Registry, tmp_path: Path
) -> None:
    callbacks = {"profile": Profile(start_step=0, steps=50)}
    ganfw.train(experiment(tiny, registry, callbacks=callbacks), steps=2, directory=tmp_path)

    assert (tmp_path / "profile" / "table.txt").read_text().startswith("steps 1 to 2: ")


def test_a_training_that_ends_before_says_so(
    tiny: Recipe, registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    callbacks = {"profile": Profile(start_step=2)}
    ganfw.train(experiment(tiny, registry, callbacks=callbacks), steps=2, directory=tmp_path)

    assert capsys.readouterr().err == "profile: no step was recorded, because the run has none after step 2\n"
    assert not (tmp_path / "profile").exists()


def test_a_training_that_is_stopped_as_recording_begins_has_no_profile(
    tiny: Recipe, registry: Registry, tmp_path: Path
) -> None:
    class Stopper(Callback):
        def on_step(self, training: Training) -> None:
            training.stop("the stopper")

    callbacks = {"profile": Profile(start_step=1), "stopper": Stopper()}
    ganfw.train(experiment(tiny, registry, callbacks=callbacks), steps=9, directory=tmp_path)

    assert not (tmp_path / "profile").exists()
