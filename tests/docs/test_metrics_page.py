"""The pages about metrics have every number, and their example measures."""

import io
import re
import runpy
import tomllib
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from pages import DOCS, blocks, code, page, section, table
from PIL import Image

import ganfw

INDEX = "reference/metrics/index.md"
FAMILIES = [
    path.read_text(encoding="utf-8") for path in sorted((DOCS / INDEX).parent.glob("*.md")) if path.stem != "index"
]


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


def test_every_metric_and_each_of_its_numbers_is_on_a_page(registry: ganfw.Registry) -> None:
    text = "\n".join(FAMILIES)
    rows = torch.eye(9, dtype=torch.float64)[:, :2]
    parts = [offer.part.name for offer in ganfw.discover(allowed=()).parts() if offer.part.kind == "metric"]
    numbers = [name for part in parts for name in measured(registry, part, rows, rows)]

    assert sorted(re.findall(r"^Part `(\w+)`", text, re.MULTILINE)) == sorted(parts)
    assert len(set(numbers)) == len(numbers) - 3 == 19  # those of the ring and of the grid have the same names
    for name in numbers:
        assert re.search(rf"`{name}`|^    {name} +=", text, re.MULTILINE), name
    listed = {code(row[0]) for row in table(page(INDEX))}
    assert listed == {name for name in numbers if "mode" not in name and name != "high_quality_share"}


def test_every_section_has_a_meaning_a_warning_a_picture_and_a_source() -> None:
    sections = [part for text in FAMILIES for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]]

    assert len(sections) == 12
    for part in sections:
        assert re.search(r"^- \*\*Means:\*\* .+\n- \*\*Misleads:\*\* .+\n\n!\[", part, re.MULTILINE), part
        assert re.search(r"^Sources?: [^#]*\(https://|sources are those", part, re.MULTILINE), part


def test_the_pictures_have_the_values_that_the_metrics_compute(registry: ganfw.Registry) -> None:
    scenes = runpy.run_path(str(DOCS / "generate_metric_pictures.py"))["SCENES"]
    shown = dict(re.findall(r"^!\[(.*)\]\(\.\./\.\./images/metrics/(\w+)\.png\)$", "\n".join(FAMILIES), re.MULTILINE))

    assert sorted(shown.values()) == sorted(scenes) == sorted(path.stem for path in (DOCS / "images/metrics").iterdir())
    for captions, name in shown.items():
        assert captions == "; ".join(scenes[name]().captions(registry))


@pytest.mark.parametrize(
    "name", ["frechet_distance", "density_coverage", "classes", "nearest_neighbours", "stacked_modes"]
)
def test_a_picture_is_drawn_as_it_is_in_the_documentation(name: str, registry: ganfw.Registry) -> None:
    script = runpy.run_path(str(DOCS / "generate_metric_pictures.py"))
    drawn = Image.open(io.BytesIO(script["draw"](script["SCENES"][name](), registry)))

    with Image.open(DOCS / "images" / "metrics" / f"{name}.png") as kept:
        assert abs(kept.width - drawn.width) + abs(kept.height - drawn.height) < 20  # fonts differ among machines
    assert drawn.width > 3 * 200


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

    assert given == [code(row[0]) for row in table(section(INDEX, "No value"))]


def test_the_table_on_the_page_is_one_of_a_recipe(registry: ganfw.Registry, tiny: ganfw.Recipe) -> None:
    (text,) = blocks(page(INDEX), "toml")

    resolved = ganfw.resolve(ganfw.Recipe(extends=tiny, **tomllib.loads(text)), registry)

    assert resolved.recipe.tables["metrics"]["neighbourhoods"] == {"use": "precision_recall", "k": 5}


def test_the_metric_on_the_page_measures() -> None:
    (text,) = blocks(section(INDEX, "Your own metric"), "python")
    names: dict[str, Any] = {}
    exec(compile(text, INDEX, "exec"), names)
    zeros, ones = (ganfw.SampleSet(rows, rows) for rows in (torch.zeros(3, 4), torch.ones(2, 4)))
    nothing = ganfw.SampleSet(torch.zeros(0, 4), torch.zeros(0, 4))

    metric = names["MeanDistance"]()

    assert metric(ganfw.MetricInputs(ones, zeros, zeros)) == {"mean_distance": ganfw.MetricValue(2.0, "lower")}
    assert metric(ganfw.MetricInputs(nothing, zeros, zeros))["mean_distance"].value is None
