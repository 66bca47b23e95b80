"""The trials of a sweep: which there are, what they are called, and what is wrong with them."""

from pathlib import Path

import pytest

from ganfw import RecipeError, Registry
from ganfw.ledger.records import short_names
from ganfw.sweep.definition import Sweep, read_sweep, sweep_of_options
from ganfw.sweep.trials import plan_trials, word_of


def sweep_in(folder: Path, registry: Registry, text: str) -> Sweep:
    path = folder / "sweep.toml"
    path.write_text(f'format = 1\nrecipe = "mnist_mlp"\n{text}')
    return read_sweep(path, registry)


def test_trials_are_every_setting_with_every_seed(registry: Registry, tmp_path: Path) -> None:
    text = """\
seeds = [3, 5]
[set]
run.epochs = 1
[variants.plain]
[variants.r1]
regularizers.r1.use = "r1"
[grid]
loss.use = ["bce", "hinge"]
"optimizer"."*".lr = [1e-4]
"""

    trials = plan_trials(sweep_in(tmp_path, registry, text), registry)

    assert [trial.name for trial in trials] == [
        "plain,loss=bce,lr=0.0001,seed=3",
        "plain,loss=hinge,lr=0.0001,seed=3",
        "r1,loss=bce,lr=0.0001,seed=3",
        "r1,loss=hinge,lr=0.0001,seed=3",
        "plain,loss=bce,lr=0.0001,seed=5",
        "plain,loss=hinge,lr=0.0001,seed=5",
        "r1,loss=bce,lr=0.0001,seed=5",
        "r1,loss=hinge,lr=0.0001,seed=5",
    ]
    tables = trials[3].resolved.recipe.tables
    assert (tables["run"]["seed"], tables["run"]["epochs"]) == (3, 1)
    assert {name: table["lr"] for name, table in tables["optimizer"].items()} == {
        "generator": 1e-4,
        "discriminator": 1e-4,
    }
    assert "regularizers" not in trials[0].resolved.recipe.tables
    origins = trials[3].resolved.recipe.origins
    assert origins["loss", "use"].label == f"{tmp_path / 'sweep.toml'}:10"
    assert origins["run", "seed"].label == f"{tmp_path / 'sweep.toml'}:3"


def test_trials_are_evaluated_at_their_end(registry: Registry, tmp_path: Path) -> None:
    (evaluated,) = plan_trials(sweep_in(tmp_path, registry, "evaluate = 500\nset.run.epochs = 7\n"), registry)
    (not_evaluated,) = plan_trials(sweep_in(tmp_path, registry, "evaluate = 0\n"), registry)
    own = 'set.callbacks.mine = { use = "evaluate", count = 99 }\n'
    (its_own,) = plan_trials(sweep_in(tmp_path, registry, own), registry)

    assert evaluated.resolved.recipe.tables["callbacks"]["evaluate"] == {
        "use": "evaluate",
        "every_epochs": 7,
        "count": 500,
        "best": "",
        "held_out": True,
    }
    assert "evaluate" not in not_evaluated.resolved.recipe.tables["callbacks"]
    assert "evaluate" not in its_own.resolved.recipe.tables["callbacks"]


def test_problems_of_trials_are_said_once_each(registry: Registry, tmp_path: Path) -> None:
    text = """\
seeds = 2
[grid]
loss.use = ["bce", "hing"]
generator.hiden_dim = [4, 8]
optimizer.generator.lr = [1e-4, "fast"]
"""
    with pytest.raises(RecipeError) as caught:
        plan_trials(sweep_in(tmp_path, registry, text), registry)

    file = tmp_path / "sweep.toml"
    assert str(caught.value) == (
        f"{file}:6: unknown key 'hiden_dim' of generator 'mlp'\n"
        "    generator.hiden_dim = [4, 8]\n"
        "  did you mean 'hidden_dim'?\n"
        "  see: ganfw parts generator mlp\n"
        "  in every trial\n"
        "\n"
        f"{file}:7: optimizer.generator.lr must be a float >= 0, not 'fast'\n"
        '    optimizer.generator.lr = [1e-4, "fast"]\n'
        "  see: ganfw parts optimizer adam\n"
        "  in 8 of 16 trials: loss=bce,hiden_dim=4,lr=fast,seed=0, …\n"
        "\n"
        f"{file}:5: no loss is named 'hing'\n"
        '    loss.use = ["bce", "hing"]\n'
        "  did you mean 'hinge'?\n"
        "  see: ganfw parts loss\n"
        "  in 8 of 16 trials: loss=hing,hiden_dim=4,lr=0.0001,seed=0, …"
    )


def test_a_key_that_stands_for_nothing_is_refused(registry: Registry) -> None:
    with pytest.raises(RecipeError) as caught:
        plan_trials(sweep_of_options("mnist_mlp", registry, grid=["schedule.*.decay=1,2"]), registry)

    assert str(caught.value) == (
        "--grid schedule.*.decay=1,2: schedule.*.decay stands for no key: the recipe has no [schedule]\n"
        "  in every trial"
    )


def test_a_trial_needs_checkpoints(registry: Registry) -> None:
    sweep = sweep_of_options("mnist_mlp", registry, overrides=["callbacks.checkpoint.enabled=false"])

    with pytest.raises(RecipeError) as caught:
        plan_trials(sweep, registry)

    assert str(caught.value) == (
        "--set callbacks.checkpoint.enabled=false: a trial of a sweep needs the callback 'checkpoint', to be "
        "continued\n  in every trial"
    )


def test_names_are_short_as_long_as_they_tell_keys_apart() -> None:
    keys = ["loss.use", "optimizer.*.lr", "generator.hidden_dim", "discriminator.hidden_dim", "run.epochs", "lr"]

    assert list(short_names(keys).values()) == [
        "loss",
        "optimizer.lr",
        "generator.hidden_dim",
        "discriminator.hidden_dim",
        "epochs",
        "lr",
    ]


def test_values_are_written_as_a_file_can_be_called() -> None:
    values = [True, 1e-5, [0.5, 0.999], "ganfw:mlp", "../x y", "ä"]

    assert [word_of(value) for value in values] == ["true", "1e-05", "0.5-0.999", "ganfw-mlp", "..-x-y", "ä"]


def test_long_names_and_names_that_are_taken_become_unique(registry: Registry) -> None:
    grid = [
        f"generator.init={','.join([f'{letter * 150}.safetensors' for letter in 'ab'])}",
        'discriminator.init="a b","a/b"',
    ]

    names = [trial.name for trial in plan_trials(sweep_of_options("mnist_mlp", registry, grid=grid), registry)]

    assert len(set(names)) == 4
    assert all(len(name.encode()) <= 130 for name in names)
