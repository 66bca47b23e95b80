"""`ganfw reference`, and `ganfw evaluate` with what it has kept."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import ganfw
from ganfw import Recipe, Registry
from ganfw.builtin.mnist import mnist
from ganfw.cli import main


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def four_pixels(tiny: Recipe, registry: Registry, tmp_path: Path) -> Path:
    """Return the run directory of a short run that is evaluated by four pixels."""
    dropped = {"classifier_score": {"enabled": False}}
    recipe = Recipe(name="tiny", extends=tiny, embedding={"use": "pixels", "side": 2}, metrics=dropped)
    experiment = ganfw.assemble(ganfw.resolve(recipe, registry))
    directory = ganfw.create_run_directory(tmp_path / "runs", experiment)
    ganfw.train(experiment, directory=directory)
    return directory


def invoke(*arguments: str | Path, status: int = 0) -> tuple[str, str]:
    """Run a command; return standard output and standard error."""
    result = CliRunner().invoke(main, [*map(str, arguments), "--device", "cpu"])
    assert result.exit_code == status, result.output
    return result.stdout, result.stderr


def keep(*arguments: str) -> Path:
    """Keep four pixels of the images of a recipe."""
    own = ["--set", "embedding={use='pixels', side=2}", *arguments]
    printed, told = invoke("reference", "mnist_mlp", *own)
    path = Path(printed.strip())
    assert told.endswith(f"use it: ganfw evaluate RUN --reference {path}\n")
    return path


def evaluation(run: Path, *arguments: str | Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(invoke("evaluate", run, "-n", "200", "--json", *arguments)[0])
    return document


def test_the_file_is_of_the_data_that_the_recipe_trains_on_or_of_what_is_asked_for() -> None:
    whole, part = keep(), keep("--set", "data.split=test", "-n", "300", "--features", "100", "-o", "few.npz")

    assert (str(whole), str(part)) == ("mnist-pixels.npz", "few.npz")
    with np.load(whole) as found:
        pooled = mnist().samples.double().unflatten(2, (2, 14)).unflatten(4, (2, 14)).mean((3, 5)) / 255
        np.testing.assert_allclose(found["mu"], pooled.flatten(1).mean(0), rtol=1e-5)
        np.testing.assert_allclose(found["sigma"], np.cov(pooled.flatten(1).numpy().T), rtol=1e-4)
        assert found["features"].shape == (10_000, 4)
    about = ganfw.Reference.read(part).about
    assert (about["data"], about["split"], about["count"]) == ("mnist", "test", 300)
    assert len(ganfw.Reference.read(part).features) == 100


def test_an_evaluation_with_the_file_is_that_with_the_data(four_pixels: Path) -> None:
    path = keep("--set", "data.split=test")

    fast = ["--set", "metrics.nearest_neighbours.enabled=false", "--set", "metrics.diversity.enabled=false"]
    kept, plain = evaluation(four_pixels, "--reference", path, *fast), evaluation(four_pixels, *fast)

    assert len(plain["metrics"]) == 7
    for name, result in plain["metrics"].items():
        assert kept["metrics"][name] == {
            "value": pytest.approx(result["value"], rel=1e-4, abs=1e-6),
            "better": result["better"],
        }
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert kept["reference"] == {**plain["reference"], "split": "test", "file": str(path), "file_sha256": digest}
    assert (kept["epoch"], kept["images"]) == (None, None)
    assert len(list((four_pixels / "eval").glob(f"step-000010-count-200-set-*-reference-{digest[:8]}.json"))) == 1


def test_with_a_file_the_data_is_not_needed(four_pixels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = keep("--set", "data.split=test")
    monkeypatch.setitem(__import__("ganfw.builtin.mnist").builtin.mnist.SHA256, "t10k-images-idx3-ubyte", "0")

    shown, _ = invoke("evaluate", four_pixels, "-n", "200", "--reference", path)

    lines = shown.splitlines()
    assert lines[:4] == [
        "tiny, step 10",
        "  samples    200 of seed 0",
        "  reference  10,000 of mnist, split test, from mnist-pixels.npz",
        "  embedding  pixels side:2, 4 dimensions",
    ]
    assert lines[-2] == (
        "  - no nearest_neighbour_distance, nearest_neighbour_ratio: too few training samples: 0; a nearest neighbour "
        "needs at least 1"
    )
    invoke("evaluate", four_pixels, "-n", "200", status=2)


def test_a_file_of_another_program_gives_the_distance_of_frechet(four_pixels: Path) -> None:
    path = keep("--set", "data.split=test", "--features", "300")
    with np.load(path) as found:
        np.savez("other.npz", mu=found["mu"], sigma=found["sigma"])

    shown, told = invoke("evaluate", four_pixels, "-n", "200", "--reference", "other.npz")
    document = evaluation(four_pixels, "--reference", "other.npz")
    curve = evaluation(four_pixels, "--reference", "other.npz", "--truncations", "1")

    assert shown.splitlines()[2] == "  reference  mu and sigma, from other.npz"
    assert told.splitlines()[0] == (
        "the reference has only mu and sigma, so these metrics are left out: kernel_distance, precision_recall, "
        "density_coverage, nearest_neighbours, diversity"
    )
    assert document["metrics"].keys() == {"frechet_distance", "frechet_distance_infinite"}
    assert curve["points"][-1]["metrics"] == document["metrics"]
    expected = evaluation(four_pixels, "--reference", path)["metrics"]["frechet_distance"]["value"]
    assert document["metrics"]["frechet_distance"]["value"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-n", "1"], "-n 1: a covariance needs at least 2 samples"),
        (["--features", "-1"], "--features -1: the number must be >= 0"),
        (["-o", "digits.npy"], "-o digits.npy: the name must end in .npz"),
        (["-o", "a/b/digits.npz"], "a/b/digits.npz: cannot be written: the folder a does not exist; make it first"),
        (
            ["--set", "embedding.enabled=false"],
            "the recipe has no [embedding] to evaluate with; choose one: --set embedding.use=pixels",
        ),
    ],
)
def test_refusals(arguments: list[str], message: str) -> None:
    assert invoke("reference", "mnist_mlp", *arguments, status=2)[1] == f"Error: {message}\n"


def test_a_file_that_does_not_fit_is_refused_before_the_work(four_pixels: Path) -> None:
    path = keep("-n", "50")
    np.savez("wide.npz", mu=np.zeros(2048), sigma=np.eye(2048))

    for arguments, message in (
        (["missing.npz"], f"{Path('missing.npz').resolve()}: cannot be read: No such file or directory"),
        (
            ["wide.npz"],
            "wide.npz: its features have 2048 dimensions, and those of 'pixels side:2' have 4; choose the embedding "
            "that made them, or make one of these with ganfw reference",
        ),
        (
            [path, "--set", "embedding.side=3"],
            "mnist-pixels.npz: its features are of 'pixels side:2', not of 'pixels side:3'; make one of these with "
            "ganfw reference",
        ),
    ):
        found = invoke("evaluate", four_pixels, "--reference", *arguments, status=2)
        assert found == ("", f"Error: {message}\n")
    assert not (four_pixels / "eval").exists()
