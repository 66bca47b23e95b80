"""Each check of a part fails on one that breaks it, and tells the author what is wrong."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ganfw
from ganfw import GanfwError, Part, Recipe, Registry
from ganfw.plugins.registry import Plugin, RegisteredPart
from ganfw.testing import Check, modes
from ganfw.testing.catalogue import OF_PARTS
from ganfw.testing.recipe import small_recipe
from ganfw.testing.subject import Subject

sys.path.insert(0, str(Path(__file__).parent))  # where processes that a check starts find broken parts as well

SOURCES = (
    ("loss", "part", "BROKEN"),
    ("loss", "loss", "BROKEN"),
    ("noise", "noise", "BROKEN"),
    ("generator", "network", "BROKEN_GENERATORS"),
    ("discriminator", "network", "BROKEN_DISCRIMINATORS"),
    ("network", "network", "BROKEN_NETWORKS"),
    ("regularizer", "regularizer", "BROKEN"),
    ("augmentation", "augmentation", "BROKEN"),
    ("optimizer", "optimization", "BROKEN_OPTIMIZERS"),
    ("schedule", "optimization", "BROKEN_SCHEDULES"),
    ("averaging", "optimization", "BROKEN_AVERAGES"),
    ("step", "step", "BROKEN"),
    ("sampler", "sampler", "BROKEN"),
    ("callback", "callback", "BROKEN"),
    ("data", "data", "BROKEN"),
    ("embedding", "metrics", "BROKEN_EMBEDDINGS"),
    ("metric", "metrics", "BROKEN_METRICS"),
    ("launcher", "launcher", "BROKEN"),
)
"""The kind of part, the file of broken ones, and the list in it."""


def broken() -> Iterator[tuple[str, Callable[[Subject], None], Any, str]]:
    for kind, file, table in SOURCES:
        for check, target, complaint in getattr(importlib.import_module(f"broken.{file}"), table):
            yield kind, check, target, complaint


BROKEN = list(broken())
MARKS = {
    modes.trains_in_bf16: pytest.mark.bf16,
    modes.trains_compiled: pytest.mark.slow,
    modes.trains_in_two_processes: pytest.mark.slow,
}


@pytest.fixture(scope="session")
def builtin() -> Registry:
    return ganfw.discover(allowed=(), scripts=[Path(__file__).parents[1] / "further_parts.py"])


def base_of(kind: str, registry: Registry) -> Recipe:
    """Return the recipe that a broken part goes into: for networks, one whose step calls a third network."""
    small = small_recipe(registry)
    return with_encoder(small) if kind == "network" else small


def with_encoder(base: Recipe) -> Recipe:
    """Return a recipe with a third network, trained with the discriminator."""
    of_both = {"networks": ["discriminator", "encoder"]}
    encoder = {"use": "scaling"}
    tables: dict[str, Any] = {"networks": {"encoder": encoder}, "optimizer": {"discriminator": of_both}}
    return Recipe(name="small", extends=base, step={"use": "encoding"}, **tables)


def subject_of(kind: str, target: Any, registry: Registry, folder: Path) -> Subject:
    part = Part(kind=kind, name="broken", target=f"{target.__module__}:{target.__qualname__}", help="a broken part")
    plugin = Plugin("ganfw-broken", "1.0", "ganfw_broken", (part,))
    registry = Registry((*registry.plugins, plugin))
    return Subject(RegisteredPart(part, plugin), registry, base_of(kind, registry), folder)


@pytest.mark.parametrize(
    ("kind", "check", "target", "complaint"),
    [pytest.param(*each, marks=MARKS.get(each[1], ())) for each in BROKEN],
    ids=[f"{kind}-{check.__name__}-{target.__name__}" for kind, check, target, _ in BROKEN],
)
def test_check_fails_on_what_breaks_it(
    kind: str, check: Callable[[Subject], None], target: Any, complaint: str, builtin: Registry, tmp_path: Path
) -> None:
    subject = subject_of(kind, target, builtin, tmp_path)
    with pytest.raises((AssertionError, GanfwError)) as caught:
        Check(f"{kind} broken", check.__name__, str(subject.registered), lambda *_: check(subject))(tmp_path)

    expected = f"{kind} 'broken' (ganfw-broken 1.0): {complaint}"
    told = str(caught.value)
    if complaint.endswith(" "):  # numbers, or torch's own words, follow
        assert told.startswith(expected)
    else:
        assert told.partition("\n")[0] == expected


def test_every_check_of_every_kind_is_shown_to_fail() -> None:
    shown = {check for _, check, _, _ in BROKEN}

    assert {check.__name__ for checks in OF_PARTS.values() for check in checks if check not in shown} == set()
    assert len(shown) == 67
