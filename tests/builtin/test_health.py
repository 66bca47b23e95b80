"""Real training that goes wrong in every way that the callback watches for."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
import torch
from attrs import evolve
from torch import Tensor, nn

import ganfw
from ganfw import Batch, Experiment, Recipe, Registry, RowRandom, SampleRequest, TrainingError, Update
from ganfw.builtin.health import CURE, Health

Change = Callable[[Experiment], None]
LOG_EVERY = 4


class Meddling:
    """A step after which something is changed, once."""

    def __init__(self, experiment: Experiment, at: int, change: Change) -> None:
        self.step, self.experiment, self.at, self.change = experiment.step, experiment, at, change

    def updates(self) -> Sequence[Update]:
        return self.step.updates()

    def drive(self, batch: Batch, random: torch.Generator, apply: Callable[..., None]) -> None:
        for update in self.updates():
            apply(update, batch, random)
        if batch.step + 1 == self.at:
            self.change(self.experiment)


class Losses:
    """A step that changes nothing, and whose losses are functions of the step."""

    def __init__(self, experiment: Experiment, **losses: Callable[[int], float]) -> None:
        self.networks, self.losses = experiment.networks, losses

    def updates(self) -> Sequence[Update]:
        return [Update(name, partial(self._loss, name)) for name in self.losses]

    def _loss(self, name: str, batch: Batch, random: RowRandom) -> Tensor:
        return 0 * next(self.networks[name].parameters()).sum() + self.losses[name](batch.step)


@pytest.fixture
def meddled(registry: Registry, tiny: Recipe, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that trains with a change after a step, in a run directory, and returns that."""

    def train(at: int, change: Change, *overrides: str) -> Path:
        experiment = ganfw.assemble(ganfw.resolve(tiny.with_overrides(overrides), registry))
        directory = ganfw.create_run_directory(tmp_path, experiment)
        ganfw.train(evolve(experiment, step=Meddling(experiment, at, change)), directory=directory)
        return directory

    return train


def spoil_weight(experiment: Experiment) -> None:
    next(experiment.networks["generator"].parameters()).data[0, 0] = float("nan")


def spoil_buffer(experiment: Experiment) -> None:
    next(experiment.networks["generator"].buffers())[0] = float("inf")


def spoil_gradient(experiment: Experiment) -> None:
    gradient = list(experiment.networks["discriminator"].parameters())[-1].grad
    assert gradient is not None
    gradient.fill_(float("-inf"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (spoil_weight, "weight '0.0.weight' of the generator is not finite at step 8"),
        (spoil_buffer, "buffer '0.1.running_mean' of the generator is not finite at step 8"),
        (spoil_gradient, "gradient of '4.bias' of the discriminator is not finite at step 8"),
    ],
)
def test_a_value_that_is_not_finite_stops_the_run_before_anything_is_saved(
    meddled: Callable[..., Path], tmp_path: Path, change: Change, message: str
) -> None:
    with pytest.raises(TrainingError) as caught:
        meddled(8, change)

    assert str(caught.value) == message
    directory = tmp_path / "tiny-1"
    assert [json.loads(line)["step"] for line in (directory / "metrics.jsonl").read_text().splitlines()] == [4]
    assert ganfw.open_checkpoint(directory).manifest.step == 6


def test_a_loss_that_is_not_finite_is_named(registry: Registry, tiny: Recipe, tmp_path: Path) -> None:
    experiment = ganfw.assemble(ganfw.resolve(tiny, registry))
    explode = Losses(experiment, discriminator=lambda step: 1.0, generator=lambda step: float("nan") if step else 1.0)
    with pytest.raises(TrainingError) as caught:
        ganfw.train(evolve(experiment, step=explode), directory=ganfw.create_run_directory(tmp_path, experiment))

    assert str(caught.value) == "loss/generator is nan in the window that ends at step 4"


def warnings(directory: Path) -> list[list[str]]:
    return [json.loads(line).get("warnings", []) for line in (directory / "metrics.jsonl").read_text().splitlines()]


def collapse(experiment: Experiment) -> None:
    for weight in experiment.networks["generator"].parameters():
        nn.init.zeros_(weight)


def revive(experiment: Experiment) -> None:
    for weight in experiment.networks["generator"].parameters():
        nn.init.normal_(weight, generator=torch.Generator().manual_seed(0))


def test_collapse_is_warned_of_once_and_in_every_line_until_it_is_over(
    meddled: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    def change(experiment: Experiment) -> None:
        revive(experiment)

    directory = meddled(1, change, "run.max_steps=8", "callbacks.health.min_diversity=0.0001")
    assert warnings(directory) == [[], []]

    directory = meddled(5, collapse, "run.max_steps=16", "callbacks.health.min_diversity=0.0001")

    assert warnings(directory) == [[], ["collapse"], ["collapse"], ["collapse"]]
    message = "samples are nearly the same, or of a few kinds: their distances are 0.0% of those of real samples."
    assert capsys.readouterr().err.count(f"warning at step 8: {message} If it stays so, begin anew with {CURE}\n") == 1


def flicker(experiment: Experiment) -> None:
    """Make the generator give one and the same picture, with another small change of each pixel for each noise."""
    last = [layer for layer in experiment.networks["generator"].modules() if isinstance(layer, nn.Linear)][-1]
    for weight, std in ((last.weight, 0.2), (last.bias, 1.0)):
        nn.init.normal_(weight, std=std, generator=torch.Generator().manual_seed(1))


def test_pixels_that_flicker_around_one_picture_are_a_collapse(meddled: Callable[..., Path]) -> None:
    def change(experiment: Experiment) -> None:
        flicker(experiment)
        real, fake = experiment.batches.first(64).samples, experiment.source.sample(64)
        shares.append(float(fake.std(0).mean() / real.std(0).mean()))

    shares: list[float] = []
    assert warnings(meddled(8, change, "run.max_steps=8", "callbacks.health.grace_steps=0"))[1] == ["collapse"]
    assert shares[0] > 0.065


class Shown:
    """A sampler that shows real pictures, so many different ones."""

    def __init__(self, experiment: Experiment) -> None:
        self.pictures = experiment.batches.data.samples
        self.kinds = 1

    def __call__(self, request: SampleRequest) -> Tensor:
        return self.pictures[torch.arange(request.count) % self.kinds].float() / 255


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([64, 64, 64, 64], [False, False, False, False]),  # as many pictures as samples
        ([5, 5, 5, 5], [False, True, True, True]),  # five pictures from the start: the first window is young
        ([64, 5, 64, 5], [False, True, False, True]),  # what was diverse collapses at any time
        ([1, 64, 64, 64], [False, False, False, False]),
    ],
)
def test_a_few_kinds_of_samples_are_a_collapse_unless_the_run_is_young(
    registry: Registry, tiny: Recipe, tmp_path: Path, kinds: list[int], expected: list[bool]
) -> None:
    settings = ["run.max_steps=16", "callbacks.samples.enabled=false", "callbacks.health.grace_steps=8"]
    experiment = ganfw.assemble(ganfw.resolve(tiny.with_overrides(settings), registry))
    directory = ganfw.create_run_directory(tmp_path, experiment)
    shown = Shown(experiment)

    def loss(step: int) -> float:
        shown.kinds = kinds[step // LOG_EVERY]
        return 1.0

    steps = Losses(experiment, discriminator=loss, generator=loss)
    ganfw.train(evolve(experiment, sampler=shown, step=steps), directory=directory)

    assert ["collapse" in window for window in warnings(directory)] == expected


@pytest.mark.parametrize(("was_diverse", "is_critic"), [(True, False), (False, True)])
def test_a_resumed_run_knows_what_was_seen(was_diverse: bool, is_critic: bool) -> None:
    before, after = Health(0), Health(0)
    before.was_diverse, before.is_critic = was_diverse, is_critic

    after.load_state_dict(before.state_dict())

    assert (after.was_diverse, after.is_critic) == (was_diverse, is_critic)


def test_what_the_warning_advises_is_a_recipe(tiny: Recipe, registry: Registry) -> None:
    advised = tiny.with_overrides([*CURE.removeprefix("--set ").split(" --set "), "run.max_steps=1"])

    off = [f"callbacks.{name}.enabled=false" for name in ("samples", "checkpoint", "metrics", "progress")]
    experiment = ganfw.assemble(ganfw.resolve(advised.with_overrides(off), registry))
    assert ganfw.train(experiment).finished
    assert list(experiment.regularizers) == ["r1", "r2"]


def test_a_dead_discriminator_is_warned_of(
    registry: Registry, tiny: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = ganfw.assemble(ganfw.resolve(tiny.with_overrides(["run.max_steps=4"]), registry))
    directory = ganfw.create_run_directory(tmp_path, experiment)
    perfect = Losses(experiment, discriminator=lambda step: 1e-4, generator=lambda step: 9.0)
    ganfw.train(evolve(experiment, step=perfect), directory=directory)

    assert "dead_discriminator" in warnings(directory)[0]
    assert (
        "warning at step 4: the discriminator's loss is 0.0001: the generator learns next to nothing from it\n"
    ) in capsys.readouterr().err


def test_a_critic_whose_score_is_near_0_is_not_dead(registry: Registry, tiny: Recipe, tmp_path: Path) -> None:
    experiment = ganfw.assemble(ganfw.resolve(tiny.with_overrides(["run.max_steps=8"]), registry))
    directory = ganfw.create_run_directory(tmp_path, experiment)
    critic = Losses(experiment, discriminator=lambda step: -0.01 if step < 4 else 1e-4, generator=lambda step: 0.1)
    ganfw.train(evolve(experiment, step=critic), directory=directory)

    assert not any("dead_discriminator" in line for line in warnings(directory))


def test_looking_changes_nothing(registry: Registry, tiny: Recipe) -> None:
    def weights(enabled: str) -> list[Tensor]:
        off = [f"callbacks.{name}.enabled=false" for name in ("samples", "checkpoint", "metrics", "progress")]
        recipe = tiny.with_overrides([*off, f"callbacks.health.enabled={enabled}"])
        experiment = ganfw.assemble(ganfw.resolve(recipe, registry))
        ganfw.train(experiment)
        return list(experiment.networks["generator"].state_dict().values())

    for left, right in zip(weights("true"), weights("false"), strict=True):
        assert torch.equal(left, right)
