"""Run directories of a given name, and what they say of a run's length."""

import json
from pathlib import Path

import pytest

import ganfw
from ganfw import Recipe, Registry, RunError
from ganfw.run.directory import create_named_directory


@pytest.mark.parametrize(
    ("run", "expected"),
    [({"max_steps": 10}, 10), ({"max_steps": None, "epochs": 2}, 626), ({"max_steps": 400, "epochs": 1}, 313)],
)
def test_the_record_says_how_many_steps_the_run_has(
    run: dict[str, int | None], expected: int, tiny: Recipe, registry: Registry, tmp_path: Path
) -> None:
    tables = {**tiny.tables["run"], **run}
    recipe = Recipe(name="tiny", **{**tiny.tables, "run": {key: value for key, value in tables.items() if value}})
    experiment = ganfw.assemble(ganfw.resolve(recipe, registry))

    directory = ganfw.create_run_directory(tmp_path, experiment)

    assert json.loads((directory / "environment.json").read_text())["total_steps"] == expected
    assert ganfw.Training(experiment).total_steps == expected


def test_a_named_directory_appears_whole_in_place_of_what_a_crash_left(
    tiny: Recipe, registry: Registry, tmp_path: Path
) -> None:
    experiment = ganfw.assemble(ganfw.resolve(tiny, registry))
    numbered = ganfw.create_run_directory(tmp_path, experiment)
    (tmp_path / ".mine.tmp").mkdir()
    (tmp_path / ".mine.tmp" / "recipe.toml").write_text("half")

    create_named_directory(tmp_path / "mine", experiment)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "tiny-1"]
    for name in ("recipe.toml", "environment.json"):
        assert (tmp_path / "mine" / name).read_text() == (numbered / name).read_text()


def test_a_name_that_is_taken_is_refused(tiny: Recipe, registry: Registry, tmp_path: Path) -> None:
    experiment = ganfw.assemble(ganfw.resolve(tiny, registry))
    create_named_directory(tmp_path / "mine", experiment)

    with pytest.raises(RunError) as caught:
        create_named_directory(tmp_path / "mine", experiment)

    assert str(caught.value) == f"{tmp_path}/mine: the run directory cannot be made: Directory not empty"
