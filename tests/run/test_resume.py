import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from attrs import evolve

import ganfw
from ganfw import Experiment, Recipe, Registry, RunError, Training, open_checkpoint, resume_training, save_checkpoint
from ganfw.testing import assert_same_run

Run = Callable[..., Path]


def metrics(directory: Path) -> list[dict[str, Any]]:
    """Return the lines of metrics without their timings."""
    lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


VARIANTS = {
    "reference": {},
    "dropout": {"discriminator": {"use": "dropout_mlp"}},
    "torch data set": {"data": {"use": "noisy_digits"}, "run": {"batch_size": 5, "workers": 0}},
    "sgd": {"optimizer": {"generator": {"use": "sgd", "momentum": 0.9}, "discriminator": {"use": "rmsprop"}}},
    "adamw": {
        "optimizer": {
            "generator": {"use": "adamw", "decay_vectors": False},
            "discriminator": {"use": "adamw", "amsgrad": True},
        }
    },
    "truncated": {"noise": {"use": "truncated"}, "loss": {"use": "minimax"}, "step": {"discriminator_steps": 2}},
    "uniform": {"noise": {"use": "uniform"}, "run": {"batch_size": 4096, "epochs": 9}},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("stop_at", [1, 4, 7])
def test_resume_continues_bit_for_bit(
    run: Run, scripted_registry: Registry, tiny: Recipe, tmp_path: Path, variant: str, stop_at: int
) -> None:
    registry = scripted_registry
    recipe = Recipe(name="tiny", extends=tiny, **VARIANTS[variant])
    undisturbed = run(recipe, tmp_path / "undisturbed")
    stopped = run(recipe, tmp_path / "stopped", stop_at=stop_at)
    assert open_checkpoint(stopped).manifest.step == stop_at

    resume_training(stopped, registry)[0].run()

    assert_same_run(stopped, undisturbed)


def test_resume_in_the_middle_of_a_later_epoch(run: Run, registry: Registry, tiny: Recipe, tmp_path: Path) -> None:
    recipe = Recipe(name="tiny", extends=tiny, run={"batch_size": 3000, "epochs": 3, "max_steps": 99})
    undisturbed = run(recipe, tmp_path / "undisturbed")
    stopped = run(recipe, tmp_path / "stopped", stop_at=6)

    resume_training(stopped, registry)[0].run()

    assert open_checkpoint(stopped).manifest.step == 12
    assert_same_run(stopped, undisturbed)


def test_a_finished_run_continues_as_if_it_had_been_longer(
    run: Run, registry: Registry, tiny: Recipe, tmp_path: Path
) -> None:
    longer = run(Recipe(name="tiny", extends=tiny, run={"max_steps": 15}), tmp_path / "longer")
    shorter = run(tiny, tmp_path / "shorter")
    assert [line["step"] for line in metrics(shorter)] == [4, 8, 10]

    resume_training(shorter, registry, ["run.max_steps=15"])[0].run()

    assert metrics(shorter) == metrics(longer)
    for file in open_checkpoint(longer).path.glob("*.safetensors"):
        assert (open_checkpoint(shorter).path / file.name).read_bytes() == file.read_bytes()


def test_a_run_stopped_before_its_first_checkpoint_keeps_its_name(
    run: Run, registry: Registry, tiny: Recipe, tmp_path: Path
) -> None:
    stopped = run(tiny, tmp_path, stop_at=2)
    shutil.rmtree(stopped / "checkpoints")

    resume_training(stopped, registry)[0].run()

    assert open_checkpoint(stopped).manifest.name == "tiny"


def test_metrics_after_the_checkpoint_are_dropped_on_resume(
    run: Run, registry: Registry, tiny: Recipe, tmp_path: Path
) -> None:
    undisturbed = run(tiny, tmp_path / "undisturbed")
    killed = run(tiny, tmp_path / "killed")
    shutil.rmtree(killed / "checkpoints" / "step-000010")
    with (killed / "metrics.jsonl").open("a") as file:
        file.write('{"step": 11, "torn')

    resume_training(killed, registry)[0].run()

    assert_same_run(killed, undisturbed)


def test_lost_metrics_are_reported(registry: Registry, trained: Path) -> None:
    (trained / "metrics.jsonl").write_text("")

    with pytest.raises(RunError) as caught:
        resume_training(trained, registry)[0].run()
    expected = f"{trained}/metrics.jsonl: shorter than the checkpoint says, so lines of metrics are lost; restore it"
    assert str(caught.value) == expected


def test_seconds_leave_pauses_out(run: Run, registry: Registry, tiny: Recipe, tmp_path: Path) -> None:
    stopped = run(tiny, tmp_path, stop_at=5)
    before = open_checkpoint(stopped).state_dict()["seconds"]
    training = resume_training(stopped, registry)[0]

    assert training.seconds == before > 0


@pytest.mark.parametrize(
    "override", ["run.seed=3", "generator.hidden_dim=5", "run.batch_size=9", "noise.use=uniform", "data.split=train"]
)
def test_resume_refuses_to_change_what_the_run_is(registry: Registry, trained: Path, override: str) -> None:
    with pytest.raises(RunError) as caught:
        resume_training(trained, registry, [override])
    assert str(caught.value) == (
        f"--set {override}: a resume may change run.epochs, run.max_steps, run.device, run.workers, the folders of "
        "[data], embedding.weights and callbacks; for anything else start a new run: "
        f"ganfw run {trained}/recipe.toml --from {trained} --set {override}"
    )


def test_resume_may_change_callbacks(registry: Registry, trained: Path) -> None:
    overrides = ["callbacks.more.use=sample_grid", "callbacks.samples.enabled=false", "run.max_steps=11"]

    training = resume_training(trained, registry, overrides)[0]
    training.run()

    assert list(training.experiment.callbacks) == ["health", "progress", "metrics", "checkpoint", "more"]
    assert (trained / "samples" / "step-000011.png").exists()


def test_state_of_another_experiment_is_refused(registry: Registry, tiny: Recipe, trained: Path) -> None:
    state = open_checkpoint(trained).state_dict()
    state["parts"]["loss"] = {}

    with pytest.raises(RunError) as caught:
        Training(ganfw.assemble(ganfw.resolve(tiny, registry))).load_state_dict(state)
    assert str(caught.value) == "the checkpoint is of an experiment with another part 'loss'; make the same experiment"


def test_an_experiment_composed_by_hand_is_saved_and_continues(
    device: torch.device, registry: Registry, tiny: Recipe, tmp_path: Path
) -> None:
    def compose() -> Experiment:
        built = ganfw.assemble(ganfw.resolve(tiny, registry))
        return Experiment(
            data=built.data,
            noise=built.noise,
            networks=built.networks,
            loss=built.loss,
            optimizers=built.optimizers,
            step=built.step,
        )

    whole = ganfw.train(compose(), steps=8)
    first = ganfw.train(compose(), steps=5, directory=tmp_path)
    checkpoint = open_checkpoint(save_checkpoint(first))
    second = Training(compose(), steps=8)
    checkpoint.restore(second)
    second.run()

    for name, network in whole.experiment.networks.items():
        for left, right in zip(network.parameters(), second.experiment.networks[name].parameters(), strict=True):
            assert torch.equal(left, right)
    with pytest.raises(RunError) as caught:
        checkpoint.recipe()
    assert str(caught.value) == (
        f"{checkpoint.path}: saved from parts composed by hand, without a recipe to build them from; compose them "
        f"again in Python, and call open_checkpoint('{checkpoint.path}').restore(Training(experiment))"
    )
    other = evolve(compose(), noise=registry.load("noise", "uniform")(device, z_dim=64))
    with pytest.raises(RunError, match="give other samples than when they were saved"):
        checkpoint.restore(Training(other))


@pytest.fixture(scope="session")
def open_registry() -> Registry:
    """Return a registry with data of a folder, in memory and not."""
    return ganfw.discover(scripts=[Path(__file__).with_name("open_parts.py")])


@pytest.fixture
def shaded(open_registry: Registry, tiny: Recipe, tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that trains three steps on such data in the folder `here`."""

    def train(data: str) -> Path:
        folder = tmp_path / "here"
        folder.mkdir()
        (folder / "shade").write_text("0.5")
        recipe = Recipe(
            name="shaded",
            extends=tiny,
            data={"use": data, "folder": str(folder)},
            embedding={"enabled": False},
            run={"workers": 0},
        )
        experiment = ganfw.assemble(ganfw.resolve(recipe, open_registry))
        directory = ganfw.create_run_directory(tmp_path, experiment)
        ganfw.train(experiment, directory=directory, steps=3)
        return directory

    return train


@pytest.mark.parametrize("data", ["shades", "listed"])
def test_places_may_change_on_resume(
    open_registry: Registry, shaded: Callable[[str], Path], tmp_path: Path, data: str
) -> None:
    directory = shaded(data)
    there = (tmp_path / "here").rename(tmp_path / "there")

    places = [f"data.folder={there}", "run.device=cpu", "run.workers=0", "run.max_steps=4"]
    training, _ = resume_training(directory, open_registry, places)
    training.run()

    assert open_checkpoint(directory).manifest.step == 4
    assert open_checkpoint(directory).recipe().tables["data"]["folder"] == str(there)


@pytest.mark.parametrize("data", ["shades", "listed"])
@pytest.mark.parametrize("saved", [True, False])
def test_other_data_is_refused_on_resume_unless_it_is_accepted(
    open_registry: Registry, shaded: Callable[[str], Path], tmp_path: Path, data: str, saved: bool
) -> None:
    directory = shaded(data)
    before = json.loads((directory / "environment.json").read_text())["data_sha256"]
    (tmp_path / "here" / "shade").write_text("0.75")
    if not saved:
        shutil.rmtree(directory / "checkpoints")
        (directory / "metrics.jsonl").unlink()

    with pytest.raises(RunError) as caught:
        resume_training(directory, open_registry, ["run.max_steps=4"])
    training, _ = resume_training(directory, open_registry, ["run.max_steps=4"], accept_other_data=True)
    training.run()

    after = open_checkpoint(directory).manifest.data_sha256
    assert str(caught.value) == (
        f"{directory}: the data is not that of the run: its SHA-256 is {after}, not {before}; restore the data of the "
        "run, or continue with this data by --accept-other-data"
    )
    resume_training(directory, open_registry)  # it is the data of the run now


def test_a_run_continues_on_another_type_of_device(
    registry: Registry, trained: Path, forge: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    forge(open_checkpoint(trained).path, device="mps")

    training, _ = resume_training(trained, registry, ["run.max_steps=12", "run.device=cpu"])
    training.run()

    assert open_checkpoint(trained).manifest.step == 12
    assert "random numbers are drawn anew: the run continues on cpu with seed 0\n" in capsys.readouterr().err
