"""`ganfw evaluate` and `ganfw train-evaluator`, on real runs."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import ganfw
from ganfw import Registry
from ganfw.builtin.mnist import mnist
from ganfw.builtin.mnist_classifier import classifier
from ganfw.cli import main

Invoke = Any
SAMPLER = Path(__file__).parent / "best_of_two.py"


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def invoke(judging_script: Path) -> Invoke:
    """Run a command with the metric of the script; return standard output, or the error of a refusal."""

    def run(command: str, *arguments: str | Path, status: int = 0) -> str:
        words = [command, *map(str, arguments), "--plugin", str(judging_script), "--device", "cpu"]
        result = CliRunner().invoke(main, words)
        assert result.exit_code == status, result.output
        return (result.stderr if status else result.stdout).replace("Error: ", "")

    return run


def read(path: Path | str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(Path(path).read_text())
    return document


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def test_evaluate_writes_what_the_python_api_finds(
    judged_run: Path, judging_registry: Registry, invoke: Invoke
) -> None:
    invoke("evaluate", judged_run, "-n", "300")

    written = read(judged_run / "eval" / "step-000010-count-300.json")
    checkpoint = ganfw.open_checkpoint(judged_run)
    evaluator = ganfw.open_evaluator(ganfw.resolve(checkpoint.recipe(), judging_registry), device="cpu")
    found = ganfw.evaluate(checkpoint.source(judging_registry, "cpu"), evaluator, count=300)
    assert written["metrics"] == {name: result.to_json() for name, result in found.results.items()}
    assert written["metrics"]["brightness"]["value"] == found["brightness"]
    assert size(judged_run / "eval" / "step-000010-count-300-neighbours.png") == (10 * 88 + 4, 8 * 88 + 4)


def test_head_of_the_file_says_of_what_it_is(judged_run: Path, invoke: Invoke) -> None:
    invoke("evaluate", judged_run, "-n", "50", "--seed", "7", "--truncation", "0.5")

    written = read(judged_run / "eval" / "step-000010-seed-7-truncation-0.5-count-50.json")
    del written["metrics"]
    assert written.pop("seconds") > 0
    assert set(written.pop("versions")) == {"ganfw", "torch", "python"}
    assert written == {
        "format": 1,
        "name": "tiny",
        "step": 10,
        "epoch": 1,
        "images": 320,
        "checkpoint": "step-000010",
        "count": 50,
        "seed": 7,
        "truncation": 0.5,
        "labels": None,
        "averaged": False,
        "sampler": None,
        "reference": {"data": "mnist", "split": "test", "count": 10_000, "sha256": mnist(split="test").sha256()},
        "embedding": {"name": "pixels", "identity": "pixels side:2", "dimensions": 4},
        "device": "cpu",
    }


def test_table_shows_value_real_data_and_direction(judged_run: Path, invoke: Invoke) -> None:
    lines = invoke("evaluate", judged_run, "-n", "300").splitlines()

    metrics = read(judged_run / "eval" / "step-000010-count-300.json")["metrics"]
    assert lines[:5] == [
        "tiny, step 10 (epoch 1)",
        "  samples    300 of seed 0",
        "  reference  10,000 of mnist, split test",
        "  embedding  pixels side:2, 4 dimensions",
        "",
    ]
    assert lines[5].split() == ["metric", "value", "real", "data", "better"]
    assert lines[6].split() == [
        "brightness",
        f"{metrics['brightness']['value']:.4g}",
        f"{metrics['brightness']['real_data']:.4g}",
    ]
    assert lines[7].split()[-1] == "lower"


def test_plain_evaluation_has_the_plain_name_and_missing_scores_of_real_data_a_reason(
    judged_run: Path, invoke: Invoke
) -> None:
    table = invoke("evaluate", judged_run)
    few = invoke("evaluate", judged_run, "-n", "30001")

    assert read(judged_run / "eval" / "step-000010.json")["count"] == 10_000
    assert "-  no " not in table
    assert few.splitlines()[8] == (
        "  - no real data of brightness, real data of brightness_error: it needs 60,002 training samples: 30,001 to "
        "measure and as many to compare with; there are 60,000"
    )


@pytest.fixture
def conditional_run(judged: ganfw.Recipe, judging_script: Path) -> tuple[Path, Registry]:
    """Return the run directory of a conditional generator, two steps old, and the registry that has its parts."""
    registry = ganfw.discover(scripts=[judging_script, judging_script.with_name("shades.py")])
    recipe = ganfw.Recipe(name="conditional", extends=judged, generator={"use": "shades"})
    experiment = ganfw.assemble(ganfw.resolve(recipe, registry))
    run = ganfw.create_run_directory(Path("runs"), experiment)
    ganfw.train(experiment, directory=run, steps=2)
    return run, registry


@pytest.mark.parametrize("curve", [[], ["--truncations", "1", "--set", "metrics.frechet_distance.use=brightness"]])
def test_labels_are_dealt_as_asked(
    conditional_run: tuple[Path, Registry], judging_script: Path, invoke: Invoke, curve: list[str]
) -> None:
    run, registry = conditional_run
    checkpoint = ganfw.open_checkpoint(run)
    evaluator = ganfw.open_evaluator(ganfw.resolve(checkpoint.recipe(), registry), device="cpu")
    source = checkpoint.source(registry, "cpu")
    given = ["-n", "50", "--plugin", judging_script.with_name("shades.py")]
    printed = {}
    for labels, words in (("data", "as frequent as in the data"), ("equal", "in equal shares")):
        table = invoke("evaluate", run, *given, "--labels", labels, *curve)
        assert table.splitlines()[1] == f"  samples    50 of seed 0, labels {words}"
        printed[labels] = json.loads(invoke("evaluate", run, *given, "--labels", labels, "--json"))

        expected = ganfw.evaluate(source, evaluator, count=50, labels=labels)  # type: ignore[arg-type]
        assert printed[labels]["labels"] == words
        assert printed[labels]["metrics"]["brightness"]["value"] == expected["brightness"]
    assert printed["data"]["metrics"] != printed["equal"]["metrics"]
    assert (run / "eval" / "step-000002-labels-equal-count-50.json").exists()


def test_json_is_what_is_written(judged_run: Path, invoke: Invoke) -> None:
    printed = json.loads(invoke("evaluate", judged_run, "-n", "50", "--json"))

    assert printed == read(judged_run / "eval" / "step-000010-count-50.json")


def test_all_evaluates_every_checkpoint_that_is_kept(judged_run: Path, invoke: Invoke) -> None:
    printed = json.loads(invoke("evaluate", judged_run, "-n", "50", "--all", "--json"))

    assert [document["step"] for document in printed] == [6, 10]
    assert printed[0]["metrics"] != printed[1]["metrics"]
    assert printed[0] == read(judged_run / "eval" / "step-000006-count-50.json")


def test_a_checkpoint_is_chosen_by_its_step_or_its_path(judged_run: Path, invoke: Invoke) -> None:
    by_step = json.loads(invoke("evaluate", judged_run, "-n", "50", "--checkpoint", "6", "--json"))
    by_path = json.loads(invoke("evaluate", judged_run / "checkpoints" / "step-000006", "-n", "50", "--json"))

    assert by_step["step"] == by_path["step"] == 6
    assert by_step["metrics"] == by_path["metrics"]


def test_checkpoint_that_stands_alone_writes_only_where_it_is_reported(judged_run: Path, invoke: Invoke) -> None:
    shutil.move(judged_run / "checkpoints" / "step-000010", "alone")
    shutil.rmtree(judged_run)

    invoke("evaluate", "alone", "-n", "50")
    assert {path.name for path in Path.cwd().rglob("*.json")} == {"manifest.json", "state.json"}
    Path("there").mkdir()
    invoke("evaluate", "alone", "-n", "50", "-o", "there")
    assert Path("there/eval/step-000010-count-50.json").exists()


def test_set_changes_embedding_and_metrics_and_the_name(judged_run: Path, invoke: Invoke) -> None:
    printed = json.loads(invoke("evaluate", judged_run, "-n", "50", "--set", "embedding.side=3", "--json"))

    assert printed["embedding"] == {"name": "pixels", "identity": "pixels side:3", "dimensions": 9}
    (path,) = (judged_run / "eval").glob("*.json")
    assert path.name.startswith("step-000010-count-50-set-")


def test_set_changes_the_sampler_which_has_any_network_of_the_checkpoint(judged_run: Path, invoke: Invoke) -> None:
    own = ["-n", "20", "--plugin", str(SAMPLER)]
    printed, plain = (
        json.loads(invoke("evaluate", judged_run, *own, *more, "--json"))
        for more in (["--set", "sampler.use=best_of_two"], [])
    )

    assert (printed["sampler"], plain["sampler"]) == ("best_of_two", None)
    registry, means = ganfw.discover(scripts=[SAMPLER]), []
    for overrides in (["sampler.use=best_of_two"], []):
        source = ganfw.open_checkpoint(judged_run).source(registry, "cpu", overrides)
        means.append(float(ganfw.to_uint8(source.sample(20)).float().mean() / 255))
    found = [each["metrics"]["brightness"]["value"] for each in (printed, plain)]
    assert means[0] != means[1]
    assert found[0] - found[1] == pytest.approx(means[0] - means[1], abs=1e-6)
    assert "  samples    20 of seed 0, by best_of_two\n" in invoke(
        "evaluate", judged_run, *own, "--set", "sampler.use=best_of_two"
    )


def test_truncations_give_a_curve_of_one_noise(judged_run: Path, invoke: Invoke) -> None:
    own = [
        "--set",
        "metrics.frechet_distance={use='brightness', enabled=true}",
        "--set",
        "metrics.brightness.enabled=false",
    ]

    table = invoke("evaluate", judged_run, "-n", "50", "--truncations", "1,0,0.5", *own)

    (path,) = (judged_run / "eval").glob("*-truncation.json")
    written = read(path)
    assert [point["truncation"] for point in written["points"]] == [0, 0.5, 1, None]
    assert "truncation" not in written
    assert "metrics" not in written
    source = ganfw.open_checkpoint(judged_run).source(ganfw.discover(), "cpu")
    real = mnist(split="test").samples.double().mean().item() / 255
    for point in written["points"]:
        images = ganfw.to_uint8(source.sample(50, truncation=point["truncation"]))
        expected = images.double().mean().item() / 255 - real
        assert point["metrics"]["brightness"] == {"value": pytest.approx(expected, abs=1e-6), "better": ""}
    rows = [line.split() for line in table.splitlines() if line.startswith("  ")]
    assert [row[0] for row in rows[-5:]] == ["truncation", "0", "0.5", "1", "none"]
    assert size(path.with_suffix(".png")) == (1200, 504)
    assert path.with_name(f"{path.stem}-grid.png").exists()


def test_same_noise_stands_below_itself_in_the_grid(judged_run: Path) -> None:
    from ganfw.evaluation.pictures import truncation_grid

    source = ganfw.open_checkpoint(judged_run).source(ganfw.discover(), "cpu")
    rows = [(t, ganfw.to_uint8(source.sample(20, truncation=t))) for t in (0.5, None)]

    picture = truncation_grid(rows)

    assert picture is not None
    Path("grid.png").write_bytes(picture)
    width, height = size(Path("grid.png"))
    assert (width, height) == (884 + 120, 2 * 92)


def test_a_place_that_takes_no_result_is_refused_before_the_work(judged_run: Path, invoke: Invoke) -> None:
    Path("file").touch()
    Path("page.html").mkdir()

    for place, reason in (
        ("missing/there", "the folder missing/there does not exist"),
        ("file", "the folder file does not exist"),
    ):
        told = invoke("evaluate", judged_run, "-n", "50", "-o", place, "--json", status=2)
        assert told == f"{place}: cannot be written: {reason}; make it first\n"
    assert not (judged_run / "eval").exists()
    refused = CliRunner().invoke(main, ["train-evaluator", "mnist_mlp", "-o", "a/b/own.safetensors"])
    expected = "Error: a/b/own.safetensors: cannot be written: the folder a does not exist; make it first\n"
    assert (refused.exit_code, refused.stderr) == (2, expected)
    refused = CliRunner().invoke(main, ["report", str(judged_run), "-o", "page.html"])
    assert (refused.exit_code, refused.stderr) == (2, "Error: page.html: cannot be written: it is a folder\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-n", "0"], "the number of samples must be >= 1, not 0"),
        (["--truncation", "-1"], "the truncation threshold must be >= 0, not -1.0"),
        (["--truncations", "a"], "--truncations a: write thresholds >= 0 with commas between them: 0.1,0.25,0.5,1,2"),
        (
            ["--truncations", "1,-1"],
            "--truncations 1,-1: write thresholds >= 0 with commas between them: 0.1,0.25,0.5,1,2",
        ),
        (
            ["--truncations", "nan"],
            "--truncations nan: write thresholds >= 0 with commas between them: 0.1,0.25,0.5,1,2",
        ),
        (["--truncations", ""], "--truncations : write thresholds >= 0 with commas between them: 0.1,0.25,0.5,1,2"),
        (
            ["--truncations", "1", "--truncation", "1"],
            "--truncation and --truncations cannot be used together; leave one out",
        ),
        (
            ["--truncations", "1"],
            "a truncation curve needs one of the metrics frechet_distance, precision_recall, density_coverage",
        ),
        (["--checkpoint", "7"], "RUN: has no checkpoint of step 7; it has kept: 6, 10"),
        (["--checkpoint", "6", "--all"], "--checkpoint and --all cannot be used together; leave one out"),
        (["--batch-size", "0"], "the batch size must be >= 1, not 0"),
        (
            ["--set", "noise.z_dim=3"],
            "--set noise.z_dim=3: an evaluation may change the embedding, metrics and the sampler, and nothing else",
        ),
        (
            ["--set", "embedding.enabled=false"],
            "the recipe has no [embedding] to evaluate with; choose one: --set embedding.use=pixels",
        ),
        (
            ["--set", "metrics.brightness.enabled=false"],
            "the recipe has no [metrics.NAME] to evaluate with; see: ganfw parts metric",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_refusals(judged_run: Path, invoke: Invoke, arguments: list[str], message: str) -> None:
    assert invoke("evaluate", judged_run, *arguments, status=2) == message.replace("RUN", str(judged_run)) + "\n"
    assert not (judged_run / "eval").exists()


def test_noise_without_truncation_is_refused(judged: ganfw.Recipe, judging_registry: Registry, invoke: Invoke) -> None:
    experiment = ganfw.assemble(ganfw.resolve(judged.with_overrides(["noise.use=uniform"]), judging_registry))
    run = ganfw.create_run_directory(Path("runs"), experiment)
    ganfw.train(experiment, directory=run, steps=2)

    for words in (["--truncation", "1"], ["--truncations", "1", "--set", "metrics.frechet_distance.use=brightness"]):
        assert (
            invoke("evaluate", run, *words, status=2)
            == "noise of type Uniform has no truncation; choose normal noise, or leave truncation out\n"
        )


def test_runs_that_are_none_are_refused(invoke: Invoke) -> None:
    assert invoke("evaluate", "nowhere", status=2) == "nowhere: no such run directory or checkpoint; see: ganfw runs\n"
    assert (
        invoke("evaluate", "nowhere", "--all", status=2)
        == "nowhere: not a run directory with checkpoints; see: ganfw runs\n"
    )


def test_data_that_is_gone_is_reported(judged_run: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("ganfw.builtin.mnist").builtin.mnist.SHA256, "train-images-idx3-ubyte", "0")

    told = invoke("evaluate", judged_run, status=2)

    assert told.endswith(
        "train-images-idx3-ubyte.gz: damaged, or not MNIST: its SHA-256 is not 0; replace it by the original\n"
    )


def test_classifier_is_trained_by_one_command_and_read_by_a_part(judging_script: Path) -> None:
    data = ["--plugin", str(judging_script.with_name("patches.py")), "--set", "data={use='patches'}"]

    result = CliRunner().invoke(main, ["train-evaluator", "mnist_mlp", *data, "--epochs", "2", "--device", "cpu"])

    assert (result.exit_code, result.stdout) == (0, "patches-classifier.safetensors\n"), result.output
    assert result.stderr.startswith("576 images to learn from, 64 to measure on\nepoch 1 of 2: loss ")
    assert result.stderr.endswith(
        "use it: ganfw evaluate RUN --set embedding.use=classifier "
        "--set embedding.weights=patches-classifier.safetensors\n"
    )
    own = classifier((3, 16, 16), torch.device("cpu"), weights="patches-classifier.safetensors")
    assert own.identity.startswith("patches-classifier sha256:")
    assert own.num_classes == 2


def test_classifier_goes_into_a_safetensors_file() -> None:
    result = CliRunner().invoke(main, ["train-evaluator", "mnist_mlp", "-o", "own.pt"])

    assert result.exit_code == 2
    assert result.stderr == "Error: -o own.pt: the name must end in .safetensors\n"
