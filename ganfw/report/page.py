"""The page: everything put into one HTML file that needs nothing else."""

import base64
import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganfw.report.axis import shown
from ganfw.report.chart import BASE, HEIGHT, LEFT, RIGHT, STYLES, TOP, WIDTH
from ganfw.report.figures import curve_charts, history_charts, legend, list_charts, truncation_charts
from ganfw.report.groups import differing_settings, group_runs, newest_shared
from ganfw.report.names import WARNINGS
from ganfw.report.pictures import Picture
from ganfw.report.run import Run
from ganfw.report.tables import (
    by_table,
    compared_metrics,
    facts,
    metric_rows,
    sourced_settings,
    truncation_rows,
    warning_ranges,
)
from ganfw.report.time_lapse import make_time_lapse, picture_or_none

if TYPE_CHECKING:
    from jinja2 import Environment

MARKERS = (
    "m-3.4 0a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0-6.8 0z",
    "m-3-3h6v6h-6z",
    "m0-4.4l4.2 7.4h-8.4z",
    "m0-4.6l4.6 4.6l-4.6 4.6l-4.6-4.6z",
    "m0 4.4l4.2-7.4h-8.4z",
    "m-4.2-1.4h2.8v-2.8h2.8v2.8h2.8v2.8h-2.8v2.8h-2.8v-2.8h-2.8z",
    "m-4.6 0l2.3-4h4.6l2.3 4l-2.3 4h-4.6z",
    "m-1.5-4.5h3v9h-3z",
)
"""The shapes of markers, as SVG paths from their middle; one for each style."""


def render_page(runs: Sequence[Run]) -> str:
    """Return the HTML of a page about runs; the same runs give the same page.

    Nothing in the page is fetched from elsewhere, and its policy forbids it; every text of a run is escaped.
    """
    from markupsafe import Markup

    css, js = _asset("page.css"), _asset("page.js")
    return str(
        _environment()
        .get_template("page.html")
        .render(
            **_contents(runs),
            version=version("ganfw"),
            css=Markup(css),
            js=Markup(js),
            css_hash=_policy_hash(css),
            js_hash=_policy_hash(js),
        )
    )


def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ganfw.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(ranges=warning_ranges, shown=shown)
    environment.globals.update(
        box={"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT, "top": TOP, "base": BASE},
        by_table=by_table,
        markers=MARKERS,
        styles=STYLES,
        warning_words=WARNINGS,
        facts=facts,
        list_charts=list_charts,
        metric_rows=metric_rows,
        sourced_settings=sourced_settings,
        truncation_rows=truncation_rows,
    )
    return environment


def _contents(runs: Sequence[Run]) -> dict[str, Any]:
    """Gather all that the template shows."""
    problems = [(run.label, problem) for run in runs for problem in run.problems]

    def tell(label: str, problem: str) -> None:
        problems.append((label, problem))

    def pictures(paths: Sequence[tuple[Run, Path | None]]) -> list[tuple[str, Picture]]:
        loaded = [(run.label, picture_or_none(path, run, tell)) for run, path in paths if path is not None]
        return [(label, picture) for label, picture in loaded if picture is not None]

    groups = group_runs(runs)
    columns, compared = compared_metrics(groups)
    return {
        "runs": runs,
        "groups": groups,
        "title": runs[0].name if len(groups) == 1 else f"{len(runs)} runs compared",
        "legend": legend(groups),
        "differing": differing_settings(groups),
        "time_lapse": make_time_lapse(runs, tell),
        "curves": curve_charts(groups),
        "metric_columns": columns,
        "compared": compared,
        "newest": newest_shared(groups[0]),
        "history": history_charts(groups),
        "truncation": truncation_charts(groups),
        "truncation_grids": pictures([(run, run.truncation_grid) for run in runs]),
        "neighbours": pictures([(run, run.neighbours) for run in runs]),
        "classes": [(run.label, chart) for run in runs for chart in list_charts(run)],
        "problems": problems,
    }


def _asset(name: str) -> str:
    return (files("ganfw.report") / name).read_text(encoding="utf-8")


def _policy_hash(text: str) -> str:
    """Return how the page's policy names the one style and the one script that may act."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
