"""A run as one object."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import ganfw
from ganfw import Recipe, Registry, RunError
from ganfw.cli import main
from ganfw.display import html_table


def test_a_run_gives_its_networks_and_the_samples_of_the_command_line(trained: Path, registry: Registry) -> None:
    run = ganfw.open_run(trained, registry=registry)

    source = ganfw.open_checkpoint(trained).source(registry)
    assert torch.equal(run.sample(4, truncation=0.5), source.sample(4, seed=0, truncation=0.5))
    assert not torch.equal(run.sample(4, seed=1), run.sample(4))
    assert (run.noise.z_dim, run.generator.training) == (64, False)
    assert run.recipe.name == "tiny"
    assert repr(run) == f"OpenedRun(directory={trained!r}, checkpoint=step 10, device='auto')"


def test_a_checkpoint_is_chosen_by_its_step(trained: Path, registry: Registry) -> None:
    early = ganfw.open_run(trained, step=6, registry=registry)
    assert not torch.equal(early.sample(4), ganfw.open_run(trained, registry=registry).sample(4))

    with pytest.raises(RunError) as caught:
        ganfw.open_run(trained, step=7, registry=registry)
    assert str(caught.value) == f"{trained}: has no checkpoint of step 7; it has kept: 6, 10"


def test_losses_are_the_columns_of_what_training_wrote(trained: Path) -> None:
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    names = ("step", "loss/discriminator", "loss/generator")

    losses = ganfw.open_run(trained).losses()

    assert {name: losses[name] for name in names} == {name: [line[name] for line in lines] for name in names}


def test_metrics_are_those_of_the_evaluations(
    judged_run: Path, judging_script: Path, judging_registry: Registry
) -> None:
    run = ganfw.open_run(judged_run, registry=judging_registry)
    assert run.metrics() == {"step": []}

    for step in ("6", "10"):
        command = ["evaluate", str(judged_run), "-n", "20", "--checkpoint", step, "--plugin", str(judging_script)]
        assert CliRunner().invoke(main, command).exit_code == 0

    files = sorted((judged_run / "eval").glob("step-*.json"))
    values = [json.loads(file.read_text())["metrics"]["brightness"]["value"] for file in files]
    assert run.metrics()["step"] == [6, 10]
    assert run.metrics()["brightness"] == values
    with Image.open(io.BytesIO(run.plot().png)) as picture:
        assert picture.size == (3 * 420, 280)  # losses, and two metrics
    files[0].rename(files[0].with_name(files[0].name.replace("000006", "000000")))
    assert run.metrics()["step"] == [0, 10]
    run.plot()  # of an evaluation before the first step too


def test_pictures_are_those_of_training_and_a_plot_has_a_panel_for_each_kind_of_value(trained: Path) -> None:
    run = ganfw.open_run(trained)
    assert {step: picture.png for step, picture in run.samples.items()} == {
        step: (trained / "samples" / f"step-{step:06d}.png").read_bytes() for step in (5, 10)
    }
    run.plot().save(trained / "plot.png")
    with Image.open(trained / "plot.png") as picture:
        assert picture.size == (420, 280)
        assert len(np.unique(np.asarray(picture.convert("L")))) > 20


def test_a_recipe_is_trained_as_by_the_command_line(tiny: Recipe, registry: Registry, tmp_path: Path) -> None:
    run = ganfw.run_recipe(tiny, ["run.seed=3"], out=tmp_path / "runs", registry=registry)

    (tmp_path / "tiny.toml").write_text(tiny.to_toml())
    command = ["run", str(tmp_path / "tiny.toml"), "--set", "run.seed=3", "--out", str(tmp_path / "runs")]
    assert CliRunner().invoke(main, command).exit_code == 0
    assert run.directory == tmp_path / "runs" / "tiny-1"
    other = ganfw.open_run(tmp_path / "runs" / "tiny-2")
    assert torch.equal(run.sample(), other.sample())
    assert run.losses()["loss/generator"] == other.losses()["loss/generator"]


def test_what_a_notebook_shows_is_escaped() -> None:
    recipe = Recipe(name="<b>", extends="mnist_mlp", data={"root": "<script>"})
    assert "&lt;script&gt;" in recipe._repr_html_()
    assert "<script>" not in recipe._repr_html_() + html_table([["<script>"]])
