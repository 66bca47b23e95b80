"""The pages about metrics have every number, and their example measures."""

import re
import tomllib
from collections.abc import Mapping
from typing import Any

import torch
from pages import blocks, code, page, section, table

import ganfw


def measured(
    registry: ganfw.Registry,
    part: str,
    samples: torch.Tensor,
    reference: torch.Tensor,
    *,
    classes: tuple[torch.Tensor, torch.Tensor] | None = None,
    **keys: Any,
) -> Mapping[str, ganfw.MetricValue]:
    """Measure samples that are their own features, `(n, d)`; the reference is the training set too."""
    left, right = (None, None) if classes is None else classes
    real = ganfw.SampleSet(reference, reference, right)
    return registry.load("metric", part)(**keys)(
        ganfw.MetricInputs(ganfw.SampleSet(samples, samples, left), real, ganfw.SampleSet(reference, reference))
    )


def test_every_metric_and_each_of_its_numbers_is_on_the_page(registry: ganfw.Registry) -> None:
    text = page("reference/metrics.md")
    rows = torch.eye(9, dtype=torch.float64)[:, :2]
    parts = [offer.part.name for offer in ganfw.discover(allowed=()).parts() if offer.part.kind == "metric"]
    numbers = [name for part in parts for name in measured(registry, part, rows, rows)]

    assert re.findall(r"^Part `(\w+)`", text, re.MULTILINE) == parts
    assert len(set(numbers)) == len(numbers) - 3 == 19  # those of the ring and of the grid have the same names
    for name in numbers:
        assert re.search(rf"`{name}`|^    {name} +=", text, re.MULTILINE), name


def test_the_reasons_on_the_page_are_those_that_are_given(registry: ganfw.Registry) -> None:
    random = torch.Generator().manual_seed(0)
    rows = torch.randn(50, 64, dtype=torch.float64, generator=random)
    classes = torch.eye(8, dtype=torch.float64)
    results = (
        measured(registry, "frechet_distance", rows, rows),
        measured(registry, "diversity", rows * torch.nan, rows),
        measured(registry, "classifier_score", rows, rows),
        measured(registry, "classifier_score", rows, rows, classes=(classes, classes[:7])),
        measured(registry, "nearest_neighbours", rows + 1, rows),
        measured(registry, "diversity", rows, torch.ones_like(rows)),
        {"mode_kl": measured(registry, "ring_modes", torch.zeros(5, 2), torch.zeros(5, 2))["mode_kl"]},
        measured(registry, "grid_modes", torch.zeros(5, 1, 28, 28), rows),
        measured(registry, "stacked_modes", rows, rows, classes=(torch.eye(10), torch.eye(10))),
    )
    given = [next(found.reason for found in result.values() if found.value is None) for result in results]

    assert given == [code(row[0]) for row in table(section("reference/metrics.md", "No value"))]


def test_the_table_on_the_page_is_one_of_a_recipe(registry: ganfw.Registry, tiny: ganfw.Recipe) -> None:
    (text,) = blocks(page("reference/metrics.md"), "toml")

    resolved = ganfw.resolve(ganfw.Recipe(extends=tiny, **tomllib.loads(text)), registry)

    assert resolved.recipe.tables["metrics"]["neighbourhoods"] == {"use": "precision_recall", "k": 5}


def test_the_metric_on_the_page_measures() -> None:
    (text,) = blocks(section("reference/metrics.md", "Your own metric"), "python")
    names: dict[str, Any] = {}
    exec(compile(text, "reference/metrics.md", "exec"), names)
    zeros, ones = (ganfw.SampleSet(rows, rows) for rows in (torch.zeros(3, 4), torch.ones(2, 4)))
    nothing = ganfw.SampleSet(torch.zeros(0, 4), torch.zeros(0, 4))

    metric = names["MeanDistance"]()

    assert metric(ganfw.MetricInputs(ones, zeros, zeros)) == {"mean_distance": ganfw.MetricValue(2.0, "lower")}
    assert metric(ganfw.MetricInputs(nothing, zeros, zeros))["mean_distance"].value is None
