"""The page: everything put into one HTML file that needs nothing else."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from ganfw.report.axis import shown
from ganfw.report.chart import BASE, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from ganfw.report.figures import curve_charts, history_charts
from ganfw.report.groups import differing_settings, group_runs
from ganfw.report.names import ARROWS, WARNINGS, metric_help, metric_name
from ganfw.report.pictures import Picture, Problems, make_time_lapse, picture_of
from ganfw.report.reading import printable
from ganfw.report.run import Run
from ganfw.report.settings import by_source, by_table
from ganfw.report.summaries import compared_metrics, newest_shared, summarise, truncation_rows

if TYPE_CHECKING:
    from jinja2 import Environment


def render_page(runs: Sequence[Run]) -> str:
    """Return the HTML of a page about runs; the same runs give the same page.

    Nothing in the page is fetched from elsewhere, and its policy forbids it; every text of a run is escaped.
    """
    return render("page.html", _contents(runs))


def render(template: str, contents: Mapping[str, Any]) -> str:
    """Return the HTML of a template of this package: its contents are escaped, and its style and script put in."""
    from markupsafe import Markup

    css, js = asset("page.css"), asset("page.js")
    return str(
        _environment()
        .get_template(template)
        .render(
            **contents,
            version=version("ganfw"),
            css=Markup(css),
            js=Markup(js),
            css_hash=policy_hash(css),
            js_hash=policy_hash(js),
        )
    )


def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ganfw.report"),
        autoescape=True,
        finalize=printable,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(shown=shown)
    environment.globals.update(
        arrows=ARROWS,
        box={"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT, "top": TOP, "base": BASE},
        by_source=by_source,
        by_table=by_table,
        metric_help=metric_help,
        metric_name=metric_name,
        summarise=summarise,
        truncation_rows=truncation_rows,
        warning_words=WARNINGS,
    )
    return environment


def _contents(runs: Sequence[Run]) -> dict[str, Any]:
    """Gather all that the template shows."""
    problems: Problems = [(run.label, problem) for run in runs for problem in run.problems]

    def pictures(kind: str) -> list[tuple[str, Picture]]:
        loaded = [(run.label, picture_of(run, run.pictures.get(kind), problems)) for run in runs]
        return [(label, picture) for label, picture in loaded if picture is not None]

    groups = group_runs(runs)
    columns, compared = compared_metrics(groups)
    return {
        "runs": runs,
        "groups": groups,
        "title": runs[0].name if len(groups) == 1 else f"{len(runs)} runs compared",
        "differing": differing_settings([group.runs for group in groups]),
        "time_lapse": make_time_lapse(runs, problems),
        "curves": curve_charts(groups),
        "metric_columns": columns,
        "compared": compared,
        "newest": newest_shared(groups[0]),
        "history": history_charts(groups),
        "truncation_curves": pictures("truncation"),
        "truncation_grids": pictures("truncation-grid"),
        "truncations": [
            (group, curves)
            for group in groups
            if (curves := [run.truncation for run in group.runs if run.truncation is not None])
        ],
        "neighbours": pictures("neighbours"),
        "lists": [
            (run.label, name, score)
            for run in runs
            for newest in run.evaluations[-1:]
            for name, score in newest.scores.items()
            if score.values
        ],
        "problems": problems,
    }


def asset(name: str, package: str = "ganfw.report") -> str:
    """Return a text file of a package: a style or a script."""
    return (files(package) / name).read_text(encoding="utf-8")


def policy_hash(text: str) -> str:
    """Return how the page's policy names the one style and the one script that may act."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
