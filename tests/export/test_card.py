"""The model card says what is known of a generator, and shows what a stranger wrote as text only."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from ganfw import Registry, open_checkpoint
from ganfw.export.card import Card, read_card
from ganfw.export.generator import TrainedGenerator, open_generator
from ganfw.report.reading import MAX_TEXT

MakeRun = Callable[..., Path]
Open = Callable[..., TrainedGenerator]


def evaluate(run: Path, step: int, value: float) -> None:
    """Write an evaluation in the format that `ganfw evaluate` has."""
    (run / "eval").mkdir(exist_ok=True)
    values = {
        "format": 1,
        "count": 10000,
        "reference": {"data": "mnist", "split": "test", "count": 10000},
        "embedding": {"name": "mnist_classifier", "identity": "x"},
        "metrics": {
            "frechet_distance": {"value": value, "better": "lower", "real_data": 0.25},
            "recall": {"value": None, "better": "higher", "reason": "too few", "real_data": 0.5},
        },
    }
    (run / "eval" / f"step-{step:06d}.json").write_text(json.dumps(values))


def test_it_says_recipe_data_licence_and_settings(opened: Open) -> None:
    trained = opened()
    card = read_card(trained)

    facts = dict(card.facts)
    assert facts.pop("SHA-256 of the data") == trained.manifest.data_sha256
    assert facts.pop("checkpoint").startswith("step-000001, SHA-256 of its manifest ")
    version = card.version
    assert facts == {
        "recipe": "tiny",
        "trained for": "1 steps, seed 0",
        "data": f"mnist (ganfw {version})",
        "licence of the data": "CC-BY-SA-3.0",
        "generator": f"mlp (ganfw {version}), hidden_dim = 4, norm = batch, output = sigmoid",
        "weights": "those after the last of these steps",
        "noise": "64 numbers from N(0, 1)",
        "samples": "(1, 28, 28) float32 in [0, 1], as ganfw sample draws them",
        "exported by": f"ganfw {version}; trained with ganfw {version}",
    }
    assert (card.evaluated, card.metrics) == ("", ())
    assert b"It was not evaluated." in card.markdown("torch")


def test_the_newest_evaluation_up_to_the_checkpoint_stands_beside_real_data(
    make_run: MakeRun, exported_registry: Registry
) -> None:
    run = make_run()
    for step, value in ((0, 3.0), (1, 2.0), (2, 1.0)):
        evaluate(run, step, value)
    trained = open_generator(open_checkpoint(run / "checkpoints" / "step-000001"), exported_registry)
    card = read_card(trained)

    assert card.evaluated == (
        "Measured after step 1, on 10000 samples, against test images of mnist, by features of mnist_classifier."
    )
    assert [(row.name, row.arrow, row.value, row.real_data) for row in card.metrics] == [
        ("Fréchet distance", "↓", "2", "0.25")
    ]
    assert "| ↓ | 2 | 0.25 |\n" in card.markdown("onnx", file="a.onnx").decode()


def test_a_checkpoint_that_stands_alone_has_a_card(
    make_run: MakeRun, exported_registry: Registry, tmp_path: Path
) -> None:
    alone = open_checkpoint(make_run()).path.rename(tmp_path / "alone")

    card = read_card(open_generator(open_checkpoint(alone), exported_registry))

    assert card.facts["checkpoint"].startswith("alone, ")


def test_what_a_stranger_wrote_is_no_markup(opened: Open) -> None:
    trained = opened()
    evil = "CC|BY\n# <script>alert(1)</script> [x](http://a) `b` \x1b[31m" + "y" * 5000
    manifest = evolve(trained.manifest, data_licence=evil)
    card = read_card(evolve(trained, checkpoint=evolve(trained.checkpoint, manifest=manifest)))

    text = card.markdown("torch").decode()

    assert len(card.facts["licence of the data"]) == MAX_TEXT
    assert "\x1b" not in text
    (line,) = [line for line in text.splitlines() if "CC" in line]
    assert line.startswith(r"| licence of the data | CC\|BY # \<script\>alert(1)\</script\> [x]\(http://a) \`b\` [31my")


@pytest.mark.parametrize(
    ("tables", "drawn"),
    [
        ({}, "np.random.default_rng(0).standard_normal((25, 64), dtype=np.float32)"),
        (
            {"noise": {"use": "uniform", "z_dim": 5}},
            "np.random.default_rng(0).uniform(-1, 1, (25, 5)).astype(np.float32)",
        ),
        (
            {"noise": {"use": "truncated", "z_dim": 5, "threshold": 1.5}},
            "truncnorm.rvs(-1.5, 1.5, size=(25, 5), random_state=0).astype(np.float32)",
        ),
        ({"noise": {"use": "ones"}}, 'np.load("z.npy")'),
    ],
    ids=["normal", "uniform", "truncated", "other"],
)
def test_it_shows_how_noise_is_drawn(opened: Open, tables: dict[str, Any], drawn: str) -> None:
    card: Card = read_card(opened(**tables))

    text = card.markdown("onnx", file="a.onnx").decode()

    code, *saving = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    compile(code, "card", "exec")
    assert f"z = {drawn}\n" in code
    assert len([line for line in code.splitlines() if line]) <= 10
    assert [save.splitlines()[-1] for save in saving] == (
        ['np.save("z.npy", ganfw.draw_noise(noise, 25).numpy())'] if tables.get("noise") == {"use": "ones"} else []
    )
