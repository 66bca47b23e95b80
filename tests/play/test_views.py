"""What the views show is what their code makes: the Python, and the command where there is one."""

import os
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

import ganfw
from ganfw import DataError, InputError, Registry, RunError
from ganfw.cli import main
from ganfw.play.code import command_of, python_of, why_no_command
from ganfw.play.requests import read_request
from ganfw.play.runs import MAX_MODELS, Model, Models, PlayedRun
from ganfw.play.views import PATH_STEPS, Shown, View

Played = Callable[[Path], PlayedRun]
Train = Callable[..., Path]

TESTS = Path(__file__).parents[1]
GRID = "view=grid&run=0&count=9&seed=3"
PATH = "view=path&run=0&from=5-0-2&to=5-1-2"


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def view_of(run: PlayedRun, query: str) -> tuple[View, Model]:
    request = read_request(query.encode(), 1)
    model = run.model(request.step, request.sampler)
    request.check(model)
    return request.view, model


def shown(run: PlayedRun, query: str) -> Shown:
    view, model = view_of(run, query)
    return view.show(model)


def executed(python: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(python, "of the page", "exec"), names)
    return names


QUERIES = {
    "digits": [
        GRID,
        f"{GRID}&truncation=0.7",
        f"{GRID}&step=5",
        f"{PATH}&truncation=0.5",
        "view=path&run=0&from=5-7-25&to=6-3-9",
        "view=map&run=0&seed=2",
        "view=plane&run=0&seed=2&x=0.25&y=-0.1",
        "view=coordinates&run=0&of=3-4-25&changes=0:1.5,63:-2",
        "view=nearest&run=0&count=9&seed=3&number=4",
    ],
    "classes": [
        GRID,
        f"{GRID}&class=7",
        f"{PATH}&class=2",
        "view=map&run=0&seed=2&class=1",
        "view=coordinates&run=0&of=3-4-25&changes=&class=9",
        "view=nearest&run=0&count=9&seed=3&number=4&class=3",
    ],
    "ring": [GRID, PATH, "view=plane&run=0&seed=2&x=0.25&y=0.5", "view=nearest&run=0&count=9&seed=3&number=4"],
    "translations": [GRID],
}


@pytest.mark.parametrize(("name", "query"), [(name, query) for name, queries in QUERIES.items() for query in queries])
def test_the_python_of_a_view_makes_what_it_shows(
    name: str, query: str, played: Played, request: pytest.FixtureRequest
) -> None:
    run = played(request.getfixturevalue(name))
    view, model = view_of(run, query)
    picture = view.show(model)

    made: Tensor = executed(python_of(view, model))["samples"]

    assert torch.equal(made, picture.samples[picture.about.get("given", 0) :])
    assert Path("samples.png").exists() == (model.kind == "images")


@pytest.mark.parametrize(
    ("name", "query"), [(name, query) for name in ("digits", "classes") for query in QUERIES[name] if "25" not in query]
)
def test_the_command_of_a_view_draws_what_it_shows(
    name: str, query: str, played: Played, request: pytest.FixtureRequest
) -> None:
    run = played(request.getfixturevalue(name))
    view, model = view_of(run, query)
    command = command_of(view, model)
    if command is None:
        assert why_no_command(view, model).startswith("No command ")
        return
    assert why_no_command(view, model) == ""

    result = CliRunner().invoke(main, [*shlex.split(command)[1:], "-o", "made.npy"])

    assert result.exit_code == 0, result.output
    made = torch.from_numpy(np.load("made.npy"))
    assert torch.equal(made if made.ndim == 4 else made.flatten(0, 2), view.show(model).samples)


def test_the_noise_of_a_grid_moves_continuously_with_the_truncation(digits: Path, played: Played) -> None:
    run = played(digits)
    rows = [shown(run, f"{GRID}&truncation={threshold}").samples for threshold in ("0.5", "0.501", "2.5")]

    near, far = ((row - rows[0]).abs().max() for row in rows[1:])

    assert 0 < near < 0.01 < far


def test_a_path_begins_and_ends_with_its_samples(digits: Path, played: Played) -> None:
    run = played(digits)
    grid = shown(run, "view=grid&run=0&count=25&seed=3").samples

    path = shown(run, "view=path&run=0&from=3-4-25&to=3-11-25").samples

    assert len(path) == 2 * PATH_STEPS
    for way in path.split(PATH_STEPS):
        assert torch.allclose(way[0], grid[4], atol=1e-6)
        assert torch.allclose(way[-1], grid[11], atol=1e-6)


def test_the_corners_of_a_plane_are_three_samples_of_its_seed(digits: Path, played: Played) -> None:
    run = played(digits)
    source = run.model().source
    three = ganfw.generate(source.networks["generator"], ganfw.draw_noise(source.noise, 3, seed=2), batch_size=64)

    drawn = shown(run, "view=map&run=0&seed=2")
    corners = drawn.samples.unflatten(0, (7, 7))[[6, 6, 0], [0, 6, 0]]

    assert torch.allclose(corners, three, atol=1e-6)
    assert torch.allclose(shown(run, "view=plane&run=0&seed=2&x=1&y=0").samples[0], three[1], atol=1e-6)


def test_one_coordinate_changes_one_of_two_samples(digits: Path, played: Played) -> None:
    run = played(digits)
    grid = shown(run, "view=grid&run=0&count=25&seed=3").samples

    same = shown(run, "view=coordinates&run=0&of=3-4-25&changes=")
    drawn, changed = shown(run, "view=coordinates&run=0&of=3-4-25&changes=2:3.5").samples

    assert torch.equal(same.samples[0], same.samples[1])
    assert torch.allclose(drawn, grid[4], atol=1e-6)
    assert not torch.equal(changed, drawn)
    assert len(same.about["z"]) == 64


def test_the_nearest_samples_are_training_samples_in_order(digits: Path, played: Played) -> None:
    run = played(digits)
    found = shown(run, "view=nearest&run=0&count=9&seed=3&number=4")

    training = ganfw.discover().load("data", "mnist")(split="test").samples
    assert torch.equal((found.samples[1:] * 255).round().byte(), training[found.about["indices"]])
    assert found.about["distances"] == sorted(found.about["distances"])


def test_translations_stand_behind_their_held_out_inputs(translations: Path, played: Played) -> None:
    run = played(translations)
    picture = shown(run, GRID)
    model = run.model()

    inputs, made = picture.samples.split(picture.about["given"])
    assert torch.equal(made, model.source.sample(9, inputs=ganfw.Batch(inputs)))
    assert run.about["inputs"]
    assert run.about["z_dim"] is None
    view, model = view_of(run, GRID)
    assert command_of(view, model) is None
    with pytest.raises(InputError, match="no generator with noise to walk through"):
        shown(run, PATH)


def test_data_that_is_gone_is_a_sentence(parts: Registry, played: Played, train: Train, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "MNIST" / "raw"
    shutil.copytree(Path(ganfw.__file__).parent / "builtin" / "mnist_data", folder)
    run = played(train("elsewhere", "mnist_mlp", tmp_path, data={"split": "test", "root": str(tmp_path / "data")}))
    shutil.rmtree(folder)

    assert len(shown(run, GRID).samples) == 9
    with pytest.raises(DataError, match="no such file, zipped or not"):
        shown(run, "view=nearest&run=0&count=9&seed=3&number=4")


def test_samples_that_cannot_be_drawn_are_refused_in_a_sentence(train: Train, played: Played, tmp_path: Path) -> None:
    run = played(train("vectors", "ring_mlp", tmp_path, data={"use": "vectors"}))

    assert run.about["kind"] == "other"
    with pytest.raises(InputError) as caught:
        shown(run, GRID)
    assert str(caught.value) == (
        "samples of shape 5 are neither images nor points in the plane, which is all that this page draws; ganfw "
        "sample RUN -o samples.npy writes them as numbers"
    )


def test_a_step_between_checkpoints_is_that_of_the_last_before_it(digits: Path, played: Played) -> None:
    run = played(digits)
    steps = {asked: run.model(asked).checkpoint.manifest.step for asked in (0, 5, 7, 10, 99)}

    assert steps == {0: 5, 5: 5, 7: 5, 10: 10, 99: 10}
    assert (run.steps(), run.newest()) == ([5, 10], 10)


def test_a_checkpoint_is_loaded_once_and_only_so_many_are_kept(digits: Path, played: Played) -> None:
    run = played(digits)
    first = run.model(5)

    assert run.model(5) is first
    models = Models()
    for number in range(MAX_MODELS + 1):
        models.keep((str(number),), first)
    assert models.get(("0",)) is None
    assert models.get(("1",)) is first


def test_one_checkpoint_is_enough(digits: Path, played: Played) -> None:
    run = played(digits / "checkpoints" / "step-000005")

    assert run.steps() == [5]
    assert torch.equal(shown(run, GRID).samples, shown(played(digits), f"{GRID}&step=5").samples)


def test_a_damaged_newest_checkpoint_is_passed_over(digits: Path, played: Played, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(digits, copy)
    weights = copy / "checkpoints" / "step-000010" / "generator.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    run = played(copy)

    assert run.model().checkpoint.manifest.step == 5
    with pytest.raises(RunError, match="damaged"):
        run.model(10)


def test_samplers_that_fit_are_offered(digits: Path, played: Played) -> None:
    registry = ganfw.discover(scripts=[TESTS / "cli" / "best_of_two.py"])
    run = PlayedRun(digits, registry, "cpu", Models())

    (offered,) = run.about["samplers"]

    assert offered == {
        "name": "best_of_two.py:best_of_two",
        "label": "best_of_two",
        "help": "the better of two",
        "inputs": False,
    }
    assert played(digits).about["samplers"] == []  # not translation: the generator is no translator
    query = f"{GRID}&sampler=best_of_two.py%3Abest_of_two"
    view, model = view_of(run, query)
    assert torch.equal(executed(python_of(view, model))["samples"], view.show(model).samples)
    assert not torch.equal(view.show(model).samples, shown(run, GRID).samples)
    assert "--set sampler.use=best_of_two.py:best_of_two" in str(command_of(view, model))
    with pytest.raises(InputError, match="this run has no such sampler; load the page again"):
        shown(run, f"{GRID}&sampler=translation")


def test_a_read_only_run_can_be_played_with(digits: Path, played: Played, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(digits, copy)
    for path in (*copy.rglob("*"), copy):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert len(shown(played(copy), GRID).samples) == 9
    finally:
        for path in (copy, *copy.rglob("*")):
            path.chmod(0o755)
    assert os.access(copy, os.W_OK)
