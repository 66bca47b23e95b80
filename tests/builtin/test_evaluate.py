"""The callback `evaluate`: what it writes, what it keeps, and that the run is the same with it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

import ganfw
from ganfw import GanfwError, InputError, Recipe, Registry
from ganfw.builtin.evaluate import Evaluate
from ganfw.cli import main
from ganfw.testing import check_exact_resume


def with_evaluation(recipe: Recipe, **keys: Any) -> Recipe:
    table = {"use": "evaluate", "every_steps": 2, "count": 20, "best": "brightness_error", **keys}
    return Recipe(
        name="tiny", extends=recipe, callbacks={"evaluate": table, "checkpoint": {"every_steps": 3, "keep": 1}}
    )


def run(recipe: Recipe, registry: Registry, folder: Path) -> Path:
    experiment = ganfw.assemble(ganfw.resolve(recipe, registry))
    directory = ganfw.create_run_directory(folder, experiment)
    ganfw.train(experiment, directory=directory)
    return directory


def errors(run: Path) -> dict[int, float]:
    """Return the results that the best checkpoint is chosen by, by step."""
    documents = [json.loads(path.read_text()) for path in sorted((run / "eval").glob("*.json"))]
    return {document["step"]: document["metrics"]["brightness_error"]["value"] for document in documents}


def test_best_checkpoint_is_kept_and_all_results_are_written(
    device: torch.device, judged: Recipe, judging_registry: Registry, tmp_path: Path
) -> None:
    directory = run(with_evaluation(judged), judging_registry, tmp_path)

    found = errors(directory)
    assert list(found) == [2, 4, 6, 8, 10]
    best = ganfw.open_checkpoint(directory / "best")
    assert best.manifest.step == min(found, key=lambda step: found[step])
    assert ganfw.open_checkpoint(directory).path.name == "step-000010"
    judge = ganfw.open_evaluator(ganfw.resolve(best.recipe(), judging_registry), device=str(device))
    source = best.source(judging_registry, device)
    again = ganfw.evaluate(source, judge, count=20)
    assert again["brightness_error"] == min(found.values())


def test_best_checkpoint_can_be_sampled_and_evaluated(
    judged: Recipe, judging_registry: Registry, judging_script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = run(with_evaluation(judged), judging_registry, tmp_path)
    monkeypatch.chdir(tmp_path)
    step = ganfw.open_checkpoint(directory / "best").manifest.step

    sampled = CliRunner().invoke(main, ["sample", str(directory / "best")])
    evaluated = CliRunner().invoke(
        main, ["evaluate", str(directory / "best"), "-n", "20", "--plugin", str(judging_script)]
    )

    assert (sampled.exit_code, sampled.stdout) == (0, f"tiny-step-{step:06d}-seed-0.png\n")
    assert evaluated.exit_code == 0, evaluated.output
    assert (directory / "eval" / f"step-{step:06d}-count-20.json").exists()


def test_a_run_is_the_same_with_evaluations(judged: Recipe, judging_registry: Registry, tmp_path: Path) -> None:
    plain = run(judged, judging_registry, tmp_path / "plain")
    watched = run(with_evaluation(judged, best=""), judging_registry, tmp_path / "watched")

    for name in ("generator", "discriminator", "optimizer.generator"):
        files = [path / "checkpoints" / "step-000010" / f"{name}.safetensors" for path in (plain, watched)]
        assert files[0].read_bytes() == files[1].read_bytes(), name
    assert not (watched / "best").exists()


def test_samples_are_compared_with_training_samples_to_tune_by(
    device: torch.device, judged: Recipe, judging_registry: Registry, tmp_path: Path
) -> None:
    directory = run(with_evaluation(judged, held_out=False, best=""), judging_registry, tmp_path)

    document = json.loads((directory / "eval" / "step-000010-count-20-training-data.json").read_text())
    assert (document["reference"]["split"], document["reference"]["count"]) == (None, 10_000)
    resolved = ganfw.resolve(judged, judging_registry)
    assert document["reference"] == ganfw.open_evaluator(resolved, device=str(device), held_out=False).about_reference
    assert document["reference"] != ganfw.open_evaluator(resolved, device=str(device)).about_reference


def test_samples_are_compared_with_a_reference_that_was_kept(
    judged: Recipe, judging_registry: Registry, tmp_path: Path
) -> None:
    resolved = ganfw.resolve(judged, judging_registry)
    path = tmp_path / "digits.npz"
    path.write_bytes(ganfw.build_reference(resolved, device="cpu", kept=500).to_bytes())

    directory = run(with_evaluation(judged, reference=str(path)), judging_registry, tmp_path)

    word = f"reference-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}"
    document = json.loads((directory / "eval" / f"step-000010-count-20-{word}.json").read_text())
    assert (document["reference"]["file"], document["reference"]["count"]) == ("digits.npz", 60_000)
    assert "real_data" not in document["metrics"]["brightness_error"]
    assert len(errors(directory)) == 5
    assert (directory / "best").is_dir()
    with pytest.raises(InputError) as caught:
        run(with_evaluation(judged, reference=str(path), best="brightness"), judging_registry, tmp_path / "other")
    assert str(caught.value) == (
        "callback 'evaluate': best = \"brightness\" is not a result that can be compared; choose one of "
        "brightness_error"
    )
    with pytest.raises(InputError) as caught:
        Evaluate(reference=str(path), held_out=False)
    assert str(caught.value) == (
        "callback 'evaluate': 'reference' and held_out = false exclude each other; leave one out"
    )


def test_a_run_resumes_bit_for_bit_and_keeps_the_same_best(
    judged: Recipe, judging_registry: Registry, tmp_path: Path
) -> None:
    check_exact_resume(with_evaluation(judged), judging_registry, tmp_path, stop_at=5, steps=8)

    kept = [ganfw.open_checkpoint(path / "best").manifest for path in sorted(tmp_path.glob("*/tiny-1"))]
    assert len(kept) == 2
    assert kept[0].step == kept[1].step
    weights = [manifest.files["generator.safetensors"].sha256 for manifest in kept]
    assert weights[0] == weights[1]


def test_best_checkpoint_that_a_crash_kept_from_being_written_is_written_on_resume(
    judged: Recipe, judging_registry: Registry, tmp_path: Path
) -> None:
    recipe = with_evaluation(judged.with_overrides(["run.max_steps=2"]))
    directory = run(recipe, judging_registry, tmp_path)
    before = ganfw.open_checkpoint(directory / "best").manifest
    import shutil

    shutil.rmtree(directory / "best")
    training, _ = ganfw.resume_training(
        directory, judging_registry, ["run.max_steps=3", "callbacks.evaluate.every_steps=100"]
    )
    callback = training.experiment.callbacks["evaluate"]
    assert isinstance(callback, Evaluate)

    callback.on_start(training)

    after = ganfw.open_checkpoint(directory / "best").manifest
    assert after.step == before.step == 2
    assert after.files["generator.safetensors"] == before.files["generator.safetensors"]


def test_evaluations_come_every_so_many_epochs_and_at_the_end(
    judged: Recipe, judging_registry: Registry, tmp_path: Path
) -> None:
    recipe = with_evaluation(judged.with_overrides(["run.batch_size=20000", "run.max_steps=8", "run.epochs=9"]))
    tables = {**recipe.tables["callbacks"]["evaluate"], "every_epochs": 2}
    del tables["every_steps"]
    experiment = ganfw.assemble(
        ganfw.resolve(
            Recipe(name="tiny", extends=judged, run=recipe.tables["run"], callbacks={"evaluate": tables}),
            judging_registry,
        )
    )
    directory = ganfw.create_run_directory(tmp_path, experiment)

    ganfw.train(experiment, directory=directory)

    assert list(errors(directory)) == [6, 8]


def test_result_that_nothing_can_be_kept_by_is_refused_before_training(
    judged: Recipe, judging_registry: Registry, tmp_path: Path
) -> None:
    for best in ("brightness", "beauty"):
        with pytest.raises(GanfwError) as caught:
            run(with_evaluation(judged, best=best), judging_registry, tmp_path)
        assert str(caught.value) == (
            f"callback 'evaluate': best = \"{best}\" is not a result that can be compared; "
            "choose one of brightness_error"
        )
    assert not list(tmp_path.glob("*/eval"))


def test_experiment_without_a_recipe_is_refused(judged: Recipe, judging_registry: Registry, tmp_path: Path) -> None:
    import attrs

    experiment = ganfw.assemble(ganfw.resolve(judged, judging_registry))
    composed = attrs.evolve(experiment, resolved=None, callbacks={"evaluate": Evaluate()})

    with pytest.raises(GanfwError) as caught:
        ganfw.train(composed, directory=tmp_path)

    assert str(caught.value) == ("callback 'evaluate' needs a recipe; without one, call ganfw.evaluate")


@pytest.mark.parametrize(
    "state", [{}, {"best": 1, "value": None, "step": 0, "since": 0}, {"best": "a", "value": "b", "step": 0, "since": 0}]
)
def test_state_that_is_none_is_refused(state: dict[str, Any]) -> None:
    with pytest.raises(GanfwError) as caught:
        Evaluate().load_state_dict(state)

    assert str(caught.value) == "the state of callback 'evaluate' does not hold a best value and its step"


def test_best_of_another_result_is_forgotten() -> None:
    callback = Evaluate(best="recall")

    callback.load_state_dict({"best": "frechet_distance", "value": 3.0, "step": 7, "since": 2})

    assert callback.state_dict() == {"best": "recall", "value": None, "step": -1, "since": 0}


def test_training_stops_early_when_nothing_becomes_better(
    judged: Recipe, judging_registry: Registry, tmp_path: Path
) -> None:
    still = judged.with_overrides([f"optimizer.{name}.lr=0.0" for name in ("generator", "discriminator")])
    recipe = with_evaluation(Recipe(extends=still, run={"max_steps": 40, "log_every_steps": 40}), patience=3)
    directory = run(recipe, judging_registry, tmp_path / "one")
    found = errors(directory)
    since, steps = 0, iter(found)
    best = found[next(steps)]
    for step in steps:
        since = 0 if found[step] < best else since + 1
        best = min(best, found[step])
        assert since < 3 or step == max(found)

    assert since == 3
    assert max(found) < 40
    assert ganfw.open_checkpoint(directory).manifest.step == max(found)
    training, _ = ganfw.resume_training(directory, judging_registry)
    training.run()
    assert training.step == max(found) + 2
    assert training.stop_reason == "callback 'evaluate', without a better brightness_error in 4 evaluations,"


def test_patience_is_for_a_result() -> None:
    with pytest.raises(InputError) as caught:
        Evaluate(best="", patience=2)
    assert str(caught.value) == "callback 'evaluate': patience needs a result in the key 'best'"
