"""What a sweep says is read, and everything that is wrong with it is said at once."""

from pathlib import Path

import pytest

from ganfw import RecipeError, Registry
from ganfw.sweep.definition import read_sweep, sweep_of_options


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refusal(registry: Registry, text: str) -> str:
    Path("losses.toml").write_text(text)
    with pytest.raises(RecipeError) as caught:
        read_sweep(Path("losses.toml"), registry)
    return str(caught.value)


def test_a_file_and_options_say_the_same_sweep(registry: Registry) -> None:
    Path("losses.toml").write_text(
        'format = 1\nrecipe = "mnist_mlp"\nseeds = 2\nevaluate = 0\n[set]\nrun.epochs = 1\n'
        '[grid]\nloss.use = ["bce", "hinge"]\noptimizer."*".betas = [[0.5, 0.9], [0.0, 0.9]]\n'
    )

    of_file = read_sweep(Path("losses.toml"), registry)
    of_options = sweep_of_options(
        "mnist_mlp",
        registry,
        seeds="2",
        evaluate=0,
        overrides=["run.epochs=1"],
        grid=["loss.use=bce,hinge", "optimizer.*.betas=[0.5, 0.9],[0.0, 0.9]"],
    )

    assert of_file.seeds == of_options.seeds == (0, 1)
    assert of_file.grid == {
        ("loss", "use"): ["bce", "hinge"],
        ("optimizer", "*", "betas"): [[0.5, 0.9], [0.0, 0.9]],
    }
    assert of_options.grid == of_file.grid
    assert of_options.recipe == of_file.recipe
    assert of_file.recipe.tables["run"]["epochs"] == 1
    assert of_file.origin("grid", "loss", "use").label == "losses.toml:8"
    assert of_options.origin("grid", "loss", "use").label == "--grid loss.use=bce,hinge"


def test_a_key_may_be_quoted_as_a_whole(registry: Registry) -> None:
    for table in ("grid", "search"):
        head = 'format = 1\nrecipe = "mnist_mlp"\n'
        head += "[grid]\n" if table == "grid" else '[search]\ntrials = 1\nmetric = "loss/generator"\n[search.keys]\n'
        found = []
        for key in ('"optimizer.*.lr"', 'optimizer."*".lr'):
            Path("rates.toml").write_text(f"{head}{key} = [1e-5, 1e-4]\n")
            sweep = read_sweep(Path("rates.toml"), registry)
            found.append(sweep.grid if sweep.search is None else sweep.search.keys)
        assert found == [{("optimizer", "*", "lr"): [1e-5, 1e-4]}] * 2


def test_a_sweep_written_into_its_folder_is_the_same_sweep(registry: Registry) -> None:
    Path("mine.toml").write_text('extends = "mnist_mlp"\n[run]\nepochs = 3\n')
    Path("losses.toml").write_text(
        'format = 1\nrecipe = "mine.toml"\nseeds = [3]\n[variants.plain]\n[variants.b]\nrun.epochs=2\n'
    )
    folder = Path("sweeps/losses")
    folder.mkdir(parents=True)
    sweep = read_sweep(Path("losses.toml"), registry)

    (folder / "sweep.toml").write_text(sweep.to_toml(folder))
    again = read_sweep(folder / "sweep.toml", registry)

    assert (again.recipe, again.seeds, again.variants) == (sweep.recipe, sweep.seeds, sweep.variants)
    assert 'recipe = "../../mine.toml"' in (folder / "sweep.toml").read_text()


def test_every_problem_of_a_sweep_is_said_at_once(registry: Registry) -> None:
    text = """\
format = 2
recipe = "mnist_mlp"
seeds = [0, 1, 0]
evaluate = -1
sedes = 3

[grid]
loss.use = []
noise.z_dim = 64
run.seed = [1, 2]
data.use = ["ring", "ring"]

[variants]
"a b" = 1
"""
    assert refusal(registry, text) == (
        "losses.toml:5: unknown key 'sedes' of a sweep\n"
        "    sedes = 3\n"
        "  did you mean 'seeds'?\n"
        "  keys are format, recipe, seeds, evaluate, set, grid, variants, search, launcher\n"
        "\n"
        "losses.toml:1: format must be 1, the format of sweeps that this version reads\n"
        "    format = 2\n"
        "\n"
        "losses.toml:4: evaluate must be a number of samples, or 0, not -1\n"
        "    evaluate = -1\n"
        "\n"
        "losses.toml:3: seed 0 is listed twice: a run with it would be the same run\n"
        "    seeds = [0, 1, 0]\n"
        "\n"
        "losses.toml:8: loss.use must be a list of values, not []\n"
        "    loss.use = []\n"
        "\n"
        "losses.toml:9: noise.z_dim must be a list of values, not 64\n"
        "    noise.z_dim = 64\n"
        "\n"
        "losses.toml:10: run.seed is not a key of a grid: write seeds = […] at the top\n"
        "    run.seed = [1, 2]\n"
        "\n"
        "losses.toml:11: data.use lists 'ring' twice\n"
        '    data.use = ["ring", "ring"]\n'
        "\n"
        "losses.toml:14: a variant's name must be of letters, digits, '_' and '-', not 'a b'\n"
        '    "a b" = 1\n'
        "\n"
        "losses.toml:14: 'variants.a b' must be a table of settings: [variants.a b]\n"
        '    "a b" = 1'
    )


def test_an_empty_grid_is_refused(registry: Registry) -> None:
    assert refusal(registry, 'format = 1\nrecipe = "mnist_mlp"\n[grid]\n') == (
        'losses.toml:3: [grid] is empty: write keys of the recipe with lists of values: loss.use = ["bce", "hinge"]\n'
        "    [grid]"
    )


@pytest.mark.parametrize("seeds", ["0", "[]", "-1", '"3"', "[true]", "[1.5]"])
def test_seeds_that_are_none_are_refused(seeds: str, registry: Registry) -> None:
    found = refusal(registry, f'format = 1\nrecipe = "mnist_mlp"\nseeds = {seeds}\n')

    assert found.startswith("losses.toml:3: seeds must be how many, or a list of different ints >= 0, not ")


def test_options_that_are_none_are_refused(registry: Registry) -> None:
    with pytest.raises(RecipeError) as caught:
        sweep_of_options("mnist_mlp", registry, grid=["loss.use"])
    assert str(caught.value) == "--grid loss.use: loss.use must be a list of values, not []"
    with pytest.raises(RecipeError) as caught:
        sweep_of_options("mnist_mlp", registry, seeds="1,1")
    assert str(caught.value) == "--seeds 1,1: seed 1 is listed twice: a run with it would be the same run"
