"""A search finds good settings, and continues where it was stopped or killed."""

import json
import math
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from ganfw.ledger.records import load_runs

optuna = pytest.importorskip("optuna")

Ganfw = Callable[..., tuple[int, str]]
Write = Callable[[str], Path]

PLUGIN = ("--plugin", Path(__file__).with_name("planted.py"))
SEARCH = """
seeds = {seeds}
[search]
trials = {trials}
metric = "loss/generator"
[search.keys]
loss.x = {{ low = 1e-5, high = 1.0, log = true }}
"""


@pytest.fixture
def write_search(write_sweep: Write) -> Callable[..., Path]:
    """Return a function that writes the sweep file of a search of a planted optimum, one trial at a time."""

    def write(trials: int = 4, seeds: int = 1, **changes: str) -> Path:
        folder = write_sweep(SEARCH.format(trials=trials, seeds=seeds))
        text = (folder / "sweep.toml").read_text()
        text = text.replace("[set]", '[set]\nloss.use = "planted"').replace("jobs = 2", "jobs = 1")
        text = text.replace("max_steps = 6", "max_steps = 1").replace("log_every_steps = 2", "log_every_steps = 1")
        for old, new in changes.items():
            text = text.replace(old, new)
        (folder / "sweep.toml").write_text(text)
        return folder

    return write


def chosen(folder: Path, study: str = "sweep") -> list[tuple[int, str, dict[str, float], float | None]]:
    """Return what Optuna knows of every setting."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend(str(folder / "search.journal")))
    found = optuna.load_study(study_name=study, storage=storage).trials
    return [(each.number, each.state.name, each.params, each.value) for each in found]


@pytest.mark.slow
def test_every_setting_is_a_trial_for_each_seed_and_its_result_their_mean(
    run_ganfw: Ganfw, write_search: Callable[..., Path]
) -> None:
    folder = write_search(trials=3, seeds=2)

    status, output = run_ganfw("sweep", folder, *PLUGIN)

    assert status == 0, output
    assert output.startswith(f"{folder}: a search of 6 trials, 1 at once\nstarted   0,x=")
    assert output.endswith("6 of 6 trials are finished\n")
    runs = load_runs(folder)
    assert len(runs) == 6
    for number, state, params, value in chosen(folder):
        name = f"{number},x={float(format(params['loss.x'], '.4g'))},seed="
        of_setting = [run for run in runs if run.name.startswith(name)]
        assert [run.settings["run.seed"] for run in of_setting] == [0, 1]
        assert {run.settings["loss.x"] for run in of_setting} == {params["loss.x"]}
        assert state == "COMPLETE"
        assert value == pytest.approx(sum(run.losses["loss/generator"] for run in of_setting) / 2)
    rows = [line.split() for line in output.splitlines() if line.startswith("  ")]
    assert rows[0] == ["x", "n", "loss/generator"]
    assert [float(row[2]) for row in rows[1:]] == sorted(float(row[2]) for row in rows[1:])


@pytest.mark.slow
def test_more_settings_are_added_and_other_settings_refused(
    run_ganfw: Ganfw, write_search: Callable[..., Path]
) -> None:
    folder = write_search(trials=2)
    assert run_ganfw("sweep", folder, *PLUGIN)[0] == 0
    before = chosen(folder)

    write_search(trials=3)
    status, output = run_ganfw("sweep", folder, *PLUGIN)
    write_search(trials=3, **{"high = 1.0": "high = 2.0"})
    refused = run_ganfw("sweep", folder, *PLUGIN)

    assert status == 0, output
    assert output.count("started ") == 1
    assert chosen(folder)[:2] == before
    assert refused == (
        2,
        f"Error: {folder}: its search was started with other settings, and results would be mixed; choose another "
        "folder with --out\n",
    )


def test_a_setting_that_fails_is_not_counted_as_good(run_ganfw: Ganfw, write_search: Callable[..., Path]) -> None:
    folder = write_search(trials=6, seeds=2, **{"[set]": "[set]\nloss.fails_above = 1e-3"})

    status, output = run_ganfw("sweep", folder, *PLUGIN)

    assert status == 1, output
    settings = chosen(folder)
    failed = sum(state == "FAIL" for _, state, _, _ in settings)
    assert 0 < failed < 6
    assert all((state == "FAIL") == (params["loss.x"] > 1e-3) for _, state, params, _ in settings)
    assert output.count("failed    ") == failed  # the second seed of a setting that failed is not run
    assert run_ganfw("sweep", folder, *PLUGIN, "--retry")[1] == (
        "Error: --retry: a search chooses other settings instead of those that failed; leave the option out\n"
    )


def test_several_trials_of_settings_that_fail_run_at_once(run_ganfw: Ganfw, write_search: Callable[..., Path]) -> None:
    changes = {"jobs = 1": "jobs = 3", "[set]": "[set]\nloss.fails_above = 1e-4"}
    folder = write_search(trials=3, seeds=2, **changes)

    status, output = run_ganfw("sweep", folder, *PLUGIN)

    assert status == 1, output
    assert "Traceback" not in output
    assert len(chosen(folder)) == 3
    assert all((state == "FAIL") == (params["loss.x"] > 1e-4) for _, state, params, _ in chosen(folder))


def test_a_loss_that_no_trial_has_stops_the_search(run_ganfw: Ganfw, write_search: Callable[..., Path]) -> None:
    folder = write_search(**{'"loss/generator"': '"loss/generation"'})

    status, output = run_ganfw("sweep", folder, *PLUGIN)

    assert status == 2
    assert output.endswith("Error: no run has the metric 'loss/generation'; did you mean 'loss/generator'?\n")


def test_a_metric_that_no_trial_has_is_refused_before_the_first(
    run_ganfw: Ganfw, write_search: Callable[..., Path]
) -> None:
    folder = write_search(**{'"loss/generator"': '"frechet"'})
    unmeasured = run_ganfw("sweep", folder, *PLUGIN)
    write_search(**{'"loss/generator"': '"frechet_distanz"', "evaluate = 0": "evaluate = 20"})
    unknown = run_ganfw("sweep", folder, *PLUGIN)

    line = "Error: {}/sweep.toml:8: {}\n    metric = {}\n  {}\n".format
    what = "search.metric is 'frechet', but trials are not evaluated"
    hint = "say evaluate = 2000 at the top, or choose a loss: loss/generator"
    assert unmeasured == (2, line(folder, what, '"frechet"', hint))
    meant = "'frechet_distance' or 'frechet_distance_infinite' or 'kernel_distance'"
    what = "no metric of the recipe gives 'frechet_distanz'"
    assert unknown == (2, line(folder, what, '"frechet_distanz"', f"did you mean {meant}?"))
    assert [path.name for path in folder.iterdir()] == ["sweep.toml"]


VARIANTS = """
[variants.plain]
[variants.penalised]
regularizers.r1.use = "r1"
[search.best]
seeds = [7, 8]
set.run.max_steps = 2
[set]"""


def names_of(folder: Path) -> list[str]:
    return [run.name for run in load_runs(folder)]


@pytest.mark.slow
def test_each_variant_is_searched_and_its_best_setting_trained_again(
    run_ganfw: Ganfw, write_search: Callable[..., Path]
) -> None:
    changes = {"[set]": VARIANTS, "loss.x =": 'regularizers."*".weight = [1.0, 2.0]\nloss.x ='}
    folder = write_search(trials=3, **changes)

    status, output = run_ganfw("sweep", folder, *PLUGIN)

    assert status == 0, output
    assert output.startswith(f"{folder}: a search of 10 trials, 1 at once\n")
    assert output.endswith("10 of 10 trials are finished\n")
    started = [line.split()[1] for line in output.splitlines() if line.startswith("started")]
    assert [name.split(",")[:2] for name in started if ",best," not in name] == [
        [variant, str(number)] for number in range(3) for variant in ("plain", "penalised")
    ]
    for variant in ("plain", "penalised"):
        settings = chosen(folder, variant)
        number, _, params, _ = min(settings, key=lambda each: each[3] or 0.0)
        assert params.keys() == {"loss.x"} | ({"regularizers.*.weight"} if variant == "penalised" else set())
        best = [run for run in load_runs(folder) if run.name.startswith(f"{variant},best,{number},")]
        assert [run.settings["run.seed"] for run in best] == [7, 8]
        assert {(run.settings["loss.x"], run.step) for run in best} == {(params["loss.x"], 2)}
    rows = [line.split() for line in output.splitlines() if line.startswith("  ")]
    assert len(rows) == 3  # the best settings alone
    assert "started" not in run_ganfw("sweep", folder, *PLUGIN)[1]


def test_the_best_is_trained_again_when_settings_repeat(run_ganfw: Ganfw, write_search: Callable[..., Path]) -> None:
    changes = {
        "[set]": "[search.best]\nseeds = [7]\n[set]",
        "loss.x = { low = 1e-5, high = 1.0, log = true }": "loss.x = [1e-3, 1e-4]",
    }
    folder = write_search(trials=5, **changes)

    status, output = run_ganfw("sweep", folder, *PLUGIN)

    assert status == 0, output
    assert "left" not in output, output
    names = names_of(folder)
    assert len(names) == 3  # two settings, and the best again
    assert sum(name.startswith("best,") and "x=0.001" in name for name in names) == 1


@pytest.mark.slow
def test_a_new_best_setting_is_trained_again_too(run_ganfw: Ganfw, write_search: Callable[..., Path]) -> None:
    changes = {"[set]": "[search.best]\nseeds = [7]\n[set]"}
    folder = write_search(trials=1, **changes)
    assert run_ganfw("sweep", folder, *PLUGIN)[0] == 0
    write_search(trials=6, **changes)

    status, output = run_ganfw("sweep", folder, *PLUGIN)

    assert status == 0, output
    best = min(chosen(folder), key=lambda each: each[3] or 0.0)[0]
    again = [name for name in names_of(folder) if name.startswith("best,")]
    assert [name.split(",")[1] for name in again] == (["0", str(best)] if best else ["0"])
    assert output.startswith(f"{folder}: a search of 7 trials, 1 done, 1 at once\n")
    assert output.endswith("7 of 7 trials are finished\n")


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("seed = [1]", "[search.best] must have the key 'seeds', and may have a table [search.best.set]"),
        (
            "seeds = [3, 0]",
            "seed 0 is one of the search: a setting is best with it because it was chosen by it",
        ),
        ("seeds = 0", "search.best.seeds must be how many, or a list of different ints >= 0, not 0"),
        ("seeds = [1]\nset = 3", "'search.best.set' must be a table: [search.best.set]"),
    ],
)
def test_a_bad_table_of_the_best_is_refused(
    run_ganfw: Ganfw, write_search: Callable[..., Path], table: str, problem: str
) -> None:
    folder = write_search(**{"[set]": f"[search.best]\n{table}\n[set]"})

    status, output = run_ganfw("sweep", folder, *PLUGIN)

    assert status == 2
    assert problem in output
    assert output.count("sweep.toml:") == 1


@pytest.mark.slow
def test_a_search_killed_between_trials_ends_as_an_undisturbed_one(
    run_ganfw: Ganfw, write_search: Callable[..., Path]
) -> None:
    kill_and_continue(run_ganfw, write_search, trials=4, kills=3)


@pytest.mark.slow
def test_a_search_killed_at_many_moments_ends_as_an_undisturbed_one(
    run_ganfw: Ganfw, write_search: Callable[..., Path]
) -> None:
    kill_and_continue(run_ganfw, write_search, trials=8, kills=6)


def kill_and_continue(run_ganfw: Ganfw, write_search: Callable[..., Path], trials: int, kills: int) -> None:
    folder = write_search(trials=trials)
    started = time.monotonic()
    assert run_ganfw("sweep", folder, *PLUGIN)[0] == 0
    seconds = time.monotonic() - started
    undisturbed = chosen(folder)
    shutil.rmtree(folder)
    write_search(trials=trials)
    moments = random.Random(1)
    for _ in range(kills):
        status, output = run_ganfw(
            "sweep", folder, *PLUGIN, kill_after_seconds=moments.uniform(0.2, 1.0) * max(1.0, 2 * seconds / kills)
        )
        assert status in (0, -9), output
    status, output = run_ganfw("sweep", folder, *PLUGIN)
    assert status == 0, output
    told = Counter(json.loads(line)["trial_id"] for line in journal(folder) if json.loads(line)["op_code"] == TELL)
    assert set(told.values()) == {1}
    assert [(params, value) for _, state, params, value in chosen(folder) if state == "COMPLETE"] == [
        (params, value) for _, _, params, value in undisturbed
    ]


TELL = 6
"""Optuna's code for a trial whose state is set."""


def journal(folder: Path) -> list[str]:
    return (folder / "search.journal").read_text().splitlines()


@pytest.mark.slow
def test_the_planted_optimum_is_found(run_ganfw: Ganfw, write_search: Callable[..., Path]) -> None:
    folder = write_search(trials=40)

    status, output = run_ganfw("sweep", folder, *PLUGIN)

    assert status == 0, output
    assert (
        min(value for _, _, _, value in chosen(folder) if value is not None) < 0.05
    )  # a factor of 1.12 of five decades


@pytest.mark.slow
def test_settings_that_are_worse_than_the_median_are_given_up(
    run_ganfw: Ganfw, write_search: Callable[..., Path]
) -> None:
    changes = {
        "[set]": "[set]\nloss.seconds = 0.1",
        "max_steps = 1": "max_steps = 20",
        "[search]": '[search]\nprune = true\nsampler = "random"',
    }
    folder = write_search(trials=12, seeds=2, **changes)

    status, output = run_ganfw("sweep", folder, *PLUGIN)

    assert status == 0, output
    settings = chosen(folder)
    pruned = {number for number, state, _, _ in settings if state == "PRUNED"}
    values = {number: value for number, state, _, value in settings if state == "COMPLETE"}
    assert pruned
    assert len(pruned) + len(values) == 12
    runs = [run for run in load_runs(folder) if run.state == "pruned"]
    assert {int(run.name.partition(",")[0]) for run in runs} == pruned
    assert all(0 < run.step < 20 and run.name.endswith("seed=0") for run in runs)  # the second seed is not begun
    distances = {number: abs(math.log10(params["loss.x"] / 3e-3)) for number, _, params, _ in settings}
    for number in pruned:
        earlier = sorted(distances[other] for other in values if other < number)
        assert distances[number] > earlier[(len(earlier) - 1) // 2]
    assert f"{len(pruned)} pruned" in output
    assert "started" not in run_ganfw("sweep", folder, *PLUGIN)[1]


def test_a_search_is_checked_at_both_ends_of_its_ranges(run_ganfw: Ganfw, write_search: Callable[..., Path]) -> None:
    folder = write_search(**{"loss.x =": "noise.z_dim = [8, 0]\nloss.x ="})

    refused = run_ganfw("sweep", folder, *PLUGIN, "--dry-run")

    assert refused == (
        2,
        f"Error: {folder}/sweep.toml:10: noise.z_dim must be >= 1, not 0\n    noise.z_dim = [8, 0]\n"
        "  see: ganfw parts noise normal\n  in 1 of 4 trials: noise.z_dim = 0\n",
    )


def test_bad_searches_are_refused(run_ganfw: Ganfw, write_sweep: Write) -> None:
    folder = write_sweep(
        "[grid]\nloss.use = ['bce']\n[search]\ntrails = 3\nsampler = 'best'\nmetric = 3\n"
        "[search.keys]\nnoise.z_dim = { low = 8, high = 4 }\nloss.use = 'bce'\n"
    )

    status, output = run_ganfw("sweep", folder)

    file = f"{folder}/sweep.toml"
    wanted = "a list of values, or { low = …, high = … } with low < high, and 0 < low with log = true"
    assert (status, output) == (
        2,
        f"Error: {file}:4: a sweep has a search or [grid], not both; what a search chooses is in [search.keys]\n"
        "    [grid]\n\n"
        f"{file}:7: unknown key 'trails' of [search]\n    trails = 3\n  did you mean 'trials'?\n\n"
        f"{file}:6: search.trials must be how many settings to try, an int >= 1, not None\n    [search]\n\n"
        f"{file}:9: search.metric must be the name of a metric or a loss, not 3\n    metric = 3\n\n"
        f"{file}:8: search.sampler must be 'tpe' or 'random', not 'best'\n    sampler = 'best'\n\n"
        f"{file}:11: noise.z_dim must be {wanted}, not {{'low': 8, 'high': 4}}\n"
        "    noise.z_dim = { low = 8, high = 4 }\n\n"
        f"{file}:12: loss.use must be {wanted}, not 'bce'\n    loss.use = 'bce'\n",
    )
