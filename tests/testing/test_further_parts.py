"""Sound parts of many kinds pass every check: a third network and its step, a penalty that remembers, a sampler."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import ganfw
from ganfw import Batch, InputError, PluginError, Recipe, SampleRequest
from ganfw.plugins.registry import RegisteredPart
from ganfw.testing import Check, check_exact_resume, checks_of, recipe_using, small_recipe

TESTS = Path(__file__).parents[1]
REGISTRY = ganfw.discover(allowed=(), scripts=[TESTS / "further_parts.py"])
SMALL = small_recipe(REGISTRY)
OF_BOTH: dict[str, Any] = {"discriminator": {"networks": ["discriminator", "encoder"]}}
ENCODING = Recipe(
    name="encoding",
    extends=SMALL,
    step={"use": "encoding"},
    networks={"encoder": {"use": "scaling"}},
    optimizer=OF_BOTH,
)
CHANGED = ("network scaling", "step encoding", "regularizer path_length")
SLOW = ("trains compiled", "trains in two processes")
UNDOCUMENTED = {f"{subject}: is documented": "parts of tests are not listed" for subject in CHANGED}
CHECKS = [
    check
    for check in checks_of(
        "further_parts.py",
        registry=REGISTRY,
        bases={"network scaling": ENCODING, "step encoding": ENCODING},
        leaving_out=UNDOCUMENTED,
    )
    if check.subject in CHANGED
]


@pytest.mark.parametrize(
    "check",
    [pytest.param(check, marks=pytest.mark.slow if check.name in SLOW else ()) for check in CHECKS],
    ids=str,
)
def test_sound_parts_pass(device: torch.device, check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(TESTS)])  # where the processes of a check find them
    check(tmp_path, device=device)


def test_all_checks_of_the_kinds_were_made() -> None:
    assert len(CHECKS) == 10 - 1 + 13 - 1 + 13 - 1


def test_a_penalty_that_remembers_resumes_exactly(tmp_path: Path) -> None:
    name = "path_length"
    recipe = Recipe(name=name, extends=SMALL, regularizers={name: {"use": name}})
    experiment = ganfw.assemble(ganfw.resolve(recipe, REGISTRY))
    state = experiment.stateful_parts()[f"regularizers.{name}"].state_dict()
    assert not any(value.any() for value in state.values())  # the trial before training has left no trace

    check_exact_resume(recipe, REGISTRY, tmp_path)

    (checkpoint,) = (ganfw.open_checkpoint(run) for run in (tmp_path / "stopped").iterdir())
    saved = checkpoint.part_state(f"regularizers.{name}")
    assert all(value.any() for value in saved.values())


def found(kind: str, name: str) -> RegisteredPart:
    return REGISTRY.find(kind, name)


def test_a_network_part_needs_a_base_with_further_networks(tmp_path: Path) -> None:
    check = next(
        check for check in checks_of("further_parts.py", registry=REGISTRY) if str(check) == "network scaling: trains"
    )

    with pytest.raises(PluginError) as caught:
        check(tmp_path)

    assert str(caught.value).startswith("network 'scaling' (further_parts.py ")
    assert str(caught.value).endswith(
        "the base recipe has no [networks.NAME] to try it as; give one that has: "
        'checks_of(…, bases={"network scaling": recipe})'
    )


def test_a_part_takes_over_what_its_place_says_of_networks() -> None:
    optimizer = recipe_using(found("optimizer", "sgd"), ENCODING, {"lr": 0.5}).tables["optimizer"]
    network = recipe_using(found("network", "scaling"), ENCODING).tables["networks"]
    schedule = recipe_using(found("schedule", "linear"), ENCODING).tables["schedule"]
    averaging = recipe_using(found("averaging", "ema"), ENCODING).tables["averaging"]

    assert optimizer == {
        "generator": {"use": "ganfw:sgd", "lr": 0.5},
        "discriminator": {"use": "ganfw:sgd", "lr": 0.5, "networks": ["discriminator", "encoder"]},
    }
    assert network.keys() == {"encoder"}
    assert schedule.keys() == {"generator", "discriminator"}
    assert averaging.keys() == {"generator"}


def test_large_data_is_tried_in_small_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def note(recipe: Recipe, *_others: object, **_options: object) -> None:
        sizes.append(recipe.tables["run"]["batch_size"])

    monkeypatch.setattr("ganfw.testing.parts.check_exact_resume", note)
    checks = checks_of("ganfw", registry=REGISTRY, parameters={"data mnist": {"split": "train"}})
    for name in ("data mnist", "step alternating", "callback health"):
        next(check for check in checks if str(check) == f"{name}: resumes exactly")(tmp_path)

    assert sizes == [64, 64, 64]


def test_a_translation_of_images_passes_as_a_sampler(device: torch.device, tmp_path: Path) -> None:
    checks = checks_of(
        "ganfw",
        registry=REGISTRY,
        bases={"sampler translation": ENCODING},
        parameters={"sampler translation": {"network": "encoder"}},
    )
    chosen = [check for check in checks if check.subject == "sampler translation"]

    for number, check in enumerate(chosen):
        (tmp_path / str(number)).mkdir()
        check(tmp_path / str(number), device=device)

    assert len(chosen) == 10


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, "a translation needs inputs: ganfw sample RUN --input FILE"),
        ({"truncation": 0.5}, "a translation has no noise to truncate; leave --truncation out"),
        ({"labels": torch.zeros(2)}, "a translation has no class to choose; leave --class out"),
    ],
)
def test_a_translation_refuses_what_it_has_not(request_: dict[str, Any], message: str) -> None:
    translation = REGISTRY.load("sampler", "translation")({"generator": nn.Identity()}, torch.device("cpu"))
    inputs = Batch(torch.rand(2, 1, 28, 28)) if request_ else None

    with pytest.raises(InputError) as caught:
        translation(SampleRequest(count=2, inputs=inputs, **request_))
    assert str(caught.value) == message
