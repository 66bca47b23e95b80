"""Each check of a part fails on one that breaks it, and tells the author what is wrong."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import ganfw
from ganfw import GanfwError, Part, Registry
from ganfw.plugins.registry import Plugin, RegisteredPart
from ganfw.testing.catalogue import OF_PARTS
from ganfw.testing.recipe import small_recipe
from ganfw.testing.subject import Subject

SOURCES = (
    ("loss", "part", "BROKEN"),
    ("loss", "loss", "BROKEN"),
    ("noise", "noise", "BROKEN"),
    ("generator", "network", "BROKEN_GENERATORS"),
    ("discriminator", "network", "BROKEN_DISCRIMINATORS"),
    ("regularizer", "regularizer", "BROKEN"),
    ("augmentation", "augmentation", "BROKEN"),
    ("optimizer", "optimization", "BROKEN_OPTIMIZERS"),
    ("schedule", "optimization", "BROKEN_SCHEDULES"),
    ("averaging", "optimization", "BROKEN_AVERAGES"),
    ("step", "step", "BROKEN"),
    ("callback", "callback", "BROKEN"),
    ("data", "data", "BROKEN"),
    ("embedding", "metrics", "BROKEN_EMBEDDINGS"),
    ("metric", "metrics", "BROKEN_METRICS"),
)
"""The kind of part, the file of broken ones, and the list in it."""


def load(name: str) -> ModuleType:
    """Import a file of broken parts, so that targets of offers can name it."""
    module_name = f"broken_{name}"
    if module_name not in sys.modules:
        spec = importlib.util.spec_from_file_location(module_name, Path(__file__).parent / "broken" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[module_name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[module_name]


def broken() -> Iterator[tuple[str, Callable[[Subject, Path], None], Any, str]]:
    for kind, file, table in SOURCES:
        for check, target, complaint in getattr(load(file), table):
            yield kind, check, target, complaint


BROKEN = list(broken())


@pytest.fixture(scope="session")
def builtin() -> Registry:
    return ganfw.discover(allowed=())


def subject_of(kind: str, target: Any, registry: Registry) -> Subject:
    part = Part(kind=kind, name="broken", target=f"{target.__module__}:{target.__qualname__}", help="a broken part")
    plugin = Plugin("ganfw-broken", "1.0", "ganfw_broken", (part,))
    registry = Registry((*registry.plugins, plugin))
    return Subject(RegisteredPart(part, plugin), registry, small_recipe(registry))


@pytest.mark.parametrize(
    ("kind", "check", "target", "complaint"),
    BROKEN,
    ids=[f"{kind}-{check.__name__}-{target.__name__}" for kind, check, target, _ in BROKEN],
)
def test_check_fails_on_what_breaks_it(
    kind: str, check: Callable[[Subject, Path], None], target: Any, complaint: str, builtin: Registry, tmp_path: Path
) -> None:
    with pytest.raises((AssertionError, GanfwError)) as caught:
        check(subject_of(kind, target, builtin), tmp_path)

    expected = f"{kind} 'broken' (ganfw-broken 1.0): {complaint}"
    told = str(caught.value)
    if complaint.endswith(" "):  # numbers, or torch's own words, follow
        assert told.startswith(expected)
    else:
        assert told.partition("\n")[0] == expected


def test_every_check_of_every_kind_is_shown_to_fail() -> None:
    shown = {check for _, check, _, _ in BROKEN}

    assert {check.__name__ for checks in OF_PARTS.values() for check in checks if check not in shown} == set()
    assert len(shown) == 55
